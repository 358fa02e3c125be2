"""Kernels of logistic regressions on a sphere: every room against naive twins."""

import numpy as np
import pytest
import scipy.sparse as sp

from numopt import _array, use_kernels
from numopt._kernels import kernels


@pytest.fixture(params=["cpu", "portable"])
def k(request):
    xp = _array.namespace(np.empty(0))
    if request.param == "cpu":
        return kernels("logistic", xp)
    with use_kernels("portable"):
        return kernels("logistic", xp)


def _regression(N, d, kind):
    """Return X of a kind: numbers, indicators of which most are 1 or 0, or a sparse one; y and w."""
    rng = np.random.default_rng(N)
    X = rng.standard_normal((N, d))
    if kind == "indicators":
        X = np.where(rng.random((N, d)) < np.where(np.arange(d) % 2, 0.05, 0.95), 1.0, -1.0)
    if kind == "sparse":
        X[rng.random((N, d)) < 0.9] = 0.0
    return X, np.where(rng.random(N) < 0.5, -1.0, 1.0), 3 * rng.standard_normal(d) / np.sqrt(d)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("kind", ["numbers", "indicators", "sparse"])
@pytest.mark.parametrize(("N", "d"), [(1, 1), (50, 3), (1500, 40)])
def test_sums_of_a_logistic_regression(k, N, d, kind, intercept):
    X, y, w = _regression(N, d, kind)
    S = sp.csr_array(X)
    data = k.samples((S.data, S.indices, S.indptr, d) if kind == "sparse" else X, y, intercept)
    if intercept:
        X, w = np.column_stack([X, np.ones(N)]), np.append(w, 0.3)
    total, g, weights = k.logistic(data, w)
    s = 1 / (1 + np.exp(-(X @ w)))
    assert total == pytest.approx(np.logaddexp(0, -y * (X @ w)).sum(), rel=1e-12)
    np.testing.assert_allclose(np.sort(weights), np.sort(s * (1 - s)), rtol=1e-11, atol=1e-300)  # rows may be moved
    np.testing.assert_allclose(g, -(X.T @ (y / (1 + np.exp(y * (X @ w))))), atol=1e-10 * N)
    np.testing.assert_allclose(k.weighted_gram(data, weights), (X.T * (s * (1 - s))) @ X, atol=1e-11 * N)


def test_large_margins_do_not_overflow(k):
    data = k.samples(np.array([[1.0], [1.0]]), np.array([1.0, -1.0]), False)
    total, g, weights = k.logistic(data, np.array([1e4]))
    assert total == pytest.approx(1e4) and g[0] == pytest.approx(1) and (weights < 1e-300).all()


@pytest.mark.parametrize("radius", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("n", [1, 2, 7, 60])
@pytest.mark.parametrize("shift", [-1.0, 0.0, 1.0])
def test_the_least_value_on_a_sphere(k, n, radius, shift):
    rng = np.random.default_rng(n)
    H = rng.standard_normal((n, n))
    H, c = H @ H.T + shift * n * np.eye(n), rng.standard_normal(n)
    v, lam = k.on_sphere(H, c, radius)
    assert np.linalg.norm(v) == pytest.approx(radius, rel=1e-12)
    np.testing.assert_allclose(H @ v + lam * v, c, atol=1e-9 * max(1, abs(lam) * radius))
    assert np.linalg.eigvalsh(H)[0] + lam >= -1e-9 * n  # which proves that no point of the sphere is lower


@pytest.mark.parametrize("c", [[0.0, 0.0, 0.0], [0.0, 0.5, 0.2]])
def test_the_hard_case_on_a_sphere(k, c):
    H, c = np.diag([-1.0, 2.0, 3.0]), np.array(c)  # c has no part along the lowest eigenvector
    v, lam = k.on_sphere(H, c, 1.0)
    assert lam == pytest.approx(1.0) and np.linalg.norm(v) == pytest.approx(1.0)
    np.testing.assert_allclose(H @ v + lam * v, c, atol=1e-12)


@pytest.mark.parametrize(
    ("m", "norm", "on_sphere"), [(0, 0.0, False), (2, 0.0, False), (0, 1.5, True), (3, 1.5, True), (3, 1.5, False)]
)
@pytest.mark.parametrize("intercept", [0, 1])
def test_errors_of_a_regression(k, m, norm, on_sphere, intercept):
    rng = np.random.default_rng(m)
    d = 6
    A, t, g, x = (rng.standard_normal(size) for size in ((m, d), m, d + intercept, d + intercept))
    inverse = np.linalg.pinv(A.T) if m else A
    start = np.append(t @ inverse, np.zeros(intercept))
    lam, kappa, worst, off, size = k.regression_errors(g, x, A, t, inverse, start, norm, on_sphere)
    w, away = x[:d], x[:d] - start[:d]
    expected = -0.5 * (g[:d] @ away) / (away @ away) if on_sphere else 0.0
    rest = g[:d] + (2 * expected * w if norm else 0.0)
    assert size == pytest.approx(abs(kappa) + np.abs(lam).sum())
    np.testing.assert_allclose([kappa, *lam], [expected, *(-(inverse @ rest))], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(worst, np.abs(np.append(rest + lam @ A, g[d:])).max(), rtol=1e-12)
    violation = np.append(A @ w - t, w @ w - norm**2 if norm else 0.0)
    np.testing.assert_allclose(off, np.abs(violation).max(), rtol=1e-12, atol=1e-14)
