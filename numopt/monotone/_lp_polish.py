"""Identify and polish: a first-order method finds which variables are in use, SciPy's exact solver their values.

Long before the iterates are exact, their reduced costs tell most variables that stay at a bound. The program on
the others is small; what would improve it from outside is added, and it is solved again: sifting.
"""

import math

import numpy as np

from numopt._array import is_numpy, is_sparse
from numopt.monotone._highs import highs

ROUNDS = 8
KEPT = 5  # variables for each row, to begin with
MOST = 1000  # rows: beyond, fill-in makes a simplex method slow, which no formula foresees
OVERHEAD = 4e7  # what an attempt costs at least, in entries read by a pass
STEP = 250  # what a step of the simplex method costs, for each row and each entry of a column


def price(p):
    """Return what an attempt costs, in entries read by a pass: from the sizes alone."""
    return OVERHEAD + simplex(p) if is_numpy(p.xp) and p.A.shape[0] <= MOST else math.inf


def simplex(p):
    """Return what a simplex method may cost, in the same unit."""
    m, n = p.A.shape
    entries = p.A.A.nnz if is_sparse(p.A.A) else m * n
    return 2 * m * STEP * m * entries / n


def sifted(p, c, b, low, high, y):
    """Yield pairs (x, y) of the scaled program, each exact for the variables that it uses."""
    A = p.scaled[0]
    m = A.shape[0]
    units = np.linalg.norm(c) or 1.0, np.linalg.norm(b) or 1.0  # the solver's tolerances are absolute
    kept, used = KEPT * m, None
    for _ in range(ROUNDS):
        x, wish = _at_bounds(low, high, c + A.adjoint(y))
        used = _least(wish, kept) if used is None else used
        x[used] = 0.0
        found = _solved(p, used, c / units[0], (b - A.forward(x)) / units[1], low / units[1], high / units[1])
        if found is None:
            if used.all():
                return
            kept, used = 4 * kept, None  # these were too few for a feasible point
            continue
        x[used], y = found[0] * units[1], found[1] * units[0]
        yield x, y
        _, wish = _at_bounds(low, high, c + A.adjoint(y))
        wish[used] = 0.0
        better = _least(wish, m) & (wish < 0)
        if not better.any():
            return
        used = used | better


def _at_bounds(low, high, reduced):
    """Return the point whose variables are at the bound that these costs prefer, and how little they prefer it."""
    below, above = np.isfinite(low), np.isfinite(high)
    x = np.where(below & ((reduced > 0) | ~above), low, np.where(above, high, 0.0))
    wish = np.where(below & above, np.abs(reduced), np.where(below, reduced, -reduced))
    return x, np.where(below | above, wish, -np.inf)


def _least(values, count):
    """Return a mask of the least values."""
    mask = np.zeros(values.size, bool)
    mask[np.argsort(values, kind="stable")[:count]] = True
    return mask


def _solved(p, used, c, b, low, high):
    """Return (x, y) of the program on some variables, or None."""
    A = p.scaled[0]
    if is_sparse(A.A):
        from scipy.sparse import csc_array

        rows = csc_array(A.parts[3:], shape=A.shape)[:, used]
    else:
        rows = A.A[:, used]
    return highs(rows, p.m_ub, c[used], b, low[used], high[used], maxiter=10 * A.shape[0] + 1000)
