"""How far to go along a direction of the interior-point method: the filter, corrections, and a last resort."""

import math

from numopt.constrained._regular import INFINITE, finite

_CORRECTIONS = 4


class Search:
    """The search from one iterate; after a step that was accepted `taken` is (point, w, lam, zl, zu) and `theta` known.

    A point where the gradient or a Jacobian is not finite is not accepted; `blind` says that there was one. `tiny` says
    that the step taken is lost in rounding.

    Parameters
    ----------
    g, rw : array
        Gradient of the barrier function by w, and of its Lagrangian.
    old : tuple of float
        (theta, phi): violation in sum and barrier function.
    """

    __slots__ = (
        *("alpha", "blind", "c", "dlam", "dzl", "dzu", "filter", "fraction", "g", "ip", "lam", "longest_z"),
        *("mu", "old", "point", "rw", "slack", "slope", "taken", "theta", "tiny", "w", "zl", "zu"),
    )

    def __init__(self, ip, point, w, c, g, rw, lam, zl, zu, mu, old, filter_):
        self.ip, self.point, self.w, self.c, self.g, self.rw = ip, point, w, c, g, rw
        self.lam, self.zl, self.zu, self.mu, self.old, self.filter = lam, zl, zu, mu, old, filter_
        self.blind = self.tiny = False
        self.fraction = 1.0 - mu if mu < 0.01 else 0.99

    def measured(self, point, w):
        """Return (theta, phi), infinite where a point cannot be evaluated."""
        ip = self.ip
        if not point.finite:
            return math.inf, math.inf
        self.theta = theta = ip.violation(point, w)
        if not theta < INFINITE:
            finite(theta, "the violation")
        if not ip.bounded:
            return theta, point.f
        logs = ip.k.barrier(w, ip.lo, ip.hi, self.mu)[0]
        return theta, point.f + (logs if logs == INFINITE else finite(logs, "the barrier function"))

    def step(self, dw, dlam, size):
        """Search along a direction of the size |(dw, dlam)|^2; say whether a step was accepted."""
        ip, self.dlam = self.ip, dlam
        if not size < INFINITE:
            finite(size, "the size of the step")
        self.slope, reach = ip.k.slope_and_reach(self.g, dw, self.w)
        if not -INFINITE < self.slope + reach < INFINITE:
            finite(self.slope + reach, "the slope along the step")
        longest = self.longest_z = 1.0
        if ip.bounded:
            self.dzl, self.dzu, longest, self.longest_z = ip.k.bound_steps(
                self.w, dw, ip.lo, ip.hi, self.zl, self.zu, self.mu, self.fraction
            )
            finite(longest + self.longest_z, "the length of the step")
        theta, phi = self.old
        self.slack = 10 * ip.eps * (phi if phi > 1.0 else -phi if phi < -1.0 else 1.0)
        self.alpha, shortest = longest, self.filter.shortest(theta, self.slope)
        first = None
        while self.alpha >= shortest or first is None:
            trial, w = ip.at(self.w + (dw if self.alpha == 1.0 else dw * self.alpha))
            pair = self.measured(trial, w)
            if (reach < 10 * ip.eps or self._accepts(pair)) and self._take(trial, w, self.alpha):
                self.tiny = self.alpha * reach < 10 * ip.eps
                return True
            if first is None:
                first = trial, w
                if pair[0] >= self.old[0] and trial.finite and ip.p.m:
                    corrected = self._corrected(trial, w)
                    if corrected and self._take(*corrected, self.alpha):
                        return True
            self.alpha *= 0.5
        self.alpha = longest
        return first[0].finite and self._soft(*first)

    def _accepts(self, pair):
        return self.filter.accepts(self.old, pair, self.slope, self.alpha, self.slack)

    def _take(self, trial, w, alpha, alpha_z=None):
        """Keep the step, but for one to where derivatives are not finite; say whether it was kept."""
        ip, filter_, lam = self.ip, self.filter, self.lam + self.dlam * alpha
        if not ip.sees(ip.p.derive(trial), lam):
            self.blind = True
            return False
        if not (self.old[0] <= filter_.least and filter_.switching(self.old[0], self.slope, alpha)):
            filter_.add(*self.old)
        alpha_z = self.longest_z if alpha_z is None else alpha_z
        zl, zu = self.zl, self.zu
        if ip.bounded:
            zl, zu = zl + self.dzl * alpha_z, zu + self.dzu * alpha_z
            zl, zu = ip.k.bound_reset(w, ip.lo, ip.hi, zl, zu, self.mu)
        self.taken = trial, w, lam, zl, zu
        return True

    def _corrected(self, trial, w):
        """Try second-order corrections, several solves with the same factors; return (point, w) or None."""
        ip, c, theta, alpha = self.ip, self.c, self.old[0], self.alpha
        for _ in range(_CORRECTIONS):
            c = alpha * c + ip.residual(trial, w)
            dw, *_ = ip.direction(self.rw, c)
            none = 0.0 * dw
            *_, alpha, _ = ip.k.bound_steps(self.w, dw, ip.lo, ip.hi, none, none, self.mu, self.fraction)
            trial, w = ip.at(self.w + dw * alpha)
            pair = self.measured(trial, w)
            if self._accepts(pair):
                return trial, w
            if not pair[0] <= 0.99 * theta:
                return None
            theta = pair[0]
        return None

    def _soft(self, trial, w):
        """Take the longest step after all if it brings the primal-dual equations closer to a solution."""
        before = self._error(self.point, self.w, self.lam, self.zl, self.zu)
        pairs = [*self.filter.pairs]
        if not self._take(trial, w, self.alpha):
            return False
        self.theta = self.ip.violation(trial, w)
        if self._error(*self.taken) <= 0.99 * before:
            return True
        self.filter.pairs = pairs  # a step that is not taken leaves no trace
        return False

    def _error(self, point, w, lam, zl, zu):
        """Return the size of the residuals of the primal-dual equations."""
        ip = self.ip
        dual = ip.gradient(point, lam) - zl + zu
        paid = ip.k.complementarity(w, ip.lo, ip.hi, zl, zu, self.mu) if ip.bounded else 0.0
        return ip.k.sum_of_magnitudes(dual) + ip.violation(point, w) + paid
