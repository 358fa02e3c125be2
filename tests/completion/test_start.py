"""Where methods start, and where they must not stop."""

import numpy as np

from numopt.completion import matrix_completion
from numopt.completion._build import problem
from numopt.completion._spectral import directions
from tests.completion.instances import haar


def test_popular_lines_are_damped_by_the_root_of_their_excess():
    rng = np.random.default_rng(0)
    popular = np.where(np.arange(80) < 8, 0.9, 0.15)
    full = rng.standard_normal((80, 1)) * rng.standard_normal(90)
    X = np.where(rng.random(full.shape) < popular[:, None], full, np.nan)
    options = {"ridge": 0.0, "ridge_mode": "constant", "bias_ridge": None, "loss": "squared", "center": "none"}
    more = {"duplicates": "raise", "tol": 1e-6, "validation_fraction": 0.0, "rng": rng}
    p = problem(X, 1, mask=None, sample_weight=None, **options, **more)
    counts = [np.isfinite(X).sum(axis=axis) for axis in (1, 0)]
    left, right = (np.sqrt(np.minimum(1, n.mean() / n)) for n in counts)
    _, s, Vt = np.linalg.svd(left[:, None] * np.nan_to_num(X) * right / p.scale)
    found, W = directions(p, p.zeros(), 1, np.random.default_rng(1))
    assert np.isclose(found[0], s[0], rtol=1e-2) and abs(W[:, 0] @ Vt[0]) > 0.99


def test_the_saddle_at_zero_is_no_answer():
    """From factors next to 0 the gradient is small beside that of the biases, for as long as they grow."""
    X, _ = haar(60, 50, 2, 8)
    model = {"center": "biases", "ridge": 0.02, "ridge_mode": "count", "rng": 0}
    rough, fine = (matrix_completion(X, 2, tol=tol, max_iter=5000, **model) for tol in (1e-2, 1e-8))
    assert rough.success and np.linalg.norm(rough.to_dense() - fine.to_dense()) < 0.1 * np.linalg.norm(fine.to_dense())
