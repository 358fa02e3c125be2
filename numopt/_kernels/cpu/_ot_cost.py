"""Reading a cost: rows, minima, and how the work is cut into chunks.

A cost is the tuple ``(C, X, YT, kind)``: kind 0 is the matrix C; kinds 1, 2, 3 are the squared Euclidean, Euclidean and
l1 distances between the rows of X and the columns of YT, computed on the fly.
"""

import math

import numba
import numpy as np

from numopt._kernels.cpu._jit import entry, jit

SUM = {"contract", "reassoc", "nsz"}


def over(kernel):
    """Return the compiled ``kernel(C, X, YT, kind, ...)`` as a function of a cost and the rest.

    The code for each dtype is looked up once: in cold caches that takes as long as a pass over 50,000 numbers. Of the
    rest, each is always an array of one dtype, or a number of one kind.
    """
    entries = {}

    def call(cost, *rest):
        C, X, YT, kind = cost
        for x in (C, X, YT, *rest):
            if type(x) is np.ndarray and not x.flags.c_contiguous:
                return call((_longer(C), contiguous(X), contiguous(YT), kind), *map(contiguous, rest))
        key = X.dtype.char
        if key not in entries:
            entries[key] = entry(kernel, (*cost, *rest), constants=3)
        return entries[key](C, X, YT, kind, *rest)

    return call


def contiguous(x):
    return np.ascontiguousarray(x) if type(x) is np.ndarray else x


def _longer(C):
    """Return a matrix of every second row, say, as one with longer rows, of which the kernels read the beginning."""
    row, item = C.strides
    if item == C.itemsize and row % item == 0 and row >= C.shape[1] * item:
        return np.lib.stride_tricks.as_strided(C, (C.shape[0], row // item), writeable=False)
    return np.ascontiguousarray(C)


def shape(cost):
    return cost[0].shape if cost[3] == 0 else (cost[1].shape[0], cost[2].shape[1])


def chunks(n, m, work):
    """Count the chunks of rows: by sizes alone, so that results do not depend on the threads.

    Adding up the chunks' column sums costs m a chunk, by one thread: at most a sixty-fourth of a pass, an eighth of
    other `work`. Their number is a power of two: few threads get equal shares. Little work is one chunk, for which the
    kernels launch no threads.
    """
    return 2 ** int(math.log2(max(1, min(32, n // 64, work // (8 * m))))) if work >= 2**15 else 1


parts_of = jit(chunks)


@jit
def cost_row(C, X, YT, kind, i, row):
    """Return row i of the cost: a view of C, or `row` filled from the points."""
    if kind == 0:
        return C[i]
    row[:] = 0
    for k in range(X.shape[1]):
        x, y = X[i, k], YT[k]
        if kind == 3:
            for j in range(row.size):
                row[j] += abs(x - y[j])
        else:
            for j in range(row.size):
                row[j] += (x - y[j]) * (x - y[j])
    if kind == 2:
        for j in range(row.size):
            row[j] = math.sqrt(row[j])
    return row


@jit
def fill_cost(C, X, YT, kind, block):
    for i in range(block.shape[0]):
        cost_row(C, X, YT, kind, i, block[i])


@jit
def least_of(x, lanes):
    """Minimum of x, 64 lanes at a time: a plain reduction vectorises only with flags that hide NaN.

    Blocks may overlap at the end: what is left over would be compared one by one.
    """
    least, size = np.inf, x.size
    if size < 64:
        for j in range(size):
            least = min(least, x[j])
        return least
    lanes[:] = x[size - 64 :]
    for start in range(0, size - 255, 256):
        part = x[start : start + 256]
        for j in range(64):
            lanes[j] = min(lanes[j], min(min(part[j], part[j + 64]), min(part[j + 128], part[j + 192])))
    for start in range(size // 256 * 256, size - 64, 64):
        part = x[start : start + 64]
        for j in range(64):
            lanes[j] = min(lanes[j], part[j])
    for j in range(32):
        lanes[j] = min(lanes[j], lanes[j + 32])
    for j in range(16):
        lanes[j] = min(lanes[j], lanes[j + 16])
    for j in range(8):
        least = min(least, min(lanes[j], lanes[j + 8]))
    return least


@jit
def _minima_rows(C, X, YT, kind, lo, hi, rows, columns):
    m = columns.size
    row, other, lanes, high = np.empty(m, X.dtype), np.empty(m, X.dtype), np.empty(64), np.full(m, -np.inf)
    columns[:] = np.inf
    unordered = 0
    for i in range(lo, hi, 2):  # two at a time read and write the columns' numbers less often
        k = min(i + 1, hi - 1)
        ci, ck = cost_row(C, X, YT, kind, i, row), cost_row(C, X, YT, kind, k, other)
        rows[i], rows[k] = least_of(ci, lanes), least_of(ck, lanes)
        least, lesser = rows[i], rows[k]
        for j in range(m):
            unordered += np.int64(ci[j] != ci[j]) + np.int64(ck[j] != ck[j])
            columns[j] = min(min(columns[j], ci[j] - least), ck[j] - lesser)  # inf - inf changes nothing
            high[j] = max(high[j], max(ci[j] if ci[j] < np.inf else -np.inf, ck[j] if ck[j] < np.inf else -np.inf))
    return np.nan if unordered else rows[lo:hi].min(), high.max()


@jit(parallel=True)
def minima(C, X, YT, kind, n, m):
    """Return row minima r, column minima of C - r, and the largest finite and the smallest entry of C, or NaN."""
    k = parts_of(n, m, n * m)
    low, high, rows, columns = np.empty(k), np.empty(k), np.empty(n), np.empty((k, m))
    if k == 1:  # no launch of threads
        low[0], high[0] = _minima_rows(C, X, YT, kind, 0, n, rows, columns[0])
    else:
        for q in numba.prange(k):
            low[q], high[q] = _minima_rows(C, X, YT, kind, q * n // k, (q + 1) * n // k, rows, columns[q])
    least, most = _extremes(low, high, columns)
    return like(rows, X), like(columns[0], X), most, least


@jit
def _extremes(low, high, columns):
    """Return the least `low`, or NaN, and the largest `high`, and turn columns[0] into the least of all."""
    least, most, unordered = low[0], high[0], low[0] != low[0]
    for q in range(1, low.size):
        least, most = min(least, low[q]), max(most, high[q])
        unordered |= low[q] != low[q]
        for j in range(columns.shape[1]):
            columns[0, j] = min(columns[0, j], columns[q, j])
    return np.nan if unordered else least, most


@jit
def _transform_rows(C, X, YT, kind, lo, hi, g, rows):
    m = g.size
    row, lanes, reduced = np.empty(m, X.dtype), np.empty(64), np.empty(m)
    for i in range(lo, hi):
        ci = cost_row(C, X, YT, kind, i, row)
        unordered = 0
        for j in range(m):
            reduced[j] = ci[j] - g[j]
            unordered += reduced[j] != reduced[j]
        rows[i] = np.nan if unordered else least_of(reduced, lanes)


@jit(parallel=True)
def transform(C, X, YT, kind, g, rows, k):
    n = rows.size
    if k == 1:
        _transform_rows(C, X, YT, kind, 0, n, g, rows)
        return
    for q in numba.prange(k):
        _transform_rows(C, X, YT, kind, q * n // k, (q + 1) * n // k, g, rows)


@jit
def _nearest_of(C, X, YT, kind, rows, lo, hi, f, best, group):
    row = np.empty(best.size, X.dtype)
    best[:], group[:] = -np.inf, 0
    for q in range(lo, hi):
        ci, shift = cost_row(C, X, YT, kind, rows[q], row), f[rows[q]]
        for j in range(best.size):
            v = shift - ci[j]
            group[j] = np.int32(q) if v > best[j] else group[j]
            best[j] = v if v > best[j] else best[j]  # NaN never is


@jit(parallel=True)
def nearest(C, X, YT, kind, rows, f, best, group):
    """Fill group[0] with the landmark row of least reduced cost; the first of equals, whatever the chunks."""
    count, k = rows.size, group.shape[0]
    if k == 1:  # no launch of threads
        _nearest_of(C, X, YT, kind, rows, 0, count, f, best[0], group[0])
        return
    for q in numba.prange(k):
        _nearest_of(C, X, YT, kind, rows, q * count // k, (q + 1) * count // k, f, best[q], group[q])
    for q in range(1, k):
        for j in range(group.shape[1]):
            if best[q, j] > best[0, j]:
                best[0, j], group[0, j] = best[q, j], group[q, j]


@jit
def gather(parts, out):
    """Add the chunks' sums in order."""
    out[:] = 0
    for q in range(parts.shape[0]):
        for j in range(out.size):
            out[j] += parts[q, j]


@jit
def scaled(x, factor):
    return x * factor


@jit
def like(x, y):
    """Return a copy in the dtype of y."""
    return x.astype(y.dtype)


@jit
def added(x):
    """Return the sum of x from its first entry to its last."""
    total = 0.0
    for i in range(x.size):
        total += x[i]
    return total
