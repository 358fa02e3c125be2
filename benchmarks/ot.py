"""The entropic solver over time: the instances of the peers' table, and point clouds."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks._common import Bench

PROBLEMS = {  # name: (generator, its arguments, reg)
    "assignment": ("assignment", (500,), 1 / 1200),
    "digits l2": ("digit_images", ("l2",), 1 / 1200),
    "digits l1": ("digit_images", ("l1",), 1 / 1200),
    "mixture 1e-2": ("gaussian_mixtures", (1000,), 1e-2),
    "mixture 1e-3": ("gaussian_mixtures", (1000,), 1e-3),
    "mixture 1e-4": ("gaussian_mixtures", (1000,), 1e-4),
}

FIRST_CALL = """
X, Y = rng.random((300, 2)), rng.random((300, 2))
numopt.ot.sinkhorn_newton(a, a, X=X, Y=Y, reg=0.01)
"""


class Entropic(Bench):
    """Dense costs."""

    sizes = tuple(PROBLEMS)
    param_names = ("backend", "instance", "dtype")

    def problem(self, instance: str) -> tuple[np.ndarray, ...]:
        """Return weights and cost; keep the regularisation."""
        from numopt import gallery

        name, arguments, self.reg = PROBLEMS[instance]
        return getattr(gallery, name)(*arguments)

    def solve(self, a: Any, b: Any, C: Any) -> Any:
        """Solve to the default tolerance of the dtype."""
        from numopt.ot import sinkhorn_newton

        return sinkhorn_newton(a, b, C, reg=self.reg, on_failure="ignore")

    def track_passes(self, backend: str, instance: str, dtype: str) -> int:
        """Follow the passes over the cost."""
        return self.result.n_passes

    track_passes.unit = "passes"


class PointClouds(Bench):
    """Costs that are never stored."""

    sizes = (1000, 4000)

    def problem(self, size: int) -> tuple[np.ndarray, ...]:
        """Return two clouds and their weights."""
        from numopt.gallery import gaussian_clouds

        return gaussian_clouds(size, dim=3)

    def solve(self, X: Any, Y: Any, a: Any, b: Any) -> Any:
        """Solve to the default tolerance of the dtype."""
        from numopt.ot import sinkhorn_newton

        return sinkhorn_newton(a, b, X=X, Y=Y, reg=1e-3, reg_relative=True, on_failure="ignore")


def timeraw_first_call_points() -> tuple[str, str]:
    """Time the first solve between points, kernels loaded from their cache on disk."""
    return FIRST_CALL, "import numpy, numopt; rng = numpy.random.default_rng(0); a = numpy.full(300, 1 / 300)"
