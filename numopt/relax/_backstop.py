"""Running a solver with given parameters: what it cost, and how a bad choice is kept from costing more."""

import inspect
import math
from numbers import Real
from time import perf_counter
from typing import NamedTuple

from numopt import _array
from numopt._check import one_of, scalar
from numopt._result import Result
from numopt._status import Status
from numopt.exceptions import InvalidTypeError, SolverError
from numopt.relax._result import RelaxResult

_LEAST = 20  # iterations that a run may always take


class Outcome(NamedTuple):
    """A solved problem; `first` is the cost of the run with the parameters that were tried, which may have failed."""

    result: object
    cost: float
    first: float
    nit: int | None
    failed: bool


class Runner:
    """Runs `solve`; if it takes `x0`, `max_iter` and `on_failure` and returns a `Result`, it can be resumed."""

    def __init__(self, solve, cost, backstop):
        if not callable(solve):
            raise InvalidTypeError(f"solve is {solve!r}: a function is expected; pass the solver itself")
        if not callable(cost):
            one_of("cost", cost, ("work", "seconds", "nit"))
        self.solve, self.cost = solve, cost
        self.backstop = scalar("backstop", backstop, low=1.0, remedy="pass a factor >= 1")
        self.resumes = {"x0", "max_iter", "on_failure"} <= _names(solve)
        self.costs, self.steps = 0.0, 0

    def run(self, args, keywords, params, expected, incumbent):
        """Solve with `params`; after `backstop` times the expected cost go on with those of `incumbent()`."""
        asked, limit = keywords.get("max_iter", math.inf), self._limit(expected)
        if not isinstance(asked, Real) or limit >= asked:  # what is no number, the solver will refuse or understand
            result, cost = self._timed(args, keywords | params)
            return Outcome(result, cost, cost, getattr(result, "nit", None), self._failed(result))
        stopped, first = self._timed(args, keywords | params | {"max_iter": limit, "on_failure": "ignore"})
        if not self.resumes:  # it was thought so of another result
            return self.run(args, keywords, params, math.inf, incumbent)
        if stopped.status != Status.MAX_ITER:
            return Outcome(stopped, first, first, stopped.nit, self._failed(stopped))
        rest = keywords | incumbent() | {"x0": _going_on(args, keywords, stopped)}
        if asked < math.inf:
            rest["max_iter"] = asked - limit
        if keywords.get("max_time") is not None:
            rest["max_time"] = max(keywords["max_time"] - stopped.time, 0.0)
        result, cost = self._timed(args[:2], rest)
        result.nit, result.time = result.nit + stopped.nit, result.time + stopped.time
        return Outcome(result, first + cost, first, result.nit, False)

    def cost_of(self, args, keywords):
        """Return what it costs to solve a problem that nobody asked for; it does not count."""
        known = self.costs, self.steps
        result, cost = self._timed(args, keywords)
        self.costs, self.steps = known
        if interrupted(result):
            raise KeyboardInterrupt
        if self._failed(result):
            raise SolverError(result.message, result)
        return cost

    def _failed(self, result):
        """Say whether a run ended by itself, but not where it should: a cost that is no function of the caller's lies.

        A run may be cheap just because it diverges.
        """
        wished = interrupted(result) or getattr(result, "status", None) is Status.CALLBACK_STOP
        return not (callable(self.cost) or wished or getattr(result, "success", True))

    def _limit(self, expected):
        """Return the iterations that a run of this expected cost may take."""
        if not self.resumes or not expected < math.inf or self.costs == 0:
            return math.inf
        return int(max(_LEAST, self.backstop * expected * self.steps / self.costs))

    def _timed(self, args, keywords):
        began = perf_counter()
        result = self.solve(*args, **keywords)
        cost = perf_counter() - began
        if callable(self.cost):
            cost = self.cost(result)
        elif self.cost != "seconds":
            cost = getattr(result, self.cost, None)
            if cost is None:
                raise InvalidTypeError(
                    f"the result has no {self.cost!r}: one is expected; pass cost='seconds' or a function of it"
                )
        try:
            cost = float(cost)
        except (TypeError, ValueError):
            raise InvalidTypeError(f"cost is {cost!r}: a number is expected; return one") from None
        scalar("cost", cost, low=0.0, remedy="return a finite cost")
        self.costs, self.steps = self.costs + cost, self.steps + int(getattr(result, "nit", None) or 0)
        self.resumes = self.resumes and isinstance(result, Result) and hasattr(result, "x")
        return result, cost


def interrupted(result):
    """Say whether a key was pressed during a run."""
    return getattr(result, "status", None) is Status.INTERRUPTED


def _going_on(args, keywords, stopped):
    """Return the point reached, or that of the start if it was better, which is known of linear systems alone."""
    if len(args) < 2 or not isinstance(stopped, RelaxResult):
        return stopped.x
    A, b, *rest = args
    x0 = rest[0] if rest else keywords.get("x0")
    r = b if x0 is None else b - A @ x0
    xp = _array.namespace(r)
    return stopped.x if stopped.residual_norm <= _array.host(xp.linalg.vector_norm(r)) else x0


def _names(solve):
    try:
        return set(inspect.signature(solve).parameters)
    except (TypeError, ValueError):  # a built-in function need not say
        return set()
