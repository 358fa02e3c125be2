"""The problem of `sparse_plan`: its data without empty rows and columns, its dual, its certificate."""

import math
from dataclasses import dataclass, field
from functools import cached_property
from types import SimpleNamespace
from typing import NamedTuple

from numopt._array import device, host
from numopt.ot._sparse_result import SparsePlan, SparsePlanResult
from numopt.ot._sparse_round import rounded


class State(NamedTuple):
    """What determines an answer."""

    f: object  # potential of the plan
    bound: object  # potential of the dual value
    support: object = None  # pattern that the plan is confined to; None: all of C


@dataclass(frozen=True)
class Whole:
    """What the caller gave, with weights of sum 1, and where they are above a limit."""

    xp: object
    C: object
    a: object
    b: object
    limit: float

    @cached_property
    def rows(self):
        """Positions of the rows that are kept."""
        return self.xp.nonzero(self.a > self.limit)[0]

    @cached_property
    def columns(self):
        """Positions of the columns that are kept."""
        return self.xp.nonzero(self.b > self.limit)[0]

    def kept(self, C):
        """Return the rows and columns of C that are kept; C itself if all are."""
        if self.rows.shape[0] < C.shape[0]:
            C = self.xp.take(C, self.rows, axis=0)
        return self.xp.take(C, self.columns, axis=1) if self.columns.shape[0] < C.shape[1] else C

    def sums(self, r, c):
        """Return row and column sums of a plan with nothing in the rows and columns that are held out."""
        return tuple(
            merged(self.xp, w > self.limit, x, self.xp.zeros_like(w)) for w, x in ((self.a, r), (self.b, c))
        )

    def potentials(self, f, g):
        """Return (f, g) for all rows and columns: those held out get the largest that moves nothing."""
        xp, C = self.xp, self.C
        if f.shape[0] < C.shape[0]:
            out = xp.nonzero(self.a <= self.limit)[0]
            room = xp.take(xp.take(C, out, axis=0), self.columns, axis=1) - g
            f = merged(xp, self.a > self.limit, f, xp.min(room, axis=1))
        if g.shape[0] < C.shape[1]:
            out = xp.nonzero(self.b <= self.limit)[0]
            room = xp.take(C, out, axis=1) - f[:, None]
            g = merged(xp, self.b > self.limit, g, xp.min(room, axis=0))
        return f, g


@dataclass(frozen=True)
class Problem:
    """Minimise <C, P> + reg/2 ||P||^2 over plans of mass 1 with at most k entries in a column.

    The weights are positive float64 vectors of sum 1, `reg` is the caller's times the mass.
    """

    xp: object
    kernels: SimpleNamespace
    C: object
    a: object
    b: object
    reg: float
    k: int
    mass: float
    low: float  # smallest and largest finite entry of C
    high: float
    forbids: bool  # whether C has +inf
    median: float  # of the finite entries of a sample of C
    top_b: float  # max b
    heaviest: float  # min(max a, max b)
    dtype: object
    whole: Whole
    kept: dict = field(default_factory=dict)  # the answer computed last

    @property
    def floor(self):
        """The marginal error that rounding leaves: of potentials, and of values in the caller's dtype."""
        largest = max(self.high - self.low, abs(self.high), abs(self.low))
        single = 1e-7 if self.dtype == self.xp.float32 else 0.0
        return max(2.0**-56 * sum(self.C.shape) * largest / self.reg, single)

    def dual(self, f, t, square, reg):
        """Return H(f) = <a, f> - <b, t> - reg/2 ||P||^2, on the device."""
        return self.xp.sum(self.a * f) - self.xp.sum(self.b * t) - reg / 2 * square

    def unreachable(self, dual, reg):
        """Say whether a dual value exceeds the value that any plan can have: then there is none."""
        most = self.high + reg / 2 * self.heaviest  # sum P^2 <= max P
        return dual > most + 1e-9 * (abs(most) + self.high - self.low)

    def cost_and_value(self, prices, p):
        """Return <C, P> and the primal value of entries p with costs `prices`."""
        cost = self.xp.sum(prices * p)
        return cost, cost + self.reg / 2 * self.xp.sum(p * p)

    def certificate(self, state):
        """Return what `run` judges, recomputed from the data."""
        found = self.answer(state)
        return {name: found[name] for name in ("marginal_error", "gap")}

    def answer(self, state):
        """Return the plan at `state` and all that is known of it, in the caller's units."""
        if self.kept.get("state") is not state:
            self.kept.update(state=state, answer=self._answer(*state))
        return self.kept["answer"]

    def _answer(self, f, bound, support):
        xp, kernels, whole = self.xp, self.kernels, self.whole
        pattern, t, p, square = self._columns(bound, None, self.k)
        potentials = whole.potentials(bound, -t)
        dual = xp.sum(whole.a * potentials[0]) + xp.sum(whole.b * potentials[1]) - self.reg / 2 * square
        if f is not bound or support is not None:
            pattern, _, p, _ = self._columns(f, support, self.k)
        p = xp.astype(xp.astype(p, self.dtype), xp.float64)  # the values that the caller will see
        r, c = whole.sums(*kernels.margins(pattern, p))
        error = xp.sum(xp.abs(r - whole.a)) + xp.sum(xp.abs(c - whole.b))
        rows, columns, values = kernels.entries(pattern, p)
        cost, value = self.cost_and_value(self.C[rows, columns], values)
        rounded_cost, rounded_value = rounded(self, pattern, p)
        most = xp.max(kernels.margins(pattern, xp.astype(p > 0, xp.float64))[1])
        money = (cost, value, dual, rounded_cost, rounded_value - dual)
        error, most, *money = host(error, most, *money)
        if any(map(math.isnan, money)):
            error = math.nan
        named = zip(("cost", "value", "dual_value", "rounded_cost", "gap"), money, strict=True)
        found = {name: self.mass * number for name, number in named}
        found |= {"marginal_error": error, "max_nnz_per_column": int(most)}
        return found | {"entries": (rows, columns, values), "potentials": potentials}

    def _columns(self, f, support, k):
        """Return (pattern, t, p, square) at f."""
        w = self.reg * self.b
        if support is None:
            support = self.kernels.screen(self.C, f, w, 0.0)
        t, p, _, square, _ = self.kernels.project(support, f, w, self.reg, k)
        return support, t, p, square

    def finish(self, state, info, common):
        """Build the result in the caller's units, rows and columns."""
        found, whole = dict(self.answer(state)), self.whole
        rows, columns, values = found.pop("entries")
        rows, columns = whole.rows[rows], whole.columns[columns]
        n, m = whole.C.shape
        order = self.xp.argsort(rows * m + columns)
        values = self.xp.astype(self.mass * values[order], self.dtype)
        f, g = found.pop("potentials")
        free = state.support is None and (self.k >= self.C.shape[0] or common["success"])
        return SparsePlanResult(
            f=self.xp.astype(f, self.dtype),
            g=self.xp.astype(g, self.dtype),
            plan=SparsePlan(rows[order], columns[order], values, (n, m)),
            kind="exact" if free else "relaxed",
            nnz=values.shape[0],
            n_cg=int(info.get("n_cg", 0)),
            n_passes=int(info.get("n_passes", 0)),
            **found,
            **common,
        )


def merged(xp, mask, inside, rest):
    """Return the vector with `inside` where the mask holds and `rest`, 0 for infinity, elsewhere."""
    rest = xp.where(xp.isfinite(rest), rest, xp.zeros_like(rest))
    count = xp.cumulative_sum(xp.astype(mask, xp.int64))
    place = xp.arange(1, mask.shape[0] + 1, dtype=count.dtype, device=device(mask)) - count
    where = xp.where(mask, count - 1, inside.shape[0] + place - 1)
    return xp.take(xp.concat((inside, rest)), where)
