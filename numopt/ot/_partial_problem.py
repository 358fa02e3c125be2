"""The balanced problem that stands for a partial one, and the certificate of the partial one."""

import math
from dataclasses import dataclass, replace

from numopt._loop import Iterate, Relay
from numopt.exceptions import InvalidInputError
from numopt.ot._held import visible
from numopt.ot._limits import DROWNED, check_values
from numopt.ot._problem import TransportProblem, transport_problem


@dataclass(frozen=True)
class PartialProblem:
    """The problem as given, and the balanced one with a dummy row and a dummy column, both last.

    Masses are the caller's divided by `units`, a power of 2, which adds a constant to the potentials of the rows.
    """

    base: TransportProblem  # with the weights that are zero
    inner: TransportProblem
    least: float  # cost, which is subtracted there from all
    mass: float  # transported
    stay: tuple  # the masses that stay in the rows and in the columns
    tol: float
    units: float

    @property
    def ratio(self):
        """The mass of the balanced problem over what is transported: the two measures of errors."""
        return self.inner.mass / self.mass

    def scaled(self, iterates):
        """Yield the iterates of the balanced problem with measures relative to what is transported."""
        relay = Relay(iterates)
        for at in relay:
            measure = None if at.measure is None else at.measure * self.ratio
            relay.request = yield Iterate(at.state, measure, at.info)
        return relay.end

    def split(self, f, g):
        """Return (f, g, stay_rows, stay_columns) for the given cost."""
        return f[:-1] + self.least, g[:-1], g[-1] - self.least, f[-1]

    def returned(self, f, g, stay_rows, stay_columns):
        """Return the potentials for the caller's masses."""
        shift = self.base.reg * math.log(self.units)
        return f + shift, g, stay_rows, stay_columns + shift

    def certificate(self, state):
        """Recompute the marginals, the mass and the values from every entry of the given cost."""
        base, xp = self.base, self.base.xp
        parts = self.split(*self.inner.potentials(state))
        f, g, stay_rows, stay_columns = (xp.astype(x, xp.float64) for x in parts)
        rows, columns, paid = base.kernels.plan_sums(base.cost, *visible(base, f, g), base.reg)
        a, b = (xp.astype(w, xp.float64) for w in (base.a, base.b))
        x = _stays(xp, a, (f + stay_rows) / base.reg, self.stay[0])
        y = _stays(xp, b, (g + stay_columns) / base.reg, self.stay[1])
        off = [xp.sum(xp.abs(rows + x - a)), xp.sum(xp.abs(columns + y - b))]
        off += [xp.abs(xp.sum(s) - stay) for s, stay in zip((x, y), self.stay, strict=True)]
        total = base.reg * (xp.sum(rows) + xp.sum(x) + xp.sum(y))
        f, g, stay_rows, stay_columns = self.returned(f, g, stay_rows, stay_columns)
        asked = stay_rows * self.stay[0] + stay_columns * self.stay[1]
        found = stay_rows * xp.sum(x) + stay_columns * xp.sum(y)
        return {
            "marginal_error": sum(off) / self.mass + 0.0 * (xp.sum(f) + xp.sum(g)),  # nothing, if they are finite
            "value": self.units * (xp.sum(f * (rows + x)) + xp.sum(g * (columns + y)) + found - total),
            "dual_value": self.units * (xp.sum(f * a) + xp.sum(g * b) + asked - total),
            "cost": self.units * paid,
            "mass": self.units * xp.sum(rows),
        }


def _stays(xp, weight, exponent, stay):
    """Return exp(exponent) where there is weight, and nothing if nothing stays."""
    if stay == 0:
        return xp.zeros_like(weight)
    return xp.where(weight > 0, xp.exp(xp.clip(exponent, -700.0, 700.0)), 0.0)


def with_dummies(base, mass, sums, tol, units):
    """Return the problem with dummies; masses that differ from 0 by rounding only are 0."""
    xp = base.xp
    stay = tuple(0.0 if s - mass <= 1e-12 * s else s - mass for s in sums)
    low, high = base.extent
    ratio = 1 + sum(s / mass for s in stay)
    check_values(xp.finfo(base.a.dtype), base.extent, base.reg, units * (mass + sum(stay)))
    if not base.floor * ratio < DROWNED:
        raise InvalidInputError(
            f"mass is {units * mass:.3g} and {units * sum(stay):.3g} stays: rounding of the latter leaves an error of "
            f"{base.floor * ratio:.2g} in the former; raise mass or reg, or scale a and b down"
        )
    if tol is None:  # potentials are as large as costs, and their rounding errors do not average out here
        eps = float(xp.finfo(base.a.dtype).eps)
        tol = max(1e-9, eps * (32 + 4 * (high - low + max(abs(low), abs(high))) / base.reg) * ratio)
    whole = base.whole or base
    C = base.kernels.cost_block(whole.cost) if whole.cost[3] else whole.cost[0]
    C = xp.concat([C - low, xp.zeros_like(C[:1, :])], axis=0)
    last = xp.concat([xp.zeros_like(C[:-1, :1]), xp.ones_like(C[:1, :1]) * math.inf], axis=0)
    a, b = (xp.concat([w, other * xp.ones_like(w[:1])]) for w, other in ((whole.a, stay[1]), (whole.b, stay[0])))
    C = xp.concat([C, last], axis=1)
    inner = transport_problem(a, b, C, reg=base.reg, tol=max(tol / ratio, 1.01 * base.floor))
    return PartialProblem(replace(whole, reg=base.reg, mass=base.mass), inner, low, mass, stay, tol, units)
