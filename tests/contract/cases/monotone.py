"""Games, inclusions, linear programs and fixed points."""

from functools import partial

import numpy as np

import numopt.monotone
from numopt.exceptions import InvalidInputError
from tests.contract.cases._case import Case, spoil


def _game(rng, dtype, method):
    A = rng.standard_normal((13, 17)) + 0.3
    return (A.astype(dtype),), {"method": method, "tol": 1e-4 if dtype == "float32" else 1e-6}


def _game_gap(result, p):
    A = np.asarray(p["A"], float)
    x, y = (np.asarray(z, float) / np.sum(z, dtype=float) for z in (result.x, result.y))
    return ((A @ x).max() - (y @ A).min()) / np.abs(A - A.mean()).max()


def _program(rng, dtype):
    A_ub, A_eq, x = rng.random((6, 9)) - 0.2, rng.random((3, 9)), rng.random(9)
    c = rng.random(9) - 0.3
    arrays = (c, A_ub, A_ub @ x + 0.1, A_eq, A_eq @ x)
    tol = 1e-4 if dtype == "float32" else 1e-6
    return tuple(a.astype(dtype) for a in arrays), {"bounds": (0, 2), "tol": tol}


def _infeasibility(result, p):
    x, (A_ub, b_ub, A_eq, b_eq) = np.asarray(result.x, float), (p[k].astype(float) for k in ("A_ub", "b_ub", "A_eq", "b_eq"))
    off = np.concatenate([np.maximum(A_ub @ x - b_ub, 0), A_eq @ x - b_eq])
    return np.linalg.norm(off) / np.linalg.norm(np.concatenate([b_ub, b_eq]))


CASES = [
    *(
        Case(
            "monotone.matrix_game",
            partial(_game, method=method),
            _game_gap,
            "relative_gap",
            bad=[
                ("a vector", spoil("A", lambda A: A[0]), InvalidInputError, r"A has shape \(17,\)"),
                ("an empty matrix", spoil("A", lambda A: A[:0]), InvalidInputError, "A has shape .*empty"),
            ],
            label=method,
        )
        for method in ("auto", "pdhg")
    ),
    Case(
        "monotone.linprog_pd",
        _program,
        _infeasibility,
        "primal_infeasibility",
        bad=[
            ("bounds in disorder", spoil("bounds", (2, 0)), InvalidInputError, r"bounds\[0\] is \(2.0, 0.0\)"),
            ("sizes disagree", spoil("b_ub", lambda b: b[:-1]), InvalidInputError, r"b_ub has shape \(5,\)"),
        ],
    ),
]
