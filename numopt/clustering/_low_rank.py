"""Nonnegative low-rank factors Z_k = U_k U_k' by an augmented Lagrangian (arXiv:2305.18436, made free of scale).

    minimise sum_k <h_k 1' + 1 h_k' - F_k F_k', U_k U_k'>   over U_k >= 0, |U_k|_F^2 = c_k, sum_k U_k U_k' 1 = 1.

One block with h = 0, F = X, c = K is the relaxation of K-means; K blocks with c = 1 that of a mixture. U U', U >= 0, is
completely positive: the value is no lower bound.
"""

import math
from typing import NamedTuple

from numopt._array import host
from numopt._kernels import kernels
from numopt.clustering._problem import finite

_INNER = 60  # gradient steps between updates of the multiplier


class Factors(NamedTuple):
    """U (blocks, n, r), the multiplier y of the row sums, their violation |g| / sqrt(n), and the last move."""

    U: object
    y: object
    infeasibility: float
    move: float


def low_rank(xp, F, h, U, norms):
    """Yield `Factors`; `norms` (blocks,) are the c_k."""
    n = U.shape[1]
    k = kernels("low_rank", xp)
    U = k.projected(U, norms)
    y, inner, before = xp.zeros_like(U[0, :, 0]), 1e-2, math.inf
    value, _, _ = k.lagrangian(F, h, U, y, 0.0)
    beta = first = max(abs(finite(value, "the objective")), 1e-12) / n
    while True:
        U, move, g = k.descend(F, h, U, norms, y, beta, inner, _INNER)
        y = y + beta * g
        off = host(xp.linalg.vector_norm(g)) / math.sqrt(n)
        yield Factors(U, y, finite(off, "the violation"), move)
        if off > 0.5 * before:
            beta = min(2 * beta, 1e6 * first)
        before, inner = off, max(inner / 2, 1e-10)


def memberships(xp, U):
    """Return Z_k 1 (blocks, n)."""
    return (U @ xp.sum(U, axis=1)[:, :, None])[:, :, 0]
