"""Nonnegative low-rank factors Z_k = U_k U_k' by an augmented Lagrangian (arXiv:2305.18436, made free of scale).

    minimise sum_k <h_k 1' + 1 h_k' - F_k F_k', U_k U_k'>   over U_k >= 0, |U_k|_F^2 = c_k, sum_k U_k U_k' 1 = 1.

One block with h = 0, F = X, c = K is the relaxation of K-means; K blocks with c = 1 that of a mixture. U U', U >= 0, is
completely positive: the value is no lower bound.
"""

import math
from typing import NamedTuple

from numopt._array import host
from numopt.clustering._problem import finite

_INNER = 60  # gradient steps between updates of the multiplier
_MEMORY = 8  # values that a step may exceed


class Factors(NamedTuple):
    """U (blocks, n, r), the multiplier y of the row sums, their violation |g| / sqrt(n), and the last move."""

    U: object
    y: object
    infeasibility: float
    move: float


def low_rank(xp, F, h, U, norms):
    """Yield `Factors`; `norms` (blocks,) are the c_k."""
    n = U.shape[1]
    U = _projected(xp, U, norms)
    y, inner, before = xp.zeros_like(U[0, :, 0]), 1e-2, math.inf
    value, _, _ = _lagrangian(xp, F, h, U, y, 0.0)
    beta = first = max(abs(finite(value, "the objective")), 1e-12) / n
    while True:
        U, move, g = _descend(xp, F, h, U, norms, y, beta, inner)
        y = y + beta * g
        off = host(xp.linalg.vector_norm(g)) / math.sqrt(n)
        yield Factors(U, y, off, move)
        if off > 0.5 * before:
            beta = min(2 * beta, 1e6 * first)
        before, inner = off, max(inner / 2, 1e-10)


def memberships(xp, U):
    """Return Z_k 1 (blocks, n)."""
    return (U @ xp.sum(U, axis=1)[:, :, None])[:, :, 0]


def _descend(xp, F, h, U, norms, y, beta, tol):
    """Make nonmonotone projected Barzilai-Borwein steps; return (U, size of the last one, violation g)."""
    value, G, g = _lagrangian(xp, F, h, U, y, beta)
    value, size = host(value, xp.linalg.vector_norm(G))
    seen, step, whole, move = [value], 0.1 / max(size, 1e-300), math.sqrt(host(xp.sum(norms))), math.inf
    for _ in range(_INNER):
        for _ in range(20):
            trial = _projected(xp, U - step * G, norms)
            new_value, new_G, new_g = _lagrangian(xp, F, h, trial, y, beta)
            D, E = trial - U, new_G - G
            new_value, square, curved = host(new_value, xp.sum(D * D), xp.sum(D * E))
            if new_value <= max(seen) - 1e-4 / step * square:
                break
            step /= 4
        else:
            break
        U, G, g, move = trial, new_G, new_g, math.sqrt(square) / whole
        seen = [*seen[-_MEMORY + 1 :], finite(new_value, "the Lagrangian")]
        step = min(max(square / abs(curved), 1e-10), 1e10) if curved != 0 else step
        if move < tol:
            break
    return U, move, g


def _lagrangian(xp, F, h, U, y, beta):
    """Return the augmented Lagrangian, its gradient by U, and the violation g = sum_k U_k U_k' 1 - 1."""
    s = xp.sum(U, axis=1)
    g = xp.sum(U @ s[:, :, None], axis=(0, 2)) - 1.0
    FU = xp.matrix_transpose(F) @ U
    c = 2.0 * h + (y + beta * g)
    weighed = xp.sum(h[:, :, None] * U, axis=1)
    value = 2.0 * xp.sum(weighed * s) - xp.sum(FU * FU) + xp.sum(y * g) + 0.5 * beta * xp.sum(g * g)
    G = c[:, :, None] * s[:, None, :] + c[:, None, :] @ U - 2.0 * (F @ FU)
    return value, G, g


def _projected(xp, V, norms):
    """Return the nonnegative part of each block, of squared norm c_k; an empty one becomes constant."""
    V = xp.clip(V, 0.0, None)
    square = xp.sum(V * V, axis=(1, 2), keepdims=True)
    V = xp.where(square > 0, V, xp.ones_like(V))
    return V * xp.sqrt(norms[:, None, None] / xp.sum(V * V, axis=(1, 2), keepdims=True))
