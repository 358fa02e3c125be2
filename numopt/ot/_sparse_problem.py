"""The problem of `sparse_plan`: its data without empty rows and columns, its dual, its certificate."""

import math
from dataclasses import dataclass, field
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
class Outside:
    """What the caller gave, and where its weights are positive."""

    C: object
    has_row: object  # masks
    has_column: object
    rows: object  # positions
    columns: object


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
    outside: Outside
    kept: dict = field(default_factory=dict)  # the answer computed last

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
        xp, kernels = self.xp, self.kernels
        pattern, t, p, square = self._columns(bound, None, self.k)
        dual = self.dual(bound, t, square, self.reg)
        if f is not bound or support is not None:
            pattern, _, p, _ = self._columns(f, support, self.k)
        p = xp.astype(xp.astype(p, self.dtype), xp.float64)  # the values that the caller will see
        r, c = kernels.margins(pattern, p)
        error = xp.sum(xp.abs(r - self.a)) + xp.sum(xp.abs(c - self.b))
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
        return found | {"entries": (rows, columns, values), "t": t}

    def _columns(self, f, support, k):
        """Return (pattern, t, p, square) at f."""
        w = self.reg * self.b
        if support is None:
            support = self.kernels.screen(self.C, f, w, 0.0)
        t, p, _, square, _ = self.kernels.project(support, f, w, self.reg, k)
        return support, t, p, square

    def finish(self, state, info, common):
        """Build the result in the caller's units, rows and columns."""
        found, outside = dict(self.answer(state)), self.outside
        rows, columns, values = found.pop("entries")
        rows, columns = outside.rows[rows], outside.columns[columns]
        n, m = outside.C.shape
        order = self.xp.argsort(rows * m + columns)
        values = self.xp.astype(self.mass * values[order], self.dtype)
        f, g = self._potentials(state.bound, -found.pop("t"))
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

    def _potentials(self, f, g):
        """Return (f, g) for all rows and columns: those without weight get the largest that moves nothing."""
        C, xp, o = self.outside.C, self.xp, self.outside
        if f.shape[0] < C.shape[0]:
            empty = xp.nonzero(~o.has_row)[0]
            room = xp.take(xp.take(C, empty, axis=0), o.columns, axis=1) - g
            f = merged(xp, o.has_row, f, xp.min(room, axis=1))
        if g.shape[0] < C.shape[1]:
            empty = xp.nonzero(~o.has_column)[0]
            room = xp.take(C, empty, axis=1) - f[:, None]
            g = merged(xp, o.has_column, g, xp.min(room, axis=0))
        return f, g


def merged(xp, mask, inside, rest):
    """Return the vector with `inside` where the mask holds and `rest`, 0 for infinity, elsewhere."""
    rest = xp.where(xp.isfinite(rest), rest, xp.zeros_like(rest))
    count = xp.cumulative_sum(xp.astype(mask, xp.int64))
    place = xp.arange(1, mask.shape[0] + 1, dtype=count.dtype, device=device(mask)) - count
    where = xp.where(mask, count - 1, inside.shape[0] + place - 1)
    return xp.take(xp.concat((inside, rest)), where)
