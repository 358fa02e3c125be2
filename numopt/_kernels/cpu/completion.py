"""Kernels of matrix completion on the CPU: nothing of size m x n or N x k.

`side` is ``(y, indices, indptr, weights)``: the entries row by row; weights may be empty, for 1 everywhere.
All sums of a row are taken in one order, whatever the number of threads.
"""

import numba
import numpy as np

from numopt._kernels.cpu import _completion_conjugate as conjugate
from numopt._kernels.cpu import _completion_passes as passes
from numopt._kernels.cpu import _completion_pattern as pattern
from numopt._kernels.cpu import _completion_tall as tall
from numopt._kernels.cpu._completion_half import half_chunks, half_rows
from numopt._kernels.cpu._completion_inverse import packed_size, trace_chunks, trace_rows
from numopt._kernels.cpu._completion_iterative import iterative_chunks, iterative_rows
from numopt._kernels.cpu._completion_layout import beside, padded, small, whole
from numopt._kernels.cpu._completion_shares import SOLVED, by_work, cuts, each, share, tapered

_NUMBERS = 8_192  # of a chunk in sums and updates of vectors
_FEW = 8_000  # numbers below which Householder's method is faster


def half_step(side, V, offset, ridge, scale, base, keep, summed=True):
    """Minimise over each row u: sum w (y - o_j - (base + u).v_j)^2 + scale_i sum_a ridge_a u_a^2.

    What is left of the data may cost a pass of its own: it is found only if `summed`.
    """
    y, idx, ptr, w = side
    k, m = V.shape[1], ptr.size - 1
    wide = padded(V, whole(V))
    U, sums = np.empty((m, k), V.dtype), np.empty(m if summed else 0)
    kept = np.empty((m if keep else 0, packed_size(k)), V.dtype)
    rhs = np.empty((m if keep else 0, k), V.dtype)
    bounds = by_work(ptr, k * (k + 1) // 2 + k, k * k * k // 6 + 8 * k)
    offset = np.ascontiguousarray(offset)  # a column of a matrix would be compiled for
    args = (y, idx.view(np.uint32), ptr, w, wide, k, offset, ridge, scale, base, U, sums, kept, rhs)
    share(half_rows, half_chunks, bounds, *args)
    return U, sums, kept, rhs


def half_iterative(side, V, start, ridge, buckets, signs, size, rtol, max_steps):
    """Solve each row's least squares by conjugate gradients, sketched or from `start`; return (U, sums, steps)."""
    y, idx, ptr, w = side
    k, m = V.shape[1], ptr.size - 1
    wide = padded(V, whole(V, 1))
    U, sums, steps = np.empty((m, k), V.dtype), np.empty(m), np.zeros(m, np.int64)
    given = (start, ridge, buckets, signs, size, rtol, max_steps)
    args = (y, idx.view(np.uint32), ptr, w, wide, k, *given, U, sums, steps)
    bounds = by_work(ptr, 20 * k, k * k)
    share(iterative_rows, iterative_chunks, bounds, *args)
    return U, sums, int(steps.max())


def gradient(side, U, V, offset, pushed=True):
    """Return (sum_j w v_j r_ij, |sum_j w v_j (y_ij - o_j)|^2, sum_j w r_ij^2) of each row i.

    The second, a third of the work, is empty unless `pushed`.
    """
    y, idx, ptr, w = side
    k, m = V.shape[1], ptr.size - 1
    K = whole(V)
    g, size, sums = np.empty((m, k), V.dtype), np.empty(m if pushed else 0), np.empty(m)
    args = (y, idx.view(np.uint32), ptr, w, padded(U, K), padded(V, K), offset, g, size, sums)
    bounds = by_work(ptr, (4 if pushed else 3) * k, k, passes.most_chunks(V))
    share(passes.gradient_rows, passes.gradient_chunks, bounds, *args)
    return g, size, sums


def residuals(side, U, V, offset):
    """Return y_ij - o_j - u_i.v_j for each entry, in the order of the side."""
    y, idx, ptr, _ = side
    K = whole(V)
    out = np.empty(y.size, V.dtype)
    args = (y, idx.view(np.uint32), ptr, padded(U, K), padded(V, K), offset, out)
    bounds = by_work(ptr, 2 * K, 1)
    share(passes.residual_rows, passes.residual_chunks, bounds, *args)
    return out


def multiply(side, values, X):
    """Return the product (m, q) of the sparse matrix with these values and X."""
    _, idx, ptr, _ = side
    q, K = X.shape[1], whole(X)
    out = np.empty((ptr.size - 1, K), X.dtype)
    args = (values, idx.view(np.uint32), ptr, padded(X, K), out)
    bounds = by_work(ptr, 2 * K, K, passes.most_chunks(X))
    share(passes.multiply_rows, passes.multiply_chunks, bounds, *args)
    return np.ascontiguousarray(out[:, :q])


def schur_rows(side, U, V, D, kept):
    """Return w_i = G_i^{-1} sum_j w v_j (u_i.d_j), with the factors of G_i that `half_step` kept."""
    _, idx, ptr, w = side
    k = V.shape[1]
    K = whole(V)
    out = np.empty_like(U)
    args = (idx.view(np.uint32), ptr, w, beside(V, D, K), padded(U, K), kept, out)
    bounds = by_work(ptr, 4 * K, 2 * k * k, passes.most_chunks(V, D))
    share(passes.schur_row_rows, passes.schur_row_chunks, bounds, *args)
    return out


def schur_columns(side, U, V, D, W):
    """Return sum_i w u_i (u_i.d_j - v_j.w_i) for each row j of a side."""
    _, idx, ptr, w = side
    K = whole(V)
    out = np.empty_like(V)
    args = (idx.view(np.uint32), ptr, w, beside(U, W, K), beside(D, V, K, -1), out)
    bounds = by_work(ptr, 6 * K, K, passes.most_chunks(U, W))
    share(passes.schur_column_rows, passes.schur_column_chunks, bounds, *args)
    return out


def schur_solve(rows, columns, U, V, systems, blocks, back, g, mu, forcing, most):
    """Solve (S + mu) D = g, g and D orthogonal to V, by conjugate gradients, to `forcing` in the preconditioner's norm.

    `systems` of the rows and `blocks` of the columns are what `half_step` kept; the latter precondition as
    back^T G_j^{-1} back if `back` is given. Returns (D, E, g - (S + mu) D, steps); to first order U moves by -E with V.
    Numbers that are not finite show in D or the rest.
    """
    systems, blocks = (converted(x, V.dtype) for x in (systems, blocks))  # one kind of each is enough to compile
    work, found, single = conjugate.prepared(rows, columns, U, V, systems, blocks, back, g, mu, forcing, most)
    if single:
        conjugate.conjugate_work(False, *work)
    else:
        conjugate.conjugate_steps(numba.get_num_threads(), *work)
    D, E, r, known = found
    return D, E, r, int(known[conjugate.STEPS])


def solve_kept(kept, B):
    """Return G_i^{-1} b_i for each row of B."""
    out = np.empty_like(B)
    bounds = tapered(B.shape[0], SOLVED // (B.shape[1] ** 2 + 1) + 1)
    share(passes.solve_rows, passes.solve_chunks, bounds, kept, B, out)
    return out


def inverse_traces(kept, M):
    """Return trace(G_i^{-1} M) of each row, M symmetric."""
    out, bounds = np.empty(kept.shape[0]), tapered(kept.shape[0], SOLVED // (kept.shape[1] + 1) + 1)
    share(trace_rows, trace_chunks, bounds, kept, np.ascontiguousarray(M, dtype=np.float64), out)
    return out


def grouped(keys, other, size, width):
    """Return (order, indptr) that sort entries by `keys`, then by `other`: two counting sorts."""
    return pattern.grouped_entries(keys, other, size, width)


def rising(rows, columns):
    """Say whether the pairs (row, column) rise, each of them being there once."""
    return bool(pattern.rising_pairs(rows, columns))


def crossed(side, width):
    """Return (y, indices, indptr, weights) of the other side, with `width` lines: a counting sort in chunks."""
    y, idx, ptr, w = side
    bounds = cuts(ptr, 1, 0, y.size, min(max(y.size // (4 * width + 16384), 1), 16, ptr.size - 1))
    places, new_ptr = np.empty((bounds.size - 1, width), np.int64), np.empty(width + 1, np.int64)
    new = np.empty_like(y), np.empty_like(idx), np.empty_like(w)
    u = idx.view(np.uint32)
    each(pattern.count_chunks, bounds, ptr, u, places)
    pattern.starts(places, new_ptr)
    each(pattern.scatter_chunks, bounds, ptr, u, y, w, places, *new)
    return new[0], new[1], new_ptr, new[2]


def moments(y, w, unit, mean):
    """Return the sums of w, w x and w x^2, x = y / unit - mean; w may be empty, for 1 everywhere."""
    bounds, y = tapered(y.size, _NUMBERS), y.view()
    y.flags.writeable = False  # as that of a caller may be: one type for Numba
    sums = np.empty((bounds.size - 1, 3))
    each(tall.moment_chunks, bounds, y, w, float(unit), float(mean), sums)
    return tuple(sums.sum(axis=0).tolist())


def inner(X, Y):
    """Return <X, Y> in float64, a Python float."""
    x, y = np.ascontiguousarray(X).reshape(-1), np.ascontiguousarray(Y).reshape(-1)
    bounds = tapered(x.size, _NUMBERS)
    total = np.empty(bounds.size - 1)
    share(tall.dot_rows, tall.dot_chunks, bounds, x, y, total)
    return float(total.sum())


def products(X, Y):
    """Return X^T Y in float64."""
    X, Y = np.ascontiguousarray(X), np.ascontiguousarray(Y)
    bounds = tapered(X.shape[0], SOLVED // (X.shape[1] * Y.shape[1] + 1) + 1)
    G = np.zeros((bounds.size - 1, -(-X.shape[1] // 4) * 4, whole(Y)))
    each(tall.product_chunks, bounds, X, Y, G)
    return np.ascontiguousarray(G.sum(axis=0)[: X.shape[1], : Y.shape[1]])


def turned(X, C, base=None):
    """Return X C, or base + X C, for a small matrix C."""
    X, wide = np.ascontiguousarray(X), small(X, C)
    base = X[:0] if base is None else np.ascontiguousarray(base)
    out = np.empty((X.shape[0], C.shape[1]), X.dtype)
    bounds = tapered(X.shape[0], SOLVED // (wide.size + 1) + 1)
    share(tall.turn_rows, tall.turn_chunks, bounds, X, wide, base, out)
    return out


def added(X, a, Y):
    """Return X + a Y."""
    X, Y = np.ascontiguousarray(X), np.ascontiguousarray(Y)
    out = np.empty_like(X)
    share(tall.add_rows, tall.add_chunks, tapered(X.size, _NUMBERS), X.reshape(-1), a, Y.reshape(-1), out.reshape(-1))
    return out


def converted(X, dtype):
    """Return X in this precision, itself if it has it; NumPy takes three times as long."""
    if X.dtype == dtype:
        return X
    X = np.ascontiguousarray(X)
    out = np.empty(X.shape, dtype)
    share(tall.convert_rows, tall.convert_chunks, tapered(X.size, _NUMBERS), X.reshape(-1), out.reshape(-1))
    return out


def orthonormal(X):
    """Return (Q, R) with X = Q R by Cholesky's method, twice; by Householder's if X is small or nearly singular."""
    k = X.shape[1]
    if X.size < _FEW:
        return np.linalg.qr(X)
    least, R = (1e-10, np.eye(k)) if X.dtype == np.float64 else (1e-3, np.eye(k, dtype=np.float32))
    Q = X
    for _ in range(2):
        G, inverse = products(Q, Q), np.zeros((k, k))
        if not tall.upper_factor(G, k, least):  # NaN fails too
            return np.linalg.qr(X)
        tall.upper_inverse(G, k, inverse)
        Q, R, least = turned(Q, inverse), np.triu(G).astype(X.dtype) @ R, 0.5
    return Q, R


def peel(rows, row_ptr, columns, column_ptr, rank):
    """Return (determined rows, determined columns, components, lines left) of a pattern."""
    return pattern.peeled(rows, row_ptr, columns, column_ptr, rank)


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
    conjugate.conjugate_steps(1, *conjugate.prepared(side, side, V, V, kept, kept, None, rhs, 0.1, 0.1, 2)[0])
    double = rhs.astype(np.float64)  # what float32 systems are asked to solve near the end of a run in float64
    solve_kept(kept, rhs), solve_kept(kept, double), inverse_traces(kept, np.eye(k))
    half_iterative(side, V, V, 0.0, np.zeros(n, np.int64), np.ones(n), 8, 0.1, 2)
    peel(index, ptr, index, ptr, k)
    crossed(side, n), rising(rows, columns), moments(side[0], none, 1.0, 0.0)
    turned(V, products(V, V), V)
    orthonormal(V), inner(V, V), added(V, 1.0, V), converted(V, np.float32), converted(V, np.float64)
    tall.upper_factor(np.eye(k), k, 0.5), tall.upper_inverse(np.eye(k), k, np.zeros((k, k)))
    # What runs in parallel is compiled by calls with one chunk.
    narrow = padded(V, whole(V))
    wide = beside(V, V, narrow.shape[1])
    u, out, sums, no_base = index.view(np.uint32), np.empty_like(V), np.empty(n), np.empty((0, k), dtype)

    def compiled(chunks, *args):
        chunks(1, np.zeros(3, np.int64), bounds, *args)

    compiled(half_chunks, side[0], u, ptr, none, narrow, k, none, np.ones(k), none, no_base, out, sums, kept, rhs)
    compiled(passes.gradient_chunks, side[0], u, ptr, none, narrow, narrow, none, out, sums, np.empty(n))
    compiled(passes.residual_chunks, side[0], u, ptr, narrow, narrow, none, np.empty(n * n, dtype))
    compiled(passes.multiply_chunks, side[0], u, ptr, narrow, narrow.copy())
    compiled(passes.schur_row_chunks, u, ptr, none, wide, narrow, kept, out)
    compiled(passes.schur_column_chunks, u, ptr, none, wide, wide, out)
    compiled(passes.solve_chunks, kept, rhs, rhs.copy())
    compiled(passes.solve_chunks, kept, double, double.copy())
    compiled(trace_chunks, kept, np.eye(k), sums)
    given = V, 0.0, np.zeros(n, np.int64), np.ones(n), 8, 0.1, 2, out, sums, np.zeros(n, np.int64)
    compiled(iterative_chunks, side[0], u, ptr, none, padded(V, whole(V, 1)), k, *given)
    compiled(tall.product_chunks, V, V, np.zeros((1, 4, whole(V))))
    compiled(tall.turn_chunks, V, narrow[:k], V, out)
    compiled(tall.dot_chunks, V.reshape(-1), V.reshape(-1), sums)
    compiled(tall.add_chunks, V.reshape(-1), 1.0, V.reshape(-1), out.reshape(-1))
    compiled(tall.pad_chunks, V, V, 1, narrow.shape[1], wide)
    other = V.astype(np.float64 if V.itemsize == 4 else np.float32)
    compiled(tall.convert_chunks, V.reshape(-1), other.reshape(-1))
