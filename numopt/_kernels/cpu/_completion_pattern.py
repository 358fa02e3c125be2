"""The pattern of the entries: sorted by lines, peeled, and its connected components."""

import numpy as np

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
    label, components = np.full(m + n, -1, np.int64), 0
    for start in range(m):
        if label[start] >= 0 or row_ptr[start + 1] == row_ptr[start]:
            continue
        label[start], stack[0], top = components, start, 1
        while top > 0:
            top -= 1
            i = stack[top]
            lo, hi = (row_ptr[i], row_ptr[i + 1]) if i < m else (column_ptr[i - m], column_ptr[i - m + 1])
            for e in range(lo, hi):
                j = m + rows[e] if i < m else columns[e]
                if label[j] < 0:
                    label[j] = components
                    stack[top] = j
                    top += 1
        components += 1
    return determined[:m], determined[m:], components, there.sum()
