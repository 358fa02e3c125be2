"""Kernels of matrix completion on the CPU: nothing of size m x n or N x k.

`side` is ``(y, indices, indptr, weights)``: the entries row by row; weights may be empty, for 1 everywhere.
All sums of a row are taken in one order, whatever the number of threads.
"""

import numba
import numpy as np

from numopt._kernels.cpu._completion_gram import (
    add_gram,
    add_products,
    back_substitute,
    cholesky,
    lines_cached,
    pack,
    packed_size,
    solve_packed,
)
from numopt._kernels.cpu._completion_iterative import iterative_chunks, iterative_rows
from numopt._kernels.cpu._completion_rows import axpy, dot, scaled_copy
from numopt._kernels.cpu._jit import jit

_SUM = {"contract", "reassoc", "nsz"}
_WORK = 400_000  # of a chunk of rows, in multiply-adds


def half_step(side, V, offset, ridge, scale, base, keep):
    """Minimise over each row u: sum w (y - o_j - (base + u).v_j)^2 + scale_i sum_a ridge_a u_a^2."""
    y, idx, ptr, w = side
    k, m = V.shape[1], ptr.size - 1
    lanes = 4 if V.dtype == np.float64 else 8
    padded = _padded(V, -(-k // lanes) * lanes)
    U, sums = np.empty((m, k), V.dtype), np.empty(m)
    kept = np.empty((m if keep else 0, packed_size(k)))
    rhs = np.empty((m if keep else 0, k), V.dtype)
    bounds = _bounds(ptr, k * (k + 1) // 2 + k, k * k * k // 6 + 8 * k)
    args = (y, idx.view(np.uint32), ptr, w, padded, k, offset, ridge, scale, base, U, sums, kept, rhs)
    if bounds.size == 2:
        _half_rows(0, m, *args)
    else:
        _half_chunks(bounds, *args)
    return U, sums, kept, rhs


def half_iterative(side, V, start, ridge, buckets, signs, size, rtol, max_steps):
    """Solve each row's least squares by conjugate gradients, sketched or from `start`; return (U, sums, steps)."""
    y, idx, ptr, w = side
    k, m = V.shape[1], ptr.size - 1
    lanes = 4 if V.dtype == np.float64 else 8
    padded = _padded(V, -(-(k + 1) // lanes) * lanes)
    U, sums, steps = np.empty((m, k), V.dtype), np.empty(m), np.zeros(m, np.int64)
    given = (start, ridge, buckets, signs, size, rtol, max_steps)
    args = (y, idx.view(np.uint32), ptr, w, padded, k, *given, U, sums, steps)
    bounds = _bounds(ptr, 20 * k, k * k)
    if bounds.size == 2:
        iterative_rows(0, m, *args)
    else:
        iterative_chunks(bounds, *args)
    return U, sums, int(steps.max())


def gradient(side, U, V, offset):
    """Return (sum_j w v_j r_ij, |sum_j w v_j (y_ij - o_j)|^2, sum_j w r_ij^2) of each row i."""
    y, idx, ptr, w = side
    k, m = V.shape[1], ptr.size - 1
    K = _whole(k)
    g, size, sums = np.empty((m, k), V.dtype), np.empty(m), np.empty(m)
    args = (y, idx.view(np.uint32), ptr, w, _padded(U, K), _padded(V, K), offset, g, size, sums)
    bounds = _bounds(ptr, 4 * k, k)
    if bounds.size == 2:
        _gradient_rows(0, m, *args)
    else:
        _gradient_chunks(bounds, *args)
    return g, size, sums


def residuals(side, U, V, offset):
    """Return y_ij - o_j - u_i.v_j for each entry, in the order of the side."""
    y, idx, ptr, _ = side
    K = _whole(V.shape[1])
    out = np.empty(y.size, V.dtype)
    args = (y, idx.view(np.uint32), ptr, _padded(U, K), _padded(V, K), offset, out)
    bounds = _bounds(ptr, 2 * K, 1)
    if bounds.size == 2:
        _residual_rows(0, ptr.size - 1, *args)
    else:
        _residual_chunks(bounds, *args)
    return out


def multiply(side, values, X):
    """Return the product (m, q) of the sparse matrix with these values and X."""
    _, idx, ptr, _ = side
    q = X.shape[1]
    K = _whole(q)
    out = np.empty((ptr.size - 1, K), X.dtype)
    args = (values, idx.view(np.uint32), ptr, _padded(X, K), out)
    bounds = _bounds(ptr, 2 * K, K)
    if bounds.size == 2:
        _multiply_rows(0, ptr.size - 1, *args)
    else:
        _multiply_chunks(bounds, *args)
    return np.ascontiguousarray(out[:, :q])


def schur_rows(side, U, V, D, kept):
    """Return w_i = G_i^{-1} sum_j w v_j (u_i.d_j), with the factors of G_i that `half_step` kept."""
    _, idx, ptr, w = side
    k = V.shape[1]
    K = _whole(k)
    out = np.empty_like(U)
    args = (idx.view(np.uint32), ptr, w, _padded(V, K), _padded(D, K), _padded(U, K), kept, out)
    bounds = _bounds(ptr, 4 * K, 2 * k * k)
    if bounds.size == 2:
        _schur_row_rows(0, ptr.size - 1, *args)
    else:
        _schur_row_chunks(bounds, *args)
    return out


def schur_columns(side, U, V, D, W):
    """Return sum_i w u_i (u_i.d_j - v_j.w_i) for each row j of a side."""
    _, idx, ptr, w = side
    k = V.shape[1]
    K = _whole(k)
    both = np.zeros((U.shape[0], 2 * K), V.dtype)
    both[:, :k], both[:, K : K + k] = U, W
    own = np.zeros((V.shape[0], 2 * K), V.dtype)
    own[:, :k], own[:, K : K + k] = D, -V
    out = np.empty_like(V)
    args = (idx.view(np.uint32), ptr, w, both, own, out)
    bounds = _bounds(ptr, 6 * K, K)
    if bounds.size == 2:
        _schur_column_rows(0, ptr.size - 1, *args)
    else:
        _schur_column_chunks(bounds, *args)
    return out


def solve_kept(kept, B):
    """Return G_i^{-1} b_i for each row of B."""
    out, m = np.empty_like(B), B.shape[0]
    if m * B.shape[1] ** 2 < _WORK:
        _solve_rows(0, m, kept, B, out)
    else:
        _solve_chunks(kept, B, out)
    return out


def grouped(keys, other, size, width):
    """Return (order, indptr) that sort entries by `keys`, then by `other`: two counting sorts."""
    return _grouped(keys, other, size, width)


def _whole(k):
    """Return the length of a row of k numbers in whole vectors, at least one."""
    return max(-(-k // 4), 1) * 4


def _padded(X, K):
    out = np.zeros((X.shape[0], K), X.dtype)
    out[:, : X.shape[1]] = X
    return out


def _bounds(ptr, per_entry, per_row):
    """Return where chunks of rows of about equal work start; they depend on the data alone."""
    m = ptr.size - 1
    total = int(ptr[-1] - ptr[0]) * per_entry + m * per_row
    return _cuts(ptr, per_entry, per_row, total, min(max(total // _WORK, 1), 64, m))


@jit
def _cuts(ptr, per_entry, per_row, total, count):
    m, bounds, found = ptr.size - 1, np.zeros(count + 1, np.int64), 1
    for c in range(1, count + 1):
        lo, hi = bounds[found - 1], m
        while lo < hi:
            middle = (lo + hi) // 2
            if (ptr[middle] - ptr[0]) * per_entry + middle * per_row < total * c / count:
                lo = middle + 1
            else:
                hi = middle
        if lo > bounds[found - 1]:
            bounds[found] = lo
            found += 1
    bounds[found - 1] = m
    return bounds[:found]


@jit(fastmath=_SUM)
def _half_rows(lo, hi, y, idx, ptr, w, V, k, offset, ridge, scale, base, U, sums, kept, rhs):
    K, lanes = V.shape[1], 4 if V.itemsize == 8 else 8
    lines = lines_cached(K * V.itemsize)
    block, values = np.empty((lines, K), V.dtype), np.empty((lines, 1), V.dtype)
    # The right-hand side is column K of the system.
    G, b, x = np.empty((K, K + 4)), np.empty((1, K)), np.empty((1, K))
    line = np.zeros((1, K), V.dtype)
    weighted, shifted, based = w.size > 0, offset.size > 0, base.size > 0
    floor, exact, one = (1e-13, 1e-3, V.dtype.type(1)) if lanes == 4 else (2e-7, 1e-2, V.dtype.type(1))
    for i in range(lo, hi):
        if based:
            line[0, :k] = base[i]
        G[:], b[:], size = 0.0, 0.0, 0.0
        for first in range(ptr[i], ptr[i + 1], lines):
            n = min(lines, ptr[i + 1] - first)
            for e in range(n):
                j = idx[first + e]
                r = y[first + e]
                if shifted:
                    r -= offset[j]
                if based:
                    r -= dot(line, 0, 0, V, j, 0, K)
                s = np.sqrt(w[first + e]) if weighted else one
                scaled_copy(s, V, j, 0, block, e, 0, K)
                values[e, 0] = s * r
                size += s * r * (s * r)
            if n & 1:
                block[n], values[n] = 0, 0
            add_gram(block, n + (n & 1), lanes, k, G)
            add_products(values, block, n + (n & 1), lanes, b)
        trace = 0.0
        for a in range(k):
            trace += G[a, a]
            G[a, K] = b[0, a]
        s = scale[i] if scale.size > 0 else 1.0
        for a in range(k):
            G[a, a] += s * ridge[a] + floor * trace / k
        if rhs.size > 0:
            for a in range(k):
                rhs[i, a] = b[0, a]
        cholesky(G, k)
        back_substitute(G, k, K, x)
        if kept.size > 0:
            pack(G, k, kept, i)
        # What is left of the data by the factors; where that is little, rounding is of its size.
        total = size
        for a in range(k):
            U[i, a] = x[0, a]
            total -= G[a, K] * G[a, K] + (s * ridge[a] + floor * trace / k) * x[0, a] * x[0, a]
            line[0, a] = U[i, a] + line[0, a] if based else U[i, a]
        if not total > exact * size:
            total = 0.0
            for e in range(ptr[i], ptr[i + 1]):
                j = idx[e]
                r = y[e] - dot(line, 0, 0, V, j, 0, K)
                if shifted:
                    r -= offset[j]
                total += w[e] * r * r if weighted else r * r
        sums[i] = total


@jit(fastmath=_SUM, parallel=True)
def _half_chunks(bounds, y, idx, ptr, w, V, k, offset, ridge, scale, base, U, sums, kept, rhs):
    for c in numba.prange(bounds.size - 1):
        _half_rows(bounds[c], bounds[c + 1], y, idx, ptr, w, V, k, offset, ridge, scale, base, U, sums, kept, rhs)


@jit(fastmath=_SUM)
def _gradient_rows(lo, hi, y, idx, ptr, w, U, V, offset, g, size, sums):
    K, k = V.shape[1], g.shape[1]
    pull, push = np.empty((1, K), V.dtype), np.empty((1, K), V.dtype)
    weighted, shifted, one = w.size > 0, offset.size > 0, V.dtype.type(1)
    for i in range(lo, hi):
        pull[:], push[0] = 0, 0
        total = 0.0
        for e in range(ptr[i], ptr[i + 1]):
            j = idx[e]
            b = y[e] - offset[j] if shifted else y[e]
            r = b - dot(U, i, 0, V, j, 0, K)
            s = w[e] if weighted else one
            axpy(s * r, V, j, 0, pull, 0, 0, K)
            axpy(s * b, V, j, 0, push, 0, 0, K)
            total += s * r * r
        g[i] = pull[0, :k]
        total_push = 0.0
        for c in range(k):
            total_push += push[0, c] * push[0, c]
        size[i] = total_push
        sums[i] = total


@jit(fastmath=_SUM, parallel=True)
def _gradient_chunks(bounds, y, idx, ptr, w, U, V, offset, g, size, sums):
    for c in numba.prange(bounds.size - 1):
        _gradient_rows(bounds[c], bounds[c + 1], y, idx, ptr, w, U, V, offset, g, size, sums)


@jit(fastmath=_SUM)
def _residual_rows(lo, hi, y, idx, ptr, U, V, offset, out):
    shifted = offset.size > 0
    for i in range(lo, hi):
        for e in range(ptr[i], ptr[i + 1]):
            j = idx[e]
            r = y[e] - dot(U, i, 0, V, j, 0, V.shape[1])
            out[e] = r - offset[j] if shifted else r


@jit(fastmath=_SUM, parallel=True)
def _residual_chunks(bounds, y, idx, ptr, U, V, offset, out):
    for c in numba.prange(bounds.size - 1):
        _residual_rows(bounds[c], bounds[c + 1], y, idx, ptr, U, V, offset, out)


@jit(fastmath=_SUM)
def _multiply_rows(lo, hi, values, idx, ptr, X, out):
    row = np.empty((1, X.shape[1]), X.dtype)
    for i in range(lo, hi):
        row[0] = 0
        for e in range(ptr[i], ptr[i + 1]):
            axpy(values[e], X, idx[e], 0, row, 0, 0, X.shape[1])
        out[i] = row[0]


@jit(fastmath=_SUM, parallel=True)
def _multiply_chunks(bounds, values, idx, ptr, X, out):
    for c in numba.prange(bounds.size - 1):
        _multiply_rows(bounds[c], bounds[c + 1], values, idx, ptr, X, out)


@jit(fastmath=_SUM)
def _schur_row_rows(lo, hi, idx, ptr, w, V, D, U, kept, out):
    K, k = U.shape[1], out.shape[1]
    t, x = np.empty((1, K), U.dtype), np.zeros((1, K))
    weighted = w.size > 0
    for i in range(lo, hi):
        t[0] = 0
        for e in range(ptr[i], ptr[i + 1]):
            j = idx[e]
            s = dot(U, i, 0, D, j, 0, K)
            if weighted:
                s *= w[e]
            axpy(s, V, j, 0, t, 0, 0, K)
        for a in range(k):
            x[0, a] = t[0, a]
        solve_packed(kept, i, k, x)
        for a in range(k):
            out[i, a] = x[0, a]


@jit(fastmath=_SUM, parallel=True)
def _schur_row_chunks(bounds, idx, ptr, w, V, D, U, kept, out):
    for c in numba.prange(bounds.size - 1):
        _schur_row_rows(bounds[c], bounds[c + 1], idx, ptr, w, V, D, U, kept, out)


@jit(fastmath=_SUM)
def _schur_column_rows(lo, hi, idx, ptr, w, both, own, out):
    K, k = own.shape[1] // 2, out.shape[1]
    t = np.empty((1, K), own.dtype)
    weighted = w.size > 0
    for j in range(lo, hi):
        t[0] = 0
        for e in range(ptr[j], ptr[j + 1]):
            i = idx[e]
            s = dot(both, i, 0, own, j, 0, 2 * K)
            if weighted:
                s *= w[e]
            axpy(s, both, i, 0, t, 0, 0, K)
        for a in range(k):
            out[j, a] = t[0, a]


@jit(fastmath=_SUM, parallel=True)
def _schur_column_chunks(bounds, idx, ptr, w, both, own, out):
    for c in numba.prange(bounds.size - 1):
        _schur_column_rows(bounds[c], bounds[c + 1], idx, ptr, w, both, own, out)


@jit(fastmath=_SUM)
def _solve_rows(lo, hi, kept, B, out):
    k = B.shape[1]
    x = np.zeros((1, (k + 3) // 4 * 4))
    for i in range(lo, hi):
        for a in range(k):
            x[0, a] = B[i, a]
        solve_packed(kept, i, k, x)
        for a in range(k):
            out[i, a] = x[0, a]


@jit(fastmath=_SUM, parallel=True)
def _solve_chunks(kept, B, out):
    m, count = B.shape[0], 16
    for c in numba.prange(count):
        _solve_rows(c * m // count, (c + 1) * m // count, kept, B, out)


@jit
def _grouped(keys, other, size, width):
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


def peel(rows, row_ptr, columns, column_ptr, rank):
    """Return (determined rows, determined columns, components, lines left) of a pattern."""
    return _peel(rows, row_ptr, columns, column_ptr, rank)


@jit
def _peel(rows, row_ptr, columns, column_ptr, rank):
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


def warmup(dtype):
    """Compile the kernels for one dtype, serial and parallel."""
    n, k = 40, 2
    rows, columns = (x.ravel().astype(np.int32) for x in np.indices((n, n)))
    order, ptr = grouped(rows, columns, n, n)
    none, index = np.empty(0, dtype), columns[order]
    side = np.ones(n * n, dtype), index, ptr, none
    V, bounds = np.ones((n, k), dtype), np.array([0, n])
    _, _, kept, rhs = half_step(side, V, none, np.ones(k), none, np.empty((0, k), dtype), True)
    gradient(side, V, V, none)
    multiply(side, residuals(side, V, V, none), V)
    schur_columns(side, V, V, V, schur_rows(side, V, V, V, kept))
    solve_kept(kept, rhs)
    _solve_chunks(kept, rhs, rhs.copy())
    half_iterative(side, V, V, 0.0, np.zeros(n, np.int64), np.ones(n), 8, 0.1, 2)
    peel(index.astype(np.int64), ptr, index.astype(np.int64), ptr, k)
    # What runs in parallel is compiled by calls with one chunk.
    wide, narrow = _padded(V, 8), _padded(V, 4)
    u, out, sums, no_base = index.view(np.uint32), np.empty_like(V), np.empty(n), np.empty((0, k), dtype)
    _half_chunks(bounds, side[0], u, ptr, none, wide, k, none, np.ones(k), none, no_base, out, sums, kept, rhs)
    _gradient_chunks(bounds, side[0], u, ptr, none, narrow, narrow, none, out, sums, np.empty(n))
    _residual_chunks(bounds, side[0], u, ptr, narrow, narrow, none, np.empty(n * n, dtype))
    _multiply_chunks(bounds, side[0], u, ptr, narrow, narrow.copy())
    _schur_row_chunks(bounds, u, ptr, none, narrow, narrow, narrow, kept, out)
    _schur_column_chunks(bounds, u, ptr, none, wide, wide, out)
    given = V, 0.0, np.zeros(n, np.int64), np.ones(n), 8, 0.1, 2
    iterative_chunks(bounds, side[0], u, ptr, none, wide, k, *given, out, sums, np.zeros(n, np.int64))
