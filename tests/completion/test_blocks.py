"""Blocks kept in one basis, used in another."""

import numpy as np
import pytest

from numopt.completion import matrix_completion
from numopt.completion._blocks import Blocks, close, turned_blocks
from numopt.completion._build import problem
from numopt.gallery import low_rank


def test_blocks_of_another_basis_are_those_of_the_turned_factor():
    rng = np.random.default_rng(0)
    Q, R = np.linalg.qr(rng.standard_normal((60, 4)))[0], np.eye(4) + 0.1 * rng.standard_normal((4, 4))
    seen = rng.random((60, 64)) < 0.4
    p = matrix_problem(Q, seen)
    _, _, kept, _ = p.half(p.columns, Q, 0.0, keep=True)
    U, X = Q @ R.T, rng.standard_normal((64, 4))
    found = turned_blocks(np, kept, R, 0.01)
    grams = [U[seen[:, j]].T @ U[seen[:, j]] for j in range(64)]
    expected = [np.linalg.solve(G, x) for G, x in zip(grams, X, strict=True)]
    np.testing.assert_allclose(found.solve(X), expected, rtol=1e-8, atol=1e-10)
    M = U.T @ U
    traces = [np.trace(np.linalg.solve(G, M)) for G in grams]
    np.testing.assert_allclose(found.traces(p.kernels, M), traces, rtol=1e-8)
    own = np.linalg.solve(Q[seen[:, 0]].T @ Q[seen[:, 0]], X[0])
    np.testing.assert_allclose(Blocks(kept).solve(X)[0], own, rtol=1e-8)


def matrix_problem(Q, seen):
    """Return a problem with that pattern."""
    X = np.where(seen, 1.0 + np.arange(seen.size).reshape(seen.shape), np.nan)
    options = {"ridge": 0.0, "ridge_mode": "constant", "bias_ridge": None, "loss": "squared", "center": "none"}
    more = {"duplicates": "raise", "tol": 1e-6, "validation_fraction": 0.0, "rng": np.random.default_rng(0)}
    return problem(X, Q.shape[1], mask=None, sample_weight=None, **options, **more)


def test_directions_that_the_error_covers_are_refused():
    kept, R = np.zeros((3, 48)), np.diag([1.0, 0.05, 1.0])
    assert turned_blocks(np, kept, R, 0.02) is None
    assert turned_blocks(np, kept, R, 0.002) is not None


def test_close_looks_at_each_direction():
    U = np.linalg.qr(np.random.default_rng(1).standard_normal((40, 3)))[0] * [1.0, 1.0, 0.01]
    assert close(U, U)
    assert close(U, U + 0.05 * U)
    moved = U.copy()
    moved[:, 2] += 0.01 * np.roll(U[:, 0], 1)  # small beside U, as large as its last direction
    assert not close(U, moved)
    assert not close(U, U[:, :2])


@pytest.mark.parametrize("condition", [1, 30])
def test_conditioning_with_blocks_nearby_is_that_of_fresh_ones(condition):
    p = low_rank(200, 200, 4, oversampling=5, condition=condition)
    double = matrix_completion((p.rows, p.cols, p.values, p.shape), rank=4, rng=0)
    again = matrix_completion((p.rows, p.cols, p.values, p.shape), method="vpgn", rank=4, rng=0)
    assert double.success and again.success
    np.testing.assert_allclose(double.local_conditioning, again.local_conditioning, rtol=0.1)
