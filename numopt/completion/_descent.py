"""First-order methods that precondition with the Gram matrices of the factors: one pass a side, no row systems."""

import math

from numopt._array import host
from numopt._loop import Iterate
from numopt.completion._factors import balanced, finite, qr, transposed

_STEP = 0.7  # of the first gradient step, in units of 1 / density
_FIRST, _DECAY = 0.3, 0.97  # length of the first subgradient step relative to the factors, and its decrease


def scaled_gradient(p, rank, counts, start):
    """Yield the iterates of ScaledGD (arXiv:2005.08898), as published from the leading right singular vectors on.

    U <- U + eta R V (V^T V)^{-1} and its mirror image, with the residuals R: the rate does not depend on the
    condition number. A step that raises the residual is taken back and halved.
    """
    state, eta, kept = _start(p, start), _STEP / p.density, None
    while True:
        U, V = state.U, state.V
        left, size, square = p.gradient(p.rows, U, V)
        right, _, _ = p.gradient(p.columns, V, U, pushed=False)
        rel = math.sqrt(square) / p.norm
        if kept and rel > kept[0] and eta > 1e-3 / p.density:
            eta, (_, state, left, right) = eta / 2, kept
            state = _step(p, state, left, right, eta)
            continue
        slope = math.sqrt(host(p.xp.sum(left * left, dtype=p.xp.float64)) / size) if size > 0 else 0.0
        counts.n_als += 1
        yield Iterate(state, min(rel, slope / rel if rel > 0 else 0.0), counts.info(rank))
        kept = rel, state, left, right
        state = _step(p, state, left, right, eta)


def _step(p, state, left, right, eta):
    U, V = state.U, state.V
    return state._replace(U=U + eta * _scaled(p, left, V), V=V + eta * _scaled(p, right, U))


def subgradient(p, rank, counts, start):
    """Yield the iterates of subgradient descent on the sum of |r| (SubGM, arXiv:2202.08788), directions scaled.

    The steps shrink geometrically. The theory is for sensing; for completion it is a heuristic.
    """
    state, length = _start(p, start), _FIRST
    while True:
        U, V = state.U, state.V
        signs = p.xp.sign(p.residuals(state)), p.xp.sign(p.residuals(state, p.columns))
        left = _scaled(p, p.kernels.multiply(p.rows, signs[0], V), V)
        right = _scaled(p, p.kernels.multiply(p.columns, signs[1], U), U)
        counts.n_als += 1
        U, V = (_moved(p, X, D, length) for X, D in ((U, left), (V, right)))
        state, length = state._replace(U=U, V=V), _DECAY * length
        yield Iterate(state, p.robust_residual(state), counts.info(rank))


def _start(p, start):
    """Return balanced factors: those given, or the zero-filled data, scaled up by the density, projected on V."""
    U, V = start.U, start.V
    if not host(p.xp.max(p.xp.abs(U))) > 0:
        V, (y, _, _, w) = qr(V), p.weighted(p.zeros())[0].rows  # beside outliers as Huber's loss sees the data
        U = p.kernels.multiply(p.rows, y * w if p.robust else y, V) / p.density
    U, V, _ = balanced(finite(U), V)
    return p.zeros()._replace(U=U, V=V)


def _scaled(p, D, V):
    """Return D (V^T V)^{-1}."""
    xp = p.xp
    G = transposed(V) @ V
    floor = 1e-12 * xp.linalg.trace(G) * xp.eye(G.shape[0], dtype=p.dtype, device=p.device)
    return transposed(xp.linalg.solve(finite(G + floor), transposed(finite(D))))


def _moved(p, X, D, length):
    norm = p.xp.linalg.vector_norm
    size = norm(D)
    return X + length * norm(X) / p.xp.where(size > 0, size, p.xp.ones_like(size)) * D
