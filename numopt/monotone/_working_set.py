"""PDHG on the strategies in use: which they are is known long before their weights are.

After some tens of steps the supports of the iterates hardly change. A game on half of the rows and half of the columns
costs a quarter of a pass, and its norm is smaller, which allows longer steps. In every check the gap is that of the
whole game; an answer from outside that is much better than all inside ends the epoch and is taken in.
"""

import math

import numpy as np

from numopt._array import host, is_sparse
from numopt._loop import Status
from numopt.monotone._game_part import game_part
from numopt.monotone._pdhg import epoch, step_of

FIRST = 40  # passes over the whole game
SMALL = 0.85  # share of the matrix below which a part of it is taken
SIMILAR = 0.8  # share of a part above which it is not taken anew
NEAR = 2.0  # times the gap: what is not worse than the best by more belongs to the part
MUCH_SMALLER, LARGER = 0.6, 1.02  # change of a part between which its norm is not estimated anew


def working_sets(g, whole, x, y, at):
    """Yield the iterates of PDHG on a game, `whole` as a saddle problem; the state is (x, y), strategies of all."""
    A, seen = g.A, (x, y, *g.A.products(x, y))
    problem, restricted, masks, sized = whole, None, None, A.shape[0] * A.shape[1]
    most = SMALL * sized
    while True:
        if at.passes > FIRST:
            used = _in_use(A, *seen)
            if not _serves(masks, used):
                used = _enlarged(masks, used)
                (problem, restricted), masks = (
                    (game_part(g, *used), used) if _size(used) < most else ((whole, None), None)
                )
                size = _size(used)
                if is_sparse(A.A) or not MUCH_SMALLER * sized <= size <= LARGER * sized:
                    norm, sized = problem.norm(), size
                    if math.isnan(norm):
                        return Status.NONFINITE
                    at.step = step_of(norm) if norm > 0 else at.step
        seen = yield from epoch(problem, restricted(*seen) if restricted else seen, at)
        if seen is None:
            return Status.NONFINITE


def _in_use(A, x, y, Ax, ATy):
    """Return masks of the rows and columns in use, and of those so near that they may come into use."""
    high, low = A.xp.max(Ax), A.xp.min(ATy)
    near = NEAR * (high - low)
    rows, columns = (y > 0) | (Ax >= high - near), (x > 0) | (ATy <= low + near)
    return host(rows), host(columns)


def _serves(masks, used):
    """Tell whether a part contains what is used, and little else."""
    contained = masks is not None and all((part | use == part).all() for part, use in zip(masks, used, strict=True))
    return contained and _size(used) >= SIMILAR * _size(masks)


def _enlarged(masks, used):
    """Return the strategies in use with those of the part at hand, unless these are many more."""
    both = used if masks is None else tuple(part | use for part, use in zip(masks, used, strict=True))
    return both if SIMILAR * _size(both) <= _size(used) else used


def _size(masks):
    return np.count_nonzero(masks[0]) * np.count_nonzero(masks[1])
