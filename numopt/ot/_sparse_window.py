"""The dual function of `sparse_plan` near a point: only the entries of C that can matter there."""

import math
from typing import NamedTuple

from numopt._array import host
from numopt.ot._sparse_problem import merged

_MARGIN = 4.0  # mean excesses of the best entries: how far around a point entries are kept at first ...
_REACH = 8.0  # ... and at most
_TRIALS = 20
_GROWTH = 4.0  # of the reach, after a step that ended there
_NEGLIGIBLE = 1e-12  # share of the mass
_STARVING = 0.1  # share of its weight that a row lacks ...
_LIGHT = 0.1  # ... while it is heavier than this share of the mean error, and columns are lighter


class NotFiniteError(ArithmeticError):
    """A number of the dual function is not finite."""


class Point(NamedTuple):
    """The dual function at f; the last six are floats."""

    f: object
    t: object  # thresholds of the columns
    p: object  # values on the pattern
    residual: object  # a - P 1, the gradient
    dual: float
    error: float  # l1 norm of the residual
    uneven: float  # mean of |residual| / a, at most 1 each: the error of light rows counts as well
    peak: float  # mean over the columns of max_i f_i - C_ij - t_j
    idle: float  # weight of the rows that are empty
    slope: float  # along the direction that led here


class Window:
    """The entries of C that can be active near a point, and the dual function on them.

    Thresholds move no further than potentials do: an entry with f_i - C_ij <= t_j - margin stays out
    while max(f' - f) - min(f' - f) <= margin. Within the margin nothing is approximated. Finite k only
    lowers thresholds of columns whose k entries were all inside before: the same entries suffice.
    """

    def __init__(self, problem, counts, fixed=None):
        self.problem, self.counts = problem, counts
        self.fixed, self.pattern = fixed is not None, fixed
        self.center, self.margin = None, 0.0
        self.stretch = 1.0  # of the reach: grows while steps end at the edge, as for a part without ties

    def move(self, f, reg, margin, t=None):
        """Put the window around f, where the thresholds without a limit are `t` if they are known."""
        if self.fixed:
            return
        problem = self.problem
        self.pattern = problem.kernels.screen(problem.C, f, reg * problem.b, margin, t)
        self.center, self.margin = f, margin
        self.counts["n_passes"] += 3 if t is None else 2

    def reach(self, point, d, reg, t=None):
        """Return the longest step along d inside the window, which is moved if it ends too soon."""
        spread = self._spread(d)
        if self.fixed or spread == 0:
            return 4.0**_TRIALS
        room = self.margin - self._spread(point.f - self.center)
        reach = self.stretch * _REACH * point.peak
        if room < min(spread, reach / 2):
            margin = min(self.stretch * max(2 * spread, _MARGIN * point.peak), reach)
            self.move(point.f, reg, margin, t)
            room = self.margin
        return room / spread * (1 - 1e-9)

    def rises_forever(self, point, d, reg):
        """Say whether the dual, seen far along d, exceeds the value of every plan: then there is none."""
        problem, xp, w = self.problem, self.problem.xp, reg * self.problem.b
        scale = problem.high - problem.low + reg * problem.heaviest
        f = point.f + (1e3 * scale / point.slope) * d
        # f_i - C_ij <= t_j + w_j, so that <b, t + w> is no less than what the columns take from <a, f>.
        t = problem.kernels.threshold(problem.C, f, w)
        self.counts["n_passes"] += 1
        (dual,) = _finite(xp.sum(problem.a * f) - xp.sum(problem.b * (t + w)))
        return problem.unreachable(dual, reg)

    def _spread(self, d):
        low, high = _finite(self.problem.xp.min(d), self.problem.xp.max(d))
        return high - low

    def at(self, f, reg, k=None, d=None):
        """Evaluate the dual function, with at most k entries in a column, and its slope along d."""
        problem, xp = self.problem, self.problem.xp
        k = problem.C.shape[0] if k is None else k
        t, p, r, square, peak = problem.kernels.project(self.pattern, f, reg * problem.b, reg, k)
        residual = problem.a - r
        numbers = _finite(
            problem.dual(f, t, square, reg),
            xp.sum(xp.abs(residual)),
            xp.mean(xp.minimum(xp.abs(residual) / (problem.a + _NEGLIGIBLE), xp.ones_like(r))),
            peak,
            xp.sum(xp.where(r > 0, 0, problem.a)),
            0.0 if d is None else xp.sum(residual * d),
        )
        return Point(f, t, p, residual, *numbers)

    def swept(self, point, reg):
        """Return the point where every row has its weight at the thresholds of `point`: no lower dual."""
        problem, kernels, xp = self.problem, self.problem.kernels, self.problem.xp
        w = reg * problem.a
        if self.fixed:
            by_rows = kernels.transpose(self.pattern)
            f = -kernels.project(by_rows, -point.t, w, reg, problem.C.shape[1])[0]
            f = xp.where(xp.isfinite(f), f, point.f)  # a row may have no entry left
        else:
            f = self._fed(point, -kernels.threshold(problem.C.T, -point.t, w), w)
            self.counts["n_passes"] += 1
        return self.placed(f, reg, point.peak)

    def placed(self, f, reg, peak):
        """Put the window around f, with a margin for points of this peak; return the point there."""
        self.move(f, reg, _MARGIN * peak)
        return self.at(f, reg)

    def _fed(self, point, f, w):
        """Return f, where rows that lack mass are raised until columns that have some to give fill them.

        At fixed thresholds the lightest column fills any row: thresholds that then give way by next to nothing
        leave the row as empty as it was, sweep after sweep.
        """
        problem, xp = self.problem, self.problem.xp
        n, m = problem.C.shape
        light = _LIGHT * point.error
        starving = (point.residual > _STARVING * problem.a) & (problem.a > light / n)
        rows, columns = xp.nonzero(starving)[0], xp.nonzero(problem.b > light / m)[0]
        if rows.shape[0] == 0 or columns.shape[0] == m:
            return f
        C = xp.take(xp.take(problem.C, rows, axis=0), columns, axis=1)
        raised = -problem.kernels.threshold(C.T, -xp.take(point.t, columns), xp.take(w, rows))
        raised = xp.where(xp.isfinite(raised), xp.maximum(raised, f[rows]), f[rows])  # all pairs may be forbidden
        return merged(xp, starving, raised, f[xp.nonzero(~starving)[0]])

    def search(self, point, d, reg, k, longest):
        """Return the point of a line search along the ascent direction d, or None.

        Along d the slope falls: a step is good once it has lost half of it, or once the error is down by a
        tenth, which decides where the dual changes by no more than rounding.
        """
        (slope,) = _finite(self.problem.xp.sum(point.residual * d))
        if not slope > 0:
            return None
        slack = 1e-13 * (abs(point.dual) + self.problem.high - self.problem.low)
        low, high, low_slope, high_slope, side, best = 0.0, None, slope, 0.0, 0, None
        t = min(1.0, longest)
        for _ in range(_TRIALS):
            trial = self.at(point.f + t * d, reg, k, d)
            good = trial.error <= 0.9 * point.error or abs(trial.slope) <= 0.5 * slope
            if good and trial.dual >= point.dual - slack:
                self.stretch = max(1.0, self.stretch / 2)
                return trial
            # Regula falsi; the slope of an end that stays a second time counts half (Illinois).
            if trial.slope > 0:
                high_slope *= 0.5 if side > 0 else 1.0
                low, low_slope, side, best = t, trial.slope, 1, trial
                if t >= longest:
                    self.stretch *= _GROWTH
                    return best
            else:
                low_slope *= 0.5 if side < 0 else 1.0
                high, high_slope, side = t, trial.slope, -1
            if high is None:
                t = min(4 * t, longest)
            else:
                part = low_slope / (low_slope - high_slope)
                t = low + (high - low) * min(0.9, max(0.01, part))
        return best


def _finite(*numbers):
    """Bring numbers to the host, where they must be finite."""
    numbers = host(*numbers, 0.0)[:-1]
    if not all(map(math.isfinite, numbers)):
        raise NotFiniteError
    return numbers
