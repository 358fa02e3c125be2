"""The plan summed over groups of columns: masses of rows by groups, the coarse matrix, and the coarse problem.

Groups see the plan as a transport problem of its own, of which the masses are the kernel.
"""

import math

import numba
import numpy as np

from numopt._kernels.cpu._jit import jit
from numopt._kernels.cpu._math import exp64
from numopt._kernels.cpu._ot_cost import SUM
from numopt._kernels.cpu._ot_tile_rows import tile_outer
from numopt._kernels.cpu._ot_tiles import spread_exp, times, transposed_times

PARTS = 8  # chunks at most for sums of coarse matrices
SHARE = 0.4  # of the error, which the groups' own error must be to be worth it
BALANCED, STEPS = 5e-3, 3  # the coarse problem is solved to this error, in so many steps at most


@jit(fastmath=SUM)
def _mass_rows(values, places, start, lo, hi, w, scale, place_y, Y):
    for i in range(lo, hi):
        for q in range(start[i], start[i + 1]):
            p = places[q]
            left = values[q, 0] * w[p, 0] + values[q, 1] * w[p, 1]
            right = values[q, 2] * w[p, 2] + values[q, 3] * w[p, 3]
            Y[place_y[q]] += scale[i] * (left + right)


@jit(parallel=True)
def _masses(values, places, start, w, scale, place_y, Y, k):
    n = scale.size
    if k == 1:  # no launch of threads
        _mass_rows(values, places, start, 0, n, w, scale, place_y, Y)
    else:
        for q in numba.prange(k):
            _mass_rows(values, places, start, q * n // k, (q + 1) * n // k, w, scale, place_y, Y)


@jit
def masses(tiles, by_group, w, scale):
    """Return the masses diag(scale) K diag(w) of each row by groups, in tiles."""
    places, start, place = by_group
    Y = np.zeros((places.size, 4))
    k = PARTS if tiles[0].shape[0] >= 2**14 else 1
    _masses(tiles[0], tiles[1], tiles[2], w.reshape((-1, 4)), scale, place, Y.reshape(-1), k)
    return Y, places, start


@jit
def _coarse_rows(Y, places, start, lo, hi, a, E):
    E[:] = 0
    for i in range(lo, hi):
        for t in range(start[i], start[i + 1]):
            tile_outer(Y, places, start[i], t, a[i], E.shape[1], E)


@jit(parallel=True)
def _coarse(Y, places, start, a, sums):
    n, k = a.size, sums.shape[0]
    if k == 1:
        _coarse_rows(Y, places, start, 0, n, a, sums[0])
    else:
        for q in numba.prange(k):
            _coarse_rows(Y, places, start, q * n // k, (q + 1) * n // k, a, sums[q])


@jit
def coarse_room(count, k):
    """Return room for the chunks' coarse matrices."""
    tiles = (count + 3) // 4
    return np.empty((min(k, PARTS), 4 * tiles, tiles, 4))


@jit
def coarse_matrix(Y, a, diagonal, sums):
    """Return the lower half of diag(diagonal) - Y^T diag(1/a) Y."""
    count, width = diagonal.size, sums.shape[1]
    _coarse(Y[0], Y[1], Y[2], a, sums)
    E, parts = np.zeros((count, count)), sums.reshape((sums.shape[0], width, width))
    for p in range(count):
        row = E[p, : p + 1]
        for q in range(parts.shape[0]):
            part = parts[q, p]
            for r in range(row.size):
                row[r] += part[r]
        row[p] += diagonal[p]
    return E


@jit(fastmath=SUM)
def factor(A):
    """Replace the lower half of A by its Cholesky factor; a group without columns stands alone."""
    k = A.shape[0]
    ratio = np.empty(k)
    for p in range(k):
        if not A[p, p] > 0:
            A[p, p] = 1.0
        A[p, p] = math.sqrt(A[p, p])
        for i in range(p + 1, k):
            A[i, p] /= A[p, p]
            ratio[i] = A[i, p]
        for i in range(p + 1, k):
            row, r = A[i, p + 1 : i + 1], ratio[i]
            below = ratio[p + 1 : i + 1]
            for j in range(row.size):
                row[j] -= r * below[j]


@jit(fastmath=SUM)
def solve(factor, x):
    """Solve in place with a Cholesky factor."""
    k = factor.shape[0]
    for p in range(k):
        row, done, total = factor[p, :p], x[:p], 0.0
        for q in range(p):
            total += row[q] * done[q]
        x[p] = (x[p] - total) / factor[p, p]
    for p in range(k - 1, -1, -1):
        value = x[p] / factor[p, p]
        x[p] = value
        row, rest = factor[p, :p], x[:p]
        for q in range(p):
            rest[q] -= value * row[q]


@jit(fastmath=SUM)
def _evaluated(Y, a, masses_b, t, e, s, part, c):
    """Return value and error of the coarse problem at t, and fill e = exp(t), s and the masses c of the groups."""
    value, error = 0.0, 0.0
    for p in range(t.size):
        e[p] = exp64(t[p])
    times(Y, 1.0 / a, e, s, 1)
    transposed_times(Y, 1.0 / s, part, c, False)
    for i in range(a.size):
        value -= a[i] * math.log(s[i])
    for p in range(t.size):
        c[p] *= e[p]
        value += masses_b[p] * t[p]
        error += abs(c[p] - masses_b[p])
    return value, error


@jit
def _scale(Y, places, start, e, s, scaled):
    for i in range(s.size):
        inverse = 1.0 / s[i]
        for q in range(start[i], start[i + 1]):
            p = places[q]
            for r in range(4):
                scaled[q, r] = Y[q, r] * e[p, r] * inverse


@jit(fastmath=SUM)
def shifted(tiles, layout, by_group, a, b, v, s, c_v, k):
    """Return v moved by one number for each group, by Newton's method on their masses, and whether it was.

    What a group needs may be thousands of times what it gets: its shift is the logarithm of that, of which a Newton
    step is the exponential. So long steps are compressed.
    """
    place, group, count = layout
    n, m, sums, out = a.size, 4 * group.size, coarse_room(count, k), v.copy()
    width = sums.shape[1]
    target, got, error = np.zeros(width), np.zeros(width), 0.0
    for j in range(v.size):
        p = group[place[j] // 4]
        target[p] += b[j]
        got[p] += c_v[j]
        error += abs(c_v[j] - b[j])
    if not np.sum(np.abs(got - target)) > max(BALANCED, SHARE * error):
        return out, False
    Y, places, start = masses(tiles, by_group, spread_exp(v, place, m), 1.0 / s)
    t, trial, d, part = np.zeros(width), np.zeros(width), np.empty(width), np.empty((1, sums.shape[2], 4))
    e, c, new_e, new_c, sums_y, new_sums = (
        np.empty(width), np.empty(width), np.empty(width), np.empty(width), np.empty(n), np.empty(n)
    )  # fmt: skip
    value, error = _evaluated((Y, places, start), a, target, t, e, sums_y, part, c)
    scaled = np.empty(Y.shape)
    for _ in range(STEPS):
        if not error > BALANCED:
            break
        _scale(Y, places, start, e.reshape((-1, 4)), sums_y, scaled)
        E = coarse_matrix((scaled, places, start), a, c[:count] + (1e-12 + 1e-3 * error) * target[:count], sums)
        factor(E)
        for p in range(count):
            d[p] = target[p] - c[p]
        solve(E, d[:count])
        middle = np.sort(d[:count])[count // 2]
        for p in range(count):
            step = d[p] - middle
            if abs(step) > 1:
                step = math.copysign(1 + math.log(abs(step)), step)
            trial[p] = t[p] + step
        new_value, new_error = _evaluated((Y, places, start), a, target, trial, new_e, new_sums, part, new_c)
        if not new_value > value:
            break
        value, error = new_value, new_error
        t[:], e[:], c[:], sums_y[:] = trial, new_e, new_c, new_sums
    for j in range(v.size):
        out[j] += t[group[place[j] // 4]]
    return out, True
