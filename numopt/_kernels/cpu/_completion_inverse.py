"""Inverses of the small systems of rows, symmetric and packed: a product where triangles would be solved one by one.

Row j of an inverse starts at the multiple of 4 at or below j, with zeros before j, and has half of the diagonal: the
row and its transpose together then count everything once.
"""

from numopt._kernels.cpu._completion_gram import add_gram
from numopt._kernels.cpu._completion_rows import axpy, dot
from numopt._kernels.cpu._jit import jit

_SUM = {"contract", "reassoc", "nsz"}


@jit
def packed_size(k):
    """Return how many numbers a packed inverse has: row j from its vector of 4 on."""
    q = (k + 3) // 4
    full = 8 * q * (q + 1)
    return full - (4 * q - k) * 4


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
    for a in range(K):
        for c in range(K):
            lower[a, c] = G[a, first + c] if a < k else 0.0
    add_gram(lower, K, 4, k, inverse)
    at = 0
    for j in range(k):
        start = j // 4 * 4
        for c in range(start, K):
            kept[i, at + c - start] = 0.0 if c < j else 0.5 * inverse[j, c] if c == j else inverse[j, c]
        at += K - start


@jit(fastmath=_SUM)
def solve_packed(kept, i, k, b, x):
    """Write the product of the packed inverse kept[i] and b[0] to x[0]; b has zeros up to a multiple of 4."""
    K, at = (k + 3) // 4 * 4, 0
    x[:] = 0.0
    for j in range(k):
        first = j // 4 * 4
        axpy(b[0, j], kept, i, at, x, 0, first, K - first)
        x[0, j] += dot(kept, i, at, b, 0, first, K - first)
        at += K - first


@jit(fastmath=_SUM)
def traces(kept, M, out):
    """Write trace(G_i^{-1} M) for each packed inverse and a symmetric M."""
    k = M.shape[0]
    K = (k + 3) // 4 * 4
    for i in range(kept.shape[0]):
        at, total = 0, 0.0
        for j in range(k):
            first = j // 4 * 4
            for c in range(j, k):
                total += kept[i, at + c - first] * M[j, c]
            at += K - first
        out[i] = 2.0 * total
