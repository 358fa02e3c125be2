"""What is computed at potentials of the unbalanced problem: on the cost, or on the entries that matter."""

import math
from dataclasses import dataclass

from numopt._array import host
from numopt.ot._search import NotFinite


@dataclass
class Point:
    """Column potentials g and their half step f; the marginals r and c of their plan; what c should be."""

    f: object
    g: object
    r: object
    c: object
    target: object
    value: float  # of the dual, over reg
    error: float
    worst: float  # error of a column relative to its target, where that matters to the error
    plan: object  # what the kernels need of the plan


def half_step(p, point):
    """Return the half step of the columns from the row potentials of a point."""
    step = p.reg * (p.columns.log_weight - p.xp.log(p.xp.clip(point.c, 1e-300, None)))
    return p.columns.tau * (point.g + step)


def evaluated(p, f, g, single, keep, work):
    """Return the `Point` of g, by two passes over the cost, or one if the marginal of the rows is prescribed.

    `f` is a guess of the half step, or None; the plan is kept if asked for.
    """
    cost, k, r, relaxed = p.base.cost, p.base.kernels, p.marginal(0.0), p.rows.rho < math.inf
    f = p.xp.zeros_like(r) if f is None else f
    if relaxed:
        f, g, r = _balanced(p, p.half_step(f, g, single), g)
    half, c, *plan = (k.plan_pass if keep else k.row_pass)(cost, r, f, g, p.reg, single)
    if not relaxed:
        floored = p.reg * (p.rows.log_weight - p.xp.log(r))
        f, g, _ = _balanced(p, half + floored, g)
        half = f - floored
    work["n_passes"] += 1 + relaxed
    return _point(p, f, g, r, c, plan[0] if keep else half)


def _balanced(p, f, g):
    """Shift (f, g), f the half step of g, to where both sides want the same mass; return (f, g, r)."""
    t = p.shift(f, g)
    f, g = f - p.rows.tau * t, g + t
    return f, g, p.marginal(f)


def _point(p, f, g, r, c, plan):
    target, total = p.columns.target(g), p.xp.sum(r)
    value = (p.rows.dual(f) + p.columns.dual(g)) / p.reg - total
    worst = p.xp.max(p.xp.abs(c - target) / (p.xp.minimum(c, target) + 1e-3 * p.base.tol * total))
    numbers = host(value, p.error(c, target, total), worst)
    if not all(map(math.isfinite, numbers)):
        raise NotFinite
    return Point(f, g, r, c, target, *numbers, plan)


def restricted(p, K, start, v):
    """Return the `Point` of g + reg v on the entries K of the plan of `start`."""
    xp, k = p.xp, p.base.kernels
    w = xp.exp(xp.clip(v, -300.0, 300.0))
    s, c = k.pattern_eval(*K, start.r, w)
    log_s = xp.log(xp.clip(s, 1e-300, None))
    f, g, r = _balanced(p, start.f - p.rows.tau * p.reg * log_s, start.g + p.reg * v)
    if p.rows.rho < math.inf:  # r is not that of `start`
        s, c = k.pattern_eval(*K, r, w)
    return _point(p, f, g, r, c, (v, w, s))
