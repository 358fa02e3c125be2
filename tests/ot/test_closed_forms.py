"""Problems whose solution is known in closed form."""

import numpy as np
import pytest

from numopt.ot import sinkhorn_newton
from tests.ot.measure import certified

METHODS = ["auto", "sns", "sinkhorn"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("reg", [1.0, 0.1, 0.02])
def test_two_by_two(method, reg):
    half, C = np.full(2, 0.5), np.array([[0.0, 1.0], [1.0, 0.0]])
    P = sinkhorn_newton(half, half, C, reg=reg, method=method, tol=1e-14).plan.todense()
    near = 0.5 / (1 + np.exp(-1 / reg))
    np.testing.assert_allclose(np.diag(P), near, rtol=1e-13)
    np.testing.assert_allclose(P[[0, 1], [1, 0]], near * np.exp(-1 / reg), rtol=1e-12)


@pytest.mark.filterwarnings("ignore::numopt.exceptions.PrecisionWarning")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("spread", "reg"), [(0.0, 0.1), (1.0, 0.1), (10.0, 1e-3)])
def test_a_separable_cost_decides_nothing(method, spread, reg):
    rng = np.random.default_rng(0)
    a, b = rng.random(7) + 0.1, rng.random(5) + 0.1
    a, b = a / a.sum(), b / b.sum()
    C = spread * (rng.random(7)[:, None] + rng.random(5)) + 3.0
    result = sinkhorn_newton(a, b, C, reg=reg, method=method, tol=1e-14, on_failure="ignore")
    atol = 1e-15 + 1.1e-16 * np.abs(C).max() / reg
    np.testing.assert_allclose(result.plan.todense(), np.outer(a, b), atol=atol)


@pytest.mark.parametrize(("spread", "reg"), [(0.0, 0.1), (1.0, 0.1), (10.0, 1e-3), (1.0, 1e-6)])
def test_a_separable_cost_takes_no_newton_step(spread, reg):
    rng = np.random.default_rng(0)
    C = spread * (rng.random(7)[:, None] + rng.random(5)) + 3.0
    result = sinkhorn_newton(np.full(7, 1 / 7), np.full(5, 1 / 5), C, reg=reg)
    assert result.success and result.n_newton == 0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 6), (6, 1)])
@pytest.mark.parametrize("reg", [1.0, 1e-3])
def test_one_point_leaves_no_choice(method, n, m, reg):
    rng = np.random.default_rng(n)
    a, b, C = np.full(n, 1 / n), np.full(m, 1 / m), rng.random((n, m))
    result = sinkhorn_newton(a, b, C, reg=reg, method=method, tol=1e-12)
    certified(result, a, b, C, 1e-12)
    np.testing.assert_allclose(result.plan.todense(), np.outer(a, b), rtol=1e-11)
    assert result.cost == pytest.approx(C.mean(), rel=1e-11)
    assert result.lp_lower_bound <= result.rounded_cost * (1 + 1e-12)


@pytest.mark.parametrize("method", ["auto", "sinkhorn"])
def test_two_gaussians_on_the_line(method):
    # k is the covariance of the optimal plan, which is Gaussian: Janati et al., arXiv:2006.02572.
    m0, s0, m1, s1, reg = 0.3, 0.8, -0.5, 0.5, 0.4
    x, y = np.linspace(m0 - 8 * s0, m0 + 8 * s0, 300), np.linspace(m1 - 8 * s1, m1 + 8 * s1, 300)
    a, b = np.exp(-0.5 * ((x - m0) / s0) ** 2), np.exp(-0.5 * ((y - m1) / s1) ** 2)
    a, b = a / a.sum(), b / b.sum()
    result = sinkhorn_newton(a, b, (x[:, None] - y) ** 2, reg=reg, method=method, tol=1e-12)
    k = -reg / 4 + np.sqrt(reg**2 / 16 + (s0 * s1) ** 2)
    assert result.cost == pytest.approx((m0 - m1) ** 2 + s0**2 + s1**2 - 2 * k, rel=1e-10)
    entropy = (result.value - result.cost) / reg + 1
    relative = entropy - a @ np.log(a) - b @ np.log(b)
    assert relative == pytest.approx(-np.log(1 - (k / (s0 * s1)) ** 2) / 2, rel=1e-10)


@pytest.mark.filterwarnings("ignore::numopt.exceptions.PrecisionWarning")
@pytest.mark.parametrize("reg", [1.0, 1e-1, 1e-2, 1e-3, 1e-4])
@pytest.mark.parametrize(("n", "m"), [(40, 60), (60, 40), (50, 50)])
def test_a_prescribed_plan_is_found(reg, n, m):
    rng = np.random.default_rng(n)
    K = np.exp(-40 * rng.random((n, m)))
    K /= K.sum()
    f, g = rng.standard_normal(n), rng.standard_normal(m)
    C = f[:, None] + g - reg * np.log(K)
    a, b = K.sum(axis=1), K.sum(axis=0)
    result = sinkhorn_newton(a, b, C, reg=reg, tol=1e-14, on_failure="ignore")  # as far as rounding allows
    assert np.abs(result.plan.todense() - K).max() <= max(1e-13, 2e-15 / reg) * K.max()


def test_equal_clouds_of_equal_points():
    X = np.repeat(np.eye(3), 4, axis=0)  # four copies of each of three points
    u = np.full(12, 1 / 12)
    result = sinkhorn_newton(u, u, X=X, Y=X, reg=0.5, tol=1e-12)
    C = ((X[:, None] - X) ** 2).sum(axis=2)
    P = certified(result, u, u, C, 1e-12)
    stay = 1 / (1 + 2 * np.exp(-2 / 0.5)) / 12
    np.testing.assert_allclose(P[C == 0], stay / 4, rtol=1e-10)
