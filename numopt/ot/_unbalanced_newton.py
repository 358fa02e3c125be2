"""Annealed semi-dual Newton for penalised marginals.

The rows are eliminated: f(g) = tau reg (log a - LSE_j((g_j - C_ij) / reg)) makes P 1 = r = a exp(-f / rho1), and
what is left is concave in g, with gradient b exp(-g / rho2) - P^T 1 and Hessian -S / reg, where

    S / tau = L + diag((reg / rho1) P^T 1 + (reg / (tau rho2)) b exp(-g / rho2)),   L = diag(P^T 1) - P^T diag(1 / r) P.

L is the graph Laplacian of the balanced problem, so its kernels serve here: with r for the weights of the
rows, and a diagonal on top. Every evaluation also maximises over constants added to g, in closed form:
that sets the mass of the plan, the slowest part of Sinkhorn's iteration when reg is small against rho.
"""

import math
from functools import partial

from numopt._array import host
from numopt._loop import Iterate, Status
from numopt.ot._search import NotFinite
from numopt.ot._unbalanced_points import evaluated, half_step, restricted

FACTOR = 4.0  # between levels of reg
ROUGH = 2e-2  # error at which a level is left
WORST = 1.0  # ... and the worst column, relative to its own mass: small ones cannot catch up later
SLOW = 0.2  # of the error, after a sweep: Newton's method is better
FAST = 8  # sweeps at once where each gains a factor of ten
SMOOTH = 2e-2  # levels above this fraction of the scale are left to sweeps
SPARSE = 0.3  # share of entries that matter below which they are extracted
DEPTH = 1e-10  # what matters: P_ij >= DEPTH min(r_i, c_j) ...
REACH = 20.0  # ... as long as no potential moves by more than this many reg
LARGEST_PLAN = 2**26  # entries of the plan that Newton may keep in full
SWEEPS = 3  # before Newton's first step on entries: cheap, and they damp what is local
RADIUS = 6.0  # of the first trial step, in reg


def unbalanced_newton(p, g=None):
    """Yield the iterates; from column potentials `g` at once at the target, else down from the scale."""
    try:
        yield from _levels(p, g)
    except NotFinite:
        return Status.NONFINITE
    return Status.STALLED


def _levels(p, g):
    base = p.base
    work = {"n_newton": 0, "n_passes": 1, "n_cg": 0, "nnz": 0}
    coarse = p.thinned(max(1, min(4, base.a.shape[0] // 500)))
    f, points, density, rungs = None, [], 0.0, 0
    if g is None:
        g, density = p.xp.astype(base.start[1], p.xp.float64), 1.0
        rungs = int(math.log(max(min(base.scale, *p.rho) / p.reg, 1.0)) / math.log(FACTOR) + 0.3)
    for rung in range(rungs, -1, -1):
        reg, last = p.reg * FACTOR**rung, rung == 0
        work["reg"] = reg
        f, g = _predict(points, reg, f, g)
        if reg > SMOOTH * base.scale and not last:
            f, g = yield from _sweeps(coarse.at(reg), g, work)
        elif density > SPARSE and base.a.shape[0] * base.b.shape[0] <= LARGEST_PLAN:
            f, g, density = yield from _on_plan(p.at(reg), f, g, last, work)
            if last:  # its directions no longer help: they are rounded
                yield from _on_entries(p.at(reg), f, g, last, work)
        else:
            f, g = yield from _on_entries(p.at(reg), f, g, last, work)
        points = [*points[-1:], (reg, f, g)]


def _predict(points, reg, f, g):
    """Extrapolate the potentials of two levels linearly in reg."""
    if len(points) < 2:
        return f, g
    (r1, f1, g1), (r2, f2, g2) = points
    t = (reg - r2) / (r2 - r1)
    return (None if f1 is None or f2 is None else f2 + t * (f2 - f1)), g2 + t * (g2 - g1)


def _sweeps(p, g, work):
    """Two of Sinkhorn's sweeps on some of the rows, and Newton's method where the second gains little."""
    f, errors = None, []
    for _ in range(2):
        point = evaluated(p, f, g, False, False, work)
        f, g, errors = point.f, half_step(p, point), [*errors, point.error]
    yield Iterate((None, g), None, dict(work))
    if errors[1] > SLOW * errors[0] and not _rough(point):
        _, g, _ = yield from _on_plan(p, None, g, False, work)
    return None, g


def _sweep(p, f, g, work):
    """Return the half step of the rows and, from there, that of the columns."""
    point = evaluated(p, f, g, False, False, work)
    return point.f, half_step(p, point)


def _rough(point):
    """Say whether a level has done its part."""
    return point.error <= ROUGH and point.worst <= WORST


def _direction(p, kernel, point, rtol, work):
    """Solve S d = gradient by a kernel for L and a diagonal, which it takes as weights times a factor.

    None stands for a system that rounding has made indefinite.
    """
    tau = p.rows.tau
    rows, columns = p.reg / p.rho[0], p.reg / p.rho[1] / tau + min(1e-3, 1e-2 * point.error)
    weights = (rows * point.c + columns * point.target) / (rows + columns)
    d, steps = kernel(weights, (point.target - point.c) / tau, rows + columns, rtol, 400)
    work["n_newton"], work["n_cg"] = work["n_newton"] + 1, work["n_cg"] + steps
    return d if steps else None


def _on_plan(p, f, g, last, work):
    """Newton on the whole plan, which each evaluation leaves for the next direction."""
    k, failures, group = p.base.kernels, 0, None
    while failures < 3:
        single = failures == 0
        for _ in range(1 if p.rows.tau * p.columns.tau > 0.1 else FAST):
            f, g = _sweep(p, f, g, work)
        point = evaluated(p, f, g, single, True, work)
        if group is None:
            group = k.groups(p.base.cost, point.f)
        while last or not _rough(point):
            yield Iterate((point.f if last else None, point.g), point.error if last else None, dict(work))
            kernel, rtol = partial(k.plan_direction, point.plan, *group), max(1e-3, min(0.1, point.error))
            d, noise = _direction(p, kernel, point, rtol, work), 1e-6 if single else 1e-13
            single = point.error > 1e-3 and failures == 0

            def evaluate(d, point=point, single=single):
                return evaluated(p, point.f, point.g + p.reg * d, single, True, work)

            better = _search(p, evaluate, point, d, noise, math.inf)
            if better is None:
                break
            point = better
        f, g = point.f, point.g
        if _rough(point) and not last:
            break
        failures += 1
    return f, g, k.plan_density(point.plan, point.r, point.c, DEPTH)


def _on_entries(p, f, g, last, work):
    """Newton on the entries that matter, K: the plan of g + reg v is diag(1 / s) K diag(exp(v))."""
    xp, k, cost = p.xp, p.base.kernels, p.base.cost
    final = min(DEPTH, max(3e-3 * p.base.tol, 1e-30))
    depth, group, failures, fresh, start, far = DEPTH, None, 0, True, None, False
    while failures < 3:
        if failures:
            f, g = _sweep(p, f, g, work)
        before, start = start, evaluated(p, f, g, False, False, work)
        if far:
            start = _further(p, before, start, work)
        if group is None:
            group = k.groups(cost, start.f)
        logs = (xp.log(xp.clip(x, 1e-300, None)) for x in (start.r, start.c))
        K = k.extract(cost, start.plan, start.g, p.reg, *logs, math.log(depth))
        work["n_passes"], work["nnz"] = work["n_passes"] + 1, K[0].shape[0]
        point = restricted(p, K, start, xp.zeros_like(start.g))
        for _ in range(SWEEPS if fresh else 0):
            v = point.plan[0] + (half_step(p, point) - point.g) / p.reg
            point = restricted(p, K, start, xp.clip(v, -REACH, REACH))
        fresh = False
        settled = last and depth <= 1.01 * final
        goal = -1.0 if settled or not last else max(100 * DEPTH, 0.1 * p.base.tol)
        while point.error > goal and (last or not _rough(point)) and not host(xp.max(xp.abs(point.plan[0]))) > REACH:
            rebuild = yield Iterate((point.f if last else None, point.g), point.error if settled else None, dict(work))
            if rebuild:
                final *= 1e-3
                break
            v, w, s = point.plan
            drop, rtol = min(1e-3, 0.1 * point.error), max(1e-3, min(0.05, point.error))

            def kernel(weights, *rest, K=K, r=point.r, w=w, s=s, group=group, drop=drop):
                return k.pattern_direction(*K, r, weights, w, s, *group, drop, *rest)

            def evaluate(d, K=K, start=start, v=v):
                return restricted(p, K, start, v + d)

            better = _search(p, evaluate, point, _direction(p, kernel, point, rtol, work), 1e-13)
            if better is None:
                failures += 1
                break
            point = better
        f, g, far = point.f, point.g, host(xp.max(xp.abs(point.plan[0]))) > REACH
        if _rough(point) and not last:
            break
        if point.error <= max(goal, 100 * DEPTH) and last:
            depth = final
    return f, g


def _further(p, before, point, work):
    """Double a move that ended where the entries do, as long as value and error gain on the whole cost.

    A part of the plan that no pair connects to the others may have to move by rho, thousands of times reg.
    """
    move = point.g - before.g
    while True:
        trial = evaluated(p, None, point.g + move, False, False, work)
        if not (trial.value > point.value and trial.error < point.error):
            return point
        point, move = trial, 2 * move


def _search(p, evaluate, point, d, noise, longest=4.0):
    """Return a point along the direction d that is better in value, or in error at an equal value.

    Two first steps compete when d is long: shortened as a whole it is safe; clipped, columns that are giving
    up their mass, at steps of rho / reg, do not hold up the others. A step that gains in value and
    error is doubled, which moves parts of the plan that hardly any pair connects.
    """
    if d is None:
        return None
    xp, slack = p.xp, noise * max(1.0, abs(point.value))
    size = host(xp.max(xp.abs(d)))
    step = d * min(1.0, RADIUS / max(size, 1.0))
    trial = evaluate(step)
    if size > RADIUS:
        clipped = xp.clip(d, -RADIUS, RADIUS)
        other = evaluate(clipped)
        gain = other.value - trial.value
        if gain > slack or (gain >= -slack and other.error < trial.error):
            step, trial = clipped, other
    t, slope = 1.0, host(xp.sum((point.target - point.c) * step))
    while not _better(trial, point, 1e-4 * t * max(slope, 0.0), slack):
        t *= 0.4
        if t < 1e-4:
            return None
        trial = evaluate(t * step)
    while 1.0 <= t < longest and t * RADIUS < size:
        further = evaluate(2 * t * step)
        if not (further.value > trial.value and further.error < trial.error):
            break
        t, trial = 2 * t, further
    return trial


def _better(trial, point, least, slack):
    gain = trial.value - point.value
    return gain >= least or (gain >= -slack and trial.error <= 0.9 * point.error)
