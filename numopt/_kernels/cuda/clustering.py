"""Passes over points with labels, and over the matrix of the splitting, of which each reads all once, or half of it."""

import numpy as np

from numopt._array import device, host, namespace
from numopt._kernels.cuda._fold import folded
from numopt._kernels.cuda._launch import empty, launch, module, real, rows_first

_POINTS, _TALL = 256, 2**12  # points of a block, and of a product
_LONG = 10_000  # rows from which on Cholesky's method is the faster one for a basis
_SIDE = 64  # of a tile of the step
_LINES, _SLICES, _LEAST = 128, 16, 128  # rows of a block of a product, slices of its inner index and their least length


def lloyd_pass(X, centres):
    """Assign every point to its nearest centre: labels, sizes (k,), sums (k, p), sum of squared distances."""
    (n, p), k = X.shape, centres.shape[0]
    labels = empty((n,), np.int64)
    found = _over_points("lloyd_pass", X, (rows_first(centres),), k * (p + 1) + 1, (k, labels))
    sums = namespace(X).reshape(found[:-1], (k, p + 1))
    return labels, sums[:, p], sums[:, :p], found[-1]


def label_sums(X, labels, k):
    """Sizes (k,) and sums (k, p) of the clusters."""
    p = X.shape[1]
    sums = namespace(X).reshape(_over_points("label_sums", X, (rows_first(labels),), k * (p + 1), (k,)), (k, p + 1))
    return sums[:, p], sums[:, :p]


def _over_points(kernel, X, before, width, after):
    """Return the sums (width,) of what the blocks of a kernel find."""
    n, p = X.shape
    blocks = -(-n // _POINTS)
    parts = empty((1, blocks, width), np.float64)
    launch(module("clustering_points"), kernel, blocks, _POINTS, rows_first(X), *before, n, p, *after, parts)
    return folded(parts)[0, :]


def spread(X, labels, centres, sizes):
    """Squared distances to the own centre, summed, and the least margin weighed by sizes; see the portable room."""
    (n, p), k, xp = X.shape, centres.shape[0], namespace(X)
    blocks = -(-n // _POINTS)
    parts, given = empty((2, blocks), np.float64), map(rows_first, (X, labels, centres, sizes))
    launch(module("clustering_points"), "spread", blocks, _POINTS, *given, n, p, k, parts)
    return xp.sum(parts[0, :]), xp.min(parts[1, :])


def pair_grams(X, labels, centres, sizes, tau):
    """Gram matrices (k, q, q) and sums (k, q) of the features of each cluster, q = p + k; see the portable room."""
    (n, p), k, xp = X.shape, centres.shape[0], namespace(X)
    parts, q = -(-n // _TALL), centres.shape[0] + X.shape[1]
    Z, own = empty((parts, _TALL, q), np.float64), empty((parts, _TALL, 1), np.int64)
    given = *map(rows_first, (X, labels, centres, sizes)), float(tau), n, p, k, Z, own
    launch(module("clustering_points"), "features", parts * _TALL // _POINTS, _POINTS, *given)
    found = []
    for a in range(k):  # products of many columns of a million points would keep few multiprocessors busy
        H = xp.astype(own == a, xp.float64) * Z
        found.append((xp.sum(xp.matrix_transpose(H) @ Z, axis=0), xp.sum(H, axis=(0, 1))))
    return tuple(map(xp.stack, zip(*found, strict=True)))


def split_step(T, V, weights, relaxation):
    """Overwrite T, symmetric up to rounding, half of which is read; see the portable room."""
    T = rows_first(T)
    return T, namespace(T).sum(_over_tiles("split_step", (T,), V, weights, (float(relaxation),), 4), axis=1)


def orthonormal(V):
    """Return Q of a QR factorisation: by Cholesky's method, twice, in float64; by Householder's where that breaks down.

    The m x m factors are the host's: m is in the tens.
    """
    xp, (n, m) = namespace(V), V.shape
    if n < _LONG:
        return xp.linalg.qr(V)[0]
    Q = xp.astype(V, xp.float64)
    for turn in range(2):
        gram = host(Q.T @ Q)
        try:
            R = np.linalg.cholesky(gram).T
        except np.linalg.LinAlgError:
            return xp.linalg.qr(V)[0]
        if turn and not np.abs(gram - np.eye(m)).max() < 0.1:
            return xp.linalg.qr(V)[0]
        Q = Q @ xp.asarray(np.linalg.inv(R), device=device(V))
    return xp.astype(Q, V.dtype)


def below_zero(V, weights):
    """|min(Z, 0)|_F^2 and min Z for Z = V diag(weights) V' + 1/n."""
    xp = namespace(V)
    squares, least = _over_tiles("below_zero", (), V, weights, (), 2)
    return xp.sum(squares), xp.min(least)


def _over_tiles(kernel, before, V, weights, after, count):
    """Return what the blocks of a kernel find, (count, blocks): one block for each tile on or above the diagonal."""
    n, rank = V.shape
    tiles = -(-n // _SIDE)
    grid = tiles + 1, (tiles + 1) // 2
    parts = empty((count, grid[0] * grid[1]), np.float64)
    arguments = rows_first(V.T), rows_first(weights), n, rank, *after, parts
    launch(module("clustering", real(V)), kernel, grid, 256, *before, *arguments)
    return parts


def abs_times(T, Y):
    """Return |T| Y for symmetric T."""
    return _times("abs_times", T, Y)


def negative_times(T, Y):
    """Return max(-T, 0) Y for symmetric T."""
    return _times("negative_times", T, Y)


def _times(kernel, T, Y):
    n, m = Y.shape
    wide = 8 if m > 32 and T.dtype == np.float32 else 4
    slice_ = max(_LEAST, -(-n // _SLICES))
    slices = -(-n // slice_)
    parts, out = empty((slices, n, m), T.dtype), empty((n, m), T.dtype)
    compiled = module("clustering_products", real(T), f"WIDE={wide}")
    grid = -(-n // _LINES) * -(-m // (8 * wide)), slices
    launch(compiled, kernel, grid, 128, rows_first(T), rows_first(Y), n, m, slice_, parts)
    launch(compiled, "add_slices", -(-n * m // 256), 256, parts, n * m, slices, out)
    return out
