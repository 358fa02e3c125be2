"""SciPy's exact solver, HiGHS, on programs in one block of rows."""

import warnings

import numpy as np

from numopt._loop import time_left


def highs(A, k, c, b, low, high, **options):
    """Return (x, y) that minimise c.x where A x <= b in the first k rows, A x = b in the others; None if not solved."""
    from scipy.optimize import linprog

    ub = {"A_ub": A[:k], "b_ub": b[:k]} if k else {}
    eq = {"A_eq": A[k:], "b_eq": b[k:]} if k < b.size else {}
    options |= {"time_limit": max(time_left(), 0.0)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = linprog(c, **ub, **eq, bounds=np.stack((low, high), axis=1), method="highs-ds", options=options)
    if found.status != 0:
        return None
    return found.x, -np.concatenate((found.ineqlin.marginals, found.eqlin.marginals))
