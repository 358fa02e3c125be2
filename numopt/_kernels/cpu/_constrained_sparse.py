"""Sparse L D L^T without pivoting by the multifrontal method.

I. S. Duff, J. K. Reid, ACM Trans. Math. Software 9 (1983); T. A. Davis, "Direct methods for sparse linear systems".
Columns of L with one structure form a supernode. Its rows of D L^T are a dense block, factored four rows at a time with
contiguous inner loops; what it takes away from later columns, its update, goes onto a stack for its parent.
"""

import numpy as np

from numopt._kernels.cpu._jit import jit


@jit(fastmath=("contract",))
def _take(into, i, x, k, ratio, size):
    """Subtract `ratio` times the numbers of `x` from k on from those of `into` from i on."""
    i, k = np.uint64(i), np.uint64(k)  # unsigned: numba looks for negative indices otherwise
    for j in range(np.uint64(size)):
        into[i + j] -= ratio * x[k + j]


@jit(fastmath=("contract",))
def _take_four(into, i, x, k, step, ratio, size):
    """Do so with four rows of `x`, `step` apart."""
    i, a, step = np.uint64(i), np.uint64(k), np.uint64(step)
    b, c, d = a + step, a + step + step, a + step + step + step
    ra, rb, rc, rd = ratio[0], ratio[1], ratio[2], ratio[3]
    for j in range(np.uint64(size)):
        into[i + j] -= ra * x[a + j] + rb * x[b + j] + rc * x[c + j] + rd * x[d + j]


@jit(fastmath=("contract",))
def _take_panel(into, start, values, top, i, length, four, D, at):
    """Subtract from row i of a front, from its diagonal on, what the `four` rows of a panel take away."""
    if four == 4:
        ra = values[top + i] / D[at] if D[at] != 0 else 0.0
        rb = values[top + length + i] / D[at + 1] if D[at + 1] != 0 else 0.0
        rc = values[top + 2 * length + i] / D[at + 2] if D[at + 2] != 0 else 0.0
        rd = values[top + 3 * length + i] / D[at + 3] if D[at + 3] != 0 else 0.0
        _take_four(into, start, values, top + i, length, (ra, rb, rc, rd), length - i)
    else:
        for a in range(four):
            row = top + a * length + i
            _take(into, start, values, row, values[row] / D[at + a] if D[at + a] != 0 else 0.0, length - i)


@jit(fastmath=("contract",))
def _eliminate(values, first, width, length, update, D, begin):
    """Factor the `width` rows of a block that starts at `first`, and subtract from `update` what they take away."""
    below = length - width
    for panel in range(0, width, 4):
        four, top = min(4, width - panel), first + panel * length
        for a in range(four):  # the rows of the panel among themselves
            row = top + a * length + panel
            pivot = values[row + a]
            D[begin + panel + a] = pivot
            for b in range(a + 1, four):
                t = values[row + b] / pivot if pivot != 0 else 0.0
                _take(values, row + (b - a) * length + b, values, row + b, t, length - panel - b)
        for i in range(panel + four, width):
            _take_panel(values, first + i * length + i, values, top, i, length, four, D, begin + panel)
        for i in range(max(panel + four, width), length):
            _take_panel(update, (i - width) * (below + 1), values, top, i, length, four, D, begin + panel)
        for a in range(four):
            pivot = D[begin + panel + a]
            inverse = 1.0 / pivot if pivot != 0 else 0.0
            for j in range(top + a * length + panel + a + 1, top + (a + 1) * length):
                values[j] *= inverse


@jit
def _spread(into, row, x, start, rel, places, i, size):
    """Add row i of a child's update, from its diagonal on, to where it belongs in a row of the parent's front."""
    row, start, places = np.uint64(row), np.uint64(start), np.uint64(places)  # `row` may wrap around, and back
    for j in range(np.uint64(i), np.uint64(size)):
        into[row + np.uint64(rel[places + j])] += x[start + j]


@jit(fastmath=("contract",))
def numeric(data, place, begins, at, pointer, rows, rel, parents, target, room):
    """Return (values, D): blocks of L^T and the diagonal; a pivot that is 0 stays in D, and its column gets zeros."""
    total, n = begins.size - 1, place.size
    values, D = np.zeros(at[total], data.dtype), np.zeros(n, data.dtype)
    for p in range(data.size):
        values[target[p]] += data[p]
    stack, waiting, heights = np.empty(room, data.dtype), np.empty(total + 1, np.int64), np.zeros(total + 1, np.int64)
    update, depth = np.empty(room, data.dtype), 0  # `waiting` names what is on the stack, `heights` says where it ends
    for s in range(total):
        width, below = begins[s + 1] - begins[s], pointer[s + 1] - pointer[s]
        length = width + below
        for i in range(below):
            for j in range(i * (below + 1), (i + 1) * below):
                update[j] = 0.0
        while depth > 0 and parents[waiting[depth - 1]] == s:
            depth -= 1
            c = waiting[depth]
            size, start, places = pointer[c + 1] - pointer[c], heights[depth], pointer[c]
            for i in range(size):
                into = rel[places + i]
                if into < width:
                    _spread(values, at[s] + into * length, stack, start + i * size, rel, places, i, size)
                else:
                    _spread(update, (into - width) * below - width, stack, start + i * size, rel, places, i, size)
        _eliminate(values, at[s], width, length, update, D, begins[s])
        if below:
            start = heights[depth]
            for i in range(below):
                for j in range(i * (below + 1), (i + 1) * below):
                    stack[start + j] = update[j]
            waiting[depth], heights[depth + 1] = s, start + below * below
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
