"""Products with dense matrices of either float dtype; all sums are in float64."""

import numba
import numpy as np

from numopt._kernels.cpu._jit import jit

_SUM = {"contract", "reassoc", "nsz"}
_CHUNKS = 16  # of rows; their sums are added in order, whatever the number of threads
_SERIAL = 2**20  # entries below which threads cost more than they bring


@jit
def nonzeros(x):
    """Return the places of the entries that are not 0."""
    places = np.empty(x.size + 1, np.int64)
    count = 0
    for i in range(x.size):  # without a branch, which would be guessed wrongly half of the time
        places[count] = i
        count += x[i] != 0.0
    return places[:count]


# Rows are read side by side, one from each eighth (or twelfth) of those at hand, not neighbours: each of them then goes
# on in memory where it was, so that the processor's prefetching never has to begin again.


@jit(fastmath=_SUM)
def _dot_rows(A, x, out, low, high):
    """Put A x into out for the rows from low to high, eight at a time."""
    h = (high - low) // 8
    for a in range(low, low + h):
        b, c, d, e, f, g, i = a + h, a + 2 * h, a + 3 * h, a + 4 * h, a + 5 * h, a + 6 * h, a + 7 * h
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
        for j in range(x.size):
            s0 += A[a, j] * x[j]
            s1 += A[b, j] * x[j]
            s2 += A[c, j] * x[j]
            s3 += A[d, j] * x[j]
            s4 += A[e, j] * x[j]
            s5 += A[f, j] * x[j]
            s6 += A[g, j] * x[j]
            s7 += A[i, j] * x[j]
        out[a], out[b], out[c], out[d], out[e], out[f], out[g], out[i] = s0, s1, s2, s3, s4, s5, s6, s7
    for a in range(low + 8 * h, high):
        s0 = 0.0
        for j in range(x.size):
            s0 += A[a, j] * x[j]
        out[a] = s0


@jit(fastmath=_SUM)
def _add_rows(A, y, out, low, high):
    """Add y_i times row i to out for the rows from low to high with y_i != 0, eight at a time."""
    used = low + nonzeros(y[low:high])
    h = used.size // 8
    for k in range(h):
        a, b, c, d = used[k], used[k + h], used[k + 2 * h], used[k + 3 * h]
        e, f, g, i = used[k + 4 * h], used[k + 5 * h], used[k + 6 * h], used[k + 7 * h]
        ya, yb, yc, yd, ye, yf, yg, yi = y[a], y[b], y[c], y[d], y[e], y[f], y[g], y[i]
        for j in range(out.size):
            out[j] += ((ya * A[a, j] + yb * A[b, j]) + (yc * A[c, j] + yd * A[d, j])) + (
                (ye * A[e, j] + yf * A[f, j]) + (yg * A[g, j] + yi * A[i, j]))  # fmt: skip
    for k in range(8 * h, used.size):
        a = used[k]
        for j in range(out.size):
            out[j] += y[a] * A[a, j]


@jit(fastmath=_SUM)
def _both_rows(A, x, y, Ax, out, low, high):
    """Do both for the rows from low to high, reading each once; twelve at a time, to touch `out` less often."""
    h = (high - low) // 12
    for k in range(low, low + h):
        y0, y1, y2, y3, y4, y5 = y[k], y[k + h], y[k + 2 * h], y[k + 3 * h], y[k + 4 * h], y[k + 5 * h]
        y6, y7, y8, y9 = y[k + 6 * h], y[k + 7 * h], y[k + 8 * h], y[k + 9 * h]
        ya, yb = y[k + 10 * h], y[k + 11 * h]
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = s8 = s9 = sa = sb = 0.0
        for j in range(x.size):
            a0, a1, a2, a3 = A[k, j], A[k + h, j], A[k + 2 * h, j], A[k + 3 * h, j]
            a4, a5, a6, a7 = A[k + 4 * h, j], A[k + 5 * h, j], A[k + 6 * h, j], A[k + 7 * h, j]
            a8, a9, aa, ab = A[k + 8 * h, j], A[k + 9 * h, j], A[k + 10 * h, j], A[k + 11 * h, j]
            s0 += a0 * x[j]
            s1 += a1 * x[j]
            s2 += a2 * x[j]
            s3 += a3 * x[j]
            s4 += a4 * x[j]
            s5 += a5 * x[j]
            s6 += a6 * x[j]
            s7 += a7 * x[j]
            s8 += a8 * x[j]
            s9 += a9 * x[j]
            sa += aa * x[j]
            sb += ab * x[j]
            out[j] += (((y0 * a0 + y1 * a1) + y2 * a2) + ((y3 * a3 + y4 * a4) + y5 * a5)) + (
                ((y6 * a6 + y7 * a7) + y8 * a8) + ((y9 * a9 + ya * aa) + yb * ab))  # fmt: skip
        Ax[k], Ax[k + h], Ax[k + 2 * h], Ax[k + 3 * h], Ax[k + 4 * h], Ax[k + 5 * h] = s0, s1, s2, s3, s4, s5
        Ax[k + 6 * h], Ax[k + 7 * h], Ax[k + 8 * h], Ax[k + 9 * h] = s6, s7, s8, s9
        Ax[k + 10 * h], Ax[k + 11 * h] = sa, sb
    for r in range(low + 12 * h, high):
        s0 = 0.0
        for j in range(x.size):
            s0 += A[r, j] * x[j]
            out[j] += y[r] * A[r, j]
        Ax[r] = s0


@jit(parallel=True)
def _dot_parallel(A, x, out):
    m = A.shape[0]
    for q in numba.prange(_CHUNKS):
        _dot_rows(A, x, out, q * m // _CHUNKS, (q + 1) * m // _CHUNKS)


@jit(parallel=True)
def _add_parallel(A, y, parts):
    m = A.shape[0]
    for q in numba.prange(_CHUNKS):
        _add_rows(A, y, parts[q], q * m // _CHUNKS, (q + 1) * m // _CHUNKS)


@jit(parallel=True)
def _both_parallel(A, x, y, Ax, parts):
    m = A.shape[0]
    for q in numba.prange(_CHUNKS):
        _both_rows(A, x, y, Ax, parts[q], q * m // _CHUNKS, (q + 1) * m // _CHUNKS)


@jit
def dense_forward(A, x):
    """Return A x."""
    out = np.empty(A.shape[0])
    if A.size < _SERIAL:
        _dot_rows(A, x, out, 0, A.shape[0])
    else:
        _dot_parallel(A, x, out)
    return out


@jit
def dense_adjoint(A, y):
    """Return A^T y; rows with y_i = 0 are not read."""
    if A.size < _SERIAL:
        out = np.zeros(A.shape[1])
        _add_rows(A, y, out, 0, A.shape[0])
        return out
    parts = np.zeros((_CHUNKS, A.shape[1]))
    _add_parallel(A, y, parts)
    return _total(parts)


@jit
def dense_products(A, x, y):
    """Return (A x, A^T y) in one pass."""
    Ax = np.empty(A.shape[0])
    if A.size < _SERIAL:
        out = np.zeros(A.shape[1])
        _both_rows(A, x, y, Ax, out, 0, A.shape[0])
        return Ax, out
    parts = np.zeros((_CHUNKS, A.shape[1]))
    _both_parallel(A, x, y, Ax, parts)
    return Ax, _total(parts)


@jit
def _total(parts):
    out = parts[0].copy()
    for q in range(1, parts.shape[0]):
        out += parts[q]
    return out


@jit
def dense_maxima(A, rows, columns):
    """Return the largest entries of the rows and of the columns of diag(rows) A diag(columns), for A >= 0."""
    high, wide = np.zeros(A.shape[0]), np.zeros(A.shape[1])
    for i in range(A.shape[0]):
        for j in range(A.shape[1]):
            a = rows[i] * A[i, j] * columns[j]
            high[i], wide[j] = max(high[i], a), max(wide[j], a)
    return high, wide
