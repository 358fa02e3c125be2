"""Analysis of a sparse symmetric matrix before it is factored: elimination tree, supernodes, where everything goes.

T. A. Davis, "Direct methods for sparse linear systems", SIAM 2006, chapter 4.
"""

import numpy as np

from numopt._kernels.cpu._constrained_sparse import padded
from numopt._kernels.cpu._jit import jit

_WASTE = 16  # zeros that a supernode may hold: small ones cost more than their arithmetic


@jit
def _tree(indptr, indices):
    """Return (parents in the elimination tree, entries below the diagonal of each column of L)."""
    n = indptr.size - 1
    parent, seen, count = np.full(n, -1, np.int64), np.full(n, -1, np.int64), np.zeros(n, np.int64)
    for k in range(n):
        seen[k] = k
        for p in range(indptr[k], indptr[k + 1]):
            i = indices[p]
            while i < k and seen[i] != k:
                if parent[i] == -1:
                    parent[i] = k
                count[i] += 1
                seen[i] = k
                i = parent[i]
    return parent, count


@jit
def _postorder(parent):
    """Return the new place of every node, such that subtrees are contiguous and end with their root."""
    n = parent.size
    first, following = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
    place, stack, next_place = np.empty(n, np.int64), np.empty(n, np.int64), 0
    for j in range(n - 1, -1, -1):
        if parent[j] >= 0:
            following[j], first[parent[j]] = first[parent[j]], j
    for root in range(n):
        if parent[root] >= 0:
            continue
        stack[0], top = root, 0
        while top >= 0:
            child = first[stack[top]]
            if child == -1:
                place[stack[top]] = next_place
                next_place += 1
                top -= 1
            else:
                first[stack[top]] = following[child]
                top += 1
                stack[top] = child
    return place


@jit
def _sorted(keys, n):
    """Return (starts, order) of entries by their keys in range(n), by counting; equal ones keep their order."""
    starts, order = np.zeros(n + 1, np.int64), np.empty(keys.size, np.int64)
    for p in range(keys.size):
        starts[keys[p] + 1] += 1
    starts = np.cumsum(starts)
    filled = starts.copy()
    for p in range(keys.size):
        order[filled[keys[p]]] = p
        filled[keys[p]] += 1
    return starts, order


@jit
def symbolic(upper, columns, n):
    """Analyse the upper triangle of a matrix of order n, given by row and column of each entry; some may coincide.

    Returns
    -------
    place : array
        New place of each column.
    begins, at, pointer : array
        Of each supernode: its first column, where its block starts in the values, where its rows start in `rows`.
    rows, rel : array
        Rows below the supernodes; their places in the front of the parent, whose own columns come first.
    parents : array
        Parent of each supernode.
    entries, source, target : array
        Where the entries of each supernode start; which they are, one supernode after the other, and where they go in
        its front.
    room : int
        Numbers on the stack, at most.
    """
    indptr, order = _sorted(columns, n)
    parent, count = _tree(indptr, upper[order])
    place = _postorder(parent)
    moved, size = np.full(n, -1, np.int64), np.empty(n, np.int64)
    for j in range(n):
        size[place[j]] = count[j]
        if parent[j] >= 0:
            moved[place[j]] = place[parent[j]]
    of, begins, total = np.zeros(n, np.int64), np.empty(n + 1, np.int64), 0
    wasted = 0
    for j in range(n):  # column j joins the one before it if it has its structure, or few rows more
        missing = (j - begins[total - 1]) * (size[j] + 1 - size[j - 1]) if j and moved[j - 1] == j else _WASTE + 1
        if wasted + missing > _WASTE:
            begins[total] = j
            total += 1
            wasted = 0
        else:
            wasted += missing
        of[j] = total - 1
    begins = begins[: total + 1].copy()
    begins[total] = n

    at, pointer = np.zeros(total + 1, np.int64), np.zeros(total + 1, np.int64)
    parents = np.full(total, -1, np.int64)
    for s in range(total):
        last = begins[s + 1] - 1
        pointer[s + 1] = pointer[s] + size[last]
        at[s + 1] = at[s] + (begins[s + 1] - begins[s]) * (size[last] + begins[s + 1] - begins[s])
        if moved[last] >= 0:
            parents[s] = of[moved[last]]

    column, low = np.empty(columns.size, np.int64), np.empty(columns.size, np.int64)
    for p in range(columns.size):  # the entries as those of the lower triangle, in the new places
        i, j = place[upper[p]], place[columns[p]]
        column[p], low[p] = min(i, j), max(i, j)
    starts, order = _sorted(column, n)

    rows, owner, seen = np.empty(pointer[total], np.int64), np.empty(pointer[total], np.int64), np.full(n, -1, np.int64)
    child, following = np.full(total, -1, np.int64), np.full(total, -1, np.int64)
    for s in range(total):
        if parents[s] >= 0:
            following[s], child[parents[s]] = child[parents[s]], s
        end, found = begins[s + 1], pointer[s]
        for p in range(starts[begins[s]], starts[end]):
            i = low[order[p]]
            if i >= end and seen[i] != s:
                seen[i], rows[found] = s, i
                found += 1
        c = child[s]
        while c >= 0:
            for p in range(pointer[c], pointer[c + 1]):
                i = rows[p]
                if i >= end and seen[i] != s:
                    seen[i], rows[found] = s, i
                    found += 1
            c = following[c]
        owner[pointer[s] : found] = s
    filled, unordered = pointer.copy(), rows.copy()
    for p in _sorted(unordered, n)[1]:
        rows[filled[owner[p]]] = unordered[p]
        filled[owner[p]] += 1

    rel, target, local = np.empty(rows.size, np.int64), np.empty(columns.size, np.int64), np.empty(n, np.int64)
    for s in range(total):
        width = begins[s + 1] - begins[s]
        for j in range(width):
            local[begins[s] + j] = j
        for p in range(pointer[s], pointer[s + 1]):
            local[rows[p]] = width + p - pointer[s]
        c = child[s]
        while c >= 0:
            for p in range(pointer[c], pointer[c + 1]):
                rel[p] = local[rows[p]]
            c = following[c]
        step = padded(width + pointer[s + 1] - pointer[s])
        for q in range(starts[begins[s]], starts[begins[s + 1]]):
            p = order[q]
            target[q] = (column[p] - begins[s]) * step + local[low[p]]

    room = used = 0
    for s in range(total):
        below = pointer[s + 1] - pointer[s]
        used += below * (below + 1) // 2
        room = max(room, used)
        c = child[s]
        while c >= 0:
            size = pointer[c + 1] - pointer[c]
            used -= size * (size + 1) // 2
            c = following[c]
    return place, begins, at, pointer, rows, rel, parents, starts[begins], order, target, room
