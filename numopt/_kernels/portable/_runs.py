"""Sums over runs of values, such as the rows and columns of a sparse matrix, in array-standard calls."""

import weakref

from numopt._array import clip, device, host, namespace

_LANES = 16  # values added up at once


def once(make):
    """Keep what `make(array, *others)` returned last as long as the array lives: ours, and never written to."""
    kept = {}

    def made(array, *others):
        key = id(array)
        if key not in kept or not all(map(_same, others, kept[key][0])):
            if key not in kept:
                weakref.finalize(array, kept.pop, key, None)
            kept[key] = others, make(array, *others)
        return kept[key][1]

    return made


def _same(x, y):
    return x is y or (isinstance(x, int) and x == y)


@once
def row_adder(indptr):
    """Return the function that adds up the entries of each row of a CSR array."""
    xp = namespace(indptr)
    start = xp.astype(indptr, xp.int64)
    longest, size = host(xp.max(start[1:] - start[:-1]), start[-1])
    return adder(start, max(int(longest), 1), int(size))


def adder(start, longest, size, order=None):
    """Return a function that adds up runs of values, run i being start[i] to start[i + 1] in the `order`.

    Each level of a tree adds up pieces of 16 values, gathered side by side. That is exact to rounding for
    each run by itself: in differences of one cumulative sum, small runs drown in the error of large ones.
    Indices depend on known sizes alone: there are never more than size // 16 + runs pieces.
    """
    xp, where = namespace(start), device(start)
    runs, levels = start.shape[0] - 1, []
    lane = xp.arange(_LANES, dtype=xp.int64, device=where)[:, None]
    while longest > _LANES:
        first = xp.cumulative_sum((start[1:] - start[:-1] + (_LANES - 1)) // _LANES, include_initial=True)
        pieces = size // _LANES + runs
        piece = xp.arange(pieces, dtype=xp.int64, device=where)
        run = clip(xp.searchsorted(first, piece, side="right") - 1, 0, runs - 1)
        begin = xp.take(start, run) + _LANES * (piece - xp.take(first, run))
        levels.append(_side_by_side(begin, xp.take(start[1:], run), lane, size))
        start, size, longest = first, pieces, -(-longest // _LANES)
    levels.append(_side_by_side(start[:-1], start[1:], lane, size))
    if order is not None:
        end = xp.full((1,), order.shape[0], dtype=order.dtype, device=where)
        levels[0] = xp.take(xp.concat((order, end)), levels[0])

    def add(values):
        zero = xp.zeros((1,), dtype=values.dtype, device=where)
        for index in levels:
            gathered = xp.take(xp.concat((values, zero)), index)
            values = xp.sum(xp.reshape(gathered, (_LANES, -1)), axis=0)
        return values

    return add


def _side_by_side(begin, end, lane, size):
    """Return the indices begin, begin + 1, ... below the end; `size`, where a zero is put, beyond it."""
    xp = namespace(begin)
    index = begin + lane
    return xp.reshape(xp.where(index < end, index, size), (-1,))
