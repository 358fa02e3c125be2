"""Games, inclusions, linear programs and fixed points."""

from functools import partial

import numpy as np

from numopt import _array
from numopt.exceptions import InvalidInputError
from numopt.monotone import Box, Simplex
from tests.contract.cases._case import Case, spoil


def _game(rng, dtype, method):
    A = rng.standard_normal((13, 17)) + 0.3
    return (A.astype(dtype),), {"method": method, "tol": 1e-4 if dtype == "float32" else 1e-6}


def _game_gap(result, p):
    A = np.asarray(p["A"], float)
    x, y = (np.asarray(z, float) / np.sum(z, dtype=float) for z in (result.x, result.y))
    return ((A @ x).max() - (y @ A).min()) / np.abs(A - A.mean()).max()


def _program(rng, dtype):
    A_ub, A_eq, x = rng.random((3, 6)) - 0.2, rng.random((2, 6)), rng.random(6)
    c = rng.random(6) - 0.3
    arrays = (c, A_ub, A_ub @ x + 0.1, A_eq, A_eq @ x)
    tol = 1e-4 if dtype == "float32" else 1e-6
    return tuple(a.astype(dtype) for a in arrays), {"bounds": (0, 2), "tol": tol}


def _infeasibility(result, p):
    x, (A_ub, b_ub, A_eq, b_eq) = (
        np.asarray(result.x, float),
        (p[k].astype(float) for k in ("A_ub", "b_ub", "A_eq", "b_eq")),
    )
    off = np.concatenate([np.maximum(A_ub @ x - b_ub, 0), A_eq @ x - b_eq])
    return np.linalg.norm(off) / np.linalg.norm(np.concatenate([b_ub, b_eq]))


class _Affine:
    """F_i(z) = M_i z + q_i in the library of z: skew parts make it monotone, without them it is cocoercive."""

    def __init__(self, rng, skew):
        B = rng.standard_normal((12, 5, 5))
        S = B - np.swapaxes(B, 1, 2)
        self.M = B @ np.swapaxes(B, 1, 2) / 10 + np.eye(5) + skew * S
        self.q = rng.standard_normal((12, 5))
        self.n, self.dim, self.kind = 12, 5, "monotone" if skew else "cocoercive"
        self.lipschitz = np.linalg.norm(self.M.mean(axis=0), 2)
        self.component_lipschitz = np.linalg.norm(self.M, 2, axis=(1, 2))

    def full(self, z):
        return self._affine(z, self.M.mean(axis=0)) + self._moved(z, self.q.mean(axis=0))

    def batch_difference(self, z, w, index, weights):
        return self._affine(z - w, np.tensordot(weights, self.M[index], 1))

    def _affine(self, z, M):
        return self._moved(z, M) @ z

    def _moved(self, z, v):
        return _array.namespace(z).asarray(v, device=_array.device(z))


def _inclusion(rng, dtype, method, skew):
    keywords = {"method": method, "tol": 1e-4 if dtype == "float32" else 1e-6, "rng": 3, "max_iter": 5000}
    if method.startswith("halpern-"):  # without restarts residuals fall like 1 / k
        keywords |= {"tol": 5e-2, "step": 0.1 if skew == 0 else 0.5}
    return (_Affine(rng, skew), rng.standard_normal(5).astype(dtype)), keywords


def _residual(result, p):
    F = p["op"].full(np.asarray(result.z, float))
    return np.linalg.norm(F) / np.linalg.norm(p["op"].full(np.asarray(p["z0"], float)))


def _half_cosine(x):
    return _array.namespace(x).cos(x) / 2


def _moved_by(result, p):
    x, x0 = np.asarray(result.x, float), np.asarray(p["x0"], float)
    return np.linalg.norm(np.cos(x) / 2 - x) / np.linalg.norm(np.cos(x0) / 2 - x0)


def _saddle(rng, dtype):
    """A strongly convex-concave problem on a simplex and a box."""
    A, c, b = rng.standard_normal((5, 6)), rng.standard_normal(6), rng.standard_normal(5)
    arrays = (2 * np.eye(6), np.eye(5), A, b, c)
    sets = {"x_set": Simplex(), "y_set": Box(-1.0, 1.0)}
    return tuple(a.astype(dtype) for a in arrays), sets | {"tol": 1e-4 if dtype == "float32" else 1e-6}


def _saddle_gap(result, p):
    """The bound of the gap relative to that at the start, zero brought into the sets."""
    P, Q, A, b, c = (np.asarray(p[k], float) for k in ("P", "Q", "A", "b", "c"))

    def bound(x, y):
        F, G = P @ x + A.T @ y + c, Q @ y - A @ x + b
        return F @ x - F.min() + G @ y + abs(G).sum()

    return bound(np.asarray(result.x, float), np.asarray(result.y, float)) / bound(np.full(6, 1 / 6), np.zeros(5))


CASES = [
    Case(
        "monotone.saddle_qp",
        _saddle,
        _saddle_gap,
        "relative_gap",
        bad=[
            (
                "no symmetry",
                spoil("P", lambda P: P + np.triu(P + 1)),
                InvalidInputError,
                "P differs from its transpose",
            ),
            ("sizes disagree", spoil("b", lambda b: b[:-1]), InvalidInputError, r"b has shape \(4,\)"),
        ],
    ),
    *(
        Case(
            "monotone.monotone_root",
            partial(_inclusion, method=method, skew=skew),
            _residual,
            "relative_residual",
            bad=[
                ("a short start", spoil("z0", lambda z: z[:-1]), InvalidInputError, r"z0 has shape \(4,\)"),
                ("a step of 0", spoil("step", 0.0), InvalidInputError, "step is 0"),
            ],
            label=method,
        )
        for method, skew in (
            ("feg", 1.0),
            ("extragradient", 1.0),
            ("halpern", 0.0),
            ("halpern-page", 0.0),
            ("halpern-forb", 1.0),
            ("vr-halpern", 0.0),
            ("vr-prox-halpern", 1.0),
            ("lsvrg", 0.0),
        )
    ),
    *(
        Case(
            "monotone.fixed_point",
            lambda rng, dtype, method=method: (
                (_half_cosine, rng.standard_normal(7).astype(dtype)),
                {"method": method, "tol": 1e-2 if method == "halpern" else 1e-5},
            ),
            _moved_by,
            "relative_residual",
            label=method,
        )
        for method in ("auto", "halpern", "iteration")
    ),
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
            ("sizes disagree", spoil("b_ub", lambda b: b[:-1]), InvalidInputError, r"b_ub has shape \(2,\)"),
        ],
    ),
]
