"""The Peng-Wei relaxation for conic solvers, and the ruler for everybody's pair of matrices."""

from __future__ import annotations

import numpy as np
from scipy import sparse

EPS = 1e-5


def relaxation_gap(X: np.ndarray, k: int, Z: np.ndarray, N: np.ndarray | None) -> float:
    """Return the larger of the duality gap and the violations of Z, all relative.

    The value is <C, Z>, the bound |Xc|^2 - 1'N1 / n - the K - 1 largest eigenvalues of P (Xc Xc' + N) P, which holds
    for any N >= 0. Violations: of Z >= 0, of Z psd, of the row sums and of the trace. Without N, the bound is that of
    `certify_kmeans` for the labels that Z stands for.
    """
    X = X - X.mean(axis=0)
    n, total = len(X), (X**2).sum()
    value = total - ((X @ X.T) * Z).sum()
    if N is None:
        from numopt.clustering import certify_kmeans

        bound = certify_kmeans(X, Z.argmax(axis=1), on_failure="ignore").lower_bound
    else:
        N = np.maximum(0.5 * (N + N.T), 0)
        M = X @ X.T + N
        row = M.mean(axis=0)
        values = np.linalg.eigvalsh(M - row - row[:, None] + row.mean())
        bound = total - N.sum() / n - values[n - k + 1 :].sum()
    norm = np.linalg.norm(Z)
    off = [
        np.linalg.norm(np.minimum(Z, 0)) / norm,
        -min(np.linalg.eigvalsh(0.5 * (Z + Z.T))[0], 0) / norm,
        np.linalg.norm(Z.sum(axis=1) - 1) / np.sqrt(n),
        abs(np.trace(Z) - k) / k,
    ]
    return float(max(abs(value - bound) / value, *off))


def _conic(X: np.ndarray, k: int, order: str) -> tuple:
    """Return (q, A, b, sizes, index, unit) in svec variables; `order` is "lower" or "upper", by columns."""
    X = X - X.mean(axis=0)
    n = len(X)
    j, i = np.triu_indices(n)  # by columns of the lower triangle: (i, j) with i >= j
    if order == "upper":
        at = np.lexsort((j, i))
        i, j = i[at], j[at]
    root = np.where(i == j, 1.0, np.sqrt(2.0))
    C = 0.5 * ((X[i] - X[j]) ** 2).sum(axis=1)
    C = C / C.mean()  # a common scale helps both solvers
    m = len(i)
    each = np.arange(m)
    off = i != j
    rows = np.concatenate([i, j[off], np.full(n, n)])
    columns = np.concatenate([each, each[off], each[~off]])
    values = np.concatenate([1 / root, 1 / root[off], np.ones(n)])
    equal = sparse.csc_array((values, (rows, columns)), shape=(n + 1, m))
    minus = -sparse.eye_array(m, format="csc")
    A = sparse.vstack([equal, minus, minus], format="csc")
    b = np.concatenate([np.ones(n), [float(k)], np.zeros(2 * m)])
    return root * C, A, b, (n, m), (i, j, root), 0.5 * ((X[i] - X[j]) ** 2).sum(axis=1).mean()


def _matrix(x: np.ndarray, index: tuple, n: int) -> np.ndarray:
    i, j, root = index
    Z = np.zeros((n, n))
    Z[i, j] = Z[j, i] = x / root
    return Z


def scs_sdp(X: np.ndarray, k: int) -> tuple:
    """Solve by SCS with its defaults (acceleration on), to EPS."""
    import scs

    q, A, b, (n, m), index, unit = _conic(X, k, "lower")
    data = {"A": sparse.csc_matrix(A), "b": b, "c": q}
    cone = {"z": n + 1, "l": m, "s": [n]}
    solver = scs.SCS(data, cone, eps_abs=EPS, eps_rel=EPS, max_iters=100_000, verbose=False)
    found = solver.solve()
    N = _matrix(found["y"][n + 1 : n + 1 + m], index, n) * unit
    return (_matrix(found["x"], index, n), N), int(found["info"]["iter"])


def clarabel_sdp(X: np.ndarray, k: int) -> tuple:
    """Solve by Clarabel with its defaults, to EPS."""
    import clarabel

    q, A, b, (n, m), index, unit = _conic(X, k, "upper")
    cones = [clarabel.ZeroConeT(n + 1), clarabel.NonnegativeConeT(m), clarabel.PSDTriangleConeT(n)]
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_rel = settings.tol_gap_abs = settings.tol_feas = EPS
    none = sparse.csc_matrix((m, m))
    found = clarabel.DefaultSolver(none, q, sparse.csc_matrix(A), b, cones, settings).solve()
    N = _matrix(np.array(found.z)[n + 1 : n + 1 + m], index, n) * unit
    return (_matrix(np.array(found.x), index, n), N), int(found.iterations)
