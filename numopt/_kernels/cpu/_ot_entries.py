"""Products with the entries of the plan that matter, which are CSR arrays.

A product costs 0.8 ns an entry: gathers and scatters, not arithmetic.
"""

import numba
import numpy as np

from numopt._kernels.cpu._jit import jit
from numopt._kernels.cpu._ot_cost import gather

_COARSE = 8  # chunks at most for sums of coarse matrices


@jit(fastmath={"contract"})
def _dot(data, indices, y):
    """Sparse dot product with four independent sums, to hide the latency of the gathers."""
    s0, s1, s2, s3, fours = 0.0, 0.0, 0.0, 0.0, data.size // 4
    for q in range(fours):
        s0 += data[4 * q] * y[indices[4 * q]]
        s1 += data[4 * q + 1] * y[indices[4 * q + 1]]
        s2 += data[4 * q + 2] * y[indices[4 * q + 2]]
        s3 += data[4 * q + 3] * y[indices[4 * q + 3]]
    for t in range(4 * fours, data.size):
        s0 += data[t] * y[indices[t]]
    return (s0 + s1) + (s2 + s3)


@jit(fastmath={"contract"})
def entry_rows(data, indices, indptr, lo, hi, scale, y, u, part, inverse):
    """U = scale * (K y), or its inverse; add K^T u to `part`. Views of a row make loops that cost a third less."""
    part[:] = 0
    for i in range(lo, hi):
        row, places = data[indptr[i] : indptr[i + 1]], indices[indptr[i] : indptr[i + 1]]
        value = scale[i] * _dot(row, places, y)
        u[i] = value
        if inverse:
            value = 1.0 / value
        for t in range(row.size):
            part[places[t]] += row[t] * value


@jit(parallel=True)
def _product_by_threads(data, indices, indptr, scale, y, u, parts, inverse):
    n, k = u.size, parts.shape[0]
    for q in numba.prange(k):
        entry_rows(data, indices, indptr, q * n // k, (q + 1) * n // k, scale, y, u, parts[q], inverse)


@jit
def entry_product(data, indices, indptr, scale, y, u, parts, inverse):
    if parts.shape[0] == 1:  # no launch of threads
        entry_rows(data, indices, indptr, 0, u.size, scale, y, u, parts[0], inverse)
    else:
        _product_by_threads(data, indices, indptr, scale, y, u, parts, inverse)


@jit
def evaluate(data, indices, indptr, a, w, s, c, parts):
    entry_product(data, indices, indptr, 1.0 / a, w, s, parts, True)
    gather(parts, c)
    c *= w


@jit(fastmath={"contract"})
def _strong_rows(data, indices, indptr, lo, hi, a, b, w, s, threshold, column, weight, counts, rows, part):
    """Move what stays of rows lo..hi to the front of their room; return how many entries that are.

    No branch depends on an entry: it could not be foretold.
    """
    t = indptr[lo]
    part[:] = 0
    for i in range(lo, hi):
        row, places = data[indptr[i] : indptr[i + 1]], indices[indptr[i] : indptr[i + 1]]
        kept, kept_places = weight[t : t + row.size], column[t : t + row.size]
        scale, count, total, floor = 1.0 / s[i], 0, 0.0, threshold * a[i]
        for q in range(row.size):
            j = places[q]
            p = row[q] * w[j] * scale
            stays = p >= min(floor, threshold * b[j])
            kept_places[count], kept[count] = j, p
            p = p if stays else 0.0
            total += p
            part[j] += p
            count += np.int64(stays)
        rows[i], counts[i] = total, count
        t += count
    return t - indptr[lo]


@jit(parallel=True)
def _strong_by_threads(data, indices, indptr, a, b, w, s, threshold, column, weight, counts, rows, parts, kept):
    n, k = a.size, parts.shape[0]
    for q in numba.prange(k):
        lo, hi = q * n // k, (q + 1) * n // k
        kept[q] = _strong_rows(
            data, indices, indptr, lo, hi, a, b, w, s, threshold, column, weight, counts, rows, parts[q]
        )


@jit
def strong(data, indices, indptr, a, b, w, s, threshold, parts):
    """Return the entries P_ij >= threshold min(a_i, b_j) of the plan in CSR form, and their row and column sums.

    The launch of threads is a function of its own: in one with `parallel`, array expressions start threads too.
    """
    n, m, k = a.size, b.size, parts.shape[0]
    column, weight = np.empty(data.size, np.uint32), np.empty(data.size)
    counts, rows, columns, kept = np.empty(n, np.int64), np.empty(n), np.empty(m), np.empty(k, np.int64)
    if k == 1:
        kept[0] = _strong_rows(
            data, indices, indptr, 0, n, a, b, w, s, threshold, column, weight, counts, rows, parts[0]
        )
    else:
        _strong_by_threads(data, indices, indptr, a, b, w, s, threshold, column, weight, counts, rows, parts, kept)
    end = kept[0]
    for q in range(1, k):  # close the gaps
        before = indptr[q * n // k]
        for t in range(kept[q]):
            column[end + t], weight[end + t] = column[before + t], weight[before + t]
        end += kept[q]
    start = np.zeros(n + 1, np.int64)
    for i in range(n):
        start[i + 1] = start[i] + counts[i]
    gather(parts, columns)
    return weight[:end], column[:end], start, rows, columns


@jit(fastmath={"contract"})
def _coarse_rows(weight, column, start, lo, hi, scale, group, A):
    """Add sum_i (diag(y_i) - y_i y_i^T / r_i) to A for rows lo..hi, y_i the mass of row i by group."""
    k = A.shape[0]
    y, touched = np.zeros(k), np.empty(k, np.int64)
    for i in range(lo, hi):
        count = 0
        row, places = weight[start[i] : start[i + 1]], column[start[i] : start[i + 1]]
        for t in range(row.size):
            p = group[places[t]]
            if y[p] == 0.0:
                touched[count] = p
                count += 1
            y[p] += row[t]
        _add_row(A, y, touched, count, scale[i])


@jit(parallel=True)
def _coarse_by_threads(weight, column, start, scale, group, parts):
    n, k = scale.size, parts.shape[0]
    for q in numba.prange(k):
        _coarse_rows(weight, column, start, q * n // k, (q + 1) * n // k, scale, group, parts[q])


@jit
def entry_coarse(weight, column, start, scale, group, A, chunks):
    k = min(chunks, _COARSE)
    if k == 1:
        _coarse_rows(weight, column, start, 0, scale.size, scale, group, A)
        return
    parts = np.zeros((k, A.shape[0], A.shape[1]))
    _coarse_by_threads(weight, column, start, scale, group, parts)
    for q in range(k):
        A += parts[q]


@jit(fastmath={"contract"})
def _add_row(A, y, touched, count, scale):
    """Add diag(y) - scale y y^T on the groups touched, and clear y."""
    for u in range(count):
        p = touched[u]
        A[p, p] += y[p]
        ratio = y[p] * scale
        for v in range(count):
            A[p, touched[v]] -= ratio * y[touched[v]]
    for u in range(count):
        y[touched[u]] = 0.0


@jit(fastmath={"contract"})
def _square_rows(weight, column, start, lo, hi, scale, part):
    part[:] = 0
    for i in range(lo, hi):
        row, places = weight[start[i] : start[i + 1]], column[start[i] : start[i + 1]]
        for t in range(row.size):
            part[places[t]] += row[t] * row[t] * scale[i]


@jit(parallel=True)
def entry_diagonal(weight, column, start, scale, columns, b, regularization, diagonal, jacobi, parts):
    n, k = scale.size, parts.shape[0]
    if k == 1:
        _square_rows(weight, column, start, 0, n, scale, parts[0])
    else:
        for q in numba.prange(k):
            _square_rows(weight, column, start, q * n // k, (q + 1) * n // k, scale, parts[q])
    gather(parts, jacobi)
    for j in range(b.size):
        d = columns[j] + regularization * b[j]
        jacobi[j] = 1.0 / max(d - jacobi[j], 1e-14 * b[j])
        diagonal[j] = d
