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
    joined, ys = np.zeros(n, np.bool_), np.empty(4, data.dtype)
    for j in range(1, n):  # whether column j has the structure of the one before it, without its first row
        joined[j] = parent[j - 1] == j and starts[j] - starts[j - 1] == starts[j + 1] - starts[j] + 1
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
        t = top
        while t < n:
            j = pattern[t]
            size = 1  # columns with one structure, a supernode, are applied four at a time
            while size < 4 and t + size < n and pattern[t + size] == j + size and joined[j + size]:
                size += 1
            if size == 4:
                a, b = starts[j], starts[j + 1]
                c, d = starts[j + 2], starts[j + 3]
                y0 = work[j]
                y1 = work[j + 1] - values[a] * y0
                y2 = work[j + 2] - values[a + 1] * y0 - values[b] * y1
                y3 = work[j + 3] - values[a + 2] * y0 - values[b + 1] * y1 - values[c] * y2
                a, b, c = a + 3, b + 2, c + 1
                for p in range(np.uint64(filled[j + 3])):
                    row = np.uint32(rows[np.uint64(d) + p])
                    work[row] -= (
                        values[np.uint64(a) + p] * y0 + values[np.uint64(b) + p] * y1
                        + values[np.uint64(c) + p] * y2 + values[np.uint64(d) + p] * y3
                    )  # fmt: skip
                ys[0], ys[1], ys[2], ys[3] = y0, y1, y2, y3
            else:
                size, ys[0] = 1, work[j]
                first, end = np.uint64(starts[j]), np.uint64(starts[j] + filled[j])
                for p in range(first, end):
                    work[np.uint32(rows[p])] -= values[p] * ys[0]
            for i in range(size):
                work[j + i] = 0.0
                ratio = ys[i] / D[j + i] if D[j + i] != 0 else 0.0
                pivot -= ratio * ys[i]
                end = starts[j + i] + filled[j + i]
                rows[end] = k
                values[end] = ratio
                filled[j + i] += 1
            t += size
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
