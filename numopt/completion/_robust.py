"""Huber's loss by reweighting: rank continuation finds the space, alternating sweeps the rows."""

import math

from numopt.completion._als import alternate
from numopt.completion._factors import qr
from numopt.completion._gauss_newton import gauss_newton, unjudged
from numopt.completion._spectral import directions

_ROUNDS = 2  # reweightings at a rank, each for one Gauss-Newton step
_FALL = 0.8  # of the median residual in a step, less than which is hardly any
_LARGE = 0.05  # threshold that the sweeps start from, in units of the data


def reweighted(p, rank, counts, rng):
    """Yield the iterates while the rank grows from 1, then sweeps.

    Each quadratic with Huber's weights touches the loss at the present residuals and lies above it elsewhere, so that
    damped steps on it lower the loss. The threshold shrinks with the median residual, too fast for rows that lag
    behind: the sweeps start from a large one again, near the space that most rows agree on.
    """
    state = p.zeros()
    while state.V.shape[1] < rank:
        state = grown(p, state, rng)
        for _ in range(_ROUNDS):
            state = yield from _round(p, state, counts)
    return (yield from alternate(p, state, counts, least=_LARGE))


def grown(p, state, rng):
    """Return the state with the leading direction of the weighted residuals appended."""
    q, _ = p.weighted(state)
    _, W = directions(q, state, 1, rng)
    state = state._replace(V=qr(p.xp.concat((state.V, W), axis=1)))
    return state._replace(U=p.half(q.rows, state.V, 0.0, summed=False)[0])


def settled(p, state, counts, most=30):
    """Yield reweighted steps until the median residual meets `tol` or hardly falls any more; return the state."""
    size = math.inf
    for _ in range(most):
        state = yield from _round(p, state, counts)
        before, size = size, p.robust_residual(state)
        if size <= p.tol or size > _FALL * before:
            break
    return state


def _round(p, state, counts):
    """Yield a Gauss-Newton step with the weights at `state`; return the new state."""
    q, _ = p.weighted(state)
    state, *_ = yield from unjudged(gauss_newton(q, state.V, counts, enough=0.0, steps=1, stage=True, judged=False))
    return state
