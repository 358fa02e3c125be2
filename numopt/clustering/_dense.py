"""The relaxation with its n x n multiplier: the value, the residual and the bound of a point of the splitting."""

from typing import NamedTuple

import numpy as np

from numopt._array import device, host
from numopt.clustering._problem import finite

_LOSS = 0.03  # of the gap: so much may a bound be too low if it is cheaper then
_DEPTH = 4  # products with which the eigenvectors of a bound are improved


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


def warm_matrix(p, found, bound, unit):
    """Return the T whose parts are the integral point of a partition and the multiplier of its bound by pairs."""
    xp, labels, sizes, k = p.xp, found.labels, found.sizes, found.centres.shape[0]
    own = xp.take(sizes, labels)
    T = xp.astype(labels[:, None] == labels, xp.float64) / own
    if not bound.factor > 0:
        return T
    D = xp.stack([xp.sum((p.X - found.centres[b, :]) ** 2, axis=1) for b in range(k)], axis=1)
    margin = D - xp.take_along_axis(D, labels[:, None], axis=1) - bound.tau * (1.0 / sizes + 1.0 / own[:, None])
    U = 0.5 * sizes * xp.clip(margin, 0.0, None)
    each = xp.arange(k, device=device(p.X))
    U = xp.where(labels[:, None] == each, 0.0, U)
    rho = xp.astype(each[:, None] == labels, xp.float64) @ U  # rho_ab: u_b summed over cluster a
    both = rho * rho.T
    c = xp.where(both > 0, bound.factor / xp.sqrt(xp.where(both > 0, both, 1.0)), 0.0)
    U = xp.take(U, labels, axis=1)
    return T - xp.take(xp.take(c, labels, axis=0), labels, axis=1) * U * U.T / unit


def primal(p, split):
    """Return the value of Z, |min(Z, 0)|_F / |Z|_F and the smallest entry, on the device."""
    xp, w = p.xp, split.weights
    square, least = p.kernels.below_zero(split.V, w)
    XV = p.X.T @ split.V
    return p.total - xp.sum(XV * XV * w), xp.sqrt(square / (1.0 + xp.sum(w * w))), least


def multiplier(xp, split):
    """Return N, symmetric."""
    T = xp.astype(split.T, xp.float64, copy=False)
    N = xp.clip(-0.5 * (T + T.T), 0.0, None)
    return split.unit * (N if split.shift is None else N - split.shift)


def dual_bound(p, split, value, residual):
    """Return a lower bound of the relaxation, a float.

        |X|_F^2 - 1'N1 / n - the sum of the K - 1 largest eigenvalues of P (XX' + N) P,   P = I - 11' / n,

    for N = multiplier(split). It holds for any N >= 0, less A'q for any q >= 0 and cuts A Z <= 0. It is allowed to lose
    a little of the gap to Z, whose value and residual are given: about n^3 / 3 flops then, four times as many if that
    fails; three n x n arrays.
    """
    xp, n, k = p.xp, p.size, p.k - 1
    N = multiplier(xp, split)
    head = p.total - finite(xp.sum(N), "the multiplier") / n
    M = N + p.X @ p.X.T
    row = xp.mean(M, axis=0)
    M = M - row - (row - xp.mean(row))[:, None]
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
    A = (U * (theta - theta[0] + slack)) @ U.T - M + (theta[0] + slack) * xp.eye(n, dtype=M.dtype, device=device(M))
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
