"""The rank that is chosen when none is given."""

import numpy as np
import pytest

from numopt.completion import matrix_completion
from tests.completion.instances import error, haar


@pytest.mark.parametrize("kappa", [1, 20])
def test_without_noise_the_rank_is_found(kappa):
    for seed in range(5):
        X, full = haar(150, 120, 4, 4, kappa, seed=seed)
        result = matrix_completion(X, "auto", tol=1e-8, rng=seed)
        assert result.success and result.rank == 4 and error(result, full) < 1e-6


def test_with_noise_the_rank_is_found():
    X, full = haar(200, 200, 4, 6, noise=0.2)
    result = matrix_completion(X, "auto", rng=0)
    assert result.success and result.rank == 4 and error(result, full) < 0.15


def test_weak_directions_below_the_noise_are_left_out():
    X, _ = haar(150, 150, 5, 4, kappa=100, noise=0.3)
    assert matrix_completion(X, "auto", rng=0).rank < 5


@pytest.mark.parametrize("X", [[[1.0]], [[1.0, np.nan], [np.nan, 2.0]], np.eye(3), np.zeros((3, 4))], ids=str)
def test_any_valid_input_has_a_rank(X):
    result = matrix_completion(np.array(X), "auto", rng=0, on_failure="ignore")
    assert np.isfinite(result.to_dense()).all() and result.rank <= 3


def test_the_rank_can_be_chosen_with_a_ridge_and_biases():
    X, _ = haar(100, 80, 3, 6, noise=0.2)
    model = dict(ridge=0.02, ridge_mode="count", center="biases")
    result = matrix_completion(X, "auto", **model, rng=0, max_iter=3000, tol=1e-4)
    assert result.success and result.rank == 3


@pytest.mark.parametrize(("oversampling", "kappa", "noise"), [(4, 10, 0), (6, 1, 0), (6, 10, 0.05), (4, 1, 0.3)])
def test_outliers_do_not_mislead_the_choice(oversampling, kappa, noise):
    for seed in range(4):
        X, full = haar(150, 140, 3, oversampling, kappa, noise, outliers=0.1, seed=seed)
        result = matrix_completion(X, "auto", loss="huber", rng=seed + 50, on_failure="ignore")
        assert result.rank == 3, seed
        assert not result.success or error(result, full) < max(1e-5, 2 * noise)


def test_a_rank_is_chosen_beside_outliers_with_weights_and_in_single_precision():
    (rows, columns, values, shape), full = haar(120, 100, 2, 6, outliers=0.1)
    w = np.random.default_rng(1).uniform(0.5, 2, values.size)
    for dtype, tol in (("float32", 1e-4), ("float64", 1e-7)):
        X = rows, columns, values.astype(dtype), shape
        result = matrix_completion(X, "auto", loss="huber", sample_weight=w.astype(dtype), tol=tol, rng=0)
        assert result.success and result.rank == 2 and error(result, full) < 10 * tol
