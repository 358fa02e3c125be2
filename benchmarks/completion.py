"""Matrix completion over time: instances of the peers' table, and ratings."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks._common import Bench

PROBLEMS = {  # name: arguments of gallery.low_rank
    "A": {"oversampling": 5.0},
    "C": {"oversampling": 3.0, "condition": 100.0},
    "D": {"oversampling": 2.0, "condition": 10.0},
    "outliers": {"oversampling": 5.0, "outliers": 0.1},
}


class Recovery(Bench):
    """Matrices of low rank, n = 1000, rank 10."""

    sizes = tuple(PROBLEMS)
    param_names = ("backend", "instance", "dtype")

    def problem(self, instance: str) -> tuple[np.ndarray, ...]:
        """Return rows, columns and values; keep the loss."""
        from numopt.gallery import low_rank

        p = low_rank(**PROBLEMS[instance])
        self.loss = "huber" if instance == "outliers" else "squared"
        self.places = p.rows, p.cols
        return (p.values,)

    def solve(self, values: Any) -> Any:
        """Solve to what the dtype allows."""
        from numopt.completion import matrix_completion

        X = (*self.places, values, (1000, 1000))
        tol = 1e-7 if str(values.dtype) == "float64" else 3e-6
        return matrix_completion(X, 10, loss=self.loss, tol=tol, rng=0, on_failure="ignore")

    def track_cg(self, backend: str, instance: str, dtype: str) -> int:
        """Follow the inner steps."""
        return self.result.n_cg

    track_cg.unit = "steps"


class Ratings(Bench):
    """Ten sweeps over ratings with biases."""

    sizes = (100_000, 900_000)

    def problem(self, size: int) -> tuple[np.ndarray, ...]:
        """Return the ratings as values; keep their places."""
        from numopt.gallery import ratings

        p = ratings(6000, 3700, size * 10 // 9)
        self.places, self.shape = (p.rows, p.cols), p.shape
        return (p.values,)

    def solve(self, values: Any) -> Any:
        """Take ten sweeps."""
        from numopt.completion import matrix_completion

        X = (*self.places, values, self.shape)
        model = {"ridge": 0.07, "ridge_mode": "count", "center": "biases"}
        return matrix_completion(X, 20, **model, max_iter=10, rng=0, on_failure="ignore")
