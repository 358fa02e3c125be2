"""Kernels of matrix completion on a CUDA device: a warp gathers what a row needs, and in a half sweep solves for it."""

import numpy as np

from numopt._array import device, namespace
from numopt._kernels.cuda._launch import empty, kept, launch, module, real, rows_first, zeros
from numopt._kernels.portable import completion as portable

_LARGEST = 64  # rank that fits
_ALONE = 32  # rank up to which a warp can have a row
_MANY = 4096  # entries that are shared out all the same
_WARPS = 4
_LOOKS = 64


def half_step(side, V, offset, ridge, scale, base, keep, summed=True):
    """Minimise over each row u: sum w (y - o_j - (base + u).v_j)^2 + scale_i sum_a ridge_a u_a^2.

    Returns (U, sum of w r^2 of each row if `summed`, nothing, nothing); factors to keep are the portable room's.
    """
    (*_, indptr, _), k = side, V.shape[1]
    if keep or not _fits(V):
        return portable.half_step(side, V, offset, ridge, scale, base, keep, summed)
    m = indptr.shape[0] - 1
    U, sums = empty((m, k), V.dtype), empty((m if summed else 0,), np.float64)
    ridge = namespace(V).asarray(ridge, dtype=np.float64, device=device(V))
    floor = (1e-13 if V.dtype == np.float64 else 2e-7) / k
    scale, base = map(rows_first, (scale, base))
    _over_rows("half_step", side, V, offset, ridge, scale, base, floor, U, sums, shared=None if k <= _ALONE else m)
    return U, sums, empty((0, k, k), np.float64), empty((0, k), V.dtype)


def gradient(side, U, V, offset, pushed=True):
    """Return (sum_j w v_j r_ij, |sum_j w v_j (y_ij - o_j)|^2 if `pushed`, sum_j w r_ij^2) of each row i."""
    if not _fits(V):
        return portable.gradient(side, U, V, offset, pushed)
    m, none = U.shape[0], empty((0,), V.dtype)
    g, size, sums = empty(U.shape, V.dtype), empty((m if pushed else 0,), np.float64), empty((m,), np.float64)
    _over_rows("look", side, V, offset, rows_first(U), g, size, sums, none)
    return g, size, sums


def residuals(side, U, V, offset):
    """Return y_ij - o_j - u_i.v_j for each entry, in the order of the side."""
    if not _fits(V):
        return portable.residuals(side, U, V, offset)
    none, out = empty((0,), V.dtype), empty(side[0].shape, V.dtype)
    _over_rows("look", side, V, offset, rows_first(U), none, none, none, out)
    return out


def multiply(side, values, X):
    """Return the product (m, q) of the sparse matrix with these values and X."""
    if not _fits(X):
        return portable.multiply(side, values, X)
    none, out = empty((0,), X.dtype), empty((side[2].shape[0] - 1, X.shape[1]), X.dtype)
    values = namespace(X).astype(values, X.dtype, copy=False)
    _over_rows("look", (none, *side[1:3], values), X, none, none, out, none, none, none)
    return out


def crossed(side, width):
    """Return (y, indices, indptr, weights) of the other side, with `width` lines, each in order."""
    y, index, indptr, weights = side
    xp, start = namespace(y), kept(indptr)
    entry = xp.arange(y.shape[0], dtype=start.dtype, device=device(y))
    rows = xp.astype(xp.searchsorted(start[1:], entry, side="right"), index.dtype)
    order, other = portable.grouped(index, rows, width, indptr.shape[0] - 1)
    y, rows = xp.take(y, order), xp.take(rows, order)
    return y, rows, other, xp.take(weights, order) if weights.shape[0] else weights


def peel(rows, row_ptr, columns, column_ptr, rank):
    """Return (determined rows, determined columns, components, lines left) of a pattern, which is on the host.

    Where each line has more than `rank` entries nothing is taken away, and some looks mostly tell that all hangs
    together; else the CPU's kernel goes through the entries.
    """
    sides = (rows, row_ptr), (columns, column_ptr)
    if all((np.diff(ptr) > rank).all() for _, ptr in sides) and _connected(sides):
        m, n = row_ptr.size - 1, column_ptr.size - 1
        return np.ones(m, bool), np.ones(n, bool), 1, m + n
    from numopt._kernels.cpu import completion

    return completion.peel(rows, row_ptr, columns, column_ptr, rank)


def _connected(sides):
    """Say whether `_LOOKS` entries of each line, where none is empty, show that it hangs together with row 0."""
    reached = [np.zeros(ptr.size - 1, bool) for _, ptr in sides]
    reached[0][0] = reached[1][sides[0][0][: sides[0][1][1]]] = True
    for look in range(_LOOKS):
        for (index, ptr), mine, others in zip(sides, reached, reached[::-1], strict=True):
            left = np.flatnonzero(~mine)
            mine[left] = others[index[ptr[left] + look % (ptr[left + 1] - ptr[left])]]
        if all(line.all() for line in reached):
            return True
    return False


def _fits(V):
    return 0 < V.shape[1] <= _LARGEST


def _over_rows(kernel, side, V, offset, *arguments, shared=None):
    """Launch a kernel whose warps have a row each, except for `shared` rows, else those with many entries."""
    (y, index, indptr, weights), (n, k) = side, V.shape
    m, K = indptr.shape[0] - 1, -(-k // 16) * 16
    padded = zeros((n, K), V.dtype)
    padded[:, :k] = V
    start, order, long = kept(indptr, _plan)
    shared = long if shared is None else shared
    y, index, weights, offset = map(rows_first, (y, index, weights, offset))
    blocks, compiled = shared + -(-(m - shared) // _WARPS), module("completion", real(V), f"K={K}")
    entries = y, index, start, weights, order, m, shared
    launch(compiled, kernel, blocks, 32 * _WARPS, *entries, padded, k, offset, *arguments)


def _plan(indptr):
    """Return where rows begin, the rows from the longest on, both on the device, and how many are long."""
    start, counts = kept(indptr), np.diff(indptr)
    order = namespace(start).argsort(start[:-1] - start[1:], stable=True)
    return start, order, int(np.count_nonzero(counts > _MANY))
