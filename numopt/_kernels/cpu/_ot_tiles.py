"""The entries that matter in tiles of four neighbouring columns: products take half the time of those in CSR form.

The columns are ordered by their groups first, each of which starts a new tile: columns of a group are near to each
other and meet the same rows, so that a tile holds two to three entries even where the given order means nothing.
Places that no column takes have weight 0.
"""

import numba
import numpy as np

from numopt._kernels.cpu._jit import jit
from numopt._kernels.cpu._math import exp64, log64
from numopt._kernels.cpu._ot_cost import SUM, gather
from numopt._kernels.cpu._ot_tile_rows import tile_axpy, tile_dot, tile_squares


@jit
def ordered(group, count):
    """Return the place of each column, and the first tile of each group."""
    first, place = np.zeros(count + 1, np.int64), np.empty(group.size, np.uint32)
    for j in range(group.size):
        first[group[j] + 1] += 1
    for q in range(count):
        first[q + 1] = first[q] + (first[q + 1] + 3) // 4
    free = 4 * first
    for j in range(group.size):
        place[j] = free[group[j]]
        free[group[j]] += 1
    return place, first


@jit
def _count_rows(indices, indptr, lo, hi, place, tiles, counts):
    last = np.full(tiles, -1, np.int64)
    for i in range(lo, hi):
        count = 0
        for j in indices[indptr[i] : indptr[i + 1]]:
            q = place[j] >> np.uint32(2)
            count += np.int64(last[q] != i)
            last[q] = i
        counts[i + 1] = count


@jit(parallel=True)
def count_tiles(indices, indptr, place, tiles, counts, k):
    n = counts.size - 1
    if k == 1:  # no launch of threads
        _count_rows(indices, indptr, 0, n, place, tiles, counts)
    else:
        for q in numba.prange(k):
            _count_rows(indices, indptr, q * n // k, (q + 1) * n // k, place, tiles, counts)


@jit
def _fill_rows(data, indices, indptr, lo, hi, place, slot, start, places, values):
    """Fill the tiles of rows lo..hi in the order of their places, found by one bit for each."""
    words, one = np.zeros(slot.size // 64 + 1, np.uint64), np.uint64(1)
    for i in range(lo, hi):
        row, columns = data[indptr[i] : indptr[i + 1]], indices[indptr[i] : indptr[i + 1]]
        for j in columns:
            q = place[j] >> np.uint32(2)
            words[q >> np.uint32(6)] |= one << np.uint64(q & np.uint32(63))
        t = start[i]
        for q in range(words.size):
            word = words[q]
            words[q] = 0
            while word:
                lowest = word & (~word + one)
                tile = np.uint32(64 * q + (np.float64(lowest).view(np.int64) >> 52) - 1023)  # a power of two: exact
                places[t], slot[tile] = tile, t
                values[t, 0], values[t, 1], values[t, 2], values[t, 3] = 0.0, 0.0, 0.0, 0.0
                t += 1
                word ^= lowest
        for t in range(row.size):
            p = place[columns[t]]
            values[slot[p >> np.uint32(2)], p & np.uint32(3)] = row[t]


@jit(parallel=True)
def fill_tiles(data, indices, indptr, place, tiles, start, places, values, k):
    n, slots = start.size - 1, np.empty((k, tiles), np.uint32)
    if k == 1:
        _fill_rows(data, indices, indptr, 0, n, place, slots[0], start, places, values)
    else:
        for q in numba.prange(k):
            lo, hi = q * n // k, (q + 1) * n // k
            _fill_rows(data, indices, indptr, lo, hi, place, slots[q], start, places, values)


@jit
def group_tiles(places, start, group):
    """Return the tiles of the masses of rows by groups, and for each tile of entries its place among them, flat."""
    n = start.size - 1
    place_y, start_y = np.empty(places.size, np.uint32), np.empty(n + 1, np.int64)
    places_y, count = np.empty(places.size, np.uint32), 0
    for i in range(n):
        start_y[i], last = count, np.uint32(2**32 - 1)
        for t in range(start[i], start[i + 1]):
            p = group[places[t]]
            tile = p >> np.uint32(2)
            places_y[count] = tile
            count += np.int64(tile != last)
            last = tile
            place_y[t] = np.uint32(4 * (count - 1)) + (p & np.uint32(3))
    start_y[n] = count
    return places_y[:count].copy(), start_y, place_y


@jit
def in_tiles(data, indices, indptr, group, count, k):
    """Return the tiles (values, places, start), their layout (place, group of tile, groups), and those of masses."""
    place, first = ordered(group, count)
    n, tiles = indptr.size - 1, first[count]
    start = np.zeros(n + 1, np.int64)
    count_tiles(indices, indptr, place, tiles, start, k)
    for i in range(n):
        start[i + 1] += start[i]
    places, values = np.empty(start[n], np.uint32), np.empty((start[n], 4))
    fill_tiles(data, indices, indptr, place, tiles, start, places, values, k)
    of_tile = np.empty(tiles, np.uint32)
    for q in range(count):
        of_tile[first[q] : first[q + 1]] = q
    return (values, places, start), (place, of_tile, count), group_tiles(places, start, of_tile)


@jit
def spread(x, place, m):
    """Return x in the order of the tiles; 0 where no column is."""
    out = np.zeros(m)
    for j in range(x.size):
        out[place[j]] = x[j]
    return out


@jit
def spread_exp(x, place, m):
    """Return exp(x) in the order of the tiles; 0 where no column is."""
    values = np.empty(x.size)
    for j in range(x.size):  # apart from the scatter: powers are made eight at a time
        values[j] = exp64(x[j])
    return spread(values, place, m)


@jit
def _dot_rows(values, places, start, lo, hi, scale, y, out):
    for i in range(lo, hi):
        out[i] = scale[i] * tile_dot(values, places, start[i], start[i + 1], y)


@jit(parallel=True)
def _dots(values, places, start, scale, y, out, k):
    n = out.size
    if k == 1:  # no launch of threads
        _dot_rows(values, places, start, 0, n, scale, y, out)
    else:
        for q in numba.prange(k):
            _dot_rows(values, places, start, q * n // k, (q + 1) * n // k, scale, y, out)


@jit
def times(tiles, scale, y, out, k):
    """Fill out = scale * (K y), in k chunks of rows."""
    _dots(tiles[0], tiles[1], tiles[2], scale, y.reshape((-1, 4)), out, k)


@jit
def _add_rows(values, places, start, lo, hi, x, part, square):
    part[:] = 0
    if square:
        for i in range(lo, hi):
            tile_squares(x[i], values, places, start[i], start[i + 1], part)
    else:
        for i in range(lo, hi):
            tile_axpy(x[i], values, places, start[i], start[i + 1], part)


@jit(parallel=True)
def _sums(values, places, start, x, parts, square):
    n, k = x.size, parts.shape[0]
    if k == 1:
        _add_rows(values, places, start, 0, n, x, parts[0], square)
    else:
        for q in numba.prange(k):
            _add_rows(values, places, start, q * n // k, (q + 1) * n // k, x, parts[q], square)


@jit
def transposed_times(tiles, x, parts, out, square):
    """Fill out = K^T x, with the squares of the entries of K on demand."""
    _sums(tiles[0], tiles[1], tiles[2], x, parts, square)
    gather(parts.reshape((parts.shape[0], -1)), out)


@jit(fastmath=SUM)
def _value(a, s):
    """Return <a, log s>."""
    value = 0.0
    for i in range(a.size):
        value += a[i] * log64(s[i])
    return value


@jit
def _evaluated_rows(values, places, start, lo, hi, a, w, s, part):
    part[:] = 0
    for i in range(lo, hi):
        s[i] = tile_dot(values, places, start[i], start[i + 1], w) / a[i]
        tile_axpy(1.0 / s[i], values, places, start[i], start[i + 1], part)
    return _value(a[lo:hi], s[lo:hi])


@jit(parallel=True)
def _evaluated(values, places, start, a, w, s, parts):
    n, k = a.size, parts.shape[0]
    spent = np.empty(k)
    if k == 1:
        spent[0] = _evaluated_rows(values, places, start, 0, n, a, w, s, parts[0])
    else:
        for q in numba.prange(k):
            spent[q] = _evaluated_rows(values, places, start, q * n // k, (q + 1) * n // k, a, w, s, parts[q])
    return spent


@jit(fastmath=SUM)
def tile_point(tiles, place, count, a, b, limit, given, k):
    """Return v, clipped, the scalings s and the column sums c there, <b, v> - <a, log s> and sum |c - b|."""
    v, s, c, columns, parts = (
        np.empty(b.size), np.empty(a.size), np.empty(b.size), np.empty(4 * count), np.empty((k, count, 4))
    )  # fmt: skip
    for j in range(v.size):
        v[j] = min(max(given[j], -limit), limit)
    w = spread_exp(v, place, columns.size)
    spent = _evaluated(tiles[0], tiles[1], tiles[2], a, w.reshape((-1, 4)), s, parts)
    gather(parts.reshape((parts.shape[0], -1)), columns)
    value, error = -np.sum(spent), 0.0
    for j in range(v.size):
        c[j] = columns[place[j]] * w[place[j]]
    for j in range(v.size):
        value += b[j] * v[j]
        error += abs(c[j] - b[j])
    return v, s, c, value, error
