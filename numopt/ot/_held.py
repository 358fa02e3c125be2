"""Weights that are zero or negligible: held out of the iteration, given their potentials at the end.

A column whose weight is far below the tolerance cannot be told from rounding in the marginal error, yet
it would stretch every exponent of the iteration. One half sweep in the log domain is exact enough there.
"""

import math
from dataclasses import replace

import numpy as np

from numopt._array import device, host, turned


def hold_out(p, limit):
    """Return `p` on the weights above `limit`; the subset of a dense cost is copied."""
    rows, columns = (np.flatnonzero(host(w) > limit) for w in (p.a, p.b))
    rows, columns = _index(p, rows), _index(p, columns)
    a, b = p.xp.take(p.a, rows), p.xp.take(p.b, columns)
    return replace(p, a=a, b=b, cost=_subset(p.xp, p.cost, rows, columns), rows=rows, columns=columns, whole=p)


def stranded(p):
    """Say whether forbidden pairs leave a weight that was held out, but is not zero, only to others of its kind."""
    xp, whole = p.xp, p.whole
    for axis, kept, weights in ((0, p.rows, whole.a), (1, p.columns, whole.b)):
        held = _others(p, kept, weights)
        held = _index(p, host(held)[host(xp.take(weights, held)) > 0])
        if held.shape[0]:
            C = xp.take(xp.take(whole.cost[0], held, axis=axis), p.rows if axis else p.columns, axis=1 - axis)
            if host(xp.max(xp.min(C, axis=1 - axis))) == math.inf:
                return True
    return False


def expand(p, f, g):
    """Return potentials for all weights: the c-transform where a weight is zero."""
    xp, whole = p.xp, p.whole
    held_rows, held_columns = _others(p, p.rows, whole.a), _others(p, p.columns, whole.b)
    cost = _subset(xp, whole.cost, held_rows, p.columns)
    f = _merge(p, f, _half_sweep(p, cost, xp.take(whole.a, held_rows), g), p.rows, held_rows)
    # from all rows, lest the entry of two held weights that are close be made twice
    all_rows = _index(p, np.arange(whole.a.shape[0]))
    cost = transposed(xp, _subset(xp, whole.cost, all_rows, held_columns))
    seen = xp.where(whole.a > 0, f, -math.inf)
    g_held = _half_sweep(p, cost, xp.take(whole.b, held_columns), seen)
    return f, _merge(p, g, g_held, p.columns, held_columns)


def visible(p, f, g):
    """Return (f, g) with -inf where a weight is zero: the plan has no entries there."""
    xp = p.xp
    return xp.where(p.a > 0, f, -math.inf), xp.where(p.b > 0, g, -math.inf)


def transposed(xp, cost):
    """Return the cost from columns to rows; a dense cost is copied."""
    C, X, YT, kind = cost
    return turned(xp, C), turned(xp, YT), turned(xp, X), kind


def _subset(xp, cost, rows, columns):
    C, X, YT, kind = cost
    if kind:
        return C, xp.take(X, rows, axis=0), xp.take(YT, columns, axis=1), kind
    return xp.take(xp.take(C, rows, axis=0), columns, axis=1), X, YT, kind


def columns_in_log_domain(p, lost, f, g, reg):
    """Return g with the half step from f, in the log domain, for the columns that are `lost`."""
    xp = p.xp
    columns = _index(p, np.flatnonzero(host(lost)))
    if columns.shape[0] == 0:
        return g
    rows = _index(p, np.arange(p.a.shape[0]))
    cost = transposed(xp, _subset(xp, p.cost, rows, columns))
    b = xp.take(p.b, columns)
    new, _ = p.kernels.row_pass(cost, b, xp.zeros_like(b), f, reg, False)
    return _merge(p, xp.take(g, _others(p, columns, g)), new, _others(p, columns, g), columns)


def _half_sweep(p, cost, weights, g):
    """Return reg (log w_i - LSE_j((g_j - C_ij) / reg)), or min_j (C_ij - g_j) where w_i = 0."""
    xp = p.xp
    if weights.shape[0] == 0:
        return weights
    least = float(xp.finfo(weights.dtype).smallest_normal)  # below it, kernels may take the logarithm of 0
    ones = xp.where(weights > 0, xp.clip(weights, least, None), 1.0)
    swept, _ = p.kernels.row_pass(cost, ones, xp.zeros_like(weights), g, p.reg, False)
    bound = p.kernels.c_transform(cost, g)
    return xp.where(weights > 0, swept, xp.where(bound < math.inf, bound, 0.0))  # 0 where no pair is allowed


def _index(p, positions):
    return p.xp.asarray(positions, dtype=p.xp.int64, device=device(p.a))


def _others(p, kept, weights):
    return _index(p, np.setdiff1d(np.arange(weights.shape[0]), host(kept)))


def _merge(p, kept, held, kept_index, held_index):
    order = np.argsort(np.concatenate([host(kept_index), host(held_index)]))
    return p.xp.take(p.xp.concat([kept, held]), _index(p, order))
