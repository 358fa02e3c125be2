"""The half step: Gram matrices, Cholesky factors and solutions of the rows of one side."""

import numba
import numpy as np

from numopt._kernels.cpu._completion_abreast import LANES, MOST, factor_abreast, keep_abreast, stack, width_of
from numopt._kernels.cpu._completion_gram import (
    add_gathered,
    add_gram,
    add_products,
    back_substitute,
    cholesky,
    lines_cached,
)
from numopt._kernels.cpu._completion_inverse import pack_inverse, set_identity
from numopt._kernels.cpu._completion_rows import dot, dot_four, fetch, scaled_copy
from numopt._kernels.cpu._completion_shares import next_chunk
from numopt._kernels.cpu._jit import jit

_SUM = {"contract", "reassoc", "nsz"}


@jit
def _take_products(values, line, V, idx, first, n):
    """Subtract line[0].V[idx[first + e]] from n values."""
    K, e = V.shape[1], 0
    while n - e >= 4:
        at = first + e
        x0, x1, x2, x3 = dot_four(line, 0, V, idx[at], idx[at + 1], idx[at + 2], idx[at + 3], 0, K)
        values[e] -= x0
        values[e + 1] -= x1
        values[e + 2] -= x2
        values[e + 3] -= x3
        e += 4
    while e < n:
        values[e] -= dot(line, 0, 0, V, idx[first + e], 0, K)
        e += 1


@jit(fastmath=_SUM)
def half_rows(lo, hi, y, idx, ptr, w, V, k, offset, ridge, scale, base, U, sums, kept, rhs):
    """Solve rows lo to hi; see `completion.half_step`. V is padded to whole vectors.

    One long function, for a call with that many arrays takes as long as 20 entries; and loops that do one thing each.
    """
    K = V.shape[1]
    weighted, shifted, based, keep, abreast = w.size > 0, offset.size > 0, base.size > 0, kept.size > 0, k <= MOST
    lines, one = lines_cached(K * V.itemsize), V.dtype.type(1)
    block, values, line = np.empty((lines, K), V.dtype), np.empty((lines, 1), V.dtype), np.zeros((1, K), V.dtype)
    flat, last = values.reshape(-1), ptr[ptr.size - 1] - 1
    # Of a system alone the right-hand side is column K, and the identity follows where an inverse is wanted.
    several, more = LANES if abreast else 1, 0 if abreast else K + 4 if keep else 4
    G, b, x = np.zeros((K, K + more)), np.zeros((1, K)), np.empty((1, K))
    S, found, diagonal = np.zeros((k, width_of(k, keep), LANES)), np.zeros((K, LANES)), np.empty((k, LANES))
    square = (k + 3) // 4 * 4 if keep and not abreast else 0
    inverse, lower = np.empty((square, square)), np.empty((square, square))
    end = np.empty((LANES if keep else 0, kept.shape[1]), kept.dtype)
    norms, own = np.empty(several), np.empty((several, k))
    floor, exact = (1e-13, 1e-3) if V.itemsize == 8 else (2e-7, 1e-4)
    for start in range(lo, hi, several):
        count = min(several, hi - start)
        for q in range(count):
            i = start + q
            if based:
                for a in range(k):
                    line[0, a] = base[i, a]
            G[:], b[:], size = 0.0, 0.0, 0.0
            for first in range(ptr[i], ptr[i + 1], lines):
                n = min(lines, ptr[i + 1] - first)
                for e in range(n):
                    flat[e] = y[first + e]
                if shifted:
                    for e in range(n):
                        flat[e] -= offset[idx[first + e]]
                if based:
                    _take_products(flat, line, V, idx, first, n)
                if weighted:
                    for e in range(n):
                        s = np.sqrt(w[first + e])
                        fetch(V, idx[min(first + e + 8, last)], K)
                        scaled_copy(s, V, idx[first + e], 0, block, e, 0, K)
                        flat[e] *= s
                for e in range(n):
                    size += flat[e] * flat[e]
                copied = n
                if not weighted:  # rows of V are taken where they lie, but for the last of an odd number
                    add_gathered(values, V, idx, first, last, n - (n & 1), k, G, b)
                    copied = n & 1
                    if copied:
                        scaled_copy(one, V, idx[first + n - 1], 0, block, 0, 0, K)
                        flat[0] = flat[n - 1]
                if copied & 1:
                    block[copied], flat[copied] = 0, 0
                if copied:
                    add_gram(block, copied + (copied & 1), k, G)
                    add_products(values, block, copied + (copied & 1), b)
            trace, s = 0.0, scale[i] if scale.size > 0 else 1.0
            for a in range(k):
                trace += G[a, a]
            for a in range(k):
                own[q, a] = s * ridge[a] + floor * trace / k
                G[a, a] += own[q, a]
            norms[q] = size
            if rhs.size > 0:
                for a in range(k):
                    rhs[i, a] = b[0, a]
            if abreast:
                stack(G, b, k, S, q)
        if abreast:
            factor_abreast(S, k, keep, diagonal, found)
            if keep and count == LANES:
                keep_abreast(S, k, kept, start)
            elif keep:
                keep_abreast(S, k, end, 0)
                for q in range(count):
                    for c in range(kept.shape[1]):
                        kept[start + q, c] = end[q, c]
        else:
            for a in range(k):
                G[a, K] = b[0, a]
            if keep:
                set_identity(G, k, K + 4)
            cholesky(G, k, K + 4)
            back_substitute(G, k, K, x)
            if keep:
                pack_inverse(G, k, K + 4, inverse, lower, kept, start)
        for q in range(count):
            # What is left of the data by the factors; where that is little, rounding is of its size.
            i, total = start + q, norms[q]
            for a in range(k):
                u, z = (found[a, q], S[a, k, q]) if abreast else (x[0, a], G[a, K])
                U[i, a] = u
                total -= z * z + own[q, a] * u * u
                line[0, a] = U[i, a] + base[i, a] if based else U[i, a]
            if sums.size == 0:
                continue
            if not total > exact * norms[q]:
                total = 0.0
                for first in range(ptr[i], ptr[i + 1], lines):
                    n = min(lines, ptr[i + 1] - first)
                    for e in range(n):
                        flat[e] = y[first + e]
                    if shifted:
                        for e in range(n):
                            flat[e] -= offset[idx[first + e]]
                    _take_products(flat, line, V, idx, first, n)
                    if weighted:
                        for e in range(n):
                            flat[e] *= np.sqrt(w[first + e])
                    for e in range(n):
                        total += flat[e] * flat[e]
            sums[i] = total


@jit(fastmath=_SUM, parallel=True)
def half_chunks(workers, counter, bounds, y, idx, ptr, w, V, k, offset, ridge, scale, base, U, sums, kept, rhs):
    """Do all rows, chunk by chunk."""
    for worker in numba.prange(workers):
        c = next_chunk(counter, workers, 2 * worker >= workers)
        while c < workers:
            half_rows(bounds[c], bounds[c + 1], y, idx, ptr, w, V, k, offset, ridge, scale, base, U, sums, kept, rhs)
            c = next_chunk(counter, workers, 2 * worker >= workers)
