"""Annealed semi-dual Newton: the default.

The rows are eliminated: f(g) makes P1 = a, and what is left is to maximise the concave function
G(g) = <a, f(g)> + <b, g>, whose gradient is b - c with c = P^T 1 and whose Hessian is -S / reg with the graph Laplacian
S = diag(c) - P^T diag(1/a) P. The regularisation falls by factors of 3 to its target, of 2 once a level was hard; the
potentials of two levels predict those of the next. At a high level the plan is smooth and Sinkhorn's sweeps do; then
Newton steps on the whole plan; then, as the plan becomes sparse, on the entries that matter, extracted from the cost
once or twice a level. What ends the run is a pass over every entry.
"""

import math

from numopt._array import host
from numopt._loop import Iterate, Status
from numopt.ot import _large
from numopt.ot._held import columns_in_log_domain
from numopt.ot._search import NotFinite, Point, accuracy, far, finite, search

FACTOR = 3.0  # between levels; 2 to 4 cost about the same
SHORT = 2.0  # ... after one that was hard: more than MANY Newton steps, or a first error above MISSED
MANY, MISSED = 4, 0.15
ROUGH = 2e-2  # marginal error at which a level is left
SMOOTH = 4e-2  # levels above this fraction of the scale are left to Sinkhorn
SWEEPS = 2  # on each of those at most, on every second row if there are a thousand,
SWEPT = 0.1  # down to this error
DENSE = 0.3  # share of entries that matter above which the whole plan is kept, if it is no larger than may be held
DEPTH, PASSING = 1e-12, 1e-7  # what matters, at the target and before: P_ij >= DEPTH min(a_i, b_j)
SINGLE = 1e-6  # an error below may be one that rounding to float32 hides, where many exponents are equal
ATTEMPTS = 12  # at a level: predictions that missed, steps that led nowhere


def annealed_newton(p, g=None):
    """Yield the iterates; from column potentials `g` at once at the target, else down from the scale."""
    try:
        if g is not None:
            yield from _levels(p, g, p.reg)
        rungs = max(0, int(math.log(p.scale / p.reg) / math.log(FACTOR) - 0.7))
        yield from _levels(p, p.start[1], p.reg * FACTOR**rungs)
    except NotFinite as error:
        return Status.NONFINITE, str(error)
    return Status.STALLED


def _levels(p, g, reg):
    """Descend from this regularisation to the target, by steps that Newton's method can bear."""
    n, m = p.shape
    work = {"n_newton": 0, "n_passes": 1, "n_cg": 0, "nnz": 0}
    coarse = p.thinned(1 if n < 1000 else 2 if n < 8000 else 8)
    f, points, density, factor = None, [], float(g is p.start[1]), FACTOR
    while True:
        last, before = reg == p.reg, work["n_newton"]
        work["reg"] = reg
        f, g = _predict(points, reg, f, g)
        if reg > SMOOTH * p.scale and not last:
            f, g = yield from _sweeps(coarse, g, reg, work)
        elif density > DENSE and n * m <= _large.LARGEST:
            near = points[-1][1] if f is None and points else f  # spares a second pass over each row
            found = yield from _on_passes(p, near, g, reg, last, work, factor > SHORT and len(points) > 0)
            if found is None:  # too far
                factor, (reg, f, g) = SHORT, points[-1]
                reg = _lower(reg, p.reg, factor)
                continue
            f, g, density = found
            if last:  # its directions no longer help: they are rounded
                yield from _on_entries(p, f, g, reg, last, work)
        elif n * m > _large.LARGEST and (many := _large.matter(p, g, reg, (DEPTH, _large.STRONG)))[0] > _large.MOST:
            f, g, _ = yield from _on_passes(p, f, g, reg, last, work, strong=many[1])
        else:
            f, g = yield from _on_entries(p, f, g, reg, last, work)
        if last:
            return
        points = [*points[-1:], (reg, f, g)]
        if work["n_newton"] - before > MANY:
            factor = SHORT
        reg = _lower(reg, p.reg, factor)


def _lower(reg, target, factor):
    """Return the next regularisation: equal steps of about this factor lead to the target."""
    steps = math.ceil(math.log(reg / target) / math.log(factor) - 0.3)
    return target if steps <= 1 else reg * (target / reg) ** (1 / steps)


def _predict(points, reg, f, g):
    """Extrapolate the potentials of two levels linearly in reg."""
    if len(points) < 2:
        return f, g
    (r1, f1, g1), (r2, f2, g2) = points
    t = (reg - r2) / (r2 - r1)
    return (None if f1 is None or f2 is None else f2 + t * (f2 - f1)), g2 + t * (g2 - g1)


def _sweeps(p, g, reg, work):
    """Sinkhorn's sweeps, perhaps on some of the rows: enough where the plan is smooth."""
    f = p.xp.zeros_like(p.a)
    for _ in range(SWEEPS):
        f, c = p.kernels.row_pass(p.cost, p.a, f, g, reg, True)
        g, work["n_passes"] = g + reg * p.log_ratio(c), work["n_passes"] + 1
        if host(p.error(c)) <= SWEPT:
            break
    yield Iterate((None, g), None, dict(work))
    return None, g


def _sinkhorn_step(p, f, g, reg, work, rough=True):
    f, c = p.kernels.row_pass(p.cost, p.a, f, g, reg, rough)
    work["n_passes"] += 1
    new = g + reg * p.log_ratio(c)
    return f, new if rough else columns_in_log_domain(p, c < 1e-30 * p.b, f, new, reg)


def _on_passes(p, f, g, reg, last, work, refuse=False, strong=0):
    """Newton with exact passes over the cost, and directions from the whole plan or, of a large one, some of it."""
    xp, k = p.xp, p.kernels
    whole = p.shape[0] * p.shape[1] <= _large.LARGEST

    def evaluate(v):
        if whole:
            f_v, c, P = k.plan_pass(p.cost, p.a, f, g + reg * v, reg, rough)
        else:
            (f_v, c), P = k.row_pass(p.cost, p.a, f, g + reg * v, reg, rough), None
        work["n_passes"] += 1
        value, error = host(*k.semidual(p.a, f_v, p.b, g + reg * v, c))
        return finite(Point(v, (f_v, P), c, value / reg, error / p.mass))

    rough, slow, exact = True, 0, False  # exp in float32
    f, g = _sinkhorn_step(p, xp.zeros_like(p.a) if f is None else f, g, reg, work)
    point = evaluate(xp.zeros_like(g))
    (f, P), least = point.rows, point.error
    if refuse and least > MISSED:
        return None
    group, count = k.groups(p.cost, f)
    some = None if whole else _large.by_some_entries(p, reg, strong, group, count, work, last)
    while last or point.error > ROUGH:
        if rough and point.error <= min(p.tol, SINGLE):
            rough = False
            point = evaluate(point.v)
        f, P = point.rows
        yield _shown(f if last else None, g + reg * point.v, point.error, work, last)
        rest = p.b - point.c, *accuracy(point.error, 0.1)
        if whole:
            d, steps = k.plan_direction(P, group, count, p.b, *rest)
        elif exact:
            d, steps = _large.by_passes(p, f, g + reg * point.v, reg, *rest, work)
        else:
            d, steps = some(f, g + reg * point.v, *rest)
        work["n_newton"], work["n_cg"] = work["n_newton"] + 1, work["n_cg"] + steps
        rounding, rough = 1e-6 if rough else 1e-13, point.error > 1e-3
        better = search(p, evaluate, point, d, False, rounding) if steps else None
        if not whole and not exact and (better is None or better.error > _large.POOR * point.error):
            exact, better = True, better or point
        if better is None:
            break
        slow = slow + 1 if better.error > 0.8 * least and not exact else 0
        if slow > 3:  # far from its place, or nearly disconnected: better moved by entries, in full precision
            break
        point, least = better, min(least, better.error)
    f, P = point.rows
    density = k.plan_density(P, p.a, p.b, 1e-10) if whole else 1.0
    if not math.isfinite(density):
        raise NotFinite(f"the density of the plan became {density}")
    return f, g + reg * point.v, density


def _on_entries(p, f, g, reg, last, work):
    """Newton on the entries K that matter: the plan of g + reg v is diag(1/s) K diag(exp(v)), without exp or cost."""
    xp, k = p.xp, p.kernels
    if f is None:
        f, g = _sinkhorn_step(p, xp.zeros_like(p.a), g, reg, work)
    group, count = k.groups(p.cost, f)
    depth, final = DEPTH if last else PASSING, min(DEPTH, max(3e-3 * p.tol, 1e-18))
    failures, slow, fresh = 0, 0, True
    limit = 0.3 * math.log(float(xp.finfo(p.a.dtype).max))  # exp(v) must not overflow
    while failures < ATTEMPTS:
        K = k.extract(p.cost, f, g, reg, xp.log(p.a), xp.log(p.b), math.log(depth))
        work["n_passes"], work["nnz"] = work["n_passes"] + 1, K[0].shape[0]
        K = k.pattern_kept(*K, p.a, p.b, group, count)

        def evaluate(v, K=K):
            v, s, c, value, error = k.kept_point(K, p.a, p.b, v, limit)
            value, error = host(value, error / p.mass)
            # A row whose entries are lost to underflow has the value +inf: no gain.
            return finite(Point(v, s, c, value if value < math.inf else -math.inf, error))

        v, s, c, *values = k.kept_point(K, p.a, p.b, xp.zeros_like(p.b), limit)
        *least, value, error = host(xp.min(s), xp.min(c), *values)
        if not math.isfinite(sum(least)):
            raise NotFinite(f"the sums of the entries became {least}")
        if min(least) <= 0 or value == -math.inf:  # the prediction left a line without entries, or sums that overflow
            failures += 1
            f, g = _sinkhorn_step(p, f, g, reg, work, rough=False)
            continue
        point = Point(v, s, c, value, error / p.mass)
        for _ in range(3 if fresh else 0):  # cheap here, and they damp what is local
            point = evaluate(point.v + p.log_ratio(point.c))
        if fresh and (v := k.kept_shift(K, p.a, p.b, point.v, point.rows, point.c)) is not point.v:
            point = max(point, evaluate(v), key=lambda point: point.value)  # they leave what is not
        fresh, settled = False, last and depth <= final
        goal, damping, before = 1e-8 if last else ROUGH, 1.0, point.error
        reach = math.log(0.03 / depth)  # further, and what was left out may come to that share
        while (settled or point.error > goal) and not host(xp.max(xp.abs(point.v))) > reach:
            v, s, c, _, error = point
            f_v = f - reg * xp.log(s) if settled else None
            if (yield _shown(f_v, g + reg * v, error, work, settled)):  # the certificate saw more: look deeper
                final *= 1e-3
                depth = final
                break
            rest = accuracy(error, 0.05, damping, before, p.tol if last else 0.0)
            d, steps = k.kept_direction(K, p.a, p.b, v, s, p.b - c, *rest)
            work["n_newton"], work["n_cg"] = work["n_newton"] + 1, work["n_cg"] + steps
            better = search(p, evaluate, point, d, True, 1e-13) if steps else None
            if better is None:
                failures += 1
                break
            slow = slow + 1 if better.error > 0.8 * error else 0
            damping = max(1e-8, damping * 0.1) if slow else min(1.0, 10 * damping)
            point, before = better, error
            if slow > 3:
                break
        f, g = f - reg * xp.log(point.rows), g + reg * point.v
        if slow > 3:  # a part of the plan has far to go, to entries that do not matter yet
            f, g = far(p, f, g, reg, k.centred(d)[0], work)
            slow = 0
        if not last and point.error <= ROUGH:
            break
        if last and point.error <= 1e-8:
            depth = final
    return f, g


def _shown(f, g, error, work, judged):
    """Return the iterate; `error` is its measure only at the target, by all entries that count."""
    work["level_error"] = error
    return Iterate((f, g), error if judged else None, dict(work))
