"""The relaxation with its n x n multiplier: the value, the residual and the bound of a point of the splitting."""

from typing import NamedTuple

import numpy as np

from numopt._array import device, host


class Split(NamedTuple):
    """T = max(T, 0) - N / unit and Z = 11' / n + V diag(weights) V', with V orthonormal and orthogonal to 1."""

    T: object
    V: object
    weights: object
    unit: float


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


def dual_bound(p, split):
    """Return a lower bound of the relaxation, a float.

        |X|_F^2 - 1'N1 / n - the sum of the K - 1 largest eigenvalues of P (XX' + N) P,   P = I - 11' / n,

    for N = unit max(-T, 0). It holds for any N >= 0. About 4 n^3 / 3 flops and two n x n arrays.
    """
    xp, n = p.xp, p.size
    T = xp.astype(split.T, xp.float64, copy=False)
    N = split.unit * xp.clip(-0.5 * (T + T.T), 0.0, None)
    mass = host(xp.sum(N))
    return p.total - mass / n - _largest_sum(xp, _projected(xp, N + p.X @ p.X.T), p.k - 1)


def _projected(xp, M):
    """Return P M P."""
    row = xp.mean(M, axis=0)
    return M - row - row[:, None] + xp.mean(row)


def _largest_sum(xp, M, k):
    """Bound the sum of the k largest eigenvalues of a symmetric M from above: all are computed, none can be missed."""
    values = host(xp.linalg.eigvalsh(M))
    rounding = k * M.shape[0] * 1e-16 * float(np.max(np.abs(values)))
    return float(np.sum(values[values.size - k :])) + rounding
