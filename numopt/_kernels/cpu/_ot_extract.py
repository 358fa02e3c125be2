"""The entries of the plan that matter, in one pass over the cost.

Each chunk of rows writes what it finds into a room of its own, since where the entries belong is known only once all
are counted; what did not fit is read again. Sparse reads of a cost that has left the caches took as long as the pass.
"""

import math

import numba
import numpy as np

from numopt._kernels.cpu._jit import jit
from numopt._kernels.cpu._math import exp2_64
from numopt._kernels.cpu._ot_cost import cost_row

LOG2E = math.log2(math.e)
_SAMPLE = 16  # rows from which the room is foretold
_LARGEST = 2**22  # entries of all rooms together


@jit
def _marked(ci, fi, above, inv, la, lb, hit):
    for j in range(above.size):
        hit[j] = fi + (above[j] - ci[j] * inv) >= min(la, lb[j])


@jit
def _found(words, bits, places):
    """Write the places of the bytes that are 1 and return their number: eight bytes to one, then bit by bit."""
    one, count = np.uint64(1), 0
    for q in range(words.size):
        word = words[q]
        bits[q] = np.uint8((word * np.uint64(0x0102040810204080)) >> np.uint64(56)) if word else np.uint8(0)
    longer = bits.view(np.uint64)
    for q in range(longer.size):
        word = longer[q]
        while word:
            lowest = word & (~word + one)
            places[count] = 64 * q + (np.float64(lowest).view(np.int64) >> 52) - 1023  # a power of two: exact
            count += 1
            word ^= lowest
    return count


@jit
def _write(ci, fi, gs, inv, found, places, values):
    for t in range(places.size):
        j = found[t]
        places[t] = j
        values[t] = fi + (gs[j] - ci[j] * inv)
    for t in range(places.size):  # apart from the gathers, powers are made eight at a time
        values[t] = exp2_64(values[t])


@jit
def _rows(C, X, YT, kind, lo, hi, f, g, inv, log_a, log_b, log_theta, places, values, counts):
    """Count the entries of rows lo..hi, and write those of the rows for which there is room; return their number."""
    m, inv, used = g.size, inv * LOG2E, 0
    row, hit, found = np.empty(m, X.dtype), np.zeros((m + 63) // 64 * 64, np.uint8), np.empty(m, np.uint32)
    words, bits, gs, lb = hit.view(np.uint64), np.empty(hit.size // 8, np.uint8), g * inv, log_b * LOG2E
    above = gs - log_theta * LOG2E
    for i in range(lo, hi):
        ci = cost_row(C, X, YT, kind, i, row)
        fi, la = f[i] * inv, log_a[i] * LOG2E
        _marked(ci, fi, above, inv, la, lb, hit)
        counts[i - lo] = count = _found(words, bits, found)
        if used + count <= places.size:
            _write(ci, fi, gs, inv, found, places[used : used + count], values[used : used + count])
        used += count
    return used


@jit
def chunks(n, m):
    return max(1, min(64, n // 8)) if n * m >= 2**15 else 1


@jit
def room(C, X, YT, kind, f, g, inv, log_a, log_b, log_theta):
    """Return how many entries to expect of a chunk of rows, and as many again; 0 if the rooms would be too large."""
    n, m, total, count = f.size, g.size, 0, np.empty(1, np.int64)
    k, places, values = chunks(n, m), np.empty(0, np.uint32), np.empty(0)
    largest, step = (n + k - 1) // k, max(1, n // _SAMPLE)
    for i in range(step // 2, n, step):
        total += _rows(C, X, YT, kind, i, i + 1, f, g, inv, log_a, log_b, log_theta, places, values, count)
    most = min(largest * m, 2 * largest * step * total // n + 256)
    return most if k * most <= _LARGEST else 0


@jit(parallel=True)
def select(C, X, YT, kind, f, g, inv, log_a, log_b, log_theta, places, values, counts):
    """Fill the chunks' rooms and count the entries of each row."""
    n, k = f.size, places.shape[0]
    if k == 1:  # no launch of threads
        _rows(C, X, YT, kind, 0, n, f, g, inv, log_a, log_b, log_theta, places[0], values[0], counts)
        return
    for q in numba.prange(k):
        lo, hi = q * n // k, (q + 1) * n // k
        _rows(C, X, YT, kind, lo, hi, f, g, inv, log_a, log_b, log_theta, places[q], values[q], counts[lo:hi])


@jit
def _settle_rows(
    C, X, YT, kind, lo, hi, f, g, inv, log_a, log_b, log_theta, places, values, indptr, indices, data
):
    kept, powers = indices[indptr[lo] : indptr[hi]], data[indptr[lo] : indptr[hi]]
    if kept.size > places.size:
        counts = np.empty(hi - lo, np.int64)
        _rows(C, X, YT, kind, lo, hi, f, g, inv, log_a, log_b, log_theta, kept, powers, counts)
        return
    for t in range(kept.size):
        kept[t] = places[t]
    for t in range(kept.size):
        powers[t] = values[t]


@jit(parallel=True)
def settle(C, X, YT, kind, f, g, inv, log_a, log_b, log_theta, places, values, indptr, indices, data):
    """Move the entries to where they belong; select those again for which there was no room."""
    n, k = f.size, places.shape[0]
    if k == 1:
        _settle_rows(
            C, X, YT, kind, 0, n, f, g, inv, log_a, log_b, log_theta, places[0], values[0], indptr, indices, data
        )
        return
    for q in numba.prange(k):
        lo, hi = q * n // k, (q + 1) * n // k
        _settle_rows(
            C, X, YT, kind, lo, hi, f, g, inv, log_a, log_b, log_theta, places[q], values[q], indptr, indices, data
        )
