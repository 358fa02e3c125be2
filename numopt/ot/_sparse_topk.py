"""At most k non-zeros a column: the concave dual by L-BFGS, then an exact plan on the entries it chose."""

from numopt._array import host
from numopt._loop import Iterate, Status
from numopt.ot._sparse_newton import ladder, newton
from numopt.ot._sparse_problem import State
from numopt.ot._sparse_window import Window

_MEMORY = 10
_WINDOW, _GAIN = 20, 1e-3  # stagnation: this many steps gain less than this share of the whole gain


def topk(problem, f, levels, tol, counts):
    """Yield iterates; return a status and a reason when there is no plan with k entries a column to be had.

    1. The problem without k: if its plan has at most k entries in every column, it is the answer.
    2. Else the dual with k, from there: concave, but its maximum lies on ties, where the k entries jump and
       no choice of them has the right marginals. It bounds the value of every plan with k entries.
    3. The problem without k, confined to the entries chosen last: a plan with at most k entries a column
       and the right marginals, if these entries can carry one.
    """
    point, status = yield from newton(problem, f, levels, tol, counts, judged=False)
    if status is not None:
        return status
    window = Window(problem, counts)
    window.move(point.f, problem.reg, 4 * point.peak)
    point = window.at(point.f, problem.reg, problem.k)
    yield _iterate(point, counts, judged=True)
    for better in _ascent(problem, window, point):
        point = better
        yield _iterate(point, counts)
    point = window.at(point.f, problem.reg, problem.k)  # the window may have moved
    yield _iterate(point, counts, judged=True)
    support, empty = problem.kernels.restrict(window.pattern, point.p), _empty_rows(problem, window, point)
    yield from newton(problem, point.f, ladder(problem), tol, counts, point.f, support)
    yield _iterate(point, counts)
    return Status.STALLED, (
        f"no plan was found on the {problem.k} entries a column chosen, which leave {empty} rows empty: "
        "raise max_nonzeros" + (", or break ties of C, which all columns choose alike" if empty else "")
    )


def _empty_rows(problem, window, point):
    """Return how many rows have no entry in any column."""
    xp, kernels = problem.xp, problem.kernels
    entries = kernels.margins(window.pattern, xp.astype(point.p > 0, xp.float64))[0]
    return int(host(xp.sum(xp.astype(entries == 0, xp.float64))))


def _iterate(point, counts, judged=False):
    counts["violation"] = point.error
    return Iterate(State(point.f, point.f), point.error if judged else None, dict(counts))


def _ascent(problem, window, point):
    """Yield points of L-BFGS ascent until it stagnates."""
    xp, reg, k = problem.xp, problem.reg, problem.k
    pairs, values = [], [point.dual]
    while len(values) <= _WINDOW or values[-1] - values[-1 - _WINDOW] > _GAIN * (values[-1] - values[0]):
        d = _two_loops(xp, point.residual, pairs, reg)
        trial = window.search(point, d, reg, k, window.reach(point, d, reg))
        if trial is None or trial.dual <= point.dual:
            if not pairs:
                return
            pairs.clear()  # a kink: start again from the gradient
            continue
        s, y = trial.f - point.f, point.residual - trial.residual
        sy, yy = host(xp.sum(s * y), xp.sum(y * y))
        if sy > 0:
            pairs = [*pairs[1 - _MEMORY :], (s, y, sy, sy / yy)]
        point = trial
        values.append(point.dual)
        yield point


def _two_loops(xp, gradient, pairs, scale):
    """Return the inverse Hessian estimate times the gradient."""
    d, weights = gradient, []
    for s, y, sy, _ in reversed(pairs):
        weights.append(xp.sum(s * d) / sy)
        d = d - weights[-1] * y
    d = d * (pairs[-1][3] if pairs else scale)
    for (s, y, sy, _), weight in zip(pairs, reversed(weights), strict=True):
        d = d + (weight - xp.sum(y * d) / sy) * s
    return d
