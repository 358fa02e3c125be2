"""The relaxation with its n x n multiplier: the value, the residual and the bound of a point of the splitting."""

import math
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from numopt._array import clip, device, host
from numopt.clustering._problem import finite

DENSE_BYTES = 40  # for each entry of a matrix, at most: T and a copy, and four matrices in float64
_ROWS = 1024  # of a matrix that is made in parts
_LOSS = 0.03  # of the gap: so much may a bound be too low if it is cheaper then
_DEPTH = 4  # products with which the eigenvectors of a bound are improved


_LIMITS = "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"
_UNKNOWN = 8e9  # bytes of memory where the system does not say


def memory(x):
    """Return how many bytes the device of `x` has, or the machine leaves to this process."""
    if hasattr(device(x), "mem_info"):  # CuPy's: (free, all)
        return float(device(x).mem_info[1])
    try:
        found = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return _UNKNOWN
    limits = [Path(name).read_text(encoding="ascii").strip() for name in _LIMITS if Path(name).exists()]
    return min([found, *(float(text) for text in limits if text.isdigit())])


class Split(NamedTuple):
    """T = max(T, 0) - N / unit and Z = 11' / n + V diag(weights) V', with V orthonormal and orthogonal to 1.

    Leading eigenvectors of P (XX' + N) P are nearly in the span of `near`, V and some more. With cuts A Z <= 0 of
    multipliers q >= 0, unit `shift` is A'q, which is less in N then.
    """

    T: object
    V: object
    weights: object
    unit: float
    near: object
    shift: object = None


def warm_matrix(p, found, bound, unit, ratio):
    """Return the T, float32, of the integral point of a partition and the multiplier N of its bound by pairs, and rho.

    `ratio` is how much longer max(T, 0) is than N / (unit rho).
    """
    xp, labels, k = p.xp, found.labels, found.centres.shape[0]
    own = 1.0 / xp.take(found.sizes, labels)
    each = xp.arange(k, device=device(p.X))
    H = xp.astype(labels[:, None] == each, xp.float64)
    D = xp.stack([xp.sum((p.X - found.centres[b, :]) ** 2, axis=1) for b in range(k)], axis=1)
    margin = D - xp.take_along_axis(D, labels[:, None], axis=1) - bound.tau * (1.0 / found.sizes + own[:, None])
    U = (1.0 - H) * (0.5 * found.sizes * clip(margin, 0.0, None))
    sums = H.T @ U  # of u_b over cluster a
    both = sums * sums.T
    c = xp.where(both > 0, bound.factor / unit / xp.sqrt(xp.where(both > 0, both, 1.0)), 0.0)
    squares = H.T @ (U * U)
    held = math.sqrt(host(xp.sum(c * c * squares * squares.T)))
    rho = ratio * held / math.sqrt(k) if held > 0 else 1.0
    rows = []
    for lo in range(0, p.size, _ROWS):
        part = slice(lo, min(lo + _ROWS, p.size))
        a = labels[part]
        N = xp.take(xp.take(c / rho, a, axis=0), labels, axis=1) * xp.take(U[part, :], labels, axis=1)
        T = xp.where(a[:, None] == labels, own, -N * xp.take(U.T, a, axis=0))
        rows.append(xp.astype(T, xp.float32))
    return xp.concat(rows), rho


def primal(p, split):
    """Return the value of Z, |min(Z, 0)|_F / |Z|_F and the smallest entry, on the device."""
    xp, w = p.xp, split.weights
    square, least = p.kernels.below_zero(split.V, w)
    XV = p.X.T @ split.V
    return p.total - xp.sum(XV * XV * w), xp.sqrt(square / (1.0 + xp.sum(w * w))), least


def multiplier(xp, split):
    """Return N, symmetric."""
    N = xp.astype(clip(-0.5 * (split.T + split.T.T), 0.0, None), xp.float64)
    return split.unit * (N if split.shift is None else N - split.shift)


def dual_bound(p, split, value, residual):
    """Return a lower bound of the relaxation, a float.

        |X|_F^2 - 1'N1 / n - the sum of the K - 1 largest eigenvalues of P (XX' + N) P,   P = I - 11' / n,

    for N = multiplier(split). It holds for any N >= 0, less A'q for any q >= 0 and cuts A Z <= 0. It is allowed to lose
    a little of the gap to Z, whose value and residual are given: about n^3 / 3 flops then, four times as many if that
    fails; about `DENSE_BYTES` n^2 bytes.
    """
    xp, n, k = p.xp, p.size, p.k - 1
    M = multiplier(xp, split)
    head = p.total - finite(xp.sum(M), "the multiplier") / n
    M += p.X @ p.X.T
    row = xp.mean(M, axis=0)
    M -= row
    M -= (row - xp.mean(row))[:, None]
    theta, U = _leading(xp, M, k, xp.astype(split.near, xp.float64))
    total = finite(xp.sum(theta), "the spectrum")
    loss = _LOSS * max(abs(value - head + total), residual * value)
    rounding = _excluded(xp, M, theta, U, loss / (2 * k))
    return head - (_largest_sum(xp, M, k) if rounding is None else total + loss + k * rounding)


def _leading(xp, M, k, V):
    """Return k Ritz values, ascending, and vectors of M from the Krylov space of V."""
    blocks = [V]
    for _ in range(_DEPTH):
        blocks.append(xp.linalg.qr(M @ blocks[-1])[0])
    Q = xp.linalg.qr(xp.concat(blocks, axis=1))[0]
    small = Q.T @ (M @ Q)
    theta, S = xp.linalg.eigh(0.5 * (small + small.T))
    return theta[theta.shape[0] - k :], Q @ S[:, theta.shape[0] - k :]


def _excluded(xp, M, theta, U, slack):
    """Return a bound of the rounding if M <= (theta_1 + slack) I + U diag(theta - theta_1 + slack) U', else None.

    The k largest eigenvalues of M sum up to at most theta_1 + ... + theta_k + 2 k slack then. A Cholesky factor is the
    proof; that it is one is checked, as not every library says when there is none.
    """
    n = M.shape[0]
    A = (U * (theta - theta[0] + slack)) @ U.T
    A -= M
    xp.reshape(A, (-1,), copy=False)[:: n + 1] += theta[0] + slack
    try:
        L = xp.linalg.cholesky(A)
    except np.linalg.LinAlgError:
        return None
    x = xp.reshape(xp.sin(xp.arange(n, dtype=A.dtype, device=device(A)) ** 2), (-1, 1))
    off, trace = host(xp.max(xp.abs(L @ (L.T @ x) - A @ x)), xp.sum(xp.abs(xp.linalg.diagonal(A))))
    return 4e-16 * n * trace if off <= 1e-10 * trace else None


def _largest_sum(xp, M, k):
    """Bound the sum of the k largest eigenvalues of a symmetric M from above: all are computed, none can be missed."""
    values = host(xp.linalg.eigvalsh(M))
    return float(np.sum(values[values.size - k :])) + k * M.shape[0] * 1e-16 * float(np.max(np.abs(values)))
