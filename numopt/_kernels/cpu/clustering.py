"""Kernels of K-means and its relaxation: tiles of the n x n matrix between BLAS calls, rows of points in one pass.

A step of the splitting is bound by the flops of its products, 2 n^2 (2 m + r), and by two passes over 8 n^2 bytes;
a pass of Lloyd's iteration by the 8 n p bytes of the points.
"""

import numba
import numpy as np

from numopt._kernels.cpu._jit import jit

_TILE = 128  # rows of the n x n matrix that stay in cache between two passes
_CHUNK = 4096  # points summed together, whatever the number of threads


def split_step(T, V, weights, relaxation):
    """Overwrite T; see the portable room."""
    n = T.shape[0]
    left, right, moved = V * weights, np.ascontiguousarray(V.T), np.zeros(4)
    z = np.empty((_TILE, n), T.dtype)
    for lo in range(0, n, _TILE):
        t = T[lo : lo + _TILE]
        np.matmul(left[lo : lo + _TILE], right, out=z[: len(t)])
        _step_tile(t, z, relaxation, moved)
    return T, moved


@jit(fastmath={"reassoc", "contract", "nsz"})
def _step_tile(t, z, relaxation, moved):
    shift, relax = t.dtype.type(1.0 / t.shape[1]), t.dtype.type(relaxation)
    zero = t.dtype.type(0)
    for i in range(t.shape[0]):
        a, b, c, d = zero, zero, zero, zero
        for j in range(t.shape[1]):
            old = t[i, j]
            above = max(old, zero)
            new = old + relax * (z[i, j] + shift - above)
            new_above = max(new, zero)
            below, up = new - new_above, new_above - above
            down = below - (old - above)
            a += new_above * new_above
            b += below * below
            c += up * up
            d += down * down
            t[i, j] = new
        moved[0] += a
        moved[1] += b
        moved[2] += c
        moved[3] += d


def abs_times(T, Y):
    """Return |T| Y."""
    return _tiled(T, Y, np.abs)


def negative_times(T, Y):
    """Return max(-T, 0) Y."""
    return -_tiled(T, Y, lambda t, out: np.minimum(t, 0, out=out))


def _tiled(T, Y, function):
    out, buffer = np.empty((T.shape[0], Y.shape[1]), T.dtype), np.empty((_TILE, T.shape[1]), T.dtype)
    for lo in range(0, T.shape[0], _TILE):
        t = T[lo : lo + _TILE]
        np.matmul(function(t, out=buffer[: len(t)]), Y, out=out[lo : lo + _TILE])
    return out


def lloyd_pass(X, centres):
    """Assign every point and sum over the clusters in one pass, by chunks of a fixed size."""
    (n, p), k = X.shape, centres.shape[0]
    chunks = -(-n // _CHUNK)
    labels, sums = np.empty(n, np.int64), np.empty((chunks, k, p + 2))
    _lloyd(X, np.ascontiguousarray(centres.T), labels, sums)
    sums = sums.sum(axis=0)  # in the order of the chunks
    return labels, sums[:, p].copy(), sums[:, :p].copy(), sums[:, p + 1].sum()


@jit(parallel=True)
def _lloyd(X, centres, labels, sums):
    if sums.shape[0] == 1:
        _lloyd_rows(X, centres, labels, 0, X.shape[0], sums[0])
    else:
        for q in numba.prange(sums.shape[0]):
            _lloyd_rows(X, centres, labels, q * _CHUNK, min(X.shape[0], (q + 1) * _CHUNK), sums[q])


@jit(fastmath={"contract"})
def _lloyd_rows(X, centres, labels, lo, hi, sums):
    p, k = centres.shape
    d = np.empty(k)
    sums[:] = 0
    for i in range(lo, hi):
        d[:] = 0
        for q in range(p):
            x = X[i, q]
            for c in range(k):
                off = x - centres[q, c]
                d[c] += off * off
        best = 0
        for c in range(1, k):
            if d[c] < d[best] or d[best] != d[best]:
                best = c
        labels[i] = best
        for q in range(p):
            sums[best, q] += X[i, q]
        sums[best, p] += 1
        sums[best, p + 1] += d[best]


def warmup(dtype):
    """Compile for one dtype of the matrix; points are float64 always."""
    rng = np.random.default_rng(0)
    split_step(np.zeros((3, 3), dtype), np.ones((3, 1), dtype), np.ones(1, dtype), 1.0)
    for n in (5, _CHUNK + 1):
        lloyd_pass(rng.random((n, 2)), rng.random((2, 2)))
