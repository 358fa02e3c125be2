"""Matrix completion."""

from functools import partial

import numpy as np

import numopt.completion  # noqa: F401  (registers the solver)
from numopt.exceptions import InvalidInputError
from tests.contract.cases._case import Case, spoil


def _problem(rng, dtype, method="auto", **more):
    """A 28 x 23 matrix of rank 2, seen to 70 % with uneven weights; the last entry is seen, for the tests spoil it."""
    X = rng.standard_normal((28, 2)) @ rng.standard_normal((2, 23))
    mask = rng.random(X.shape) < 0.7
    mask[-1, -1] = True
    weight = rng.random(X.shape) + 0.5
    tol = 1e-5 if dtype == "float32" else 1e-8
    arrays = {"mask": mask, "sample_weight": weight.astype(dtype)}
    return (X.astype(dtype),), {"rank": 2, "method": method, "tol": tol, "rng": 3} | arrays | more


def _residuals(result, p):
    seen = p["mask"]
    x = result.U.astype(float) @ result.V.T.astype(float) + result.row_bias[:, None] + result.col_bias + result.mean
    return (p["X"].astype(float) - x)[seen], p["X"].astype(float)[seen], p["sample_weight"].astype(float)[seen]


def _rel_residual(result, p):
    r, y, w = _residuals(result, p)
    return np.sqrt(np.sum(w * r**2) / np.sum(w * (y - result.mean) ** 2))


BAD = [
    ("rank of 0", spoil("rank", 0), InvalidInputError, "rank is 0"),
    ("rank above the sides", spoil("rank", 24), InvalidInputError, "rank is 24: an integer >= 1 and <= 23"),
    ("a negative weight", spoil("sample_weight", lambda w: -w), InvalidInputError, r"sample_weight\[0, 0\] is -"),
    ("a short mask", spoil("mask", lambda mask: mask[:-1]), InvalidInputError, r"mask has shape \(27, 23\)"),
    ("nothing seen", spoil("mask", lambda mask: mask & False), InvalidInputError, "no observed entry"),
    ("a negative ridge", spoil("ridge", -1.0), InvalidInputError, "ridge is -1"),
    ("an unknown loss", spoil("loss", "l1"), InvalidInputError, "loss is 'l1'"),
]

CASES = [
    Case("completion.matrix_completion", partial(_problem, method=method), _rel_residual, "rel_residual", BAD, method)
    for method in ("auto", "als", "vpgn", "altmin-sketch", "scaledgd")
]
