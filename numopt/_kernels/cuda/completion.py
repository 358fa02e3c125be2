"""The half sweep of matrix completion on a CUDA device: a warp gathers, factors and solves for a row."""

import numpy as np

from numopt._array import device, namespace
from numopt._kernels.cuda._launch import empty, kept, launch, module, real, rows_first, zeros
from numopt._kernels.portable import completion as portable

_LARGEST = 64  # rank whose Gram matrix fits
_ALONE = 32  # rank up to which a warp can have a row
_MANY = 4096  # entries that are shared out all the same
_WARPS = 4


def half_step(side, V, offset, ridge, scale, base, keep, summed=True):
    """Minimise over each row u: sum w (y - o_j - (base + u).v_j)^2 + scale_i sum_a ridge_a u_a^2.

    Returns (U, sum of w r^2 of each row if `summed`, nothing, nothing); factors to keep are the portable room's.
    """
    (y, index, indptr, weights), (n, k) = side, V.shape
    if keep or k > _LARGEST:
        return portable.half_step(side, V, offset, ridge, scale, base, keep, summed)
    m, K = indptr.shape[0] - 1, -(-k // 16) * 16
    padded = zeros((n, K), V.dtype)
    padded[:, :k] = V
    start, order, long = kept(indptr, _plan)
    shared = long if K <= _ALONE else m
    U, sums = empty((m, k), V.dtype), empty((m if summed else 0,), np.float64)
    ridge = namespace(V).asarray(ridge, dtype=np.float64, device=device(V))
    floor = (1e-13 if V.dtype == np.float64 else 2e-7) / k
    y, index, weights, offset, scale, base = map(rows_first, (y, index, weights, offset, scale, base))
    compiled, blocks = module("completion", real(V), f"K={K}"), shared + -(-(m - shared) // _WARPS)
    arguments = y, index, start, weights, order, m, shared, padded, k, offset, ridge, scale, base, floor, U, sums
    launch(compiled, "half_step", blocks, 32 * _WARPS, *arguments)
    return U, sums, empty((0, k, k), np.float64), empty((0, k), V.dtype)


def _plan(indptr):
    """Return where rows begin, the rows from the longest on, both on the device, and how many are long."""
    start, counts = kept(indptr), np.diff(indptr)
    order = namespace(start).argsort(start[:-1] - start[1:], stable=True)
    return start, order, int(np.count_nonzero(counts > _MANY))
