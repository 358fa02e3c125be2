"""PDHG on the strategies in use: which they are is known long before their weights are.

After some tens of steps the supports of the iterates hardly change. A game on half of the rows and half of the columns
costs a quarter of a pass, and its norm is smaller, which allows longer steps. In every check the gap is that of the
whole game; an answer from outside that is much better than all inside ends the epoch and is taken in.
"""

import math

import numpy as np

from numopt._array import host
from numopt._loop import Status
from numopt.monotone._pdhg import Bilinear, epoch, step_of

FIRST = 40  # passes over the whole game
SMALL = 0.85  # share of the matrix below which a part of it is taken
SIMILAR = 0.8  # share of a part above which it is not taken anew
NEAR = 2.0  # times the gap: what is not worse than the best by more belongs to the part
MUCH_SMALLER, LARGER = 0.6, 1.02  # change of a part between which its norm is not estimated anew


def working_sets(g, x, y, at):
    """Yield the iterates of PDHG on a game; the state is (x, y), strategies of the whole."""
    A, seen = g.A, (x, y, *g.A.products(x, y))
    p, masks, sized = _problem(g, A), None, A.shape[0] * A.shape[1]
    whole, most = p, SMALL * sized
    while True:
        if at.passes > FIRST:
            used = _in_use(A, *seen)
            if not _serves(masks, used):
                used = _enlarged(masks, used)
                p, masks = (_part(g, *used), used) if _size(used) < most else (whole, None)
                size = _size(used)
                if not MUCH_SMALLER * sized <= size <= LARGER * sized:
                    norm, sized = p.matrix.norm(centred=(True, True)), size
                    if math.isnan(norm):
                        return Status.NONFINITE
                    at.step = step_of(norm) if norm > 0 else at.step
        anchor = seen if masks is None else _restricted(A, masks, seen)
        seen = yield from epoch(p, anchor, at)
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


def _problem(g, A, whole=None):
    simplex = 1.0, A.vector(0), A.vector(0)
    return Bilinear(A, A.vector(A.shape[1]), A.vector(A.shape[0]), simplex, simplex, g.measure, whole=whole)


def _part(g, *masks):
    """Return the game on some rows and columns."""
    A, (rows, columns) = g.A, map(np.flatnonzero, masks)

    def whole(x, y, *_):
        x, y = A.kernels.scatter(columns, x, A.shape[1]), A.kernels.scatter(rows, y, A.shape[0])
        return x, y, *A.products(x, y)

    return _problem(g, A.part(rows, columns), whole)


def _restricted(A, masks, point):
    """Return the point (x, y, A x, A^T y) in the rows and columns of a part."""
    rows, columns = (A.xp.asarray(np.flatnonzero(mask), device=A.device) for mask in masks)
    return tuple(A.xp.take(v, place) for v, place in zip(point, (columns, rows, rows, columns), strict=True))
