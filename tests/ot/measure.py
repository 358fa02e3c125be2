"""The ruler of these tests: plans and errors recomputed in plain NumPy from the potentials, and instances."""

import numpy as np


def plan_of(result, a, b, C):
    """Return exp((f + g - C) / reg) in float64, 0 where a weight is 0."""
    f, g, C = (np.asarray(x, dtype=float) for x in (result.f, result.g, C))
    with np.errstate(over="ignore"):
        P = np.exp((f[:, None] + (g - C)) / result.reg)
    return np.where((np.asarray(a)[:, None] > 0) & (np.asarray(b) > 0), P, 0.0)


def violation(P, a, b):
    """Return the l1 violation of both marginals relative to the mass."""
    return (np.abs(P.sum(axis=1) - a).sum() + np.abs(P.sum(axis=0) - b).sum()) / np.sum(a)


def certified(result, a, b, C, tol=1e-9):
    """Assert that a result succeeded and that what it claims is true; return its plan."""
    P = plan_of(result, a, b, C)
    rounding = 3e-16 * np.abs(C[np.isfinite(C)]).max() / result.reg + 1e-15 * sum(C.shape)
    assert result.success is True, result.message
    assert result.marginal_error <= tol
    assert violation(P, a, b) <= tol + rounding
    assert np.isfinite(result.f).all()
    assert np.isfinite(result.g).all()
    return P


def squares(n, m, seed=0, dim=2):
    """Return (a, b, C): points in a cube, squared distances, uneven weights."""
    rng = np.random.default_rng(seed)
    a, b = rng.random(n) + 0.5, rng.random(m) + 0.5
    X, Y = rng.random((n, dim)), rng.random((m, dim))
    return a / a.sum(), b / b.sum(), ((X[:, None] - Y) ** 2).sum(axis=2)


def grid(side, seed=0):
    """Return (a, b, C): an integer grid with l1 distances, where optimal plans are far from unique."""
    rng = np.random.default_rng(seed)
    points = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)
    a, b = rng.random(side**2) + 0.1, rng.random(side**2) + 0.1
    return a / a.sum(), b / b.sum(), np.abs(points[:, None] - points).sum(axis=2)


def dirichlet(seed, alpha):
    """Return (a, b, C, reg): sizes up to 60, weights over many orders of magnitude, reg from 1e-4 to 1."""
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 61, 2)
    reg = 10 ** rng.uniform(-4, 0)
    a, b = rng.dirichlet(np.full(n, alpha)), rng.dirichlet(np.full(m, alpha))
    if seed % 2:
        return a, b, rng.random((n, m)), reg
    return a, b, ((rng.random((n, 1, 2)) - rng.random((1, m, 2))) ** 2).sum(axis=2), reg
