"""Relaxation and SSOR-preconditioned conjugate gradients."""

from functools import partial

import numpy as np

import numopt.relax  # noqa: F401  (registers the solvers)
from numopt.exceptions import InvalidInputError
from tests.contract.cases._case import Case, spoil


def _system(rng, dtype, **keywords):
    """A graph Laplacian with a little on the diagonal, as a dense matrix, which every library has."""
    A = np.triu(rng.random((14, 14)) * (rng.random((14, 14)) < 0.3), 1)
    A = np.diag((A + A.T).sum(axis=1) + 1.0) - A - A.T
    return (A.astype(dtype), rng.random(14).astype(dtype)), {"rtol": 1e-5 if dtype == "float32" else 1e-9} | keywords


def _residual(result, p):
    return np.linalg.norm(p["b"] - np.asarray(p["A"], float) @ result.x) / np.linalg.norm(p["b"])


def _without_diagonal(A):
    A = A.copy()
    A[3, 3] = 0
    return A


_BAD = [
    ("no square", spoil("A", lambda A: A[:-1]), InvalidInputError, r"A has shape \(13, 14\)"),
    ("sizes disagree", spoil("b", lambda b: b[:-1]), InvalidInputError, r"b has shape \(13,\)"),
    ("no diagonal", spoil("A", _without_diagonal), InvalidInputError, r"A\[3, 3\] is (0|missing)"),
    ("omega of 2", spoil("omega", 2.0), InvalidInputError, "omega is 2"),
    ("no tolerance", spoil("rtol", 0.0), InvalidInputError, "rtol is 0 and atol is 0"),
    ("a wrong plan", spoil("plan", 3), TypeError, "plan is int"),
]

CASES = [
    Case(f"relax.{name}", partial(_system, **keywords), _residual, "residual", bad=_BAD, label=label)
    for name, label, keywords in (
        ("sor", "", {}),
        ("sor", "fixed", {"omega": 1.2}),
        ("sor", "symmetric", {"omega": 1.2, "symmetric": True}),
        ("ssor_pcg", "", {}),
        ("ssor_pcg", "colour", {"omega": 1.1, "ordering": "colour"}),
    )
]
