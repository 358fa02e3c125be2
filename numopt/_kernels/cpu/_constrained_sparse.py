"""Sparse L D L^T without pivoting by the multifrontal method.

I. S. Duff, J. K. Reid, ACM Trans. Math. Software 9 (1983); T. A. Davis, "Direct methods for sparse linear systems".
Columns of L with one structure form a supernode. Its front holds their rows of D L^T, and below them what they take
away from later columns, the update: a square of whole vectors, of which the triangle above the diagonal counts. It is
factored where it is, four rows at a time; the update goes onto a stack for the parent, row after row without gaps.
"""

import numpy as np

from numopt._kernels.cpu._completion_gram import take_upper
from numopt._kernels.cpu._jit import jit

_LARGE, _WIDE = 32, 4  # order of a front, and columns to eliminate, from which on tiles of products pay
_BLOCK = 32  # columns that are eliminated before the rest of a large front hears of them
_VECTOR = 8  # numbers
_BEYOND = 8  # rows below a front that tiles reach


@jit
def padded(length):
    """Return the length of a row of a front."""
    return (length + _VECTOR - 1) // _VECTOR * _VECTOR


@jit(fastmath=("contract",))
def _take(F, i, k, ratio, size):
    """Subtract `ratio` times the numbers of F from k on from those from i on."""
    i, k = np.uint64(i), np.uint64(k)  # unsigned: numba looks for negative indices otherwise
    for j in range(np.uint64(size)):
        F[i + j] -= ratio * F[k + j]


@jit(fastmath=("contract",))
def _take_four(F, i, k, p, step, ra, rb, size):
    """Do so with four rows from p on, `step` apart, and two from i and from k on: what is read serves twice."""
    i, k, p, step = np.uint64(i), np.uint64(k), np.uint64(p), np.uint64(step)
    q, r, s = p + step, p + step + step, p + step + step + step
    a0, a1, a2, a3 = ra
    b0, b1, b2, b3 = rb
    for j in range(np.uint64(size)):
        x0, x1, x2, x3 = F[p + j], F[q + j], F[r + j], F[s + j]
        F[i + j] -= a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3
        F[k + j] -= b0 * x0 + b1 * x1 + b2 * x2 + b3 * x3


@jit(fastmath=("contract",))
def _ratios(F, p, step, inverse, at):
    """Return entries p of four rows over their pivots."""
    return (
        F[p] * inverse[at],
        F[p + step] * inverse[at + 1],
        F[p + 2 * step] * inverse[at + 2],
        F[p + 3 * step] * inverse[at + 3],
    )


@jit(fastmath=("contract",))
def _take_panel(F, step, top, i, end, four, inverse, at):
    """Subtract from rows i to end of a front, from their diagonals on, what the `four` rows of a panel take away."""
    while i < end:
        p, where = top + i, i * step + i
        if four == 4 and i + 1 < end:
            ra, rb = _ratios(F, p, step, inverse, at), _ratios(F, p + 1, step, inverse, at)
            for a in range(4):
                F[where] -= ra[a] * F[p + a * step]
            _take_four(F, where + 1, where + step + 1, p + 1, step, ra, rb, step - i - 1)
            i += 2
        else:
            for a in range(four):
                row = p + a * step
                _take(F, where, row, F[row] * inverse[at + a], step - i)
            i += 1


@jit(fastmath=("contract",))
def _factor_panel(F, corner, four, step, size, D, inverse, at):
    """Factor the rows of a panel among themselves: `four` of them, `step` apart, `size` long from the corner on."""
    for a in range(four):
        row = corner + a * step
        pivot = F[row + a]
        D[at + a], inverse[at + a] = pivot, 1.0 / pivot if pivot != 0 else 0.0
        for b in range(a + 1, four):
            ratio = F[row + b] * inverse[at + a]
            _take(F, row + (b - a) * step + b, row + b, ratio, size - b)


@jit(fastmath=("contract",))
def _take_block(F, step, block, end, length, left, inverse, begin):
    """Subtract from the rows of a front after a block of rows what these take away, in tiles of vector registers."""
    rows, left = F[: (length + _BEYOND) * step].reshape(-1, step), left[: _BLOCK * step].reshape(_BLOCK, step)
    count = (end - block + 1) // 2 * 2
    left[end - block : count] = 0.0
    for a in range(block, end):
        for j in range(end, step):
            left[a - block, j] = rows[a, j] * inverse[begin + a]
    take_upper(left, rows[block:], count, end, length, rows)


@jit(fastmath=("contract",))
def _eliminate(F, step, width, length, left, D, inverse, begin):
    """Factor the first `width` rows of a front, and subtract what they take away. Below the diagonal is nonsense.

    `left` is workspace of _BLOCK rows, and of one that tiles reach.
    """
    large = length >= _LARGE and width >= _WIDE
    for block in range(0, width, _BLOCK):
        end = min(block + _BLOCK, width)
        for panel in range(block, end, 4):
            four, top, at = min(4, end - panel), panel * step, begin + panel
            _factor_panel(F, top + panel, four, step, step - panel, D, inverse, at)
            _take_panel(F, step, top, panel + four, end if large else length, four, inverse, at)
        if large:
            _take_block(F, step, block, end, length, left, inverse, begin)
    for a in range(width):
        for j in range(a * step + a + 1, a * step + length):
            F[j] *= inverse[begin + a]


@jit(fastmath=("contract",))
def _eliminate_tiny(F, width, length, D, inverse, begin):
    """Do so in a front of one vector a row."""
    for a in range(width):
        own, k = np.uint64(a * _VECTOR), begin + a
        D[k] = F[own + np.uint64(a)]
        inverse[k] = 1.0 / D[k] if D[k] != 0 else 0.0
        for i in range(a + 1, length):
            ratio, row = F[own + np.uint64(i)] * inverse[k], np.uint64(i * _VECTOR)
            for j in range(np.uint64(_VECTOR)):
                F[row + j] -= ratio * F[own + j]
    for a in range(width):
        own = np.uint64(a * _VECTOR)
        for j in range(np.uint64(_VECTOR)):
            F[own + j] *= inverse[begin + a]


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
def numeric(data, place, begins, at, pointer, rows, rel, parents, entries, source, target, room):
    """Return (values, D): blocks of L^T and the diagonal; a pivot that is 0 stays in D, and its column gets zeros."""
    total, n = begins.size - 1, place.size
    values, D, inverse = np.empty(at[total], data.dtype), np.empty(n, data.dtype), np.empty(n, data.dtype)
    stack, waiting, heights = np.empty(room, data.dtype), np.empty(total + 1, np.int64), np.zeros(total + 1, np.int64)
    depth, most = 0, 0  # `waiting` names what is on the stack, `heights` says where it ends
    for s in range(total):
        most = max(most, padded(begins[s + 1] - begins[s] + pointer[s + 1] - pointer[s]))
    front, left = np.empty((most + _BEYOND) * most), np.empty((_BLOCK + 1) * most)  # tiles are those of float64
    for s in range(total):
        width, below = begins[s + 1] - begins[s], pointer[s + 1] - pointer[s]
        length = width + below
        step = padded(length)
        front[: length * step] = 0.0
        for p in range(entries[s], entries[s + 1]):
            front[target[p]] += data[source[p]]
        while depth > 0 and parents[waiting[depth - 1]] == s:
            depth -= 1
            start, end = heights[depth], pointer[waiting[depth] + 1]
            for places in range(pointer[waiting[depth]], end):
                _spread(front, rel[places] * step, stack, start, rel, places, end - places)
                start += end - places
        if step == _VECTOR:
            _eliminate_tiny(front, width, length, D, inverse, begins[s])
        else:
            _eliminate(front, step, width, length, left, D, inverse, begins[s])
        for a in range(width):
            _put(front[a * step :], length, values, at[s] + a * length)
        if below:
            top = heights[depth]
            for a in range(width, length):
                _put(front[a * step + a :], length - a, stack, top)
                top += length - a
            waiting[depth], heights[depth + 1] = s, top
            depth += 1
    return values, D


@jit(fastmath=("contract",))
def _push(x, i, values, p, q, u, v, size):
    """Subtract u times the numbers from p on and v times those from q on from x, from i on."""
    i, p, q = np.uint64(i), np.uint64(p), np.uint64(q)
    for j in range(np.uint64(size)):
        x[i + j] -= u * values[p + j] + v * values[q + j]


@jit(fastmath=("contract",))
def _push_to(x, rows, i, values, p, q, u, v, size):
    """Do so at the places of x that `rows` names from i on."""
    i, p, q = np.uint64(i), np.uint64(p), np.uint64(q)
    for j in range(np.uint64(size)):
        x[np.uint64(rows[i + j])] -= u * values[p + j] + v * values[q + j]


@jit(fastmath=("contract", "reassoc"))
def _pull(x, i, values, p, q, size):
    """Return the products of the numbers from p on, and of those from q on, with x from i on."""
    i, p, q, u, v = np.uint64(i), np.uint64(p), np.uint64(q), 0.0, 0.0
    for j in range(np.uint64(size)):
        u += values[p + j] * x[i + j]
        v += values[q + j] * x[i + j]
    return u, v


@jit(fastmath=("contract", "reassoc"))
def _pull_from(x, rows, i, values, p, q, size):
    """Do so with the places of x that `rows` names from i on."""
    i, p, q, u, v = np.uint64(i), np.uint64(p), np.uint64(q), 0.0, 0.0
    for j in range(np.uint64(size)):
        y = x[np.uint64(rows[i + j])]
        u += values[p + j] * y
        v += values[q + j] * y
    return u, v


@jit(fastmath=("contract", "reassoc"))
def solve(values, D, place, begins, at, pointer, rows, b):
    """Return (L D L^T)^-1 b; two rows of L^T at once, since narrow supernodes are many."""
    n, total = place.size, begins.size - 1
    x, out = np.empty_like(b), np.empty_like(b)
    for j in range(n):
        x[place[j]] = b[j]
    for s in range(total):
        first, width, below = begins[s], begins[s + 1] - begins[s], pointer[s + 1] - pointer[s]
        for a in range(0, width, 2):
            p = q = at[s] + a * (width + below)
            u, v = x[first + a], 0.0
            if a + 1 < width:
                q = p + width + below
                x[first + a + 1] -= values[p + a + 1] * u
                v = x[first + a + 1]
            _push(x, first + a + 2, values, p + a + 2, q + a + 2, u, v, max(width - a - 2, 0))
            _push_to(x, rows, pointer[s], values, p + width, q + width, u, v, below)
    for j in range(n):
        x[j] /= D[j]
    for s in range(total - 1, -1, -1):
        first, width, below = begins[s], begins[s + 1] - begins[s], pointer[s + 1] - pointer[s]
        for a in range((width - 1) // 2 * 2, -1, -2):
            p = q = at[s] + a * (width + below)
            if a + 1 < width:
                q = p + width + below
            u, v = _pull(x, first + a + 2, values, p + a + 2, q + a + 2, max(width - a - 2, 0))
            more, more_v = _pull_from(x, rows, pointer[s], values, p + width, q + width, below)
            if a + 1 < width:
                x[first + a + 1] -= v + more_v
                u += values[p + a + 1] * x[first + a + 1]
            x[first + a] -= u + more
    for j in range(n):
        out[j] = x[place[j]]
    return out
