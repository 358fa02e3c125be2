"""How far a completion with a constant ridge is from the optimum of the convex problem behind it."""

import math

import numpy as np

from numopt._array import host
from numopt.completion._factors import balanced, finite, inner, transposed

_STEPS = 40  # of Lanczos
_SEED = 210606412
_SETTLED = 1e-10  # residual of the largest Ritz value, relative to it


def nuclear_gap(p, state):
    """Return (primal - dual) / primal of min_X 1/2 sum w (y - x)^2 + ridge |X|_*: 0 at the optimum.

    The ridge on both factors is the nuclear norm of their product, if they are even. Residuals, shortened until
    the spectral norm of w r is at most the ridge, are feasible for the dual.
    """
    r, pulls = p.residuals(state), []
    for side in (p.rows, p.columns):
        pull = r if side is p.rows else p.residuals(state, side)
        pulls.append(pull * side.weights if side.weights.shape[0] else pull)
    square, push = host(inner(pulls[0], r), inner(pulls[0], p.rows.y))
    s, size = host(balanced(state.U, state.V)[2]), spectral_norm(p, *pulls)
    c = min(1.0, p.ridge / size) if size > 0 else 1.0
    primal = 0.5 * square + p.ridge * float(np.sum(s))
    return (primal - (c * push - 0.5 * c * c * square)) / primal if primal > 0 else 0.0


def spectral_norm(p, by_rows, by_columns):
    """Return the largest singular value of the matrix of these entries, rounded up by the residual of its pair."""
    k = p.kernels
    q = p.draw(np.random.default_rng(_SEED), p.shape[1], 1)
    q = q / math.sqrt(host(inner(q, q)))
    Q, diagonal, beside = [q], [], []
    while True:
        z = finite(k.multiply(p.columns, by_columns, k.multiply(p.rows, by_rows, Q[-1])))
        diagonal.append(host(inner(z, Q[-1])))
        for _ in range(2):
            basis = p.xp.concat(Q, axis=1)
            z = z - basis @ (transposed(basis) @ z)
        size = math.sqrt(host(inner(z, z)))
        ritz, turn = np.linalg.eigh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
        off = size * abs(turn[-1, -1])
        if len(Q) == min(_STEPS, *p.shape) or off <= _SETTLED * ritz[-1]:
            return math.sqrt(max(float(ritz[-1] + off), 0.0))
        beside.append(size)
        Q.append(z / size)
