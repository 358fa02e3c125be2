"""Kernels of matrix completion on the CPU: nothing of size m x n or N x k.

`side` is ``(y, indices, indptr, weights)``: the entries row by row; weights may be empty, for 1 everywhere.
All sums of a row are taken in one order, whatever the number of threads.
"""

import numpy as np

from numopt._kernels.cpu import _completion_passes as passes
from numopt._kernels.cpu._completion_half import half_chunks, half_rows
from numopt._kernels.cpu._completion_inverse import packed_size, traces
from numopt._kernels.cpu._completion_iterative import iterative_chunks, iterative_rows
from numopt._kernels.cpu._completion_pattern import grouped_entries, peeled
from numopt._kernels.cpu._jit import jit

_WORK = 400_000  # of a chunk of rows, in multiply-adds


def half_step(side, V, offset, ridge, scale, base, keep):
    """Minimise over each row u: sum w (y - o_j - (base + u).v_j)^2 + scale_i sum_a ridge_a u_a^2."""
    y, idx, ptr, w = side
    k, m = V.shape[1], ptr.size - 1
    padded = _padded(V, _whole(V))
    U, sums = np.empty((m, k), V.dtype), np.empty(m)
    kept = np.empty((m if keep else 0, packed_size(k)))
    rhs = np.empty((m if keep else 0, k), V.dtype)
    bounds = _bounds(ptr, k * (k + 1) // 2 + k, k * k * k // 6 + 8 * k)
    args = (y, idx.view(np.uint32), ptr, w, padded, k, offset, ridge, scale, base, U, sums, kept, rhs)
    if bounds.size == 2:
        half_rows(0, m, *args)
    else:
        half_chunks(bounds, *args)
    return U, sums, kept, rhs


def half_iterative(side, V, start, ridge, buckets, signs, size, rtol, max_steps):
    """Solve each row's least squares by conjugate gradients, sketched or from `start`; return (U, sums, steps)."""
    y, idx, ptr, w = side
    k, m = V.shape[1], ptr.size - 1
    padded = _padded(V, _whole(V, 1))
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
    K = _whole(V)
    g, size, sums = np.empty((m, k), V.dtype), np.empty(m), np.empty(m)
    args = (y, idx.view(np.uint32), ptr, w, _padded(U, K), _padded(V, K), offset, g, size, sums)
    bounds = _bounds(ptr, 4 * k, k)
    if bounds.size == 2:
        passes.gradient_rows(0, m, *args)
    else:
        passes.gradient_chunks(bounds, *args)
    return g, size, sums


def residuals(side, U, V, offset):
    """Return y_ij - o_j - u_i.v_j for each entry, in the order of the side."""
    y, idx, ptr, _ = side
    K = _whole(V)
    out = np.empty(y.size, V.dtype)
    args = (y, idx.view(np.uint32), ptr, _padded(U, K), _padded(V, K), offset, out)
    bounds = _bounds(ptr, 2 * K, 1)
    if bounds.size == 2:
        passes.residual_rows(0, ptr.size - 1, *args)
    else:
        passes.residual_chunks(bounds, *args)
    return out


def multiply(side, values, X):
    """Return the product (m, q) of the sparse matrix with these values and X."""
    _, idx, ptr, _ = side
    q, K = X.shape[1], _whole(X)
    out = np.empty((ptr.size - 1, K), X.dtype)
    args = (values, idx.view(np.uint32), ptr, _padded(X, K), out)
    bounds = _bounds(ptr, 2 * K, K)
    if bounds.size == 2:
        passes.multiply_rows(0, ptr.size - 1, *args)
    else:
        passes.multiply_chunks(bounds, *args)
    return np.ascontiguousarray(out[:, :q])


def schur_rows(side, U, V, D, kept):
    """Return w_i = G_i^{-1} sum_j w v_j (u_i.d_j), with the factors of G_i that `half_step` kept."""
    _, idx, ptr, w = side
    k = V.shape[1]
    K = _whole(V)
    out = np.empty_like(U)
    args = (idx.view(np.uint32), ptr, w, _beside(V, D, K), _padded(U, K), kept, out)
    bounds = _bounds(ptr, 4 * K, 2 * k * k)
    if bounds.size == 2:
        passes.schur_row_rows(0, ptr.size - 1, *args)
    else:
        passes.schur_row_chunks(bounds, *args)
    return out


def schur_columns(side, U, V, D, W):
    """Return sum_i w u_i (u_i.d_j - v_j.w_i) for each row j of a side."""
    _, idx, ptr, w = side
    K = _whole(V)
    out = np.empty_like(V)
    args = (idx.view(np.uint32), ptr, w, _beside(U, W, K), _beside(D, -V, K), out)
    bounds = _bounds(ptr, 6 * K, K)
    if bounds.size == 2:
        passes.schur_column_rows(0, ptr.size - 1, *args)
    else:
        passes.schur_column_chunks(bounds, *args)
    return out


def solve_kept(kept, B):
    """Return G_i^{-1} b_i for each row of B."""
    out, m = np.empty_like(B), B.shape[0]
    if m * B.shape[1] ** 2 < _WORK:
        passes.solve_rows(0, m, kept, B, out)
    else:
        passes.solve_chunks(kept, B, out)
    return out


def inverse_traces(kept, M):
    """Return trace(G_i^{-1} M) of each row, M symmetric."""
    out = np.empty(kept.shape[0])
    traces(kept, np.ascontiguousarray(M, dtype=np.float64), out)
    return out


def grouped(keys, other, size, width):
    """Return (order, indptr) that sort entries by `keys`, then by `other`: two counting sorts."""
    return grouped_entries(keys, other, size, width)


def _whole(X, more=0):
    """Return the length of a row of X, with so many numbers more, in whole vectors, at least one."""
    lanes = 4 if X.dtype == np.float64 else 8
    return max(-(-(X.shape[1] + more) // lanes), 1) * lanes


def _padded(X, K):
    out = np.zeros((X.shape[0], K), X.dtype)
    out[:, : X.shape[1]] = X
    return out


def _beside(X, Y, K):
    """Return the rows of X and of Y side by side, each padded to K."""
    out, k = np.zeros((X.shape[0], 2 * K), X.dtype), X.shape[1]
    out[:, :k], out[:, K : K + k] = X, Y
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


def peel(rows, row_ptr, columns, column_ptr, rank):
    """Return (determined rows, determined columns, components, lines left) of a pattern."""
    return peeled(rows, row_ptr, columns, column_ptr, rank)


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
    inverse_traces(kept, np.eye(k))
    passes.solve_chunks(kept, rhs, rhs.copy())
    half_iterative(side, V, V, 0.0, np.zeros(n, np.int64), np.ones(n), 8, 0.1, 2)
    peel(index.astype(np.int64), ptr, index.astype(np.int64), ptr, k)
    # What runs in parallel is compiled by calls with one chunk.
    narrow = _padded(V, _whole(V))
    wide = _beside(V, V, narrow.shape[1])
    u, out, sums, no_base = index.view(np.uint32), np.empty_like(V), np.empty(n), np.empty((0, k), dtype)
    half_chunks(bounds, side[0], u, ptr, none, narrow, k, none, np.ones(k), none, no_base, out, sums, kept, rhs)
    passes.gradient_chunks(bounds, side[0], u, ptr, none, narrow, narrow, none, out, sums, np.empty(n))
    passes.residual_chunks(bounds, side[0], u, ptr, narrow, narrow, none, np.empty(n * n, dtype))
    passes.multiply_chunks(bounds, side[0], u, ptr, narrow, narrow.copy())
    passes.schur_row_chunks(bounds, u, ptr, none, wide, narrow, kept, out)
    passes.schur_column_chunks(bounds, u, ptr, none, wide, wide, out)
    given = V, 0.0, np.zeros(n, np.int64), np.ones(n), 8, 0.1, 2, out, sums, np.zeros(n, np.int64)
    iterative_chunks(bounds, side[0], u, ptr, none, _padded(V, _whole(V, 1)), k, *given)
