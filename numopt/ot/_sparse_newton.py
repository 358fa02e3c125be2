"""Semismooth Newton on the concave semi-dual, on the few entries of C that can be active."""

from numopt._loop import Iterate, Status
from numopt.ot._sparse_problem import State
from numopt.ot._sparse_window import Window

_ERROR, _UNEVEN, _STEPS = 2e-2, 0.1, 60  # what ends a level before the last
_MAX_CG = 4000
_IDLE = 1e-2  # share of the error that empty rows may have before a sweep fills them
_PATIENCE = 3  # failed line searches, each followed by a sweep
_STUCK = 30  # steps in which neither the dual gains more than its rounding nor the error a tenth
_DEEP = 1e-5  # share of the range of C: where plans are not as deep, the potentials are all but linear in reg
_TIGHT = 1e-6  # error that ends such a level
_ROUNDING = 1e-14  # of the dual, relative to its terms


def ladder(problem):
    """Return falling regularisations that end with the problem's; at the first, plans are dense."""
    start = (problem.median - problem.low) / problem.top_b
    levels = [problem.reg]
    while 4 * levels[-1] < start:
        levels.append(4 * levels[-1])
    return levels[::-1]


def newton(problem, f, levels, tol, counts, bound=None, support=None, judged=True):
    """Yield iterates at falling regularisations; return (the last point, a status if it is a dead end).

    Parameters
    ----------
    counts : dict
        Counters for history and result, updated here.
    bound, support
        As in `State`.
    judged : bool
        Whether the iterates of the last level are answers. If so, it is for the run to end it.
    """
    xp, window = problem.xp, Window(problem, counts, support)
    window.move(f, levels[0], 0.0)
    point = window.swept(window.at(f, levels[0]), levels[0])
    solved = []
    for reg in levels:
        last, steps, failures = reg == levels[-1], 0, 0
        shallow = reg * problem.top_b < _DEEP * (problem.high - problem.low)
        point = _next(window, solved, point, reg) if shallow else window.swept(window.at(point.f, reg), reg)
        dual, error, stuck = point.dual, point.error, 0
        while True:
            counts.update(reg=reg / problem.mass, violation=point.error)
            measure = point.error if last and judged else None
            yield Iterate(State(point.f, point.f if bound is None else bound, support), measure, dict(counts))
            if problem.unreachable(point.dual, reg):
                return point, Status.INFEASIBLE
            if last:
                done = point.error <= tol and not judged
            else:
                done = steps == _STEPS or (point.error <= (_TIGHT if shallow else _ERROR) and point.uneven <= _UNEVEN)
            if done:
                break
            steps += 1
            shift, rtol = min(1e-3, 1e-2 * point.error), max(1e-4, min(0.1, point.error))
            least = 0.1 * point.error / problem.C.shape[1]
            d, cg = problem.kernels.direction(window.pattern, point.p, point.residual, least, shift, rtol, _MAX_CG)
            d = reg * (d - (xp.max(d) + xp.min(d)) / 2)
            counts["n_cg"] += cg
            trial = window.search(point, d, reg, None, window.reach(point, d, reg, point.t))
            failures = failures + 1 if trial is None else 0
            point = point if trial is None else trial
            if problem.forbids and point.slope > 0 and window.rises_forever(point, d, reg):
                return point, Status.INFEASIBLE
            gained = point.dual > dual + _ROUNDING * (abs(dual) + problem.high - problem.low)
            gained = gained or point.error < 0.9 * error
            stuck = 0 if gained else stuck + 1
            dual, error = max(dual, point.dual), min(error, point.error)
            if failures > _PATIENCE or stuck > _STUCK:
                if last:
                    return point, Status.STALLED
                break
            # A row without entries knows nothing of C: only a sweep, which reads C, brings it back.
            if trial is None or point.idle > _IDLE * point.error:
                point = window.swept(point, reg)
        solved = [*solved[-1:], (reg, point.f)]
    return point, None


def _next(window, solved, point, reg):
    """Return the point to start a level from: the potentials of the last two, extrapolated, unless these are worse.

    Below some reg the plan no longer changes (it is the flattest of the optimal plans without regularisation), and the
    potentials are linear in reg.
    """
    swept = window.swept(window.at(point.f, reg), reg)
    if len(solved) < 2 or window.fixed:
        return swept
    (r1, f1), (r2, f2) = solved
    f = f2 + (reg - r2) / (r2 - r1) * (f2 - f1)
    predicted = window.placed(f, reg, swept.peak)
    return predicted if predicted.error < swept.error else window.placed(swept.f, reg, swept.peak)
