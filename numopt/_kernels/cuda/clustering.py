"""Passes over the symmetric matrix of the splitting on a CUDA device: each reads it once, or half of it."""

import numpy as np

from numopt._array import namespace
from numopt._kernels.cuda._launch import empty, launch, module, real, rows_first

_SIDE = 64  # of a tile of the step
_LINES, _SLICES, _LEAST = 128, 16, 128  # rows of a block of a product, slices of its inner index and their least length


def split_step(T, V, weights, relaxation):
    """Overwrite T, symmetric, of which the upper triangle is read; see the portable room."""
    T = rows_first(T)
    return T, namespace(T).sum(_over_tiles("split_step", (T,), V, weights, (float(relaxation),), 4), axis=1)


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
