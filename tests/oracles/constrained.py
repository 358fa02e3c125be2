"""Naive twins of the kernels of constrained optimisation: one bound at a time, and dense linear algebra."""

import math

import numpy as np


def kkt_matrix(H, J, sigma, d):
    """Return the KKT matrix block by block."""
    m, n = J.shape
    return np.block([[H + np.diag(np.broadcast_to(sigma, n)), J.T], [J, -np.diag(np.broadcast_to(d, m))]])


def sides(x, low, high, zl, zu):
    """Yield (index, sign of the step that leads towards the bound, distance, multiplier) of every finite bound."""
    for i in range(x.size):
        if math.isfinite(low[i]):
            yield i, -1, float(x[i]) - float(low[i]), float(zl[i])
        if math.isfinite(high[i]):
            yield i, 1, float(high[i]) - float(x[i]), float(zu[i])


def barrier(x, low, high, mu):
    """Return the barrier term and its gradient."""
    gradient, value = np.zeros(x.size), 0.0
    for i, sign, distance, _ in sides(x, low, high, x, x):
        value -= mu * math.log(distance)
        gradient[i] += sign * mu / distance
    return value, gradient


def bound_errors(x, low, high, zl, zu):
    """Return (violation, product)."""
    product = max([0.0, *(z * max(distance, 0) for *_, distance, z in sides(x, low, high, zl, zu))])
    free = [abs(z[i]) for side, z in ((low, zl), (high, zu)) for i in range(x.size) if not math.isfinite(side[i])]
    return max(0.0, (low - x).max(), (x - high).max()), max([product, *free])


def complementarity(x, low, high, zl, zu, mu):
    """Return the largest |z distance - mu|."""
    return max([0.0, *(abs(z * distance - mu) for *_, distance, z in sides(x, low, high, zl, zu))])


def bound_curvature(x, low, high, zl, zu):
    """Return the diagonal that eliminated bound multipliers add."""
    out = np.zeros(x.size)
    for i, _, distance, z in sides(x, low, high, zl, zu):
        out[i] += z / distance
    return out


def bound_steps(x, dx, low, high, zl, zu, mu, fraction):
    """Return (dzl, dzu, primal, dual)."""
    steps, primal, dual = {-1: np.zeros(x.size), 1: np.zeros(x.size)}, 1.0, 1.0
    for i, sign, distance, z in sides(x, low, high, zl, zu):
        step = steps[sign][i] = (mu + sign * z * dx[i]) / distance - z
        if sign * dx[i] > 0:
            primal = min(primal, fraction * distance / abs(dx[i]))
        if step < 0:
            dual = min(dual, -fraction * z / step)
    return steps[-1], steps[1], primal, dual
