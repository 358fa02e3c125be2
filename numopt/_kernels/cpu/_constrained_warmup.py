"""What compiles the kernels of constrained optimisation: a call of each."""

import numpy as np

from numopt._kernels.cpu import _constrained_dense as _dense


def warmup(dtype):
    """Compile for one dtype."""
    from numopt._kernels.cpu import constrained as k

    one = np.ones(2, dtype)
    eye = np.eye(2, dtype=dtype)
    mu = float(one[0])
    factor, *_ = k.kkt_factor(eye, eye[:1], 0.0, one[:1])
    big = np.eye(_dense.SMALL, dtype=dtype)
    k.kkt_factor(big, big[:1], 0.0, 0.0)
    for sigma in (0.0, one):
        k.kkt_newton(eye, eye[:1], sigma, 0.0, one, one[:1], factor)
    k.singular_range(eye)
    k.kkt_solve(factor, one, one[:1])
    k.kkt_direction(factor, one, one[:1])
    k.sum_of_squares(one)
    k.sum_of_magnitudes(one)
    k.slope_and_reach(one, one, one)
    k.added_curvature(eye, eye, one, one)
    k.kkt_errors(one, eye, one, one, one, one, one, mu)
    k.lagrangian_measures(one.copy(), eye, one, one, one, mu)
    for function in (k.bound_errors, k.bound_curvature):
        function(one, 0 * one, 2 * one, one, one)
    k.pushed(one, 0 * one, 2 * one, 0.01)
    k.barrier(one, 0 * one, 2 * one, mu)
    k.complementarity(one, 0 * one, 2 * one, one, one, mu)
    k.bound_steps(one, one, 0 * one, 2 * one, one, one, mu, 0.99)
    k.bound_reset(one, 0 * one, 2 * one, one, one, mu)
    k.project_rows(eye, one, one, np.arange(2))
    parts, *_ = k.sparse_ldl(np.arange(2), np.arange(2), one, 2, None)
    k.sparse_ldl_solve(parts, one)
