"""The step of the splitting on a CUDA device: one launch that reads the matrix once and writes it once."""

import numpy as np

from numopt._array import namespace
from numopt._kernels.cuda._launch import empty, launch, module, real, rows_first

_TILE = 32


def split_step(T, V, weights, relaxation):
    """Return T + relaxation (Z - max(T, 0)) for Z = V diag(weights) V' + 1/n, with what it moved, in float64."""
    n, rank = V.shape
    tiles = -(-n // _TILE)
    fresh, parts = empty((n, n), T.dtype), empty((tiles * tiles, 4), np.float64)
    arguments = rows_first(T), rows_first(V), rows_first(weights), n, rank, float(relaxation), fresh, parts
    launch(module("clustering", real(T)), "split_step", (tiles, tiles), 256, *arguments)
    return fresh, namespace(T).sum(parts, axis=0)
