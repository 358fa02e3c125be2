"""SoftImpute ends where alternating least squares does, on every backend."""

import numpy as np
import pytest

import numopt
from numopt.completion import matrix_completion
from numopt.exceptions import InvalidInputError
from tests.completion.instances import haar


def both(X, **options):
    return [matrix_completion(X, 8, method=method, ridge=2.0, rng=0, max_iter=3000, **options).to_dense()
            for method in ("softimpute", "als")]  # fmt: skip


def test_it_solves_the_nuclear_norm_problem():
    X, _ = haar(60, 50, 3, 4, noise=0.1)
    one, two = both(X, tol=1e-8)
    assert np.abs(one - two).max() < 1e-5


def test_it_takes_weights_and_tall_matrices():
    (rows, columns, values, (m, n)), _ = haar(40, 70, 2, 4, noise=0.1)
    w = np.random.default_rng(0).uniform(0.2, 3.0, values.size)
    for X in ((rows, columns, values, (m, n)), (columns, rows, values, (n, m))):
        one, two = both(X, tol=1e-7, sample_weight=w)
        assert np.abs(one - two).max() < 1e-4


def test_it_runs_in_single_precision_on_every_backend_and_for_any_number_of_threads(xp):
    (rows, columns, values, shape), _ = haar(60, 50, 3, 4, noise=0.1)
    X = (*(xp.asarray(x) for x in (rows, columns, values.astype("float32"))), shape)
    results = []
    for number in (1, 2):
        with numopt.threads(number):
            results.append(matrix_completion(X, 5, method="softimpute", ridge=2.0, tol=1e-4, rng=0, max_iter=2000))
    U, V = (xp.to_numpy(x) for x in (results[0].U, results[0].V))
    assert results[0].success and U.dtype == np.float32
    assert np.array_equal(U, xp.to_numpy(results[1].U)) and np.array_equal(V, xp.to_numpy(results[1].V))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ridge_mode": "count", "ridge": 1.0},
        {"center": "biases", "ridge": 1.0},
        {"loss": "huber", "ridge": 1.0},
        {"validation_fraction": 0.1, "ridge": 1.0},
    ],
)
def test_what_it_does_not_know_is_refused(options):
    X, _ = haar(30, 30, 2, 4)
    with pytest.raises(InvalidInputError, match="'softimpute': a ridge > 0 is expected"):
        matrix_completion(X, 2, method="softimpute", rng=0, **options)
