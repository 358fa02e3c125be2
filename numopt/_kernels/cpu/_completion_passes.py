"""Passes over the entries of rows that cost a few vectors an entry: four entries at a time."""

import numba
import numpy as np

from numopt._kernels.cpu._completion_inverse import solve_packed
from numopt._kernels.cpu._completion_rows import axpy, axpy_four, dot, dot_four, fetch
from numopt._kernels.cpu._completion_shares import next_chunk
from numopt._kernels.cpu._jit import jit

_SUM = {"contract", "reassoc", "nsz"}
FAR = 1 << 19  # bytes of a factor from which on its rows are fetched ahead


@jit(fastmath=_SUM)
def gradient_rows(lo, hi, y, idx, ptr, w, U, V, offset, g, size, sums):
    """Write sum w v_j r_ij, |sum w v_j b_ij|^2 unless `size` is empty, and sum w r_ij^2 of rows lo to hi.

    b is y less the offset.
    """
    K, k = V.shape[1], g.shape[1]
    pull, push = np.empty((1, K), V.dtype), np.empty((1, K), V.dtype)
    weighted, shifted, pushed = w.size > 0, offset.size > 0, size.size > 0
    last = ptr[ptr.size - 1] - 20 if V.size * V.itemsize > FAR else 0
    for i in range(lo, hi):
        pull[:], push[:] = 0, 0
        total = 0.0
        e, end = ptr[i], ptr[i + 1]
        while end - e >= 4:
            if e < last:
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
            axpy_four(r0, r1, r2, r3, V, j0, j1, j2, j3, pull, K)
            if pushed:
                axpy_four(b0, b1, b2, b3, V, j0, j1, j2, j3, push, K)
            e += 4
        while e < end:
            j = idx[e]
            b = y[e] - offset[j] if shifted else y[e]
            r = b - dot(U, i, 0, V, j, 0, K)
            s = w[e] if weighted else V.dtype.type(1)
            total += s * r * r
            axpy(s * r, V, j, 0, pull, 0, 0, K)
            axpy(s * b, V, j, 0, push, 0, 0, K)
            e += 1
        for c in range(k):
            g[i, c] = pull[0, c]
        if pushed:
            total_push = 0.0
            for c in range(k):
                total_push += push[0, c] * push[0, c]
            size[i] = total_push
        sums[i] = total


@jit(fastmath=_SUM, parallel=True)
def gradient_chunks(workers, counter, bounds, y, idx, ptr, w, U, V, offset, g, size, sums):
    """Do all rows, chunk by chunk."""
    for _ in numba.prange(workers):
        c = next_chunk(counter)
        while c < bounds.size - 1:
            gradient_rows(bounds[c], bounds[c + 1], y, idx, ptr, w, U, V, offset, g, size, sums)
            c = next_chunk(counter)


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
    for _ in numba.prange(workers):
        c = next_chunk(counter)
        while c < bounds.size - 1:
            residual_rows(bounds[c], bounds[c + 1], y, idx, ptr, U, V, offset, out)
            c = next_chunk(counter)


@jit(fastmath=_SUM)
def multiply_rows(lo, hi, values, idx, ptr, X, out):
    """Write sum_j value_ij x_j of rows lo to hi."""
    row, K = np.empty((1, X.shape[1]), X.dtype), X.shape[1]
    last = ptr[ptr.size - 1] - 20 if X.size * X.itemsize > FAR else 0
    for i in range(lo, hi):
        row[:] = 0
        e, end = ptr[i], ptr[i + 1]
        while end - e >= 4:
            if e < last:
                for q in range(16, 20):
                    fetch(X, idx[e + q], K)
            s = values[e], values[e + 1], values[e + 2], values[e + 3]
            axpy_four(s[0], s[1], s[2], s[3], X, idx[e], idx[e + 1], idx[e + 2], idx[e + 3], row, K)
            e += 4
        while e < end:
            axpy(values[e], X, idx[e], 0, row, 0, 0, K)
            e += 1
        for c in range(K):
            out[i, c] = row[0, c]


@jit(fastmath=_SUM, parallel=True)
def multiply_chunks(workers, counter, bounds, values, idx, ptr, X, out):
    """Do all rows, chunk by chunk."""
    for _ in numba.prange(workers):
        c = next_chunk(counter)
        while c < bounds.size - 1:
            multiply_rows(bounds[c], bounds[c + 1], values, idx, ptr, X, out)
            c = next_chunk(counter)


@jit(fastmath=_SUM)
def _coupled(i, idx, ptr, w, other, own, at, K, t):
    """Add sum_j w s_j o_j[:K] to t, s_j = o_j[at:].own_i: what both passes of the Schur complement do."""
    weighted, length = w.size > 0, other.shape[1] - at
    e, end = ptr[i], ptr[i + 1]
    last = ptr[ptr.size - 1] - 20 if other.size * other.itemsize > FAR else 0
    while end - e >= 4:
        if e < last:
            for q in range(16, 20):
                fetch(other, idx[e + q], other.shape[1])
        s0, s1, s2, s3 = dot_four(own, i, other, idx[e], idx[e + 1], idx[e + 2], idx[e + 3], at, length)
        if weighted:
            s0, s1, s2, s3 = s0 * w[e], s1 * w[e + 1], s2 * w[e + 2], s3 * w[e + 3]
        axpy_four(s0, s1, s2, s3, other, idx[e], idx[e + 1], idx[e + 2], idx[e + 3], t, K)
        e += 4
    while e < end:
        s = dot(own, i, 0, other, idx[e], at, length)
        if weighted:
            s *= w[e]
        axpy(s, other, idx[e], 0, t, 0, 0, K)
        e += 1


@jit(fastmath=_SUM)
def schur_row_rows(lo, hi, idx, ptr, w, both, U, kept, out):
    """Write G_i^{-1} sum w v_j (u_i.d_j) of rows lo to hi; `both` has v_j and d_j side by side."""
    K, k = U.shape[1], out.shape[1]
    t, b, x = np.empty((1, K), U.dtype), np.zeros((1, (k + 3) // 4 * 4)), np.empty((1, (k + 3) // 4 * 4))
    for i in range(lo, hi):
        t[:] = 0
        _coupled(i, idx, ptr, w, both, U, K, K, t)
        for a in range(k):
            b[0, a] = t[0, a]
        solve_packed(kept, i, k, b, x)
        for a in range(k):
            out[i, a] = x[0, a]


@jit(fastmath=_SUM, parallel=True)
def schur_row_chunks(workers, counter, bounds, idx, ptr, w, both, U, kept, out):
    """Do all rows, chunk by chunk."""
    for _ in numba.prange(workers):
        c = next_chunk(counter)
        while c < bounds.size - 1:
            schur_row_rows(bounds[c], bounds[c + 1], idx, ptr, w, both, U, kept, out)
            c = next_chunk(counter)


@jit(fastmath=_SUM)
def schur_column_rows(lo, hi, idx, ptr, w, both, own, out):
    """Write sum w u_i (u_i.d_j - w_i.v_j) of lines lo to hi; `both` has u_i and w_i, `own` d_j and -v_j."""
    K, k = own.shape[1] // 2, out.shape[1]
    t = np.empty((1, K), own.dtype)
    for j in range(lo, hi):
        t[:] = 0
        _coupled(j, idx, ptr, w, both, own, 0, K, t)
        for a in range(k):
            out[j, a] = t[0, a]


@jit(fastmath=_SUM, parallel=True)
def schur_column_chunks(workers, counter, bounds, idx, ptr, w, both, own, out):
    """Do all rows, chunk by chunk."""
    for _ in numba.prange(workers):
        c = next_chunk(counter)
        while c < bounds.size - 1:
            schur_column_rows(bounds[c], bounds[c + 1], idx, ptr, w, both, own, out)
            c = next_chunk(counter)


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
    for _ in numba.prange(workers):
        c = next_chunk(counter)
        while c < bounds.size - 1:
            solve_rows(bounds[c], bounds[c + 1], kept, B, out)
            c = next_chunk(counter)
