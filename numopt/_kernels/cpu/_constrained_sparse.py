"""Sparse L D L^T without pivoting by the multifrontal method.

I. S. Duff, J. K. Reid, ACM Trans. Math. Software 9 (1983); T. A. Davis, "Direct methods for sparse linear systems".
Columns of L with one structure form a supernode. Its rows of D L^T are a dense block, factored four rows at a time with
contiguous inner loops; what it takes away from later columns, its update, goes onto a stack for its parent: an upper
triangle, row after row without gaps, because for small blocks half of the time is moving updates. Large ones are
factored in a square of their own, whose products stay in vector registers.
"""

import numpy as np

from numopt._kernels.cpu._completion_gram import take_upper
from numopt._kernels.cpu._jit import jit

_LARGE, _WIDE = 32, 4  # order of a front, and columns to eliminate, from which on a square of its own pays
_BLOCK = 32  # columns that are eliminated before the rest of a front hears of them


@jit(fastmath=("contract",))
def _take(into, i, x, k, ratio, size):
    """Subtract `ratio` times the numbers of `x` from k on from those of `into` from i on."""
    i, k = np.uint64(i), np.uint64(k)  # unsigned: numba looks for negative indices otherwise
    for j in range(np.uint64(size)):
        into[i + j] -= ratio * x[k + j]


@jit(fastmath=("contract",))
def _take_four(into, i, k, x, p, step, ra, rb, size):
    """Do so with four rows of `x`, `step` apart, and two of `into`, from i and from k on: what is read serves twice."""
    i, k, p, step = np.uint64(i), np.uint64(k), np.uint64(p), np.uint64(step)
    q, r, s = p + step, p + step + step, p + step + step + step
    a0, a1, a2, a3 = ra
    b0, b1, b2, b3 = rb
    for j in range(np.uint64(size)):
        x0, x1, x2, x3 = x[p + j], x[q + j], x[r + j], x[s + j]
        into[i + j] -= a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3
        into[k + j] -= b0 * x0 + b1 * x1 + b2 * x2 + b3 * x3


@jit(fastmath=("contract",))
def _ratios(x, p, step, inverse, at):
    """Return entries p of four rows over their pivots."""
    return (
        x[p] * inverse[at],
        x[p + step] * inverse[at + 1],
        x[p + 2 * step] * inverse[at + 2],
        x[p + 3 * step] * inverse[at + 3],
    )


@jit(fastmath=("contract",))
def _take_panel(into, where, step, shorter, values, top, i, end, length, four, inverse, at):
    """Subtract from rows i to end of a front, from their diagonals on, what the `four` rows of a panel take away.

    The diagonal of row i is at `where`; the next one is `step` further, and each following step is `shorter` by 0 or 1.
    """
    while i < end:
        p, following = top + i, where + step
        if four == 4 and i + 1 < end:
            ra, rb = _ratios(values, p, length, inverse, at), _ratios(values, p + 1, length, inverse, at)
            for a in range(4):
                into[where] -= ra[a] * values[p + a * length]
            _take_four(into, where + 1, following, values, p + 1, length, ra, rb, length - i - 1)
            step -= shorter
            where = following + step
            i += 2
        else:
            for a in range(four):
                row = p + a * length
                _take(into, where, values, row, values[row] * inverse[at + a], length - i)
            where = following
            i += 1
        step -= shorter


@jit(fastmath=("contract",))
def _factor_panel(values, corner, four, step, size, D, inverse, at):
    """Factor the rows of a panel among themselves: `four` of them, `step` apart, `size` long from the corner on."""
    for a in range(four):
        row = corner + a * step
        pivot = values[row + a]
        D[at + a], inverse[at + a] = pivot, 1.0 / pivot if pivot != 0 else 0.0
        for b in range(a + 1, four):
            ratio = values[row + b] * inverse[at + a]
            _take(values, row + (b - a) * step + b, values, row + b, ratio, size - b)


@jit(fastmath=("contract",))
def _eliminate(values, first, width, length, update, D, inverse, begin):
    """Factor the `width` rows of a block that starts at `first`, and subtract from `update` what they take away."""
    for panel in range(0, width, 4):
        four, top, at = min(4, width - panel), first + panel * length, begin + panel
        _factor_panel(values, top + panel, four, length, length - panel, D, inverse, at)
        i = panel + four
        own = first + i * length + i
        _take_panel(values, own, length + 1, 0, values, top, i, width, length, four, inverse, at)
        _take_panel(update, 0, length - width, 1, values, top, width, length, length, four, inverse, at)
        for a in range(four):
            for j in range(top + a * length + panel + a + 1, top + (a + 1) * length):
                values[j] *= inverse[at + a]


@jit(fastmath=("contract",))
def _eliminate_square(F, width, length, left, D, inverse, begin):
    """Factor the first `width` rows of a front, a square with whole vectors, and subtract what they take away.

    `left` is workspace of _BLOCK rows. Below the diagonal is nonsense.
    """
    flat, step = F.reshape(-1), F.shape[1]
    for block in range(0, width, _BLOCK):
        end = min(block + _BLOCK, width)
        for panel in range(block, end, 4):
            four, top, at = min(4, end - panel), panel * step, begin + panel
            _factor_panel(flat, top + panel, four, step, step - panel, D, inverse, at)
            i = panel + four
            _take_panel(flat, i * step + i, step + 1, 0, flat, top, i, end, step, four, inverse, at)
        count = (end - block + 1) // 2 * 2
        left[end - block : count] = 0.0
        for a in range(block, end):
            for j in range(end, step):
                left[a - block, j] = F[a, j] * inverse[begin + a]
        take_upper(left, F[block:], count, end, length, F)
        for a in range(block, end):
            for j in range(a + 1, end):
                F[a, j] *= inverse[begin + a]
            for j in range(end, length):
                F[a, j] = left[a - block, j]


@jit
def _spread(into, row, x, start, rel, places, size):
    """Add a row of a child's update, from its diagonal on, to where it belongs in a row of the parent's front."""
    row, start, places = np.uint64(row), np.uint64(start), np.uint64(places)  # `row` may wrap around, and back
    for j in range(np.uint64(size)):
        into[row + np.uint64(rel[places + j])] += x[start + j]


@jit
def _put(x, size, out, start):
    """Copy numbers of x to the places of `out` from `start` on."""
    start = np.uint64(start)
    for j in range(np.uint64(size)):
        out[start + j] = x[j]


@jit(fastmath=("contract",))
def numeric(data, place, begins, at, pointer, rows, rel, parents, target, room):
    """Return (values, D): blocks of L^T and the diagonal; a pivot that is 0 stays in D, and its column gets zeros."""
    total, n = begins.size - 1, place.size
    values, D, inverse = np.zeros(at[total], data.dtype), np.empty(n, data.dtype), np.empty(n, data.dtype)
    for p in range(data.size):
        values[target[p]] += data[p]
    stack, waiting, heights = np.empty(room, data.dtype), np.empty(total + 1, np.int64), np.zeros(total + 1, np.int64)
    update, depth = np.empty(room, data.dtype), 0  # `waiting` names what is on the stack, `heights` says where it ends
    most = 0  # order of a front, in whole vectors
    for s in range(total):
        most = max(most, (begins[s + 1] - begins[s] + pointer[s + 1] - pointer[s] + 3) // 4 * 4)
    square, left = np.empty((most + 8) * most), np.empty((_BLOCK + 1) * most)  # products are those of float64
    for s in range(total):
        width, below = begins[s + 1] - begins[s], pointer[s + 1] - pointer[s]
        length, size, first = width + below, below * (below + 1) // 2, at[s]
        large, step = length >= _LARGE and width >= _WIDE, (length + 3) // 4 * 4
        if large:
            square[: length * step] = 0.0
            for a in range(width):
                _put(values[first + a * length :], length, square, a * step)
        else:
            update[:size] = 0.0
        while depth > 0 and parents[waiting[depth - 1]] == s:
            depth -= 1
            start, end = heights[depth], pointer[waiting[depth] + 1]
            for places in range(pointer[waiting[depth]], end):
                into = rel[places]
                if large:
                    _spread(square, into * step, stack, start, rel, places, end - places)
                elif into < width:
                    _spread(values, first + into * length, stack, start, rel, places, end - places)
                else:
                    into -= width
                    row = into * below - into * (into + 1) // 2 - width
                    _spread(update, row, stack, start, rel, places, end - places)
                start += end - places
        if large:
            F = square[: (length + 8) * step].reshape(length + 8, step)
            _eliminate_square(F, width, length, left[: _BLOCK * step].reshape(_BLOCK, step), D, inverse, begins[s])
            for a in range(width):
                _put(square[a * step :], length, values, first + a * length)
            put = heights[depth]
            for a in range(width, length):
                _put(square[a * step + a :], length - a, stack, put)
                put += length - a
        else:
            _eliminate(values, first, width, length, update, D, inverse, begins[s])
            _put(update, size, stack, heights[depth])
        if below:
            waiting[depth], heights[depth + 1] = s, heights[depth] + size
            depth += 1
    return values, D


@jit(fastmath=("contract", "reassoc"))
def solve(values, D, place, begins, at, pointer, rows, b):
    """Return (L D L^T)^-1 b."""
    n, total = place.size, begins.size - 1
    x, gathered = np.empty_like(b), np.empty_like(b)
    for j in range(n):
        x[place[j]] = b[j]
    for s in range(total):
        first, width, below = begins[s], begins[s + 1] - begins[s], pointer[s + 1] - pointer[s]
        block = values[at[s] : at[s + 1]].reshape(width, width + below)
        taken = gathered[:below]
        taken[:] = 0.0
        for a in range(width):
            y, row = x[first + a], block[a]
            for j in range(a + 1, width):
                x[first + j] -= row[j] * y
            for j in range(below):
                taken[j] += row[width + j] * y
        for j in range(below):
            x[rows[pointer[s] + j]] -= taken[j]
    for j in range(n):
        x[j] /= D[j]
    for s in range(total - 1, -1, -1):
        first, width, below = begins[s], begins[s + 1] - begins[s], pointer[s + 1] - pointer[s]
        block = values[at[s] : at[s + 1]].reshape(width, width + below)
        known = gathered[:below]
        for j in range(below):
            known[j] = x[rows[pointer[s] + j]]
        for a in range(width - 1, -1, -1):
            row, y = block[a], 0.0
            for j in range(a + 1, width):
                y += row[j] * x[first + j]
            for j in range(below):
                y += row[width + j] * known[j]
            x[first + a] -= y
    out = np.empty_like(b)
    for j in range(n):
        out[j] = x[place[j]]
    return out
