"""Conjugate gradients for the Laplacian of a plan in tiles, with a coarse correction after Jacobi's.

Jacobi's preconditioner damps what is local. What is slow, mass that must move between parts of the plan, is corrected
on groups of columns, exactly and after it: y = D^-1 r, z = y + Z E^-1 Z^T (r - S y), E = Z^T S Z (A-DEF2 of J. M. Tang,
R. Nabben, C. Vuik, Y. A. Erlangga, J. Sci. Comput. 39, 2009). That takes a third fewer steps than the sum of both.

It needs no second product with the plan. S = diag(c) - P^T diag(1/a) P, and with the masses Y = P Z of rows by groups
Z^T S y = Z^T (c y) - Y^T (P y / a) and P (y + Z x) = P y + Y x; P times a direction follows from P z and P times the
last one. So a step goes over the rows twice, down to the groups and up again, and each thread keeps its rows; between
are a few loops over the columns, whose sums are made on the way: <z, r> = <y, r> + <x, Z^T r>.
"""

import numpy as np

from numopt._kernels.cpu._jit import jit
from numopt._kernels.cpu._ot_coarse import coarse_matrix, coarse_room, factor, masses, solve
from numopt._kernels.cpu._ot_cost import SUM, gather
from numopt._kernels.cpu._ot_deflation_rows import diagonals, down, up
from numopt._kernels.cpu._ot_tiles import spread, spread_exp


@jit(fastmath=SUM)
def deflated_gradients(tiles, layout, by_group, a, b, v, s, rhs, regularization, rtol, max_iter, k):
    """Solve (S + regularization diag(b)) d = rhs for the plan P = diag(1/s) K diag(exp(v)); return d and the steps.

    The row sums of P are a and its column sums are its own: S is a Laplacian. The rows are cut into k chunks.
    """
    place, group, count = layout
    n, m = a.size, 4 * group.size
    d, parts, sums = np.empty(b.size), np.empty((2, k, group.size, 4)), coarse_room(count, k)
    w, inverse, outer = spread_exp(v, place, m), 1.0 / s, 1.0 / a
    r, weights, x = spread(rhs, place, m), spread(b, place, m), np.zeros(m)
    size = np.sum(np.abs(r))
    if not size > 0:
        d[:] = 0
        return d, 0
    goal, inner = rtol * size, inverse * outer
    diagonal, jacobi = np.empty(m), np.empty(m)
    diagonals(tiles, inverse, inverse * inner, parts[0], parts[1])
    gather(parts[0].reshape((k, -1)), diagonal)
    gather(parts[1].reshape((k, -1)), jacobi)
    for j in range(m):
        diagonal[j] = w[j] * diagonal[j] + regularization * weights[j]
        full = max(diagonal[j] - w[j] * w[j] * jacobi[j], 1e-14 * weights[j])
        jacobi[j] = 1.0 / full if weights[j] > 0 else 0.0
    Y = masses(tiles, by_group, w, inverse)
    lift, r_groups = np.zeros(4 * sums.shape[2]), np.zeros(4 * sums.shape[2])
    _by_group(group, diagonal + 1e-12 * weights, r, lift, r_groups)
    E = coarse_matrix(Y, a, lift[:count], sums)
    factor(E)

    u, Pp, p, Sp, wy, rest = np.zeros(n), np.zeros(n), np.zeros(m), np.empty(m), np.empty(m), np.empty(m)
    backs, back, ups = np.empty((k, lift.size)), np.empty(lift.size), parts[0].reshape((k, -1))
    lift[:] = r_groups  # start from the solution on groups: a step of length 1, with nothing of Jacobi's
    solve(E, lift[:count])
    up(tiles, Y, inner, lift, 0.0, u, Pp, parts[0])
    _direction(group, lift, x, r, 0.0, p)
    curvature, alpha, before, step = _product(ups, diagonal, w, p, Sp), 1.0, 1.0, 0
    while True:
        left, yr = _advance(alpha, p, Sp, diagonal, jacobi, w, x, r, wy, rest)
        if not (left > goal and step < max_iter):
            break
        _by_group(group, rest, r, lift, r_groups)
        down(tiles, Y, inverse, outer, wy, u, backs)
        gather(backs, back)
        lift += back
        solve(E, lift[:count])
        rz = yr + np.dot(lift, r_groups)
        beta = rz / before if step else 0.0
        up(tiles, Y, inner, lift, beta, u, Pp, parts[0])
        _direction(group, lift, jacobi, r, beta, p)
        curvature = _product(ups, diagonal, w, p, Sp)
        if not curvature > 0:
            break
        alpha, before = rz / curvature, rz
        step += 1
    for j in range(d.size):
        d[j] = x[place[j]]
    return d, max(step, 1)


@jit
def _by_group(group, x, y, x_groups, y_groups):
    """Add up two vectors over the tiles of each group."""
    x_groups[:], y_groups[:] = 0.0, 0.0
    for t in range(group.size):
        q, j = group[t], 4 * t
        x_groups[q] += (x[j] + x[j + 1]) + (x[j + 2] + x[j + 3])
        y_groups[q] += (y[j] + y[j + 1]) + (y[j + 2] + y[j + 3])


@jit(fastmath={"contract"})
def _direction(group, lift, jacobi, r, beta, p):
    """Turn p into D^-1 r + Z x + beta p."""
    for t in range(group.size):
        shift = lift[group[t]]
        for j in range(4 * t, 4 * t + 4):
            p[j] = jacobi[j] * r[j] + shift + beta * p[j]


@jit(fastmath=SUM)
def _product(parts, diagonal, w, p, Sp):
    """Complete S p from the chunks' sums and return <p, S p>."""
    gather(parts, Sp)
    curvature = 0.0
    for j in range(p.size):
        Sp[j] = diagonal[j] * p[j] - w[j] * Sp[j]
        curvature += p[j] * Sp[j]
    return curvature


@jit(fastmath=SUM)
def _advance(alpha, p, Sp, diagonal, jacobi, w, x, r, wy, rest):
    """Take a step, fill w y and r - diag(c) y, y = D^-1 r, and return the l1 norm of r and <y, r>."""
    left, yr = 0.0, 0.0
    for j in range(p.size):
        x[j] += alpha * p[j]
        r[j] -= alpha * Sp[j]
        y = jacobi[j] * r[j]
        wy[j], rest[j] = w[j] * y, r[j] - diagonal[j] * y
        left += abs(r[j])
        yr += y * r[j]
    return left, yr
