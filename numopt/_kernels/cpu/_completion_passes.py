"""Passes over the entries of rows that cost a few vectors an entry: four entries at a time.

Rows of the other factor are taken from all over it. One that the second-level cache does not hold is passed part by
part, for all rows of a chunk: `reached` says where each row is.
"""

import numba
import numpy as np

from numopt._kernels.cpu._completion_entries import coupled_columns, coupled_rows
from numopt._kernels.cpu._completion_inverse import solve_packed
from numopt._kernels.cpu._completion_rows import axpy, axpy_four, dot, dot_four, fetch
from numopt._kernels.cpu._completion_shares import next_chunk
from numopt._kernels.cpu._jit import jit

_SUM = {"contract", "reassoc", "nsz"}
FAR = 1 << 19  # bytes of a factor from which on its rows are fetched ahead
_PART = 1 << 20  # bytes of a part of a factor
_LAST = np.uint32(0xFFFFFFFF)  # bound of the last part: an order of entries that is not by column costs time alone


@jit
def _parts(X):
    """Return how many rows a part of X has, and how many parts there are."""
    size = max(_PART // (X.shape[1] * X.itemsize), 1)
    return size, max((X.shape[0] + size - 1) // size, 1)


@jit
def _bound(part, size, parts):
    """Return the first row of X behind a part."""
    return np.uint32((part + 1) * size) if part < parts - 1 else _LAST


@jit(fastmath=_SUM)
def gradient_rows(lo, hi, y, idx, ptr, w, U, V, offset, g, size, sums):
    """Write sum w v_j r_ij, |sum w v_j b_ij|^2 unless `size` is empty, and sum w r_ij^2 of rows lo to hi.

    b is y less the offset.
    """
    K, k, count = V.shape[1], g.shape[1], hi - lo
    weighted, shifted, pushed, far = w.size > 0, offset.size > 0, size.size > 0, V.size * V.itemsize > FAR
    pull, push = np.zeros((count, K), V.dtype), np.zeros((count if pushed else 1, K), V.dtype)
    reached, (width, parts) = ptr[lo:hi].copy(), _parts(V)
    for i in range(lo, hi):
        sums[i] = 0.0
    for part in range(parts):
        bound = _bound(part, width, parts)
        for i in range(lo, hi):
            total, row = 0.0, i - lo
            e, end, own = reached[row], ptr[i + 1], row if pushed else 0
            last = end - 19 if far else 0
            while end - e >= 4 and idx[e + 3] < bound:
                if e < last and idx[e + 19] < bound:
                    for q in range(16, 20):
                        fetch(V, idx[e + q], K)
                j0, j1, j2, j3 = idx[e], idx[e + 1], idx[e + 2], idx[e + 3]
                b0, b1, b2, b3 = y[e], y[e + 1], y[e + 2], y[e + 3]
                if shifted:
                    b0, b1, b2, b3 = b0 - offset[j0], b1 - offset[j1], b2 - offset[j2], b3 - offset[j3]
                x0, x1, x2, x3 = dot_four(U, i, V, j0, j1, j2, j3, 0, K)
                r0, r1, r2, r3 = b0 - x0, b1 - x1, b2 - x2, b3 - x3
                if weighted:
                    s0, s1, s2, s3 = w[e], w[e + 1], w[e + 2], w[e + 3]
                    total += s0 * r0 * r0 + s1 * r1 * r1 + s2 * r2 * r2 + s3 * r3 * r3
                    r0, r1, r2, r3 = s0 * r0, s1 * r1, s2 * r2, s3 * r3
                    b0, b1, b2, b3 = s0 * b0, s1 * b1, s2 * b2, s3 * b3
                else:
                    total += r0 * r0 + r1 * r1 + r2 * r2 + r3 * r3
                axpy_four(r0, r1, r2, r3, V, j0, j1, j2, j3, pull, row, K)
                if pushed:
                    axpy_four(b0, b1, b2, b3, V, j0, j1, j2, j3, push, own, K)
                e += 4
            while e < end and idx[e] < bound:
                j = idx[e]
                b = y[e] - offset[j] if shifted else y[e]
                r = b - dot(U, i, 0, V, j, 0, K)
                s = w[e] if weighted else V.dtype.type(1)
                total += s * r * r
                axpy(s * r, V, j, 0, pull, row, 0, K)
                axpy(s * b, V, j, 0, push, own, 0, K)
                e += 1
            reached[row] = e
            sums[i] += total
    for i in range(lo, hi):
        for c in range(k):
            g[i, c] = pull[i - lo, c]
        if pushed:
            total_push = 0.0
            for c in range(k):
                total_push += push[i - lo, c] * push[i - lo, c]
            size[i] = total_push


@jit(fastmath=_SUM, parallel=True)
def gradient_chunks(workers, counter, bounds, y, idx, ptr, w, U, V, offset, g, size, sums):
    """Do all rows, chunk by chunk."""
    for worker in numba.prange(workers):
        c = next_chunk(counter, workers, 2 * worker >= workers)
        while c < workers:
            gradient_rows(bounds[c], bounds[c + 1], y, idx, ptr, w, U, V, offset, g, size, sums)
            c = next_chunk(counter, workers, 2 * worker >= workers)


@jit(fastmath=_SUM)
def residual_rows(lo, hi, y, idx, ptr, U, V, offset, out):
    """Write y_ij - o_j - u_i.v_j for the entries of rows lo to hi."""
    shifted, K = offset.size > 0, V.shape[1]
    last = ptr[ptr.size - 1] - 20 if V.size * V.itemsize > FAR else 0
    for i in range(lo, hi):
        e, end = ptr[i], ptr[i + 1]
        while end - e >= 4:
            if e < last:
                for q in range(16, 20):
                    fetch(V, idx[e + q], K)
            x = dot_four(U, i, V, idx[e], idx[e + 1], idx[e + 2], idx[e + 3], 0, K)
            out[e], out[e + 1], out[e + 2], out[e + 3] = x
            e += 4
        while e < end:
            out[e] = dot(U, i, 0, V, idx[e], 0, K)
            e += 1
        for e in range(ptr[i], end):
            out[e] = y[e] - out[e] - offset[idx[e]] if shifted else y[e] - out[e]


@jit(fastmath=_SUM, parallel=True)
def residual_chunks(workers, counter, bounds, y, idx, ptr, U, V, offset, out):
    """Do all rows, chunk by chunk."""
    for worker in numba.prange(workers):
        c = next_chunk(counter, workers, 2 * worker >= workers)
        while c < workers:
            residual_rows(bounds[c], bounds[c + 1], y, idx, ptr, U, V, offset, out)
            c = next_chunk(counter, workers, 2 * worker >= workers)


@jit(fastmath=_SUM)
def multiply_rows(lo, hi, values, idx, ptr, X, out):
    """Write sum_j value_ij x_j of rows lo to hi."""
    K, far = X.shape[1], X.size * X.itemsize > FAR
    reached, (width, parts) = ptr[lo:hi].copy(), _parts(X)
    out[lo:hi] = 0
    for part in range(parts):
        bound = _bound(part, width, parts)
        for i in range(lo, hi):
            e, end = reached[i - lo], ptr[i + 1]
            last = end - 19 if far else 0
            while end - e >= 4 and idx[e + 3] < bound:
                if e < last and idx[e + 19] < bound:
                    for q in range(16, 20):
                        fetch(X, idx[e + q], K)
                s = values[e], values[e + 1], values[e + 2], values[e + 3]
                axpy_four(s[0], s[1], s[2], s[3], X, idx[e], idx[e + 1], idx[e + 2], idx[e + 3], out, i, K)
                e += 4
            while e < end and idx[e] < bound:
                axpy(values[e], X, idx[e], 0, out, i, 0, K)
                e += 1
            reached[i - lo] = e


@jit(fastmath=_SUM, parallel=True)
def multiply_chunks(workers, counter, bounds, values, idx, ptr, X, out):
    """Do all rows, chunk by chunk."""
    for worker in numba.prange(workers):
        c = next_chunk(counter, workers, 2 * worker >= workers)
        while c < workers:
            multiply_rows(bounds[c], bounds[c + 1], values, idx, ptr, X, out)
            c = next_chunk(counter, workers, 2 * worker >= workers)


@jit(fastmath=_SUM)
def _coupled(i, e, end, bound, idx, w, other, own, at, K, t, row):
    """Add sum_j w s_j o_j[:K] to t[row], s_j = o_j[at:].own_i, over entries from e on with j below the bound.

    Both passes of the Schur complement do this. Returns where it stopped, at `end` at the latest.
    """
    weighted, length = w.size > 0, other.shape[1] - at
    last = end - 19 if other.size * other.itemsize > FAR else 0
    if at > 0:
        e = coupled_rows(own, i, other, idx, e, end, bound, last, w, K, t, row)
    else:
        e = coupled_columns(own, i, other, idx, e, end, bound, last, w, K, t, row)
    while end - e >= 4 and idx[e + 3] < bound:  # of longer rows
        if e < last and idx[e + 19] < bound:
            for q in range(16, 20):
                fetch(other, idx[e + q], other.shape[1])
        s0, s1, s2, s3 = dot_four(own, i, other, idx[e], idx[e + 1], idx[e + 2], idx[e + 3], at, length)
        if weighted:
            s0, s1, s2, s3 = s0 * w[e], s1 * w[e + 1], s2 * w[e + 2], s3 * w[e + 3]
        axpy_four(s0, s1, s2, s3, other, idx[e], idx[e + 1], idx[e + 2], idx[e + 3], t, row, K)
        e += 4
    while e < end and idx[e] < bound:
        s = dot(own, i, 0, other, idx[e], at, length)
        if weighted:
            s *= w[e]
        axpy(s, other, idx[e], 0, t, row, 0, K)
        e += 1
    return e


@jit
def _coupled_all(lo, hi, idx, ptr, w, other, own, at, K):
    """Return what `_coupled` makes of rows lo to hi."""
    t, reached, (width, parts) = np.zeros((hi - lo, K), own.dtype), ptr[lo:hi].copy(), _parts(other)
    for part in range(parts):
        bound = _bound(part, width, parts)
        for i in range(lo, hi):
            e, end = reached[i - lo], ptr[i + 1]
            reached[i - lo] = _coupled(i, e, end, bound, idx, w, other, own, at, K, t, i - lo)
    return t


@jit(fastmath=_SUM)
def schur_row_rows(lo, hi, idx, ptr, w, both, U, kept, out):
    """Write G_i^{-1} sum w v_j (u_i.d_j) of rows lo to hi; `both` has v_j and d_j side by side."""
    K, k = U.shape[1], out.shape[1]
    t = _coupled_all(lo, hi, idx, ptr, w, both, U, K, K)
    b, x = np.zeros((1, (k + 3) // 4 * 4)), np.empty((1, (k + 3) // 4 * 4))
    for i in range(lo, hi):
        for a in range(k):
            b[0, a] = t[i - lo, a]
        solve_packed(kept, i, k, b, x)
        for a in range(k):
            out[i, a] = x[0, a]


@jit(fastmath=_SUM, parallel=True)
def schur_row_chunks(workers, counter, bounds, idx, ptr, w, both, U, kept, out):
    """Do all rows, chunk by chunk."""
    for worker in numba.prange(workers):
        c = next_chunk(counter, workers, 2 * worker >= workers)
        while c < workers:
            schur_row_rows(bounds[c], bounds[c + 1], idx, ptr, w, both, U, kept, out)
            c = next_chunk(counter, workers, 2 * worker >= workers)


@jit(fastmath=_SUM)
def schur_column_rows(lo, hi, idx, ptr, w, both, own, out):
    """Write sum w u_i (u_i.d_j - w_i.v_j) of lines lo to hi; `both` has u_i and w_i, `own` d_j and -v_j."""
    K, k = own.shape[1] // 2, out.shape[1]
    t = _coupled_all(lo, hi, idx, ptr, w, both, own, 0, K)
    for j in range(lo, hi):
        for a in range(k):
            out[j, a] = t[j - lo, a]


@jit(fastmath=_SUM, parallel=True)
def schur_column_chunks(workers, counter, bounds, idx, ptr, w, both, own, out):
    """Do all rows, chunk by chunk."""
    for worker in numba.prange(workers):
        c = next_chunk(counter, workers, 2 * worker >= workers)
        while c < workers:
            schur_column_rows(bounds[c], bounds[c + 1], idx, ptr, w, both, own, out)
            c = next_chunk(counter, workers, 2 * worker >= workers)


@jit(fastmath=_SUM)
def solve_rows(lo, hi, kept, B, out):
    """Write G_i^{-1} b_i of rows lo to hi."""
    k = B.shape[1]
    K = (k + 3) // 4 * 4
    b, x = np.zeros((1, K)), np.empty((1, K))
    for i in range(lo, hi):
        for a in range(k):
            b[0, a] = B[i, a]
        solve_packed(kept, i, k, b, x)
        for a in range(k):
            out[i, a] = x[0, a]


@jit(fastmath=_SUM, parallel=True)
def solve_chunks(workers, counter, bounds, kept, B, out):
    """Do all rows, chunk by chunk."""
    for worker in numba.prange(workers):
        c = next_chunk(counter, workers, 2 * worker >= workers)
        while c < workers:
            solve_rows(bounds[c], bounds[c + 1], kept, B, out)
            c = next_chunk(counter, workers, 2 * worker >= workers)


def most_chunks(*factors):
    """Return how many chunks there should be at most: many rows are to share what the cache holds of a factor."""
    return 16 if sum(X.nbytes for X in factors) > _PART else 64
