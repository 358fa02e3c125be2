"""Alternating least squares: exact solves for one factor at a time."""

import math

from numopt._array import host
from numopt._loop import Iterate
from numopt.completion._factors import NotFiniteError, balanced, finite, qr
from numopt.completion._problem import PATIENCE, pull


def homotopy(p, V, counts, *, sweeps):
    """Yield sweeps with orthonormal V and a ridge that falls with the residual; return V.

    With V orthonormal the system of a row is about its share n_i / n of the identity, so that a ridge of tau times the
    density has one meaning for all instances.
    """
    tau = 1.0
    for _ in range(sweeps):
        V = qr(V)
        U, _, _, _ = p.half(p.rows, V, tau * p.density)
        Q = qr(finite(U))
        V, square, _, _ = p.half(p.columns, Q, tau * p.density)
        V, rel = finite(V), math.sqrt(square) / p.norm
        counts.n_als += 1
        yield Iterate(p.zeros()._replace(U=Q, V=V), max(rel, 2 * p.tol), counts.info(V.shape[1]))
        tau = max(min(0.2 * tau, rel**2), 1e-13)
    return V


def alternate(p, state, counts, *, robust=False):
    """Yield sweeps of the penalised problem as it stands, biases, weights and Huber's loss included.

    Without a ridge V is kept orthonormal and the solves are exact; with one both factors are balanced now and
    then, for X alone fixes their scale, and the ridge wants it even.
    """
    biased = p.bias_ridge is not None
    r = state.U.shape[1]
    while True:
        q, _ = p.weighted(state) if robust else (p, None)
        V = state.V if p.ridge > 0 or biased else qr(finite(state.V))
        U, b = _lines(q, q.rows, V, state.c)
        if p.ridge == 0 and not biased:
            U = qr(finite(U))
        V, c = _lines(q, q.columns, U, b)
        counts.n_als += 1
        if p.ridge > 0 and not p.counted and not biased:
            U, V, _ = balanced(finite(U), finite(V))
        state = type(state)(U, V, b, c)
        yield Iterate(state, _measure(q, state), counts.info(r))


def validated(p, iterates):
    """Pass iterates on until the validation error has risen three times in a row; the best is yielded last."""
    best, rises, kept = math.inf, 0, None
    for at in iterates:
        error = p.validation_rmse(at.state)
        if not math.isfinite(error):
            raise NotFiniteError
        if error < best:
            best, rises, kept = error, 0, at
        else:
            rises += 1
        p.kept["validation"] = best, rises
        at.info["validation_rmse"] = p.scale * error
        yield Iterate(at.state, None, at.info)
        if rises == PATIENCE:
            yield Iterate(kept.state, 0.0, kept.info)
            return None


def _lines(p, side, V, offset):
    """Solve for the factors and biases of one side."""
    ridge, scale = p.ridges(side, V.shape[1])
    biased = p.bias_ridge is not None
    if biased:
        V = p.xp.concat((V, p.xp.ones((V.shape[0], 1), dtype=p.dtype, device=p.device)), axis=1)
    U, sums, _, _ = p.kernels.half_step(side, V, offset, ridge, scale, p.empty(0, V.shape[1]), False)
    if not math.isfinite(host(p.xp.sum(sums))):
        raise NotFiniteError
    return (U[:, :-1], U[:, -1]) if biased else (U, offset)


def _measure(p, state):
    """Return a cheap estimate of the certificate: the gradient of the rows, for the columns were solved last."""
    U, V = p.augmented(state)
    k = state.U.shape[1]
    square, rhs2, r2 = pull(p, p.rows, U, V, k, True)
    slope = math.sqrt(square / rhs2) if rhs2 > 0 else 0.0
    rel = math.sqrt(max(r2, 0.0)) / p.norm
    return slope if p.penalised else min(rel, slope / rel if rel > 0 else 0.0)
