"""How numopt is called in the comparisons."""

from __future__ import annotations

import warnings
from typing import Any

from benchmarks.peers._completion_instances import Completion, Model

TOL = 1e-7  # residual on what is seen: what nobody saw is off by a few times that
LONGEST = 8.0  # seconds: below the shortest limit of the harness

# Methods that are shown, and where.
OURS = {
    "als": ("A", "B", "C"),
    "vpgn": ("A", "B", "C", "D"),
    "altmin-sketch": ("A",),
    "scaledgd": ("A", "B", "C"),
    "irls": ("F5, condition 1", "F3, condition 1"),
    "subgm": ("F5, condition 1",),
}

RATED = (0.07, 8)  # ridge and sweeps for the ratings, tuned like the peers'


def complete(p: Completion, method: str = "auto", **options: Any) -> tuple[Model, Any]:
    """Recover a matrix; outliers get the robust loss. Return the model for the ruler, and the result."""
    from numopt.completion import matrix_completion

    if p.kind == "outliers" and method in ("auto", "als"):
        options = {"loss": "huber"} | options
    longest = LONGEST if p.values.size < 10**6 else None
    options = {"tol": TOL, "max_iter": 1000, "max_time": longest, "on_failure": "ignore"} | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the ruler judges
        result = matrix_completion(p.csr, p.rank, method=method, rng=0, **options)
    return as_model(result), result


def rate(p: Completion, ridge: float, sweeps: int, **options: Any) -> tuple[Model, Any]:
    """Model ratings with biases and a ridge scaled by counts, in float32, for so many sweeps."""
    from numopt.completion import matrix_completion

    options = {"tol": 1e-12, "max_iter": sweeps, "on_failure": "ignore"} | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = matrix_completion(
            p.csr_single, p.rank, center="biases", ridge=ridge, ridge_mode="count", rng=0, **options
        )  # fmt: skip
    return as_model(result), result


def as_model(result: Any) -> Model:
    """Return the factors and biases of a result for the ruler."""
    return Model(result.U, result.V, result.row_bias, result.col_bias, result.mean)
