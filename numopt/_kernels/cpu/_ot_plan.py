"""The whole plan, kept as the upper halves of float32: its products, for Newton directions alone.

Directions need two digits, and a product is bound by the bytes read: 0.07 ns an entry against 0.12 ns in float32.
"""

import numba
import numpy as np

from numopt._kernels.cpu._jit import jit
from numopt._kernels.cpu._ot_cost import SUM

_f32 = np.float32


@jit
def _short(bits):
    """Return the number of which `bits` are the upper half: bfloat16, eight bits of mantissa."""
    return np.uint32(np.uint32(bits) << np.uint32(16)).view(_f32)


@jit
def shorten(x):
    """Round a positive float32 to its upper 16 bits."""
    return np.uint16((_f32(x).view(np.uint32) + np.uint32(0x8000)) >> np.uint32(16))


@jit
def above(P, rows, a, b, theta):
    """Count the entries P_ij >= theta min(a_i, b_j) of these rows."""
    count = 0
    for i in rows:
        p, floor = P[i], theta * a[i]
        for j in range(b.size):
            count += np.int64(_short(p[j]) >= min(floor, theta * b[j]))
    return count


@jit(fastmath=SUM)
def _plan_rows(P, lo, hi, scale, y, part):
    """Add rows lo..hi of P^T diag(scale) P y to `part`, two rows at a time: the vectors are read less often."""
    m = y.size
    part[:] = 0
    for i in range(lo, hi - 1, 2):
        p, q, dp, dq = P[i], P[i + 1], _f32(0), _f32(0)
        for j in range(m):
            dp += _short(p[j]) * y[j]
            dq += _short(q[j]) * y[j]
        dp *= scale[i]
        dq *= scale[i + 1]
        for j in range(m):
            part[j] += dp * _short(p[j]) + dq * _short(q[j])
    if (hi - lo) % 2:
        p, dp = P[hi - 1], _f32(0)
        for j in range(m):
            dp += _short(p[j]) * y[j]
        dp *= scale[hi - 1]
        for j in range(m):
            part[j] += dp * _short(p[j])


@jit(fastmath=SUM)
def _short_sums(P, lo, hi, inverse, columns):
    """Inverse row sums and column sums: with them the shortened plan is an exact Laplacian."""
    m = columns.size
    columns[:] = 0
    for i in range(lo, hi):
        p, total = P[i], _f32(0)
        for j in range(m):
            v = _short(p[j])
            total += v
            columns[j] += v
        inverse[i] = _f32(1) / total


@jit(parallel=True)
def plan_margins(P, k, inverse, columns):
    n = P.shape[0]
    if k == 1:  # no launch of threads
        _short_sums(P, 0, n, inverse, columns[0])
        return
    for q in numba.prange(k):
        _short_sums(P, q * n // k, (q + 1) * n // k, inverse, columns[q])


@jit(parallel=True)
def plan_product(P, k, scale, y, parts):
    n = P.shape[0]
    if k == 1:
        _plan_rows(P, 0, n, scale, y, parts[0])
        return
    for q in numba.prange(k):
        _plan_rows(P, q * n // k, (q + 1) * n // k, scale, y, parts[q])


@jit
def _sampled(q, step):
    """Return the row of stratum q: its place varies, lest it falls in step with an order of the points."""
    return q * step + q * 7919 % step


@jit(fastmath=SUM)
def _by_group(P, step, last, q, group, Y):
    """Fill Y[q : q + 4] with the masses by group of four sampled rows: of one row, each addition waits for another."""
    p0, p1, p2, p3 = (
        P[_sampled(q, step)], P[_sampled(min(q + 1, last), step)],
        P[_sampled(min(q + 2, last), step)], P[_sampled(min(q + 3, last), step)],
    )  # fmt: skip
    y0, y1, y2, y3 = Y[q], Y[q + 1], Y[q + 2], Y[q + 3]
    for j in range(group.size):
        r = group[j]
        y0[r] += _short(p0[j])
        y1[r] += _short(p1[j])
        y2[r] += _short(p2[j])
        y3[r] += _short(p3[j])


@jit(parallel=True)
def _sample(P, step, count, group, Y):
    """Fill Y with the masses by group of one row in each of `count` strata of `step` rows."""
    if P.size < 2**15:  # no launch of threads
        for q in range(0, count, 4):
            _by_group(P, step, count - 1, q, group, Y)
        return
    for block in numba.prange((count + 3) // 4):
        _by_group(P, step, count - 1, 4 * block, group, Y)


@jit(fastmath=SUM)
def _less_squares_rows(A, first, step, Y, weight):
    """Take sum_q weight_q y_q y_q^T from every `step`-th row of the lower half of A, four rows of Y at a time."""
    for q in range(0, weight.size, 4):
        y0, y1, y2, y3 = Y[q], Y[q + 1], Y[q + 2], Y[q + 3]
        for p in range(first, A.shape[0], step):
            row = A[p, : p + 1]
            a, b, c, d = weight[q] * y0[p], weight[q + 1] * y1[p], weight[q + 2] * y2[p], weight[q + 3] * y3[p]
            for r in range(row.size):
                row[r] -= (a * y0[r] + b * y1[r]) + (c * y2[r] + d * y3[r])


@jit(parallel=True)
def _less_squares(A, Y, weight):
    """Do so for all rows of A, which is larger than the first cache: an eighth of them is not."""
    if Y.size < 2**13:  # no launch of threads
        _less_squares_rows(A, 0, 1, Y, weight)
        return
    for block in numba.prange(8):
        _less_squares_rows(A, block, 8, Y, weight)


@jit(fastmath=SUM)
def plan_coarse(P, inverse, group, A):
    """Add sum_i (diag(y_i) - y_i y_i^T / r_i) to A's lower half, y_i row i's mass by group, from a sample of rows."""
    n, k = P.shape[0], A.shape[0]
    step = max(1, min(8, n // 128))
    count = n // step
    room = (count + 3) // 4 * 4  # the last rows weigh nothing
    Y, weight, total = np.zeros((room, k)), np.zeros(room), np.zeros(k)
    _sample(P, step, count, group.view(np.uint32), Y)
    for q in range(count):
        weight[q] = step * inverse[_sampled(q, step)]
        total += Y[q]
    for p in range(k):
        A[p, p] += step * total[p]
    _less_squares(A, Y, weight)
