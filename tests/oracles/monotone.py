"""Naive twins for games, inclusions and linear programs: NumPy, float64, plain loops."""

import numpy as np
from scipy.optimize import linprog


def simplex(v, total, w=1.0):
    """Return the nearest point of {x >= 0, w.x = total} by bisection for the threshold."""
    w = w * np.ones_like(v)
    low, high = ((v - total / w) / w).min(), (v / w).max()
    for _ in range(200):
        mid = (low + high) / 2
        low, high = (mid, high) if (w * np.maximum(v - mid * w, 0)).sum() > total else (low, mid)
    return np.maximum(v - high * w, 0)


def game_value(A):
    """Return the value of the game by SciPy's solver."""
    m, n = A.shape
    res = linprog(np.r_[np.zeros(n), 1], np.c_[A, -np.ones(m)], np.zeros(m), np.r_[np.ones(n), 0][None], [1],
                  [(0, None)] * n + [(None, None)])  # fmt: skip
    return res.fun


def gap(A, x, y):
    """Return max (A x) - min (A^T y)."""
    return (A @ x).max() - (y @ A).min()


def pdhg(A, c, b, X, Y, x, y, k, tau, sigma, steps):
    """Take steps of reflected Halpern PDHG from (x, y), also the anchor; return the point and the last hat."""
    x0, y0 = x, y
    for i in range(k, k + steps):
        xh = X(x - tau * (c + A.T @ y))
        yh = Y(y + sigma * (A @ (2 * xh - x) - b))
        a = (i + 1) / (i + 2)
        x, y = a * (2 * xh - x) + (1 - a) * x0, a * (2 * yh - y) + (1 - a) * y0
    return x, y, xh, yh


def svrg(A, b, phi, ridge, z, index, weights, step, lower, upper, shrink):
    """Take steps of SVRG from the snapshot z."""
    n = len(b)
    w = z
    F = sum(phi(A[i] @ w, b[i]) * A[i] for i in range(n)) / n + ridge * w
    for i, weight in zip(index, weights, strict=True):
        z = z - step * (F + weight * ((phi(A[i] @ z, b[i]) - phi(A[i] @ w, b[i])) * A[i] + ridge * (z - w)))
        z = np.clip(np.sign(z) * np.maximum(abs(z) - step * shrink, 0), lower, upper)
    return z


def program_errors(c, b, low, high, m_ub, rows, columns, sizes, least, x, y, Ax, ATy):
    """Return (largest, primal, dual, gap, value, dual value), a row and a column at a time."""
    off = [Ax[i] - b[i] if i >= m_ub or not Ax[i] < b[i] else 0.0 for i in range(b.size)]
    paid, loose = [], []
    for j, reduced in enumerate(c + ATy):
        bound = low[j] if reduced > 0 else high[j]
        paid.append(reduced * bound if np.isfinite(bound) else 0.0)
        loose.append(0.0 if np.isfinite(bound) else reduced)
    norm, (side, side_scaled, cost, cost_scaled) = np.linalg.norm, sizes
    primal = np.maximum(norm(off) / side, norm(off * rows) / side_scaled)
    dual = np.maximum(norm(loose) / cost, norm(loose * columns) / cost_scaled)
    value, dual_value = c @ x, sum(paid) - b @ y
    size = abs(c * x).sum() + abs(b * y).sum() + abs(np.array(paid)).sum()
    size = max(size, least * (cost_scaled * norm(x / columns) + side_scaled * norm(y / rows)))
    gap = abs(value - dual_value) / size
    return np.max([primal, dual, gap]), primal, dual, gap, value, dual_value
