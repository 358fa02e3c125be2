"""Gradient steps on nonnegative low-rank factors, in array-standard calls.

U is (blocks, n, r), F (blocks, n, q) and h (blocks, n): C_k = h_k 1' + 1 h_k' - F_k F_k'.
"""

import math

from numopt._array import clip, host
from numopt._array import namespace as _xp

_MEMORY = 8  # values that a step may exceed
_SUFFICIENT = 1e-4


def descend(F, h, U, norms, y, beta, tol, steps):
    """Make at most `steps` nonmonotone projected Barzilai-Borwein steps on the augmented Lagrangian.

    Returns U, the size of the last step relative to U (a float), and the violation g.
    """
    xp = _xp(U)
    value, G, g = lagrangian(F, h, U, y, beta)
    value, size = host(value, xp.linalg.vector_norm(G))
    seen, step, whole, move = [value], 0.1 / max(size, 1e-300), math.sqrt(host(xp.sum(norms))), math.inf
    for _ in range(steps if math.isfinite(value) else 0):
        for _ in range(20):
            trial = projected(U - step * G, norms)
            new_value, new_G, new_g = lagrangian(F, h, trial, y, beta)
            D, E = trial - U, new_G - G
            new_value, square, curved = host(new_value, xp.sum(D * D), xp.sum(D * E))
            if new_value <= max(seen) - _SUFFICIENT / step * square:
                break
            step /= 4
        else:
            break
        U, G, g, move = trial, new_G, new_g, math.sqrt(square) / whole
        seen = [*seen[-_MEMORY + 1 :], new_value]
        step = min(max(square / abs(curved), 1e-10), 1e10) if curved != 0 else step
        if move < tol:
            break
    return U, move, g


def lagrangian(F, h, U, y, beta):
    """Return the augmented Lagrangian, its gradient by U, and the violation g = sum_k U_k U_k' 1 - 1."""
    xp = _xp(U)
    s = xp.sum(U, axis=1)
    g = xp.sum(U @ s[:, :, None], axis=(0, 2)) - 1.0
    FU = xp.matrix_transpose(F) @ U
    c = 2.0 * h + (y + beta * g)
    weighed = xp.sum(h[:, :, None] * U, axis=1)
    value = 2.0 * xp.sum(weighed * s) - xp.sum(FU * FU) + xp.sum(y * g) + 0.5 * beta * xp.sum(g * g)
    G = c[:, :, None] * s[:, None, :] + c[:, None, :] @ U - 2.0 * (F @ FU)
    return value, G, g


def projected(V, norms):
    """Return the nonnegative part of each block, of squared norm c_k; an empty one becomes constant."""
    xp = _xp(V)
    V = clip(V, 0.0, None)
    square = xp.sum(V * V, axis=(1, 2), keepdims=True)
    V = xp.where(square > 0, V, xp.ones_like(V))
    return V * xp.sqrt(norms[:, None, None] / xp.sum(V * V, axis=(1, 2), keepdims=True))
