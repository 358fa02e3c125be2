"""Least squares of each row by conjugate gradients on gathered blocks, with or without a sketch."""

import numba
import numpy as np

from numopt._kernels.cpu._completion_gram import add_gram, back_substitute, cholesky
from numopt._kernels.cpu._completion_inverse import pack_inverse, packed_size, set_identity, solve_packed
from numopt._kernels.cpu._completion_rows import axpy, dot, scaled_copy
from numopt._kernels.cpu._completion_shares import next_chunk
from numopt._kernels.cpu._jit import jit

_SUM = {"contract", "reassoc", "nsz"}


@jit(fastmath=_SUM)
def iterative_rows(lo, hi, y, idx, ptr, w, V, k, start, ridge, buckets, signs, size, rtol, max_steps, U, sums, steps):
    """Solve rows lo to hi; V is padded to hold a right-hand side in column k."""
    K = V.shape[1]
    longest = 0
    for i in range(lo, hi):
        longest = max(longest, ptr[i + 1] - ptr[i])
    block, sketch = np.zeros((longest + 1, K), V.dtype), np.zeros((size + size % 2, K), V.dtype)
    G, kept, square = np.empty((K, 2 * K)), np.empty((1, packed_size(k))), (k + 3) // 4 * 4
    inverse, lower = np.empty((square, square)), np.empty((square, square))
    # Rows of `vectors`: x, g, d, s, in the dtype of the data; z is float64, for what is preconditioned.
    vectors, pulled, z, x = np.zeros((4, K), V.dtype), np.zeros((1, K)), np.zeros((1, K)), np.zeros((1, K))
    weighted, sketched, one = w.size > 0, buckets.size > 0, V.dtype.type(1)
    for i in range(lo, hi):
        first, n = ptr[i], ptr[i + 1] - ptr[i]
        for e in range(n):
            s = np.sqrt(w[first + e]) if weighted else one
            scaled_copy(s, V, idx[first + e], 0, block, e, 0, K)
            block[e, k] = s * y[first + e]
        if n & 1:
            block[n] = 0
        vectors[:] = 0
        direct = sketched and n <= size
        if sketched:
            G[:] = 0.0
            if direct:
                add_gram(block, n + (n & 1), k, G)
            else:
                sketch[:] = 0
                for e in range(n):
                    axpy(one * signs[e], block, e, 0, sketch, buckets[e], 0, K)
                add_gram(sketch, size + size % 2, k, G)
            trace = 0.0
            for a in range(k):
                trace += G[a, a]
            for a in range(k):
                G[a, a] += ridge + 1e-13 * trace / k
            set_identity(G, k, K)
            cholesky(G, k, K)
            back_substitute(G, k, k, x)
            pack_inverse(G, k, K, inverse, lower, kept, 0)
            for a in range(k):
                vectors[0, a] = x[0, a]
        else:
            for a in range(k):
                vectors[0, a] = start[i, a]
        vectors[0, k] = -1
        for e in range(n):
            r = -dot(block, e, 0, vectors, 0, 0, K)
            axpy(r, block, e, 0, vectors, 1, 0, K)
        vectors[0, k] = 0
        vectors[1, k:] = 0
        top = old = 0.0
        taken = 0
        while not direct and taken < max_steps:
            for a in range(k):
                if taken == 0:
                    vectors[1, a] -= ridge * vectors[0, a]
                z[0, a] = pulled[0, a] = vectors[1, a]
            if sketched:
                solve_packed(kept, 0, k, pulled, z)
            new = 0.0
            for a in range(k):
                new += z[0, a] * vectors[1, a]
            if taken == 0:
                top = old = new
            if not new > rtol * rtol * top:
                break
            beta = new / old if taken else 0.0
            old = new
            for a in range(k):
                vectors[2, a] = z[0, a] + beta * vectors[2, a]
                vectors[3, a] = ridge * vectors[2, a]
            for e in range(n):
                axpy(dot(block, e, 0, vectors, 2, 0, K), block, e, 0, vectors, 3, 0, K)
            curve = 0.0
            for a in range(k):
                curve += vectors[2, a] * vectors[3, a]
            if not curve > 0:
                break
            for a in range(k):
                vectors[0, a] += new / curve * vectors[2, a]
                vectors[1, a] -= new / curve * vectors[3, a]
            taken += 1
        steps[i] = taken
        total = 0.0
        vectors[0, k] = -1
        for e in range(n):
            r = dot(block, e, 0, vectors, 0, 0, K)
            total += r * r
        for a in range(k):
            U[i, a] = vectors[0, a]
        sums[i] = total


@jit(fastmath=_SUM, parallel=True)
def iterative_chunks(workers, counter, bounds, y, idx, ptr, w, V, k, start, ridge, buckets, signs, size, rtol,
                     max_steps, U, sums, steps):  # fmt: skip
    """Do all rows, chunk by chunk."""
    for worker in numba.prange(workers):
        c = next_chunk(counter, workers, 2 * worker >= workers)
        while c < workers:
            iterative_rows(
                bounds[c], bounds[c + 1], y, idx, ptr, w, V, k, start, ridge, buckets, signs, size, rtol, max_steps,
                U, sums, steps,
            )  # fmt: skip
            c = next_chunk(counter, workers, 2 * worker >= workers)
