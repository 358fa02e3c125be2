"""The unbalanced problem: marginals that are penalised instead of prescribed, and its certificate.

A penalty rho KL(P 1 | a) turns the linear term <a, f> of the dual into -rho sum a_i (exp(-f_i / rho) - 1), so
that at the optimum P 1 = a exp(-f / rho): a weight that depends on its potential. rho = inf is <a, f> again.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

from numopt._array import host, namespace
from numopt.ot._held import expand, visible
from numopt.ot._problem import TransportProblem, transport_problem

_HIGHEST = 300.0  # of exponents: no weight is meant to grow or to shrink by more
_TINY = 1e-30  # of the mass: no row is taken to have less
_LEAST_MASS = 1e-9  # of the plan, relative to the lighter side, that errors are measured by


@dataclass(frozen=True)
class Side:
    """The weights w >= 0 of one side and the penalty on deviations from them, at one regularisation.

    The potential of the problem is f + offset where P = exp((f + g - C) / reg); with the entropy relative to the
    product of the weights, it is f + offset - reg log w.
    """

    w: object  # float64
    rho: float
    reg: float
    product: bool
    offset: float = 0.0

    @property
    def xp(self):
        return namespace(self.w)

    @property
    def tau(self):
        """How far a half step goes: f = tau reg (log_weight - log Z) solves target(f) = exp(f / reg) Z."""
        return 1.0 / (1.0 + self.reg / self.rho)

    @cached_property
    def log_w(self):
        """Logarithm of the weights; 0 for those that are zero."""
        return self.xp.log(self.xp.where(self.w > 0, self.w, 1.0))

    @cached_property
    def log_weight(self):
        """Logarithm of the target at f = 0, bounded where a weight is zero."""
        factor = 1.0 + self.reg / self.rho if self.product else 1.0
        return self.xp.where(self.w > 0, factor * self.log_w - self.offset / self.rho, -_HIGHEST)

    def target(self, f):
        """Return w exp(-f / rho), the marginal that belongs to the potential f."""
        return self.xp.where(self.w > 0, self.xp.exp(self._log_target(f)), 0.0)

    def _log_target(self, f):
        return self.xp.clip(self.log_weight - f / self.rho, -_HIGHEST, _HIGHEST)

    def log_mass(self, f):
        """Return the logarithm of the sum of w exp(-f / rho), however large, on the device."""
        xp = self.xp
        x = xp.where(self.w > 0, self.log_weight - f / self.rho, -math.inf)
        top = xp.max(x)
        return top + xp.log(xp.sum(xp.exp(x - top)))

    def shifted(self, f):
        """Return the potential of the problem."""
        return f + (self.offset - self.reg * self.log_w if self.product else self.offset)

    def dual(self, f):
        """Return the term of the dual, on the device."""
        f = self.shifted(f)
        if self.rho == math.inf:
            return self.xp.sum(self.w * f)
        return -self.rho * self.xp.sum(self.w * self.xp.expm1(self.xp.clip(-f / self.rho, -_HIGHEST, _HIGHEST)))

    def primal(self, f, marginal):
        """Return <f, marginal> + rho KL(marginal | w), on the device; without the latter for rho = inf."""
        penalty = 0.0 if self.rho == math.inf else self.rho * self.divergence(marginal, self.log_w)
        return self.xp.sum(self.shifted(f) * marginal) + penalty

    def gap(self, f, marginal):
        """Return rho KL(marginal | target(f)): what primal exceeds the dual by; 0 for rho = inf."""
        return 0.0 if self.rho == math.inf else self.rho * self.divergence(marginal, self._log_target(f))

    def divergence(self, x, log_y):
        """Return KL(x | y) where w > 0, on the device."""
        positive = self.w > 0
        return _divergence(self.xp, self.xp.where(positive, x, 0.0), self.xp.where(positive, log_y, -_HIGHEST))


def _divergence(xp, x, log_y):
    """Return KL(x | y) = sum x log(x / y) - x + y, to full relative precision also where x is near y."""
    y = xp.exp(log_y)
    near = xp.abs(x - y) < 1e-3 * y
    s = xp.where(near, x - y, 0.0) / xp.where(near, y, 1.0)
    series = s * s * (0.5 - s * (1 / 6 - s * (1 / 12 - s * (1 / 20 - s / 30))))  # of (1 + s) log(1 + s) - s
    log_x = xp.log(xp.where(x > 0, x, 1.0))
    return xp.sum(xp.where(near, y * series, x * (log_x - log_y) - x + y))


@dataclass(frozen=True)
class UnbalancedProblem:
    """Minimise <C, P> + reg sum P (log P - 1) + rho1 KL(P 1 | a) + rho2 KL(P^T 1 | b).

    `base` holds the cost and the weights, which need no equal sums; its mass is that of a. `rho` is in the
    order of the iteration, in which the sides have changed places if `base.transposed`. `product` makes
    the entropy relative to a b^T. Vectors are float64 until `potentials` returns them.

    The weights, and with them the plan, are the caller's divided by `units`, a power of 2: that adds a constant to
    the cost, which the rows take up.
    """

    base: TransportProblem
    rho: tuple
    product: bool
    units: float = 1.0

    @property
    def xp(self):
        return self.base.xp

    @property
    def reg(self):
        return self.base.reg

    def at(self, reg):
        """Return the problem at another regularisation."""
        return replace(self, base=replace(self.base, reg=reg))

    def thinned(self, step):
        """Return a rough copy on every `step`-th row."""
        return replace(self, base=self.base.thinned(step))

    @cached_property
    def rows(self):
        offset = (-1.0 if self.product else 1.0) * self.reg * math.log(self.units)
        return Side(self.xp.astype(self.base.a, self.xp.float64), self.rho[0], self.reg, self.product, offset)

    @cached_property
    def columns(self):
        return Side(self.xp.astype(self.base.b, self.xp.float64), self.rho[1], self.reg, self.product)

    @cached_property
    def whole(self):
        """The problem with the weights that are zero."""
        return self if self.base.whole is None else replace(self, base=replace(self.base.whole, reg=self.reg))

    def shift(self, f, g):
        """Return the best t for potentials (f - tau t, g + t), f being the half step.

        That is where the mass of the rows, times exp(t / (rho1 + reg)), equals that of the columns' target, times
        exp(-t / rho2).
        """
        goal, total = self.columns.log_mass(g), self.rows.log_mass(f)
        return (goal - total) / (1.0 / (self.rho[0] + self.reg) + 1.0 / self.rho[1])

    @cached_property
    def _least_mass(self):
        return _LEAST_MASS * self.xp.minimum(self.xp.sum(self.rows.w), self.xp.sum(self.columns.w))

    def error(self, found, target, mass):
        """Return the l1 distance of marginals relative to the mass of the plan, on the device."""
        xp = self.xp
        return xp.sum(xp.abs(found - target)) / xp.maximum(mass, self._least_mass)

    def marginal(self, f):
        """Return the marginal of the rows at their half step f, kept from underflow."""
        r = self.rows.target(f)
        return self.xp.maximum(r, _TINY * self.xp.sum(r))

    def half_step(self, f, g, single):
        """Return the best row potentials for g, tau reg (log a - LSE_j((g_j - C_ij) / reg)); `f` is a guess."""
        xp, base, rows = self.xp, self.base, self.rows
        shift, ones = self.reg * rows.log_weight, xp.ones_like(rows.log_weight)
        f, _ = base.kernels.row_pass(base.cost, ones, f / rows.tau - shift, g, self.reg, single)
        return rows.tau * (f + shift)

    def potentials(self, state):
        """Return the potentials of all rows and columns in the dtype of the caller; f = None stands for f(g)."""
        f, g = state
        if f is None:
            g = self.xp.astype(g, self.xp.float64)
            f = self.half_step(self.xp.zeros_like(self.rows.w), g, False)
        if self.base.whole is not None:
            f, g = expand(self.base, f, g)
        return tuple(self._finite(x) for x in (f, g))

    def _finite(self, x):
        """Return a potential in the dtype of the caller, 0 where no pair is allowed and no weight asks for one."""
        xp = self.xp
        return xp.astype(xp.where(x == math.inf, 0.0, x), self.base.a.dtype)

    def returned(self, f, g, sign=1):
        """Return the potentials for the caller's weights or, with ``sign=-1``, those of this problem from them."""
        shift = sign * self.reg * math.log(self.units)
        return (f, g + shift) if self.product else (f + shift, g)

    def wide(self, f, g):
        """Return potentials in float64."""
        return self.xp.astype(f, self.xp.float64), self.xp.astype(g, self.xp.float64)

    def sums(self, f, g):
        """Return P 1, P^T 1 and <C, P> from every entry of the plan of all rows and columns."""
        base = self.whole.base
        return base.kernels.plan_sums(base.cost, *visible(base, f, g), self.reg)

    def certificate(self, state):
        """Recompute the gradient of the dual, the values and the mass of the plan of (f, g)."""
        xp, a, b = self.xp, self.whole.rows, self.whole.columns
        f, g = self.wide(*self.potentials(state))
        r, c, paid = self.sums(f, g)
        mass = xp.sum(r)
        product = self.units * xp.sum(a.w) * xp.sum(b.w) if self.product else 0.0
        constant = self.reg * (product - mass)
        return {
            "marginal_error": self.error(r, a.target(f), mass)
            + self.error(c, b.target(g), mass)
            + 0.0 * (xp.sum(f) + xp.sum(g)),  # nothing, by potentials that are finite
            "value": self.units * (a.primal(f, r) + b.primal(g, c) + constant),
            "dual_value": self.units * (a.dual(f) + b.dual(g) + constant),
            "cost": self.units * paid,
            "mass": self.units * mass,
        }

    def gap(self, f, g):
        """Return rho1 KL(P 1 | a exp(-f / rho1)) + rho2 KL(P^T 1 | b exp(-g / rho2)): primal minus dual value.

        A marginal that is prescribed is met first, by one more half step from the other side.
        """
        xp, a, b = self.xp, self.whole.rows, self.whole.columns
        f, g = self.wide(f, g)
        r, c, _ = self.sums(f, g)
        if a.rho == math.inf:
            f = f + self.reg * _log_ratio(xp, a.w, r)
        if b.rho == math.inf:
            g = g + self.reg * _log_ratio(xp, b.w, c)
        if math.inf in self.rho:
            r, c, _ = self.sums(f, g)
        return self.units * host(a.gap(f, r) + b.gap(g, c))


def _log_ratio(xp, wanted, found):
    some = (wanted > 0) & (found > 0)
    return xp.log(xp.where(some, wanted, 1.0) / xp.where(some, found, 1.0))


def unequal_problem(xp, a, b, C, *, tol, **problem):
    """Return the checked problem with the weights a and b, whatever their sums; only zeros are held out."""
    marks = [xp.astype(w > 0, w.dtype) for w in (a, b)]
    counts = host(*(xp.sum(mark, dtype=xp.float64) for mark in marks))
    even = [mark / count for mark, count in zip(marks, counts, strict=True)]
    p = transport_problem(*even, C, tol=tol if tol is None else min(tol, 1.0), **problem)
    a, b = (b, a) if p.transposed else (a, b)
    kept, whole = (a, b), None
    if p.whole is not None:
        kept, whole = (xp.take(a, p.rows), xp.take(b, p.columns)), replace(p.whole, a=a, b=b)
    return replace(p, a=kept[0], b=kept[1], mass=host(xp.sum(a, dtype=xp.float64)), whole=whole, note="")
