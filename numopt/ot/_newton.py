"""Annealed semi-dual Newton: the default.

The rows are eliminated: f(g) makes P1 = a, and what is left is to maximise the concave function
G(g) = <a, f(g)> + <b, g>, whose gradient is b - c with c = P^T 1 and whose Hessian is -S / reg with the graph
Laplacian S = diag(c) - P^T diag(1/a) P. The regularisation falls by factors of 4 to its target; the potentials of
two levels predict those of the next. At a high level the plan is smooth and Sinkhorn's sweeps do; then
Newton steps on the whole plan, kept in 16 bits an entry; then, as the plan becomes sparse, on the entries
that matter, extracted from the cost once or twice a level. Only a pass over every entry ends the run.
"""

import math

from numopt._array import host
from numopt._loop import Iterate, Status

FACTOR = 4.0  # between levels; 2 to 8 cost about the same
ROUGH = 2e-2  # marginal error at which a level is left
SMOOTH = 2e-2  # levels above this fraction of the scale are left to Sinkhorn's sweeps
SPARSE = 0.3  # share of entries that matter below which they are extracted
DEPTH = 1e-12  # what matters: P_ij >= DEPTH min(a_i, b_j) ...
REACH = 24.0  # ... as long as no potential moves by more than this many reg (log(1/DEPTH) is 23)
LARGEST_PLAN = 2**26  # entries of the plan that Newton may keep in full
RADIUS = 6.0  # of the first trial step, in reg


def annealed_newton(p, g=None):
    """Yield the iterates; from column potentials `g` at once at the target, else down from the scale."""
    n, m = p.shape
    work = {"n_newton": 0, "n_passes": 1, "n_cg": 0, "nnz": 0}
    step = max(1, min(2, n // 500))
    coarse = p.thinned(step)
    f, points, density = None, [], 0.0
    rungs = 0
    if g is None:
        g, density = p.start[1], 1.0
        rungs = max(0, int(math.log(p.scale / p.reg) / math.log(FACTOR) + 0.3))
    for rung in range(rungs, -1, -1):
        reg, last = p.reg * FACTOR**rung, rung == 0
        work["reg"] = reg
        f, g = _predict(points, reg, f, g)
        if reg > SMOOTH * p.scale and not last:
            f, g = yield from _sweeps(coarse, g, reg, work, 3)
        elif density > SPARSE and n * m <= LARGEST_PLAN:
            f, g, density = yield from _on_plan(p, f, g, reg, last, work)
        else:
            f, g = yield from _on_entries(p, f, g, reg, last, work)
        points = [*points[-1:], (reg, f, g)]
    return Status.STALLED


def _predict(points, reg, f, g):
    """Extrapolate the potentials of two levels linearly in reg."""
    if len(points) < 2:
        return f, g
    (r1, f1, g1), (r2, f2, g2) = points
    t = (reg - r2) / (r2 - r1)
    return (None if f1 is None or f2 is None else f2 + t * (f2 - f1)), g2 + t * (g2 - g1)


def _sweeps(p, g, reg, work, number):
    """Sinkhorn's sweeps, on some of the rows: enough where the plan is smooth."""
    f = p.xp.zeros_like(p.a)
    for _ in range(number):
        f, c = p.kernels.row_pass(p.cost, p.a, f, g, reg, True)
        g = g + reg * p.xp.log(p.b / c)
    work["n_passes"] += number
    yield Iterate((None, g), None, dict(work))
    return None, g


def _on_plan(p, f, g, reg, last, work):
    """Newton on the whole plan: each pass over the cost is exact and leaves the plan for the next direction."""
    xp, k = p.xp, p.kernels

    def evaluate(v):
        f_v, c, P = k.plan_pass(p.cost, p.a, f, g + reg * v, reg, single)
        work["n_passes"] += 1
        value, error = host((p.dot(p.a, f_v) + p.dot(p.b, g + reg * v)) / reg, p.error(c))
        return v, (f_v, P), c, value, error

    single = True
    f, g = _sinkhorn_step(p, xp.zeros_like(p.a) if f is None else f, g, reg, work)
    v, (f, P), c, value, error = point = evaluate(xp.zeros_like(g))
    group, count = k.groups(p.cost, f)
    while last or error > ROUGH:
        work["level_error"] = error
        yield Iterate((f, g + reg * v), error, dict(work)) if last else Iterate((None, g + reg * v), None, dict(work))
        d, steps = k.plan_direction(
            P, group, count, p.b, p.b - c, min(1e-3, 1e-2 * error), max(1e-3, min(0.1, error)), 400
        )
        work["n_newton"], work["n_cg"] = work["n_newton"] + 1, work["n_cg"] + steps
        single = error > 1e-3
        better = _search(p, evaluate, point, d, single)
        if better is None:
            break
        v, (f, P), c, value, error = point = better
    return f, g + reg * v, k.plan_density(P, p.a, p.b, DEPTH)


def _on_entries(p, f, g, reg, last, work):
    """Newton on the entries that matter, K: the plan of g + reg v is diag(1/s) K diag(exp(v)), without exp or cost."""
    xp, k = p.xp, p.kernels
    if f is None:
        f, g = _sinkhorn_step(p, xp.zeros_like(p.a), g, reg, work)
    group, count = k.groups(p.cost, f)
    final = min(DEPTH, 3e-3 * p.tol)
    depth = DEPTH
    failures, fresh = 0, True
    while failures < 3:
        data, indices, indptr = k.extract(p.cost, f, g, reg, xp.log(p.a), xp.log(p.b), math.log(depth))
        work["n_passes"], work["nnz"] = work["n_passes"] + 1, data.shape[0]

        def evaluate(v, data=data, indices=indices, indptr=indptr):
            s, c = k.pattern_eval(data, indices, indptr, p.a, xp.exp(v))
            value, error = host(p.dot(p.b, v) - p.dot(p.a, xp.log(s)), p.error(c))
            return v, s, c, value, error

        v, s, c, value, error = point = evaluate(xp.zeros_like(p.b))
        if not min(host(xp.min(s), xp.min(c))) > 0:  # the prediction left a row or a column without entries
            failures += 1
            f, g = _sinkhorn_step(p, f, g, reg, work)
            continue
        for _ in range(3 if fresh else 0):  # cheap here, and they damp what is local
            v, s, c, value, error = point = evaluate(v + xp.log(p.b / c))
        fresh = False
        settled = last and depth <= 1.01 * final
        goal = ROUGH if not last else 0.0 if settled else max(100 * DEPTH, 0.1 * p.tol)
        while error > goal and not host(xp.max(xp.abs(v))) > REACH:
            work["level_error"] = error
            rebuild = yield (
                Iterate((f - reg * xp.log(s), g + reg * v), error, dict(work))
                if settled
                else Iterate((None, g + reg * v), None, dict(work))
            )
            if rebuild:
                final *= 1e-3
                break
            d, steps = k.pattern_direction(
                data, indices, indptr, p.a, p.b, xp.exp(v), s, group, count, min(1e-3, 0.1 * error), p.b - c,
                min(1e-3, 1e-2 * error), max(1e-3, min(0.05, error)), 400,
            )  # fmt: skip
            work["n_newton"], work["n_cg"] = work["n_newton"] + 1, work["n_cg"] + steps
            better = _search(p, evaluate, point, d)
            if better is None:
                failures += 1
                break
            v, s, c, value, error = point = better
        f, g = f - reg * xp.log(s), g + reg * v
        if not last and error <= ROUGH:
            break
        if last and error <= max(goal, 100 * DEPTH):
            depth = final
    return f, g


def _sinkhorn_step(p, f, g, reg, work):
    f, c = p.kernels.row_pass(p.cost, p.a, f, g, reg, True)
    work["n_passes"] += 1
    return f, g + reg * p.xp.log(p.b / c)


def _centred(p, d):
    """Return the direction with median 0 (a constant changes nothing) and its largest entry."""
    d = d - p.xp.sort(d)[d.shape[0] // 2]
    return d, host(p.xp.max(p.xp.abs(d)))


def _search(p, evaluate, point, d, single=None):
    """Return the best point along the direction d, or along what is left of it when it is too long.

    Parts of the plan that are nearly disconnected ask for a shift of log(flux needed / flux), of which Newton's step
    is the exponential: so logarithm and clipping compete with the shorter step. In the other
    direction the step is 1 whatever the shift, so steps are doubled while that gains.
    """
    xp, (v, _, c, value, error) = p.xp, point
    d, size = _centred(p, d)
    cheap = single is None
    steps = [d * min(1.0, RADIUS / max(size, 1.0))]
    if cheap and size > 1:
        length = xp.abs(d)
        steps.append(xp.sign(d) * xp.where(length > 1, 1 + xp.log(xp.where(length > 1, length, 1.0)), length))
    if cheap and size > RADIUS:
        steps.append(xp.clip(d, -RADIUS, RADIUS))
    trials = [evaluate(v + step) for step in steps]
    best = max(range(len(steps)), key=lambda i: trials[i][3])
    step, trial = steps[best], trials[best]
    slope, slack = host(p.dot(p.b - c, step)), (1e-6 if single else 1e-13) * max(1.0, abs(value))
    t = 1.0
    while not (trial[3] >= value + 1e-4 * t * slope - slack * (not cheap) or (trial[4] <= 0.9 * error and trial[3] >= value - slack)):
        t *= 0.4
        if t < 1e-3:
            return None
        trial = evaluate(v + t * step)
    while cheap and 1 <= t < 8 and trial[4] > 0.1 * error:
        further = evaluate(v + 2 * t * step)
        if not (further[3] > trial[3] and further[4] < trial[4]):
            break
        t, trial = 2 * t, further
    return trial
