"""Proofs that a linear program has no feasible point, or no finite value; each is tested relative to the data's scale.

An absolute test certifies nonsense: with A = [[1e-6]], b = 1 the multiplier 1 leaves only 1e-6 in A^T r, and x = 1e6 is
feasible.
"""

import math

import numpy as np

from numopt._array import host, is_sparse
from numopt.monotone._highs import highs

ZERO = 1e-9  # what counts as rounding, relative to the sum of absolute terms


def infeasible(p, r):
    """Test multipliers r of the rows; return (proven, l1 norm that no feasible point falls below).

    With r >= 0 on inequalities, a feasible x has r.(A x - b) <= 0. If the minimum of the left side over the bounds is
    positive, there is none.
    """
    xp = p.xp
    r = xp.maximum(r, p.signs())
    absolute = p.A.absolute()
    g, size = p.A.adjoint(r), absolute.adjoint(xp.abs(r))
    zero = xp.zeros_like(g)
    bound = xp.where(g > 0, p.low, p.high)
    held = xp.isfinite(bound) | (g == 0)
    terms = xp.where(held & (g != 0), g * xp.where(xp.isfinite(bound), bound, 0.0), zero)
    loose = xp.where(held, zero, xp.abs(g))
    excess = xp.sum(terms) - xp.sum(p.b * r)
    terms_size = xp.sum(xp.abs(terms)) + xp.sum(xp.abs(p.b * r))
    bad = xp.max(loose - ZERO * size)
    worst, excess, terms_size, bad = host(xp.max(loose), excess, terms_size, bad)
    proven = bad <= 0 and excess > ZERO * terms_size and excess > 0
    return proven, (excess / worst if worst > 0 else math.inf)


def unbounded(p, d):
    """Test a direction d: whether it stays feasible for ever and costs less and less."""
    xp = p.xp
    down, up = xp.isfinite(p.low), xp.isfinite(p.high)
    d = xp.where(down, xp.maximum(d, xp.zeros_like(d)), d)
    d = xp.where(up, xp.minimum(d, xp.zeros_like(d)), d)
    absolute = p.A.absolute()
    Ad, size = p.A.forward(d), absolute.forward(xp.abs(d))
    off = xp.concat((xp.maximum(Ad[: p.m_ub], xp.zeros_like(Ad[: p.m_ub])), xp.abs(Ad[p.m_ub :])))
    bad, gain, scale = host(xp.max(off - ZERO * size), xp.sum(p.c * d), xp.sum(xp.abs(p.c * d)))
    return bad <= 0 and gain < -ZERO * scale and gain < 0, d


def least_violation(p):
    """Return (x, r) by SciPy's exact solver: the point that violates scaled rows least, and multipliers; or None.

    If the sum of violations cannot be 0, the multipliers prove it.
    """
    (A, rows, columns), k = p.scaled, p.m_ub
    m, n = A.shape
    A, eye = A.A, np.eye(m)
    if is_sparse(A):
        import scipy.sparse as sparse

        eye = sparse.eye_array(m, format="csc")
        A = sparse.hstack([A, -eye, eye[:, k:]], format="csr")
    else:
        A = np.hstack([A, -eye, eye[:, k:]])
    c, unit = np.zeros(A.shape[1]), p.sides[1]
    c[n:] = 1.0
    low, high = (np.pad(end / columns / unit, (0, c.size - n), constant_values=value)
                 for end, value in ((p.low, 0.0), (p.high, np.inf)))  # fmt: skip
    found = highs(A, k, c, p.b * rows / unit, low, high)
    return None if found is None else (found[0][:n] * columns * unit, found[1] * rows)


def steepest(p):
    """Return the direction that gains most, by SciPy's exact solver; or None."""
    A, _, columns = p.scaled
    found = highs(A.A, p.m_ub, p.c * columns / p.costs[1], 0.0 * p.b,
                  -1.0 * np.isinf(p.low), 1.0 * np.isinf(p.high))  # fmt: skip
    return None if found is None else found[0] * columns
