"""The unbalanced problem: marginals that are penalised instead of prescribed, and its certificate.

A penalty rho KL(P 1 | a) turns the linear term <a, f> of the dual into -rho sum a_i (exp(-f_i / rho) - 1), so
that at the optimum P 1 = a exp(-f / rho): a weight that depends on its potential. rho = inf is <a, f> again.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

from numopt._array import host
from numopt.ot._held import expand, visible
from numopt.ot._problem import TransportProblem

_HIGHEST = 600.0  # of exponents: no weight is meant to grow or to shrink by more
_LEAST_MASS = 1e-9  # of the plan, relative to the weights, that errors are measured by


@dataclass(frozen=True)
class Side:
    """The weights w >= 0 of one side and the penalty on deviations from them, at one regularisation.

    With the entropy relative to the product of the weights, potentials are shifted by reg log w: in those
    of P = exp((f + g - C) / reg), the weight at f = 0 is w^(1 + reg / rho).
    """

    xp: object
    w: object  # float64
    rho: float
    reg: float
    product: bool

    @property
    def tau(self):
        """How far a half step goes: f = tau reg (log w - log Z) solves w exp(-f / rho) = exp(f / reg) Z."""
        return 1.0 / (1.0 + self.reg / self.rho)

    @cached_property
    def log_weight(self):
        """Logarithm of the weight at potential 0; a weight that is zero counts as exp(-_HIGHEST)."""
        positive = self.w > 0
        log = self.xp.log(self.xp.where(positive, self.w, 1.0))
        return self.xp.where(positive, log * (1.0 + self.reg / self.rho if self.product else 1.0), -_HIGHEST)

    @cached_property
    def weight(self):
        return self.xp.where(self.w > 0, self.xp.exp(self.log_weight), 0.0)

    def target(self, f):
        """Return w exp(-f / rho), the marginal that belongs to the potential f."""
        return self.xp.exp(self.xp.clip(self.log_weight - f / self.rho, -_HIGHEST, _HIGHEST))

    def dual(self, f):
        """Return the term of the dual, on the device."""
        if self.rho == math.inf:
            return self.xp.sum(self.weight * f)
        exponent = self.xp.clip(-f / self.rho, -_HIGHEST, _HIGHEST)
        return -self.rho * self.xp.sum(self.weight * self.xp.expm1(exponent))

    def penalty(self, marginal):
        """Return rho KL(marginal | weight at potential 0), on the device; 0 for rho = inf."""
        return 0.0 if self.rho == math.inf else self.rho * divergence(self.xp, marginal, self.weight)

    def offset(self):
        """Return what is added to that penalty to make it one relative to w."""
        if not self.product:
            return 0.0
        if self.rho == math.inf:
            return -self.reg * self.xp.sum(self.w * self.log_weight)
        return self.rho * self.xp.sum(self.w - self.weight)


def divergence(xp, x, y):
    """Return KL(x | y) = sum x log(x / y) - x + y over y > 0, to full relative precision where x is near y."""
    known = y > 0
    y = xp.where(known, y, 1.0)
    t = xp.where(known, (x - y) / y, 0.0)
    near = xp.abs(t) < 1e-3
    s = xp.where(near, t, 0.0)  # (1 + s) log(1 + s) - s = s^2 (1/2 - s/6 + s^2/12 - s^3/20 + ...)
    series = s * s * (0.5 - s * (1 / 6 - s * (1 / 12 - s * (1 / 20 - s / 30))))
    ratio = xp.where(near | (t <= -1.0), 1.0, 1.0 + t)
    return xp.sum(y * xp.where(near, series, (1.0 + t) * xp.log(ratio) - t))


@dataclass(frozen=True)
class UnbalancedProblem:
    """Minimise <C, P> + reg sum P (log P - 1) + rho1 KL(P 1 | a) + rho2 KL(P^T 1 | b).

    `base` holds the cost and the weights in float64; its mass is the larger of their sums. `rho` is in
    the order of the iteration, in which the sides have changed places if `base.transposed`. `product`
    makes the entropy relative to a b^T.
    """

    base: TransportProblem
    rho: tuple
    product: bool
    dtype: object  # of the potentials that are returned

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
        return Side(self.xp, self.base.a, self.rho[0], self.reg, self.product)

    @cached_property
    def columns(self):
        return Side(self.xp, self.base.b, self.rho[1], self.reg, self.product)

    @cached_property
    def whole(self):
        """The problem with the weights that are zero."""
        return self if self.base.whole is None else replace(self, base=replace(self.base.whole, reg=self.reg))

    def shift(self, total, goal):
        """Return the best t for potentials (f - tau t, g + t), f being the half step.

        That is where the `total` mass of the rows, times exp(t / (rho1 + reg)), equals that of the columns' target,
        `goal` exp(-t / rho2).
        """
        return self.xp.log(goal / total) / (1.0 / (self.rho[0] + self.reg) + 1.0 / self.rho[1])

    def error(self, found, target, mass):
        """Return the l1 distance of marginals relative to the mass of the plan, on the device."""
        xp = self.xp
        return xp.sum(xp.abs(found - target)) / xp.clip(mass, _LEAST_MASS * self.base.mass, None)

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
            f = self.half_step(self.xp.zeros_like(self.base.a), self.xp.astype(g, self.xp.float64), False)
        if self.base.whole is not None:
            f, g = expand(self.base, f, g)
        return self.xp.astype(f, self.dtype), self.xp.astype(g, self.dtype)

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
        constant = a.offset() + b.offset()
        if self.product:
            constant = constant + self.reg * xp.sum(a.w) * xp.sum(b.w)
        primal = xp.sum(f * r) + xp.sum(g * c) + a.penalty(r) + b.penalty(c)
        return {
            "marginal_error": self.error(r, a.target(f), mass) + self.error(c, b.target(g), mass),
            "value": primal - self.reg * mass + constant,
            "dual_value": a.dual(f) + b.dual(g) - self.reg * mass + constant,
            "cost": paid,
            "mass": mass,
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
        sides = ((a, f, r), (b, g, c))
        return host(sum(s.rho * divergence(xp, x, s.target(y)) for s, y, x in sides if s.rho < math.inf))


def _log_ratio(xp, wanted, found):
    some = (wanted > 0) & (found > 0)
    return xp.log(xp.where(some, wanted, 1.0) / xp.where(some, found, 1.0))
