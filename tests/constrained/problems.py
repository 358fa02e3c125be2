"""Hock-Schittkowski and other classics by their formulas alone: derivatives come from complex steps and differences."""

import numpy as np
from scipy.optimize import NonlinearConstraint

from numopt.constrained import minimize_constrained

# name: f, c (all equal to 0), start, optimal value
EQUALITY = {
    "HS6": (lambda x: (1 - x[0]) ** 2, lambda x: [10 * (x[1] - x[0] ** 2)], [-1.2, 1], 0),
    "HS7": (
        lambda x: np.log(1 + x[0] ** 2) - x[1],
        lambda x: [(1 + x[0] ** 2) ** 2 + x[1] ** 2 - 4],
        [2, 2],
        -(3**0.5),
    ),
    "HS26": (
        lambda x: (x[0] - x[1]) ** 2 + (x[1] - x[2]) ** 4,
        lambda x: [(1 + x[1] ** 2) * x[0] + x[2] ** 4 - 3],
        [-2.6, 2, 2],
        0,
    ),
    "HS28": (
        lambda x: (x[0] + x[1]) ** 2 + (x[1] + x[2]) ** 2,
        lambda x: [x[0] + 2 * x[1] + 3 * x[2] - 1],
        [-4, 1, 1],
        0,
    ),
    "HS39": (lambda x: -x[0], lambda x: [x[1] - x[0] ** 3 - x[2] ** 2, x[0] ** 2 - x[1] - x[3] ** 2], [2, 2, 2, 2], -1),
    "HS48": (
        lambda x: (x[0] - 1) ** 2 + (x[1] - x[2]) ** 2 + (x[3] - x[4]) ** 2,
        lambda x: [x.sum() - 5, x[2] - 2 * (x[3] + x[4]) + 3],
        [3, 5, -3, 2, -2],
        0,
    ),
    "HS50": (
        lambda x: (x[0] - x[1]) ** 2 + (x[1] - x[2]) ** 2 + (x[2] - x[3]) ** 4 + (x[3] - x[4]) ** 4,
        lambda x: [x[i] + 2 * x[i + 1] + 3 * x[i + 2] - 6 for i in range(3)],
        [35, -31, 11, 5, -5],
        0,
    ),
    "HS52": (
        lambda x: (4 * x[0] - x[1]) ** 2 + (x[1] + x[2] - 2) ** 2 + (x[3] - 1) ** 2 + (x[4] - 1) ** 2,
        lambda x: [x[0] + 3 * x[1], x[2] + x[3] - 2 * x[4], x[1] - x[4]],
        [2] * 5,
        5.32664756,
    ),
    "HS77": (
        lambda x: (x[0] - 1) ** 2 + (x[0] - x[1]) ** 2 + (x[2] - 1) ** 2 + (x[3] - 1) ** 4 + (x[4] - 1) ** 6,
        lambda x: [x[0] ** 2 * x[3] + np.sin(x[3] - x[4]) - 2 * 2**0.5, x[1] + x[2] ** 4 * x[3] ** 2 - 8 - 2**0.5],
        [2] * 5,
        0.24150513,
    ),
    "HS79": (
        lambda x: (x[0] - 1) ** 2 + (x[0] - x[1]) ** 2 + (x[1] - x[2]) ** 2 + (x[2] - x[3]) ** 4 + (x[3] - x[4]) ** 4,
        lambda x: [
            x[0] + x[1] ** 2 + x[2] ** 3 - 2 - 3 * 2**0.5,
            x[1] - x[2] ** 2 + x[3] + 2 - 2 * 2**0.5,
            x[0] * x[4] - 2,
        ],
        [2] * 5,
        0.07877682,
    ),
    "Maratos": (lambda x: -x[0] + 10 * (x @ x - 1), lambda x: [x @ x - 1], [1.1, 0.1], -1),
}


def constraint(c, low=0.0, high=0.0):
    """Return a constraint of scipy's with derivatives as exact as those by hand."""
    return NonlinearConstraint(lambda x: np.array(c(x)), low, high, jac="cs", hess="3-point")


def solve(f, x0, c=None, low=0.0, high=0.0, **keywords):
    """Solve with derivatives as exact as those by hand."""
    if c is not None:
        keywords["constraints"] = constraint(c, low, high)
    return minimize_constrained(f, np.array(x0, float), jac="cs", hess="3-point", **keywords)


def box_problem(seed, n=12):
    """Return (H, g, low, high, solution) of a strictly convex quadratic problem in a box, with a known solution."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, n))
    H = A @ A.T + np.eye(n)
    low, high = -rng.random(n) - 0.1, rng.random(n) + 0.1
    x = np.where(rng.random(n) < 0.3, low, np.where(rng.random(n) < 0.3, high, 0.0))
    z = np.where(x == low, 1.0, np.where(x == high, -1.0, 0.0)) * (0.5 + rng.random(n))
    return H, z - H @ x, low, high, x
