"""Constrained optimisation over time: control problems and logistic regressions on a sphere."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from benchmarks._common import Warm


class Control(Warm):
    """Sparse systems."""

    params: ClassVar[tuple] = ((16, 50, 100), (0.0, 5.0))
    param_names = ("N", "kappa")

    def setup(self, N: int, kappa: float) -> None:
        """Build the problem, and solve once, so that compilation is not timed."""
        from numopt.gallery import pde_control

        self.problem = pde_control(N, kappa)
        self.result = self.solve()

    def solve(self) -> Any:
        """Solve to the default tolerance."""
        from numopt.constrained import minimize_constrained

        return minimize_constrained(self.problem.fun, self.problem.x0, **self.problem.keywords, on_failure="ignore")

    def time_solve(self, N: int, kappa: float) -> None:
        """Time one solve."""
        self.solve()

    def peakmem_solve(self, N: int, kappa: float) -> None:
        """Measure the memory of the whole process."""
        self.solve()

    def track_nit(self, N: int, kappa: float) -> int:
        """Follow the number of steps."""
        return self.result.nit

    track_nit.unit = "steps"


class Logistic(Control):
    """Dense systems."""

    params: ClassVar[tuple] = ((1000, 20000), (20, 100))
    param_names = ("samples", "features")

    def setup(self, N: int, d: int) -> None:
        """Build the problem, and solve once."""
        from numopt.gallery import sphere_logistic

        rng = np.random.default_rng(0)
        X = rng.uniform(-1, 1, (N, d))
        y = np.where(X @ rng.standard_normal(d) + rng.logistic(size=N) > 0, 1.0, -1.0)
        self.problem = sphere_logistic(X, y)
        self.result = self.solve()


class Regression(Control):
    """The estimator, on numbers and on indicators."""

    params: ClassVar[tuple] = (("numbers", "indicators"), (1000, 20000))
    param_names = ("kind", "samples")

    def setup(self, kind: str, N: int) -> None:
        """Make the samples, and fit once."""
        rng = np.random.default_rng(0)
        X = rng.uniform(-1, 1, (N, 100))
        self.X = X if kind == "numbers" else np.where(X > 0.8, 1.0, -1.0)
        self.y = self.X @ rng.standard_normal(100) + rng.logistic(size=N) > 0
        self.result = self.solve()

    def solve(self) -> Any:
        """Fit."""
        from numopt.estimators import ConstrainedLogisticRegression

        return ConstrainedLogisticRegression(np.inf, A_eq=np.ones((1, 100)), norm=1.0).fit(self.X, self.y).result_


class Tiny(Control):
    """What one call costs."""

    params: ClassVar[tuple] = ((2, 10), (0.0,))
    param_names = ("variables", "unused")

    def setup(self, n: int, unused: float) -> None:
        """Build a linear function on the sphere, and solve once."""
        from scipy.optimize import NonlinearConstraint

        from numopt.gallery import ConstrainedProblem

        a, sphere = np.arange(1.0, n + 1), np.eye(n)
        constraint = NonlinearConstraint(
            lambda x: x @ x, 1, 1, jac=lambda x: 2 * x[None], hess=lambda x, v: 2 * v[0] * sphere
        )
        keywords = {"jac": lambda x: a, "hess": lambda x: 0 * sphere, "constraints": constraint}
        self.problem = ConstrainedProblem(lambda x: a @ x, np.ones(n), keywords)
        self.result = self.solve()
