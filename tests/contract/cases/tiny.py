"""The toy solver of the contract tests."""

import numpy as np

import tests.contract.tiny  # noqa: F401  (registers "tiny.richardson")
from numopt.exceptions import InvalidInputError
from tests.contract.cases._case import Case


def _tiny(rng, dtype):
    A = rng.random((12, 12))
    A = A + A.T + 12 * np.eye(12)
    return (A.astype(dtype), rng.random(12).astype(dtype)), {"tol": 1e-4, "rng": 3}


def _longer(arguments):
    arguments["b"] = np.concatenate([arguments["b"], arguments["b"]])[None]


CASES = [
    Case(
        "tiny.richardson",
        _tiny,
        lambda result, p: np.linalg.norm(p["b"] - p["A"] @ result.x) / np.linalg.norm(p["b"]),
        "residual",
        bad=[("a matrix for a vector", _longer, InvalidInputError, r"b has shape \(1, 24\)")],
    ),
]
