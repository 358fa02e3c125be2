"""Naive twins for sparse plans: NumPy, float64, whole matrices, columns one by one."""

import itertools

import numpy as np


def column(s, w, k):
    """Return (t, p): the projection of s on {p >= 0, sum p = w, at most k non-zeros}, by trying counts.

    Of equal entries those of smallest index are taken.
    """
    order = np.argsort(-s, kind="stable")[:k]
    best = None
    for size in range(1, len(order) + 1):
        t = (s[order[:size]].sum() - w) / size
        if best is None or s[order[size - 1]] > t:
            best = t
    p = np.zeros_like(s)
    p[order] = np.maximum(s[order] - best, 0)
    return best, p


def project(C, f, b, reg, k):
    """Return (t, P) for all columns."""
    columns = [column(f - C[:, j], reg * b[j], k) for j in range(C.shape[1])]
    return np.array([t for t, _ in columns]), np.stack([p for _, p in columns], axis=1) / reg


def dual(C, f, a, b, reg, k):
    """Return H(f) = <a, f> - sum_j max_p (<f - C_j, p> - reg/2 |p|^2)."""
    P = project(C, f, b, reg, k)[1]
    carried = P > 0  # elsewhere C may be infinite
    return a @ f - ((f[:, None] - C)[carried] * P[carried]).sum() + reg / 2 * (P**2).sum()


def value(C, P, reg):
    """Return <C, P> + reg/2 |P|^2."""
    return (C[P > 0] * P[P > 0]).sum() + reg / 2 * (P**2).sum()


def laplacian(P):
    """Return sum_j (I_A - 1 1^T / |A|) over the supports A of the columns of P."""
    L = np.zeros((P.shape[0],) * 2)
    for p in P.T:
        A = (p > 0).astype(float)
        L += np.diag(A) - np.outer(A, A) / max(1, A.sum())
    return L


def marginal_error(P, a, b):
    """Return the l1 violation of the marginals relative to the mass."""
    return (np.abs(P.sum(axis=1) - a).sum() + np.abs(P.sum(axis=0) - b).sum()) / a.sum()


def best_with_supports(C, a, b, reg, k):
    """Return the least value of plans with at most k entries a column, by trying all supports of a tiny C."""
    from scipy.optimize import minimize

    n, m = C.shape
    choices = [np.array(rows) for rows in itertools.combinations(range(n), k)]
    least = np.inf
    for chosen in itertools.product(choices, repeat=m):
        rows = np.concatenate(chosen)
        columns = np.repeat(np.arange(m), k)
        A = np.zeros((n + m, rows.size))
        A[rows, np.arange(rows.size)] = 1
        A[n + columns, np.arange(rows.size)] = 1
        c = C[rows, columns]
        start = np.linalg.lstsq(A, np.r_[a, b], rcond=None)[0]
        if np.abs(A @ start - np.r_[a, b]).max() > 1e-9:
            continue
        found = minimize(
            lambda p, c=c: c @ p + reg / 2 * p @ p,
            start,
            jac=lambda p, c=c: c + reg * p,
            bounds=[(0, None)] * rows.size,
            constraints={
                "type": "eq",
                "fun": lambda p, A=A: (A @ p - np.r_[a, b])[:-1],
                "jac": lambda p, A=A: A[:-1],
            },
            method="SLSQP",
            options={"ftol": 1e-12, "maxiter": 200},
        )
        if found.success:
            least = min(least, found.fun)
    return least
