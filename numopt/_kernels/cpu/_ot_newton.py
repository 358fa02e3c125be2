"""Two-level conjugate gradients for the Laplacian of a plan, whole or by entries.

Jacobi's preconditioner damps what is local. What is slow, mass that must move between parts of the plan, is
corrected on groups of columns: 2 to 4 times fewer steps.
"""


import numpy as np

from numopt._kernels.cpu._jit import jit
from numopt._kernels.cpu._ot_coarse import factor as cholesky
from numopt._kernels.cpu._ot_coarse import solve
from numopt._kernels.cpu._ot_cost import SUM, gather
from numopt._kernels.cpu._ot_entries import entry_coarse, entry_diagonal, entry_product
from numopt._kernels.cpu._ot_plan import plan_coarse, plan_margins, plan_product

_f32 = np.float32


@jit(fastmath=SUM)
def conjugate_gradients(
    P, weight, column, start, scale, diagonal, jacobi, coarse, group, b, rhs, regularization, rtol, max_iter, x, parts
):
    """Solve (diag(diagonal) - A^T diag(scale) A) x = rhs, A the plan P or, where P is empty, the CSR entries."""
    m, k = rhs.size, parts.shape[0]
    short, u = np.empty((k if P.size else 0, m), _f32), np.empty(scale.size)
    _factor(coarse, group, b, regularization)
    r, z, Ap = rhs.copy(), np.empty(m), np.empty(m)
    _precondition(jacobi, coarse, group, r, z)
    p, rz = z.copy(), np.dot(z, r)
    goal = rtol * np.sum(np.abs(r))
    x[:] = 0
    for step in range(max_iter):
        if P.size:
            plan_product(P, k, scale.astype(_f32), p.astype(_f32), short)
            gather(short, Ap)
        else:
            entry_product(weight, column, start, scale, p, u, parts, False)
            gather(parts, Ap)
        for j in range(m):
            Ap[j] = diagonal[j] * p[j] - Ap[j]
        curvature = np.dot(p, Ap)
        if not curvature > 0:
            return step
        alpha, before, left = rz / curvature, rz, 0.0
        for j in range(m):
            x[j] += alpha * p[j]
            r[j] -= alpha * Ap[j]
            left += abs(r[j])
        if not left > goal:
            return step + 1
        _precondition(jacobi, coarse, group, r, z)
        rz = np.dot(z, r)
        for j in range(m):
            p[j] = z[j] + rz / before * p[j]
    return max_iter


@jit(fastmath=SUM)
def plan_system(P, k, group, b, regularization, scale, diagonal, jacobi, coarse):
    """Fill the parts of the system for a whole plan, cut into k chunks."""
    parts, inverse = np.empty((k, diagonal.size), _f32), np.empty(scale.size, _f32)
    plan_margins(P, k, inverse, parts)
    gather(parts, diagonal)
    for i in range(scale.size):
        scale[i] = inverse[i]
    for j in range(b.size):
        diagonal[j] += regularization * b[j]
        jacobi[j] = 1.0 / diagonal[j]  # sum_i P_ij^2 / r_i is small next to it in a full plan
    plan_coarse(P, inverse, group, coarse)


@jit
def entry_system(
    weight, column, start, rows, columns, group, b, regularization, scale, diagonal, jacobi, coarse, parts
):
    """Fill the parts of the system for entries in CSR form with these row and column sums."""
    for i in range(rows.size):
        scale[i] = 1.0 / rows[i] if rows[i] > 0 else 0.0
    entry_diagonal(weight, column, start, scale, columns, b, regularization, diagonal, jacobi, parts)
    entry_coarse(weight, column, start, scale, group, coarse, parts.shape[0])


@jit(fastmath=SUM)
def _factor(A, group, b, regularization):
    """Complete the coarse matrix by its regularisation and replace its lower half by its Cholesky factor."""
    for j in range(group.size):
        A[group[j], group[j]] += (regularization + 1e-12) * b[j]
    cholesky(A)


@jit(fastmath=SUM)
def _precondition(jacobi, factor, group, r, z):
    """Z = D^-1 r + Z A_c^-1 Z^T r: Jacobi for what is local, groups for what is slow."""
    lift = np.zeros(factor.shape[0])
    for j in range(r.size):
        lift[group[j]] += r[j]
    solve(factor, lift)
    for j in range(r.size):
        z[j] = jacobi[j] * r[j] + lift[group[j]]
