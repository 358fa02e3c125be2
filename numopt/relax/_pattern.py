"""Where the entries of a matrix go when its rows are sorted by levels and split into triangles."""

import numpy as np
import scipy.sparse as sparse

from numopt import _array
from numopt._kernels.portable._relax_system import Pattern

_WIDEST = 4  # entries of a row in a triangle up to which rows are padded to equal width
_PADDING = 1.3  # how much memory that may cost


def mirrored(at):
    """Return for each entry (i, j) where (j, i) is, or behind the last, and the pattern with all of both.

    `at` holds the positions 0, 1, ... as values.
    """
    turned = sparse.csr_array(at.T)
    if (turned.indptr == at.indptr).all() and (turned.indices == at.indices).all():
        return turned.data, at
    n = at.shape[0]
    rows = np.repeat(np.arange(n), np.diff(at.indptr))
    key, other = rows * n + at.indices, at.indices.astype(np.int64) * n + rows
    found = np.minimum(np.searchsorted(key, other), key.size - 1)
    ones = sparse.csr_array((np.ones(at.nnz, np.int8), at.indices, at.indptr), shape=at.shape)
    return np.where(key[found] == other, found, at.nnz), sparse.csr_array(ones + ones.T)


def arranged(xp, device, indices, indptr, order, place, first, mirror):
    """Return where the entries go, as arrays of a library on a device."""
    n, nnz = order.size, indices.size
    length = np.diff(indptr)[order]
    before = np.r_[0, np.cumsum(length)]
    at = np.arange(nnz) + np.repeat(indptr[:-1][order] - before[:-1], length)  # the entries, sorted row by row
    rows, columns, mirror = np.repeat(np.arange(n), length), place[indices[at]], mirror[at]
    below, above = np.flatnonzero(columns < rows), np.flatnonzero(columns > rows)
    counts = [np.bincount(rows[part], minlength=n) for part in (below, above)]
    widest = max(2, int(max(c.max() for c in counts)))  # a kernel is compiled for each width
    padded = nnz > n and widest <= _WIDEST and 2 * n * widest <= _PADDING * (nnz - n)
    # Unsigned indices are what the CPU kernels want; on a device 32 bits are half the traffic of 64. There are at most
    # 2^31 - 1 entries, and padding adds less than there are in the other triangle.
    kind = xp.uint32 if _array.is_numpy(xp) else xp.int32

    def put(x):
        return _array.like(xp, x, device, kind)

    (l_rows, l_columns, l_starts, l_at, mirror), (u_rows, u_columns, u_starts, u_at, _) = (
        map(put, _triangle(rows[part], columns[part], [at[part], mirror[part]], count, widest * padded, nnz))
        for part, count in ((below, counts[0]), (above, counts[1]))
    )
    longest = [np.maximum.reduceat(c, first[:-1]) for c in counts]
    levels = np.c_[first, np.r_[longest[0], 0], np.r_[longest[1], 0]].astype(np.int64)
    return Pattern(
        (0,) * (widest * padded), put(at[rows == columns]), l_at, l_rows, l_columns, l_starts, mirror,
        u_at, u_rows, u_columns, u_starts, levels,
    )  # fmt: skip


def _triangle(rows, columns, positions, count, width, nnz):
    """Return rows, columns, starts and positions of the entries, rows padded to `width` if that is not 0."""
    n = count.size
    starts = np.r_[0, np.cumsum(count)]
    if width == 0:
        return rows, columns, starts, *positions
    slot = rows * width + np.arange(rows.size) - starts[rows]
    every = np.repeat(np.arange(n), width)
    out = [every, every.copy(), np.arange(n + 1) * width]  # a padded entry is a zero in the row's own column
    out[1][slot] = columns
    for position in positions:
        full = np.full(n * width, nnz)
        full[slot] = position
        out.append(full)
    return out
