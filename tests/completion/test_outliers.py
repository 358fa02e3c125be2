"""Huber's loss beside outliers of any size: starts, certificates, when runs end, and what is held out."""

import numpy as np
import pytest

from numopt.completion import matrix_completion
from tests.completion.instances import error, haar

SIZES = [(10.0, 0.08), (1e4, 0.05), (1e9, 0.05)]


def instance(size, share, noise=0.0, seed=0):
    """Return (X, full matrix): a share of the entries, or one of them, is off by about `size`."""
    (rows, columns, values, shape), full = haar(120, 110, 3, 6, 3, noise=noise)
    rng = np.random.default_rng(seed)
    hit = rng.random(values.size) < share if share else np.arange(values.size) == 7
    values[hit] += size * rng.standard_normal(hit.sum())
    return (rows, columns, values, shape), full


def angle(result, X):
    """Return the sine of the angle between bounded residuals and the normal space, over the root of the density."""
    rows, columns, values, shape = X
    pulls = np.zeros(shape)
    pulls[rows, columns] = np.clip(values - result.predict(rows, columns), -result.loss_scale, result.loss_scale)
    size = np.linalg.norm(pulls) * np.sqrt(values.size / pulls.size)
    Q, P = (np.linalg.qr(F)[0] for F in (result.V, result.U))
    return max(np.linalg.norm(pulls @ Q), np.linalg.norm(pulls.T @ P)) / size


@pytest.mark.parametrize(("size", "share"), SIZES)
@pytest.mark.parametrize("more", [{"method": "als"}, {"method": "als", "ridge": 0.1}, {"ridge": 0.1}], ids=str)
def test_no_start_follows_outliers(size, share, more):
    X, full = instance(size, share, noise=0.1)
    result = matrix_completion(X, 3, loss="huber", rng=0, **more)
    assert result.success and error(result, full) < 0.06 and result.nit < 40


@pytest.mark.parametrize(("size", "share"), SIZES)
def test_subgradients_start_beside_outliers(size, share):
    X, full = instance(size, share)
    result = matrix_completion(X, 3, method="subgm", rng=0)
    assert result.success and error(result, full) < 1e-5


@pytest.mark.parametrize("method", ["als", "irls", "subgm"])
def test_a_fitted_outlier_makes_no_gradient_look_small(method):
    """Least squares fit it; of what is then left, its own direction is 1e4 times that of the others."""
    X, full = instance(1e9, 0.0, noise=0.1)
    begin = matrix_completion(X, 3, rng=0, max_iter=2, on_failure="ignore")
    assert error(begin, full) > 1e3
    result = matrix_completion(X, 3, loss="huber", method=method, init=begin, rng=0, on_failure="ignore")
    assert not result.success or error(result, full) < 0.06


@pytest.mark.parametrize(("size", "share"), [*SIZES, (1e9, 0.0)])
@pytest.mark.parametrize("more", [{}, {"method": "als", "init": "random"}], ids=str)
def test_the_stationarity_is_an_angle_and_ends_runs_in_time(size, share, more):
    X, full = instance(size, share, noise=0.1)
    result = matrix_completion(X, 3, loss="huber", rng=0, **more)
    assert result.success and result.nit < 30 and error(result, full) < 0.06
    assert angle(result, X) == pytest.approx(result.grad_norm, rel=1e-2)


@pytest.mark.parametrize(("size", "share"), [*SIZES, (1e9, 0.0)])
@pytest.mark.parametrize("more", [{}, {"method": "als", "init": "random"}], ids=str)
def test_runs_without_noise_end_once_the_entries_fit(size, share, more):
    X, full = instance(size, share)
    result = matrix_completion(X, 3, loss="huber", rng=0, **more)
    assert result.success and result.nit < 30 and error(result, full) < 1e-5


@pytest.mark.parametrize(("size", "share"), [*SIZES, (1e9, 0.0)])
@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize("fraction", [0.0, 0.1])
def test_biases_start_from_what_most_entries_say(size, share, noise, fraction):
    """From random factors rows followed outliers; held-out errors rose early, and a matrix off by 1e5 was a success."""
    for seed in range(3):
        (rows, columns, values, shape), full = instance(size, share, noise, seed)
        rng = np.random.default_rng(seed)
        full = full + rng.standard_normal((shape[0], 1)) + rng.standard_normal((1, shape[1])) + 2
        X = rows, columns, values + (full - instance(size, share, noise, seed)[1])[rows, columns], shape
        result = matrix_completion(X, 3, loss="huber", center="biases", validation_fraction=fraction, rng=seed)
        assert result.success and error(result, full) < max(0.5 * noise, 1e-4)


def test_a_tiny_ridge_is_no_success_while_rows_lag_behind():
    """At a threshold of 1e-5 all pulls are small beside the data: gradients must be compared with what is cut at it."""
    (rows, columns, values, shape), full = haar(120, 110, 3, 3, 3, seed=2)
    rng = np.random.default_rng(2)
    hit = rng.random(values.size) < 0.1
    values[hit] += 10 * rng.standard_normal(hit.sum())
    for ridge in (1e-12, 1e-9):
        result = matrix_completion((rows, columns, values, shape), 3, loss="huber", ridge=ridge, rng=0,
                                   on_failure="ignore")  # fmt: skip
        assert not result.success or error(result, full) < 1e-4


@pytest.mark.parametrize(("size", "share"), SIZES)
@pytest.mark.parametrize("ridge", [1e-6, 1e-3, 0.1])
def test_a_ridge_takes_no_more_than_it_does_by_squares(size, share, ridge):
    """As the threshold falls with the residuals, so do the pulls that it bounds, and the ridge took a tenth of X."""
    X, full = instance(size, share)
    result = matrix_completion(X, 3, loss="huber", ridge=ridge, rng=0)
    clean = matrix_completion((*X[:2], full[X[0], X[1]], X[3]), 3, ridge=ridge, rng=0)
    assert result.success and error(result, full) < max(2 * error(clean, full), 1e-5)


def test_a_line_short_of_entries_is_held_by_a_ridge():
    (rows, columns, values, shape), _ = instance(1e4, 0.05)
    keep = (rows != 5) | (np.cumsum(rows == 5) <= 2)
    result = matrix_completion((rows[keep], columns[keep], values[keep], shape), 3, loss="huber", ridge=1e-6, rng=0)
    assert result.success


def test_rows_that_the_pattern_leaves_open_are_no_success_beside_noise():
    (rows, columns, values, shape), _ = haar(60, 60, 2, 8, noise=0.1)
    keep = (rows != 5) | (np.cumsum(rows == 5) <= 1)
    X = rows[keep], columns[keep], values[keep], shape
    result = matrix_completion(X, 2, loss="huber", rng=0, on_failure="ignore")
    assert not result.success and result.certificate["ambiguity"] == 1 and not result.identifiable_rows[5]


@pytest.mark.parametrize(("size", "share"), SIZES)
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_what_is_held_out_is_not_about_outliers(size, share, noise):
    """A tenth of the outliers is held out; by their squares every run ended after two sweeps."""
    X, full = instance(size, share, noise=noise)
    result = matrix_completion(X, 3, loss="huber", validation_fraction=0.1, rng=0)
    assert result.success and error(result, full) < max(0.65 * noise, 1e-8)
    assert result.validation_rmse < max(2 * noise, 1e-8)


def test_without_outliers_the_validation_error_is_the_root_mean_square():
    X, _ = haar(120, 110, 3, 6, 3, noise=0.1)
    errors = [matrix_completion(X, 3, loss=loss, validation_fraction=0.2, rng=0, on_failure="ignore").validation_rmse
              for loss in ("huber", "squared")]  # fmt: skip
    assert errors[0] == pytest.approx(errors[1], rel=0.05)


def test_heavy_weights_are_named_where_outliers_win_by_them():
    for seed in range(3):
        X, full = instance(1e4, 0.05, noise=0.1, seed=seed)
        w = np.random.default_rng(seed).lognormal(0, 1.5, X[2].size)
        result = matrix_completion(X, 3, loss="huber", sample_weight=w, rng=0, on_failure="ignore")
        assert not result.success and "times their mean, and outliers pull as much harder" in result.message
        result = matrix_completion(X, 3, loss="huber", sample_weight=np.minimum(w, w.mean()), rng=0)
        assert result.success and error(result, full) < 0.1
