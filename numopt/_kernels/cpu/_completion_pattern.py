"""The pattern of the entries: sorted by lines, turned from rows to columns, peeled, and its connected components."""

import numba
import numpy as np

from numopt._kernels.cpu._completion_shares import next_chunk
from numopt._kernels.cpu._jit import jit


@jit
def grouped_entries(keys, other, size, width):
    """Return (order, indptr) that sort entries by `keys`, then by `other`: two counting sorts."""
    n = keys.size
    first, order, ptr = np.empty(n, np.int64), np.empty(n, np.int64), np.zeros(size + 1, np.int64)
    at = np.zeros(width + 1, np.int64)
    for e in range(n):
        at[other[e] + 1] += 1
        ptr[keys[e] + 1] += 1
    for j in range(width):
        at[j + 1] += at[j]
    for e in range(n):
        first[at[other[e]]] = e
        at[other[e]] += 1
    for i in range(size):
        ptr[i + 1] += ptr[i]
    at = ptr.copy()
    for f in range(n):
        e = first[f]
        order[at[keys[e]]] = e
        at[keys[e]] += 1
    return order, ptr


@jit
def count_rows(lo, hi, ptr, idx, places):
    """Count the entries of rows lo to hi in each column."""
    places[:] = 0
    for e in range(ptr[lo], ptr[hi]):
        places[idx[e]] += 1


@jit
def starts(places, column_ptr):
    """Turn the counts of each chunk of rows into where its entries of a column start; write where columns start."""
    at = 0
    for j in range(places.shape[1]):
        column_ptr[j] = at
        for c in range(places.shape[0]):
            places[c, j], at = at, at + places[c, j]
    column_ptr[places.shape[1]] = at


@jit
def scatter_rows(lo, hi, ptr, idx, y, w, places, new_y, new_idx, new_w):
    """Write the entries of rows lo to hi to their places in the columns."""
    for i in range(lo, hi):
        for e in range(ptr[i], ptr[i + 1]):
            at = places[idx[e]]
            places[idx[e]] = at + 1
            new_y[at], new_idx[at] = y[e], i
            if w.size > 0:
                new_w[at] = w[e]


@jit(parallel=True)
def count_chunks(workers, counter, bounds, ptr, idx, places):
    """Do all rows, each chunk on its own line of places."""
    for worker in numba.prange(workers):
        c = next_chunk(counter, workers, 2 * worker >= workers)
        while c < workers:
            count_rows(bounds[c], bounds[c + 1], ptr, idx, places[c])
            c = next_chunk(counter, workers, 2 * worker >= workers)


@jit(parallel=True)
def scatter_chunks(workers, counter, bounds, ptr, idx, y, w, places, new_y, new_idx, new_w):
    """Do all rows, each chunk from its own line of places."""
    for worker in numba.prange(workers):
        c = next_chunk(counter, workers, 2 * worker >= workers)
        while c < workers:
            scatter_rows(bounds[c], bounds[c + 1], ptr, idx, y, w, places[c], new_y, new_idx, new_w)
            c = next_chunk(counter, workers, 2 * worker >= workers)


@jit
def rising_pairs(rows, columns):
    """Say whether the pairs rise, each place being there once."""
    for e in range(1, rows.size):
        if rows[e] < rows[e - 1] or (rows[e] == rows[e - 1] and columns[e] <= columns[e - 1]):
            return False
    return True


@jit
def peeled(rows, row_ptr, columns, column_ptr, rank):
    """Return (determined rows, determined columns, components, lines left) of a pattern."""
    m, n = row_ptr.size - 1, column_ptr.size - 1
    # Rows and columns are nodes 0 to m + n.
    left, determined, there = np.empty(m + n, np.int64), np.ones(m + n, np.bool_), np.ones(m + n, np.bool_)
    stack, top = np.empty(rows.size + 2 * (m + n), np.int64), 0
    for i in range(m + n):
        left[i] = row_ptr[i + 1] - row_ptr[i] if i < m else column_ptr[i - m + 1] - column_ptr[i - m]
        if left[i] <= rank:
            stack[top] = i
            top += 1
    while top > 0:
        top -= 1
        i = stack[top]
        if not there[i]:
            continue
        there[i], determined[i] = False, left[i] >= rank
        lo, hi = (row_ptr[i], row_ptr[i + 1]) if i < m else (column_ptr[i - m], column_ptr[i - m + 1])
        for e in range(lo, hi):
            j = m + rows[e] if i < m else columns[e]
            if there[j]:
                left[j] -= 1
                if left[j] == rank:  # it was put there already if it had fewer
                    stack[top] = j
                    top += 1
    label, components, waiting = np.full(m + n, -1, np.int64), 0, 0
    for i in range(m + n):
        waiting += row_ptr[i + 1] > row_ptr[i] if i < m else column_ptr[i - m + 1] > column_ptr[i - m]
    for start in range(m):
        if waiting == 0:  # most entries need not be seen
            break
        if label[start] >= 0 or row_ptr[start + 1] == row_ptr[start]:
            continue
        label[start], stack[0], top = components, start, 1
        waiting -= 1
        while top > 0 and waiting > 0:
            top -= 1
            i = stack[top]
            lo, hi = (row_ptr[i], row_ptr[i + 1]) if i < m else (column_ptr[i - m], column_ptr[i - m + 1])
            for e in range(lo, hi):
                j = m + rows[e] if i < m else columns[e]
                if label[j] < 0:
                    label[j] = components
                    waiting -= 1
                    stack[top] = j
                    top += 1
        components += 1
    return determined[:m], determined[m:], components, there.sum()
