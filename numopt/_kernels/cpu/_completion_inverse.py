"""Inverses of the small systems of rows, symmetric and packed: a product where triangles would be solved one by one.

Row j of an inverse starts at the multiple of 4 at or below j, with zeros before j, and has half of the diagonal: the
row and its transpose together then count everything once. Rows of zeros make groups of 4. They are stored as the data
are: products with float32 ones are summed in float64.
"""

import numba

from numopt._kernels.cpu._completion_gram import add_gram
from numopt._kernels.cpu._completion_rows import scaled_copy, symmetric_four
from numopt._kernels.cpu._completion_shares import next_chunk
from numopt._kernels.cpu._jit import jit

_SUM = {"contract", "reassoc", "nsz"}


@jit
def packed_size(k):
    """Return how many numbers a packed inverse has: row j from its vector of 4 on."""
    q = (k + 3) // 4
    return 8 * q * (q + 1)


@jit
def set_identity(G, k, first):
    """Write the identity to the columns of G from `first` on, for `cholesky` to turn into R^{-T}."""
    for a in range(k):
        G[a, first + a] = 1.0


@jit
def pack_inverse(G, k, first, inverse, lower, kept, i):
    """Write (R^T R)^{-1} = R^{-1} R^{-T} to kept[i]; R^{-T} stands in the columns of G from `first` on.

    `lower` and `inverse` are workspace, square, of the size of the system in whole vectors.
    """
    K = (k + 3) // 4 * 4
    inverse[:] = 0.0
    for a in range(k):
        scaled_copy(1.0, G, a, first, lower, a, 0, K)
    lower[k:] = 0.0
    add_gram(lower, K, k, inverse)
    at = 0
    for j in range(K):
        start = j // 4 * 4
        for c in range(start, K):
            kept[i, at + c - start] = inverse[j, c] if c >= j else 0.0
        kept[i, at + j - start] *= 0.5
        at += K - start


@jit
def solve_packed(kept, i, k, b, x):
    """Write the product of the packed inverse kept[i] and b[0] to x[0]; b has zeros up to a multiple of 4."""
    K, at = (k + 3) // 4 * 4, 0
    x[:] = 0.0
    for first in range(0, K, 4):
        symmetric_four(kept, i, at, b, x, first, K - first)
        at += 4 * (K - first)


@jit(fastmath=_SUM)
def trace_rows(lo, hi, kept, M, out):
    """Write trace(G_i^{-1} M) for the packed inverses lo to hi and a symmetric M."""
    k = M.shape[0]
    K = (k + 3) // 4 * 4
    for i in range(lo, hi):
        at, total = 0, 0.0
        for j in range(k):
            first = j // 4 * 4
            for c in range(j, k):
                total += kept[i, at + c - first] * M[j, c]
            at += K - first
        out[i] = 2.0 * total


@jit(fastmath=_SUM, parallel=True)
def trace_chunks(workers, counter, bounds, kept, M, out):
    """Do all rows, chunk by chunk."""
    for worker in numba.prange(workers):
        c = next_chunk(counter, workers, 2 * worker >= workers)
        while c < workers:
            trace_rows(bounds[c], bounds[c + 1], kept, M, out)
            c = next_chunk(counter, workers, 2 * worker >= workers)
