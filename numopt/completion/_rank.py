"""The rank, grown one by one until entries held out are no longer predicted better."""

import math

import numpy as np

from numopt._array import host
from numopt.completion._factors import finite, qr
from numopt.completion._gauss_newton import gauss_newton, unjudged
from numopt.completion._parts import listed, part
from numopt.completion._robust import grown, settled
from numopt.completion._spectral import directions

_STEPS = 8  # Gauss-Newton steps at a rank
_PATIENCE = 3  # ranks that may predict worse before the search ends
_GAIN = 0.99  # what the error must fall to for a rank to count as better
_SHARE = 0.05


def chosen_rank(p, counts, rng):
    """Yield the iterates of the search; return (rank, V) of the best rank, to be continued on all entries.

    At each rank the leading direction of the residuals is appended and a few Gauss-Newton steps are taken. The
    entries must be at least 1.1 times the degrees of freedom of a rank, which ends the search by itself.
    With Huber's loss steps are reweighted, and what is held out is compared entry by entry; see `_improves`.
    """
    seen, size = listed(p), p.rows.y.shape[0]
    if size == 1:
        return 1, None
    held = np.zeros(size, bool)
    held[rng.permutation(size)[: max(1, int(_SHARE * size))]] = True
    train, test = part(p, seen, ~held), seen.taken(p.xp.asarray(np.nonzero(held)[0], device=p.device))
    state, worse = p.zeros(), 0
    y, w = host(test.y, test.y if test.w is None else test.w)
    w = np.ones(y.size) if test.w is None else w / np.mean(w)
    best, error, V = 1, y, None
    top = _largest(p.shape, int((~held).sum()))
    while worse < _PATIENCE and state.V.shape[1] < top:
        if p.robust:
            state = yield from settled(train, grown(train, state, rng), counts)
            met = train.robust_residual(state) <= p.tol
        else:
            _, W = directions(train, state, 1, rng)
            V_next = qr(p.xp.concat((state.V, W), axis=1))
            state, _, _, end = yield from unjudged(
                gauss_newton(train, V_next, counts, enough=p.tol, steps=_STEPS, stage=True, judged=False)
            )
            met = end == "met"
        now = _off(p, test, state)
        if V is None or _improves(p, w, error, now):
            best, error, V, worse = state.V.shape[1], now, state.V, 0
        else:
            worse += 1
        if met or _size(p, w, now) <= p.tol * _size(p, w, y):
            break
    return best, V


def _largest(shape, size):
    """Return the largest rank with 1.1 times as many entries as degrees of freedom, at least 1."""
    m, n = shape
    ranks = np.arange(1, min(shape) + 1)
    return max(1, int(np.sum(1.1 * ranks * (m + n - ranks) <= size)))


def _off(p, test, state):
    """Return the residuals of the entries held out, on the host."""
    xp = p.xp
    x = xp.sum(xp.take(state.U, test.rows, axis=0) * xp.take(state.V, test.columns, axis=0), axis=1)
    return host(finite(test.y - x))


def _size(p, w, off):
    """Return the root mean square of residuals; with Huber's loss their median size."""
    return float(np.median(np.abs(off))) if p.robust else float(np.mean(w * off**2)) ** 0.5


def _improves(p, w, before, now):
    """Say whether residuals are smaller than those of the best rank before.

    Outliers are capped alike in both, at three standard deviations of the better one, and cancel in the differences;
    what remains must be more than chance.
    """
    if not p.robust:
        return _size(p, w, now) < _GAIN * _size(p, w, before)
    cap = 3 * 1.4826 * min(_size(p, w, before), _size(p, w, now))
    one, two = (w * np.minimum(np.abs(off), cap) ** 2 for off in (before, now))
    gain = one - two
    chance = float(np.std(gain)) / math.sqrt(gain.size)
    return float(np.mean(gain)) > max((1 - _GAIN**2) * float(np.mean(one)), 2 * chance)
