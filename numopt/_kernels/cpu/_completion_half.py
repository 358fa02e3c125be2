"""The half step: Gram matrices, Cholesky factors and solutions of the rows of one side."""

import numba
import numpy as np

from numopt._kernels.cpu._completion_gram import (
    add_gathered,
    add_gram,
    add_products,
    back_substitute,
    cholesky,
    lines_cached,
)
from numopt._kernels.cpu._completion_inverse import pack_inverse, set_identity
from numopt._kernels.cpu._completion_rows import dot, fetch, scaled_copy
from numopt._kernels.cpu._completion_shares import next_chunk
from numopt._kernels.cpu._jit import jit

_SUM = {"contract", "reassoc", "nsz"}


@jit(fastmath=_SUM)
def half_rows(lo, hi, y, idx, ptr, w, V, k, offset, ridge, scale, base, U, sums, kept, rhs):
    """Solve rows lo to hi; see `completion.half_step`. V is padded to whole vectors."""
    K, lanes = V.shape[1], 4 if V.itemsize == 8 else 8
    lines = lines_cached(K * V.itemsize)
    block, values = np.empty((lines, K), V.dtype), np.empty((lines, 1), V.dtype)
    last = ptr[ptr.size - 1] - 8 if V.size * V.itemsize > (1 << 19) else 0
    keep = kept.size > 0
    # The right-hand side is column K of the system; the identity follows where an inverse is wanted.
    G, b, x = np.empty((K, 2 * K + 4 if keep else K + 4)), np.empty((1, K)), np.empty((1, K))
    square = (k + 3) // 4 * 4 if keep else 0
    inverse, lower = np.empty((square, square)), np.empty((square, square))
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
                if first + e < last:
                    fetch(V, idx[first + e + 8], K)
                j = idx[first + e]
                r = y[first + e]
                if shifted:
                    r -= offset[j]
                if based:
                    r -= dot(line, 0, 0, V, j, 0, K)
                if weighted:
                    s = np.sqrt(w[first + e])
                    scaled_copy(s, V, j, 0, block, e, 0, K)
                    r *= s
                values[e, 0] = r
                size += r * r
            copied = n
            if not weighted:  # rows of V are taken where they lie, but for the last of an odd number
                add_gathered(values, V, idx, first, n - (n & 1), lanes, k, G, b)
                copied = n & 1
                if copied:
                    scaled_copy(one, V, idx[first + n - 1], 0, block, 0, 0, K)
                    values[0] = values[n - 1]
            if copied & 1:
                block[copied], values[copied] = 0, 0
            if copied:
                add_gram(block, copied + (copied & 1), lanes, k, G)
                add_products(values, block, copied + (copied & 1), lanes, b)
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
        if keep:
            set_identity(G, k, K + 4)
        cholesky(G, k, K + 4)
        back_substitute(G, k, K, x)
        if keep:
            pack_inverse(G, k, K + 4, inverse, lower, kept, i)
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
def half_chunks(workers, counter, bounds, y, idx, ptr, w, V, k, offset, ridge, scale, base, U, sums, kept, rhs):
    """Do all rows, chunk by chunk."""
    for _ in numba.prange(workers):
        c = next_chunk(counter)
        while c < bounds.size - 1:
            half_rows(bounds[c], bounds[c + 1], y, idx, ptr, w, V, k, offset, ridge, scale, base, U, sums, kept, rhs)
            c = next_chunk(counter)
