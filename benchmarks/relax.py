"""Relaxation over time: sweeps and steps on the five-point Laplacian, a sequence with its tuner, what a round costs."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks._common import Bench, Warm

FIRST_CALL = "numopt.relax.ssor_pcg(numopt.gallery.laplacian_2d(30), numpy.ones(900))"


class Solvers(Bench):
    """One system, its pattern analysed before; dense vectors are all that asv moves."""

    sizes = ("sor 100", "ssor_pcg 100", "ssor_pcg 300")
    dtypes = ("float64",)
    param_names = ("backend", "solver and side", "dtype")

    def problem(self, size: str) -> tuple[np.ndarray, ...]:
        """Return the right-hand side; keep the matrix and its plan."""
        from numopt import relax
        from numopt.gallery import laplacian_2d

        name, side = size.split()
        self.A = laplacian_2d(int(side))
        self.plan, self.solver = relax.relax_plan(self.A), getattr(relax, name)
        return (np.random.default_rng(0).standard_normal(self.A.shape[0]),)

    def setup(self, backend: str, size: str, dtype: str) -> None:
        """Skip devices: the matrix is SciPy's."""
        if backend != "numpy":
            raise NotImplementedError("the matrix is on the host")
        super().setup(backend, size, dtype)

    def solve(self, b: Any) -> Any:
        """Solve at a fixed parameter."""
        return self.solver(self.A, b, omega=1.9, plan=self.plan, on_failure="ignore")


class Sequences(Warm):
    """A learner along a sequence, from nothing."""

    params = (("auto", "surface"),)
    param_names = ("policy",)

    def setup(self, policy: str) -> None:
        """Make the systems, and solve them once to compile."""
        from numopt.gallery import shifted_laplacians

        self.systems = list(shifted_laplacians(200))
        self.time_small_systems(policy)

    def time_small_systems(self, policy: str) -> None:
        """Time two hundred systems of a hundred unknowns: the learner's share is largest there."""
        self._run(policy)

    def track_iterations(self, policy: str) -> float:
        """Follow the iterations for each system, learning included."""
        return self._run(policy).total / len(self.systems)

    track_iterations.unit = "iterations"

    def _run(self, policy: str) -> Any:
        from numopt.relax import Tuner, sor

        tuner = Tuner(sor, {"omega": (1.0, 1.998, "sor")}, policy=policy, cost="nit", context=1, rng=0)
        return tuner.run(((A, b), c) for c, A, b in self.systems)


def timeraw_first_call() -> tuple[str, str]:
    """Time the first solve, kernels loaded from their cache on disk."""
    return FIRST_CALL, "import numpy, numopt"
