"""The solvers of monotone inclusions over time."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks._common import Bench

GAMES = {
    "police": ("police_game", (500,)),
    "gauss": ("gaussian_game", (500, 500)),
    "toeplitz": ("toeplitz_game", (500,)),
}

FIRST_CALL = """
numopt.monotone.matrix_game(A, tol=1e-8)
"""


class Games(Bench):
    """Matrix games, polished."""

    sizes = tuple(GAMES)
    param_names = ("backend", "instance", "dtype")

    def problem(self, instance: str) -> tuple[np.ndarray, ...]:
        """Return the matrix."""
        from numopt import gallery

        name, arguments = GAMES[instance]
        return (getattr(gallery, name)(*arguments),)

    def solve(self, A: Any) -> Any:
        """Solve to what both dtypes reach."""
        from numopt.monotone import matrix_game

        return matrix_game(A, tol=1e-5, on_failure="ignore")


class Sums(Bench):
    """Logistic regression as a finite sum, by condition."""

    sizes = (1, 100)

    def problem(self, size: int) -> tuple[np.ndarray, ...]:
        """Return rows and classes."""
        from numopt.gallery import logistic_sum

        return logistic_sum(condition=float(size))

    def solve(self, A: Any, b: Any) -> Any:
        """Solve to what both dtypes reach."""
        from numopt.monotone import LogisticGradient, monotone_root

        return monotone_root(LogisticGradient(A, b), tol=1e-4, rng=0, on_failure="ignore")

    def track_epochs(self, backend: str, size: int, dtype: str) -> float:
        """Follow the epochs."""
        return self.result.epochs

    track_epochs.unit = "epochs"


class Programs(Bench):
    """A transport program."""

    sizes = (30, 100)
    dtypes = ("float64",)

    def problem(self, size: int) -> tuple[np.ndarray, ...]:
        """Return costs, dense constraints and right-hand side."""
        from numopt.gallery import transport_program

        c, A, b = transport_program(size // 2, size // 2)
        return c, A.toarray(), b

    def solve(self, c: Any, A: Any, b: Any) -> Any:
        """Solve to 1e-4."""
        from numopt.monotone import linprog_pd

        return linprog_pd(c, A_eq=A, b_eq=b, tol=1e-4, on_failure="ignore")


def timeraw_first_call_game() -> tuple[str, str]:
    """Time the first game, kernels loaded from their cache on disk."""
    return FIRST_CALL, "import numpy, numopt; A = numpy.random.default_rng(0).normal(size=(100, 100))"
