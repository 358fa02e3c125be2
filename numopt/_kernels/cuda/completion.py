"""The half sweep of matrix completion on a CUDA device: a block gathers, factors and solves for a row."""

import numpy as np

from numopt._array import device, namespace
from numopt._kernels.cuda._launch import empty, kept, launch, module, real, rows_first
from numopt._kernels.portable import completion as portable

_LARGEST = 64  # rank whose Gram matrix fits


def half_step(side, V, offset, ridge, scale, base, keep, summed=True):
    """Minimise over each row u: sum w (y - o_j - (base + u).v_j)^2 + scale_i sum_a ridge_a u_a^2.

    Returns (U, sum of w r^2 of each row if `summed`, nothing, nothing); factors to keep are the portable room's.
    """
    (y, index, indptr, weights), k = side, V.shape[1]
    if keep or k > _LARGEST:
        return portable.half_step(side, V, offset, ridge, scale, base, keep, summed)
    m = indptr.shape[0] - 1
    K = max(8, 1 << (k - 1).bit_length())
    block = 2 if K <= 16 else 4
    threads = max(32, (K // block) ** 2)
    U, sums = empty((m, k), V.dtype), empty((m,), np.float64)
    ridge = namespace(V).asarray(ridge, dtype=np.float64, device=device(V))
    floor = (1e-13 if V.dtype == np.float64 else 2e-7) / k
    y, index, weights, V, offset, scale, base = map(rows_first, (y, index, weights, V, offset, scale, base))
    compiled = module("completion", real(V), f"K={K}", f"BLOCK={block}")
    arguments = y, index, kept(indptr), weights, V, k, offset, ridge, scale, base, floor, U, sums
    launch(compiled, "half_step", m, threads, *arguments)
    return U, sums if summed else sums[:0], empty((0, k, k), np.float64), empty((0, k), V.dtype)
