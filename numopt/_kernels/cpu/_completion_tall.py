"""Products of tall factors (n, k), n >> k, and sums of vectors, chunk by chunk: BLAS would leave them to one thread.

Rows are taken as they lie, vectors reach into the row behind; the last rows of a chunk go through a padded copy.
"""

import numba
import numpy as np

from numopt._kernels.cpu._completion_gram import add_block, add_four
from numopt._kernels.cpu._completion_rows import scaled_copy
from numopt._kernels.cpu._completion_shares import next_chunk
from numopt._kernels.cpu._jit import jit
from numopt._kernels.cpu._sums import dot

_BEHIND = 8  # rows of a chunk behind which there may be too little to read


@jit
def product_rows(lo, hi, X, Y, G):
    """Add X[lo:hi]^T Y[lo:hi] to G, float64, (k, l) in whole groups."""
    most = max(hi - lo - _BEHIND, 0) // 2 * 2
    add_block(X[lo:], Y[lo:], most, G)
    count = hi - lo - most
    one, two = np.zeros((_BEHIND + 2, G.shape[0]), X.dtype), np.zeros((_BEHIND + 2, G.shape[1]), X.dtype)
    for i in range(count):  # assignments to slices take seconds to compile
        for a in range(X.shape[1]):
            one[i, a] = X[lo + most + i, a]
        for b in range(Y.shape[1]):
            two[i, b] = Y[lo + most + i, b]
    add_block(one, two, (count + 1) // 2 * 2, G)


@jit(parallel=True)
def product_chunks(workers, counter, bounds, X, Y, G):
    """Write the sum of each chunk to its G."""
    for worker in numba.prange(workers):
        c = next_chunk(counter, workers, 2 * worker >= workers)
        while c < workers:
            product_rows(bounds[c], bounds[c + 1], X, Y, G[c])
            c = next_chunk(counter, workers, 2 * worker >= workers)


@jit(fastmath={"contract"})
def turn_rows(lo, hi, X, C, base, out):
    """Write base + X C of rows lo to hi; C has an even number of rows and whole groups, base may be empty."""
    k, width = X.shape[1], out.shape[1]
    block, total = np.zeros((4, C.shape[0]), X.dtype), np.empty((4, C.shape[1]))
    for i in range(lo, hi, 4):
        count = min(4, hi - i)
        total[:] = 0.0
        if i + 4 < hi:
            add_four(X, i, C, C.shape[0], total)
        else:
            for r in range(count):
                for a in range(k):
                    block[r, a] = X[i + r, a]
            add_four(block, 0, C, C.shape[0], total)
        for r in range(count):
            line, found = out[i + r], total[r]
            if base.size > 0:
                before = base[i + r]
                for c in range(width):
                    line[c] = before[c] + found[c]
            else:
                for c in range(width):
                    line[c] = found[c]


@jit(parallel=True)
def turn_chunks(workers, counter, bounds, X, C, base, out):
    """Do all rows, chunk by chunk."""
    for worker in numba.prange(workers):
        c = next_chunk(counter, workers, 2 * worker >= workers)
        while c < workers:
            turn_rows(bounds[c], bounds[c + 1], X, C, base, out)
            c = next_chunk(counter, workers, 2 * worker >= workers)


@jit
def dot_rows(lo, hi, x, y, total):
    """Write the inner product of x[lo:hi] and y[lo:hi] to total[0]."""
    total[0] = dot(x[lo:hi], y[lo:hi])


@jit(parallel=True)
def dot_chunks(workers, counter, bounds, x, y, total):
    """Write the sum of each chunk."""
    for worker in numba.prange(workers):
        c = next_chunk(counter, workers, 2 * worker >= workers)
        while c < workers:
            dot_rows(bounds[c], bounds[c + 1], x, y, total[c:])
            c = next_chunk(counter, workers, 2 * worker >= workers)


@jit(fastmath={"contract"})
def add_rows(lo, hi, x, a, y, out):
    """Write x + a y from lo to hi."""
    x, y, out, s = x[lo:hi], y[lo:hi], out[lo:hi], x.dtype.type(a)
    for i in range(x.size):
        out[i] = x[i] + s * y[i]


@jit(parallel=True)
def add_chunks(workers, counter, bounds, x, a, y, out):
    """Do all numbers, chunk by chunk."""
    for worker in numba.prange(workers):
        c = next_chunk(counter, workers, 2 * worker >= workers)
        while c < workers:
            add_rows(bounds[c], bounds[c + 1], x, a, y, out)
            c = next_chunk(counter, workers, 2 * worker >= workers)


@jit
def convert_rows(lo, hi, x, out):
    """Write x from lo to hi in the precision of `out`."""
    x, out = x[lo:hi], out[lo:hi]
    for i in range(x.size):
        out[i] = x[i]


@jit(parallel=True)
def convert_chunks(workers, counter, bounds, x, out):
    """Do all numbers, chunk by chunk."""
    for worker in numba.prange(workers):
        c = next_chunk(counter, workers, 2 * worker >= workers)
        while c < workers:
            convert_rows(bounds[c], bounds[c + 1], x, out)
            c = next_chunk(counter, workers, 2 * worker >= workers)


@jit(fastmath={"contract", "reassoc", "nsz"})
def moment_rows(y, w, unit, mean, sums):
    """Write the sums of w, w x and w x^2, x = y / unit - mean."""
    total = first = second = 0.0
    for e in range(y.size):
        x = y[e] / unit - mean
        s = w[e] if w.size > 0 else 1.0
        total += s
        first += s * x
        second += s * x * x
    sums[0], sums[1], sums[2] = total, first, second


@jit(parallel=True)
def moment_chunks(workers, counter, bounds, y, w, unit, mean, sums):
    """Do all entries, chunk by chunk."""
    for worker in numba.prange(workers):
        c = next_chunk(counter, workers, 2 * worker >= workers)
        while c < workers:
            moment_rows(y[bounds[c] : bounds[c + 1]], w[bounds[c] : bounds[c + 1]], unit, mean, sums[c])
            c = next_chunk(counter, workers, 2 * worker >= workers)


@jit
def pad_block(lo, hi, F, sign, at, K, out):
    """Write sign times rows lo to hi of F, padded to K, to the columns of out from `at` on."""
    k, s = F.shape[1], F.dtype.type(sign)
    for i in range(lo, min(hi, F.shape[0])):
        if i * k + K <= F.size:  # vectors end inside F
            scaled_copy(s, F, i, 0, out, i, at, K)
            for c in range(k, K):
                out[i, at + c] = 0
        else:
            for c in range(K):
                out[i, at + c] = s * F[i, c] if c < k else 0


@jit
def pad_rows(lo, hi, X, Y, sign, K, out):
    """Write the rows of X, and sign times those of Y behind them unless Y is empty, padded to K."""
    pad_block(lo, hi, X, 1, 0, K, out)
    pad_block(lo, hi, Y, sign, K, K, out)


@jit(parallel=True)
def pad_chunks(workers, counter, bounds, X, Y, sign, K, out):
    """Do all rows, chunk by chunk."""
    for worker in numba.prange(workers):
        c = next_chunk(counter, workers, 2 * worker >= workers)
        while c < workers:
            pad_rows(bounds[c], bounds[c + 1], X, Y, sign, K, out)
            c = next_chunk(counter, workers, 2 * worker >= workers)


@jit
def upper_factor(G, k, least):
    """Factor the leading k x k of G = R^T R in place, upper; return whether no pivot lost all but `least` of itself."""
    for j in range(k):
        pivot = G[j, j]
        for i in range(j):
            for a in range(i):
                G[i, j] -= G[a, i] * G[a, j]
            G[i, j] /= G[i, i]
            G[j, j] -= G[i, j] * G[i, j]
        if not G[j, j] > least * pivot:
            return False
        G[j, j] = np.sqrt(G[j, j])
    return True


@jit
def upper_inverse(R, k, out):
    """Write R^{-1} to the leading k x k of out, which is 0 elsewhere."""
    for j in range(k):
        out[j, j] = 1.0 / R[j, j]
        for i in range(j - 1, -1, -1):
            total = 0.0
            for a in range(i + 1, j + 1):
                total += R[i, a] * out[a, j]
            out[i, j] = -total / R[i, i]
