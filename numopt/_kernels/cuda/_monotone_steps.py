"""Steps of PDHG with a sparse matrix on boxes on a CUDA device: all of a call in one launch.

Of a program of some thousand entries a step takes less time than it takes to launch anything.
"""

import numpy as np

from numopt._array import host, namespace
from numopt._kernels.cuda._launch import empty, launch, module, multiprocessors, wide, zeros
from numopt._kernels.cuda._sparse import INTEGERS
from numopt._kernels.portable._runs import once

_THREADS = 256, 1024  # of a block: the fewest and the most
_LONG = 64  # entries of a row for one lane, at most


def steps_on_boxes(matrix, c, b, X, Y, point, anchor, k, tau, sigma, steps):
    """Return (the point after `steps` steps, that before the last one, what that one found), with their products."""
    n, m, lanes, turned_lanes = c.shape[0], b.shape[0], _lanes(matrix[2]), _lanes(matrix[5])
    work = max(m * lanes, n * turned_lanes)
    blocks = min(-(-work // _THREADS[0]), multiprocessors())
    threads = min(max(-(-work // (32 * blocks)) * 32, _THREADS[0]), _THREADS[1])
    compiled = module("monotone_steps", f"INDEX={INTEGERS[matrix[1].dtype.name]}",
                      f"INDPTR={INTEGERS[matrix[2].dtype.name]}", together=True)  # fmt: skip
    values, turned_values = wide(matrix[0]), wide(matrix[3])
    last, hat, out = (empty((2 * (m + n),), np.float64) for _ in range(3))
    launch(compiled, "steps", blocks, threads, values, *matrix[1:3], turned_values, *matrix[4:], lanes, turned_lanes, c,
           b, *X[1:], *Y[1:], *anchor, *point, n, m, k, tau, sigma, steps, zeros((1,), np.int64), last, hat,
           out)  # fmt: skip
    return _parted(out, n, m), _parted(last, n, m) if steps > 1 else point, _parted(hat, n, m)


@once
def _lanes(start):
    """Return how many lanes of a warp add up a row: as many as fit its mean length, or all if that left some behind."""
    longest, entries = host(namespace(start).max(start[1:] - start[:-1]), start[-1])
    lanes = 1 << min(max(int(entries) // (start.shape[0] - 1), 1).bit_length() - 1, 5)
    return lanes if longest <= _LONG * lanes else 32


def _parted(room, n, m):
    """Return (x, y, A x, A^T y) of a point."""
    return room[:n], room[n : n + m], room[n + m : n + 2 * m], room[n + 2 * m :]
