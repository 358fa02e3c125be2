"""Proofs that a linear program has no feasible point, or no finite value; each is tested relative to the data's scale.

An absolute test certifies nonsense: with A = [[1e-6]], b = 1 the multiplier 1 leaves only 1e-6 in A^T r, and x = 1e6 is
feasible.
"""

import math
import warnings

import numpy as np

from numopt._array import host, is_numpy, is_sparse
from numopt._loop import time_left

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


def exact_ray(p, kind):
    """Return a ray of the program by SciPy's exact solver, or None; for programs on the host only.

    kind "infeasible": multipliers that maximise the excess; "unbounded": a direction that minimises c.d.
    """
    if not is_numpy(p.xp):
        return None
    from scipy.optimize import linprog

    A, k = p.A.A, p.m_ub
    m, n = p.A.shape
    down, up = np.isfinite(p.low), np.isfinite(p.high)
    limit = {"time_limit": max(time_left(), 0.0)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "unbounded":
            box = [(-0.0 if f else -1.0, 0.0 if g else 1.0) for f, g in zip(down, up, strict=True)]
            res = linprog(p.c, A[:k] if k else None, np.zeros(k) if k else None, A[k:] if k < m else None,
                          np.zeros(m - k) if k < m else None, box, method="highs", options=limit)  # fmt: skip
            return res.x if res.status == 0 else None
        # g = A^T r = s - t with s, t >= 0, s = 0 where there is no lower bound, t = 0 where there is no upper one
        if is_sparse(A):
            import scipy.sparse as sparse

            eye = sparse.eye_array(n)
            rows = sparse.hstack([A.T, -eye, eye], format="csr")
        else:
            rows = np.hstack([A.T, -np.eye(n), np.eye(n)])
        low, high = np.where(down, p.low, 0.0), np.where(up, p.high, 0.0)
        box = [(0.0 if i < k else -1.0, 1.0) for i in range(m)]
        box += [(0.0, None if f else 0.0) for f in down] + [(0.0, None if f else 0.0) for f in up]
        res = linprog(np.r_[p.b, -low, high], A_eq=rows, b_eq=np.zeros(n), bounds=box, method="highs",
                      options=limit)  # fmt: skip
        return res.x[:m] if res.status == 0 else None
