"""The rank, grown one by one until entries held out are no longer predicted better."""

import math

import numpy as np

from numopt._array import host
from numopt._loop import Iterate
from numopt.completion._factors import NotFiniteError, qr
from numopt.completion._gauss_newton import gauss_newton
from numopt.completion._parts import listed, part
from numopt.completion._spectral import directions

_STEPS = 8  # Gauss-Newton steps at a rank
_PATIENCE = 3  # ranks that may predict worse before the search ends
_GAIN = 0.99  # what the error must fall to for a rank to count as better
_SHARE = 0.05


def chosen_rank(p, counts, rng):
    """Yield the iterates of the search; return (rank, V) of the best rank, to be continued on all entries.

    At each rank the leading direction of the residuals is appended and a few Gauss-Newton steps are taken. The
    entries must be at least 1.1 times the degrees of freedom of a rank, which ends the search by itself.
    """
    seen, size = listed(p), p.rows.y.shape[0]
    held = np.zeros(size, bool)
    held[rng.permutation(size)[: max(1, int(_SHARE * size))]] = True
    if size == 1:
        held[:] = False
    train, test = part(p, seen, ~held), seen.taken(p.xp.asarray(np.nonzero(held)[0], device=p.device))
    state, worse = p.zeros(), 0
    best, error, V = 1, math.inf, None
    top = _largest(p.shape, int((~held).sum()))
    while worse < _PATIENCE and state.V.shape[1] < top:
        _, W = directions(train, state, 1, rng)
        grown = qr(p.xp.concat((state.V, W), axis=1))
        state, rel, _, end = yield from _unjudged(
            gauss_newton(train, grown, counts, enough=p.tol, steps=_STEPS, stage=True, judged=False)
        )
        now = _error(p, test, state) if size > 1 else rel
        if V is None or now < _GAIN * error:
            best, error, V, worse = state.V.shape[1], now, state.V, 0
        else:
            worse += 1
        if end == "met" or now <= p.tol:
            break
    return best, V


def _largest(shape, size):
    """Return the largest rank with 1.1 times as many entries as degrees of freedom, at least 1."""
    m, n = shape
    ranks = np.arange(1, min(shape) + 1)
    return max(1, int(np.sum(1.1 * ranks * (m + n - ranks) <= size)))


def _error(p, test, state):
    xp = p.xp
    x = xp.sum(xp.take(state.U, test.rows, axis=0) * xp.take(state.V, test.columns, axis=0), axis=1)
    w = xp.ones_like(x) if test.w is None else test.w
    error = host(xp.sum(w * (test.y - x) ** 2) / xp.sum(w)) ** 0.5
    if not math.isfinite(error):
        raise NotFiniteError
    return error


def _unjudged(iterates):
    """Pass iterates on without their measure, which is about a part of the entries."""
    try:
        while True:
            at = next(iterates)
            yield Iterate(at.state, None, at.info)
    except StopIteration as end:
        return end.value
