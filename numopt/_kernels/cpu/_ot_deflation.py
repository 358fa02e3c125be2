"""Conjugate gradients for the Laplacian of a plan in tiles, with a coarse correction after Jacobi's.

Jacobi's preconditioner damps what is local. What is slow, mass that must move between parts of the plan, is corrected
on groups of columns, exactly and after it: y = D^-1 r, z = y + Z E^-1 Z^T (r - S y), E = Z^T S Z (A-DEF2 of J. M. Tang,
R. Nabben, C. Vuik, Y. A. Erlangga, J. Sci. Comput. 39, 2009). That takes a third fewer steps than the sum of both.

It needs no second product with the plan. S = diag(c) - P^T diag(1/a) P, and with the masses Y = P Z of rows by groups
Z^T S y = Z^T (c y) - Y^T (P y / a) and P (y + Z x) = P y + Y x; P times a direction follows from P z and P times the
last one.
"""

import numpy as np

from numopt._kernels.cpu._jit import jit
from numopt._kernels.cpu._ot_coarse import coarse_matrix, factor, masses, solve
from numopt._kernels.cpu._ot_cost import SUM
from numopt._kernels.cpu._ot_tiles import spread, times, transposed_times


@jit(fastmath=SUM)
def deflated_gradients(tiles, layout, by_group, a, b, v, s, rhs, regularization, rtol, max_iter, d, parts, sums):
    """Solve (S + regularization diag(b)) d = rhs for the plan P = diag(1/s) K diag(exp(v)); return the steps.

    The row sums of P are a and its column sums are its own: S is a Laplacian. `parts` and `sums` are room for the sums
    of chunks.
    """
    place, group, count = layout
    n, m = a.size, 4 * group.size
    w, inverse = spread(v, place, m, True), 1.0 / s
    r, weights, x = spread(rhs, place, m, False), spread(b, place, m, False), np.zeros(m)
    size = np.sum(np.abs(r))
    if not size > 0:
        d[:] = 0
        return 0
    goal, inner = rtol * size, inverse / a
    diagonal, jacobi = np.empty(m), np.empty(m)
    transposed_times(tiles, inverse, parts, diagonal, False)
    transposed_times(tiles, inverse * inner, parts, jacobi, True)
    corners = np.zeros(count)
    for j in range(m):
        diagonal[j] = w[j] * diagonal[j] + regularization * weights[j]
        corners[group[j // 4]] += diagonal[j] + 1e-12 * weights[j]
        full = max(diagonal[j] - w[j] * w[j] * jacobi[j], 1e-14 * weights[j])
        jacobi[j] = 1.0 / full if weights[j] > 0 else 0.0
    Y = masses(tiles, by_group, w, inverse)
    E = coarse_matrix(Y, a, corners, sums)
    factor(E)

    lift, u, lifted, ones, outer = np.zeros(4 * sums.shape[2]), np.empty(n), np.empty(n), np.ones(n), 1.0 / a
    part, back = np.empty((1, sums.shape[2], 4)), np.empty(lift.size)
    y, z, wy, p, Pp, Sp = np.empty(m), np.empty(m), np.empty(m), np.zeros(m), np.zeros(n), np.empty(m)
    for j in range(m):  # start from the solution on groups
        lift[group[j // 4]] += r[j]
    solve(E, lift[:count])
    times(Y, ones, lift, lifted, 1)
    transposed_times(tiles, inner * lifted, parts, Sp, False)
    left, before = 0.0, 1.0
    for j in range(m):
        x[j] = lift[group[j // 4]]
        r[j] -= diagonal[j] * x[j] - w[j] * Sp[j]
        left += abs(r[j])
    step = 0
    while left > goal and step < max_iter:
        lift[:] = 0
        for j in range(m):
            y[j] = jacobi[j] * r[j]
            wy[j] = w[j] * y[j]
            lift[group[j // 4]] += r[j] - diagonal[j] * y[j]
        times(tiles, inverse, wy, u, parts.shape[0])
        transposed_times(Y, outer * u, part, back, False)
        for q in range(count):
            lift[q] += back[q]
        solve(E, lift[:count])
        times(Y, ones, lift, lifted, 1)
        rz = 0.0
        for j in range(m):
            z[j] = y[j] + lift[group[j // 4]]
            rz += z[j] * r[j]
        beta = rz / before if step else 0.0
        before = rz
        for j in range(m):
            p[j] = z[j] + beta * p[j]
        for i in range(n):
            Pp[i] = u[i] + lifted[i] + beta * Pp[i]
        transposed_times(tiles, inner * Pp, parts, Sp, False)
        curvature = 0.0
        for j in range(m):
            Sp[j] = diagonal[j] * p[j] - w[j] * Sp[j]
            curvature += p[j] * Sp[j]
        if not curvature > 0:
            break
        alpha, left = rz / curvature, 0.0
        for j in range(m):
            x[j] += alpha * p[j]
            r[j] -= alpha * Sp[j]
            left += abs(r[j])
        step += 1
    for j in range(d.size):
        d[j] = x[place[j]]
    return max(step, 1)
