"""Sparse L D L^T without pivoting, one row at a time: see T. Davis, "Direct methods for sparse linear systems"."""

import numpy as np

from numopt._kernels.cpu._jit import jit


@jit
def symbolic(indptr, indices):
    """Return (parents in the elimination tree, where the columns of L start) of an upper triangle in CSC."""
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
    starts = np.zeros(n + 1, np.int64)
    for k in range(n):
        starts[k + 1] = starts[k] + count[k]
    return parent, starts


@jit(fastmath=("contract",))
def numeric(indptr, indices, data, parent, starts):
    """Return (rows, values, D) of L and D; a pivot that is 0 ends up in D as it is, and its column as zeros."""
    n = indptr.size - 1
    rows, values, D = np.empty(starts[n], np.int32), np.empty(starts[n], data.dtype), np.zeros(n, data.dtype)
    work, filled = np.zeros(n, data.dtype), np.zeros(n, np.int64)
    seen, pattern, path = np.full(n, -1, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    for k in range(n):
        seen[k] = k
        top = n
        for p in range(indptr[k], indptr[k + 1]):
            i = indices[p]
            if i > k:
                continue
            work[i] += data[p]
            length = 0
            while seen[i] != k:
                path[length] = i
                length += 1
                seen[i] = k
                i = parent[i]
            while length > 0:  # row k of L, every column after those that it depends on
                length -= 1
                top -= 1
                pattern[top] = path[length]
        pivot = work[k]
        work[k] = 0.0
        for t in range(top, n):
            j = pattern[t]
            y = work[j]
            work[j] = 0.0
            first, end = np.uint64(starts[j]), np.uint64(starts[j] + filled[j])
            for p in range(first, end):
                work[np.uint32(rows[p])] -= values[p] * y
            ratio = y / D[j] if D[j] != 0 else 0.0
            pivot -= ratio * y
            rows[end] = k
            values[end] = ratio
            filled[j] += 1
        D[k] = pivot
    return rows, values, D


@jit
def solve(starts, rows, values, D, b):
    """Return (L D L^T)^-1 b."""
    x = b.copy()
    n = x.size
    for j in range(n):
        y = x[j]
        for p in range(starts[j], starts[j + 1]):
            x[rows[p]] -= values[p] * y
    for j in range(n):
        x[j] /= D[j]
    for j in range(n - 1, -1, -1):
        y = x[j]
        for p in range(starts[j], starts[j + 1]):
            y -= values[p] * x[rows[p]]
        x[j] = y
    return x
