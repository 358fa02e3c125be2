"""The default method and its certificates: brackets, gaps, the published instances, one answer from all."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment, linprog
from scipy.sparse import eye_array, kron, vstack

import numopt
from numopt import gallery
from numopt.ot import sinkhorn_newton
from tests.ot.measure import certified, grid, plan_of, squares, violation

METHODS = ["auto", "sns", "sinkhorn"]


def exact(a, b, C):
    """Return the value of the unregularised problem, by HiGHS."""
    n, m = C.shape
    A = vstack([kron(eye_array(n), np.ones((1, m))), kron(np.ones((1, n)), eye_array(m))]).tocsr()
    return linprog(C.ravel(), A_eq=A, b_eq=np.concatenate([a, b])).fun


INSTANCES = {
    "assignment": (lambda: gallery.assignment(), 1 / 1200),
    "images l2": (lambda: gallery.digit_images("l2"), 1 / 1200),
    "images l1": (lambda: gallery.digit_images("l1"), 1 / 1200),
    "mixture 1000, 1e-2": (lambda: gallery.gaussian_mixtures(1000), 1e-2),
    "mixture 1000, 1e-3": (lambda: gallery.gaussian_mixtures(1000), 1e-3),
    "mixture 1000, 1e-4": (lambda: gallery.gaussian_mixtures(1000), 1e-4),
    "mixture 2000, 1e-2": (lambda: gallery.gaussian_mixtures(2000, rng=1), 1e-2),
    "mixture 2000, 1e-3": (lambda: gallery.gaussian_mixtures(2000, rng=1), 1e-3),
    "mixture 2000, 1e-4": (lambda: gallery.gaussian_mixtures(2000, rng=1), 1e-4),
}


@pytest.mark.parametrize("name", INSTANCES)
def test_the_nine_instances_to_1e_12(name):
    make, reg = INSTANCES[name]
    a, b, C = make()
    result = sinkhorn_newton(a, b, C, reg=reg, tol=1e-12)
    certified(result, a, b, C, 1e-12)
    assert abs(result.gap) <= 1e-10
    assert result.lp_lower_bound <= result.cost <= result.rounded_cost * (1 + 1e-9)
    assert result.n_passes <= 60


@pytest.mark.parametrize("reg", [1e-1, 1e-2, 1e-3, 1e-4])
@pytest.mark.parametrize(
    ("a", "b", "C"), [squares(30, 40), squares(40, 25, 1), grid(6)], ids=["squares", "wide", "grid"]
)
def test_the_bracket_holds_the_exact_value(a, b, C, reg):
    reg = reg * np.median(C)
    result = sinkhorn_newton(a, b, C, reg=reg, tol=1e-11)
    lp, scale = exact(a, b, C), C.max()
    assert result.lp_lower_bound - 1e-9 * scale <= lp <= result.rounded_cost + 1e-9 * scale
    # <C, P> exceeds the exact value by at most reg times the entropy of a column given its row.
    assert result.rounded_cost - lp <= reg * np.log(b.size) + 1e-9 * scale
    assert result["gap"] == result.gap
    assert -1e-12 * scale <= result.gap <= 1e-8 * scale
    assert result.dual_value <= result.value + 1e-9 * scale


@pytest.mark.parametrize("tol", [1e-1, 1e-3, 1e-6])
def test_the_bracket_holds_while_the_marginals_are_rough(tol):
    a, b, C = squares(30, 40, 3)
    lp = exact(a, b, C)
    for method in METHODS:
        result = sinkhorn_newton(a, b, C, reg=0.01, tol=tol, method=method)
        assert result.lp_lower_bound <= lp + 1e-12 <= result.rounded_cost + 2e-12
        assert -1e-12 <= result.gap <= 2 * tol + 1e-12


@pytest.mark.parametrize("n", [30, 200])
def test_small_reg_finds_the_assignment(n):
    a, b, C = gallery.assignment(n, rng=3)
    result = sinkhorn_newton(a, b, C, reg=1e-5)
    rows, columns = linear_sum_assignment(C)
    best = C[rows, columns].mean()
    assert result.lp_lower_bound - 1e-12 <= best <= result.rounded_cost + 1e-12
    assert result.rounded_cost - result.lp_lower_bound <= 1e-5 * np.log(n) + 1e-9
    assert (result.plan.todense()[rows, columns] > 0.9 / n).all()


@pytest.mark.parametrize("reg", [1.0, 0.05, 0.01])
def test_the_methods_agree(reg):
    a, b, C = squares(30, 40, 4)
    plans = [sinkhorn_newton(a, b, C, reg=reg, method=method, density=20.0).plan.todense() for method in METHODS]
    for P in plans[1:]:
        np.testing.assert_allclose(P, plans[0], atol=1e-9)


@pytest.mark.parametrize("reg", [0.1, 1e-3])
@pytest.mark.parametrize("method", METHODS)
def test_the_rooms_of_kernels_agree(method, reg):
    a, b, C = squares(60, 70, 5)
    tol, settings = 1e-12 if method == "auto" else 1e-9, {"reg": reg, "method": method, "density": 20.0}
    with numopt.use_kernels("portable"):
        plain = sinkhorn_newton(a, b, C, tol=tol, **settings)
    fast = sinkhorn_newton(a, b, C, tol=tol, **settings)
    np.testing.assert_allclose(fast.plan.todense(), plain.plan.todense(), atol=2 * tol)
    assert fast.value == pytest.approx(plain.value, abs=10 * tol)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_small_reg_on_any_backend(xp, dtype, seed):
    a, b, C = (x.astype(dtype) for x in squares(30, 36, seed))
    result = sinkhorn_newton(xp.asarray(a), xp.asarray(b), xp.asarray(C), reg=2e-4)
    assert result.success, result.message
    assert result.nnz > 0  # the last level is solved on extracted entries
    for x in (result.f, result.g):
        assert xp.owns(x) and str(x.dtype).endswith(dtype)
    P = xp.to_numpy(result.plan.todense())
    assert violation(P.astype(float), a, b) <= (1e-9 if dtype == "float64" else 1e-3)


def _distances(X, Y, cost):
    gaps = X[:, None] - Y
    if cost == "cityblock":
        return np.abs(gaps).sum(axis=2)
    squared = (gaps**2).sum(axis=2)
    return np.sqrt(squared) if cost == "euclidean" else squared


@pytest.mark.parametrize("cost", ["sqeuclidean", "euclidean", "cityblock"])
@pytest.mark.parametrize("dim", [1, 3, 12])
@pytest.mark.parametrize("reg", [0.1, 1e-3])
def test_points_and_their_matrix_are_one_problem(cost, dim, reg):
    rng = np.random.default_rng(dim)
    X, Y = rng.random((50, dim)), rng.random((40, dim))
    a, b = np.full(50, 1 / 50), np.full(40, 1 / 40)
    C = _distances(X, Y, cost)
    cloud = sinkhorn_newton(a, b, X=X, Y=Y, cost=cost, reg=reg, reg_relative=True, tol=1e-12)
    matrix = sinkhorn_newton(a, b, C, reg=reg, reg_relative=True, tol=1e-12)
    assert cloud.reg == pytest.approx(matrix.reg, rel=1e-14)
    assert cloud.reg == pytest.approx(reg * np.median(C), rel=1e-14)  # all 2000 pairs are in the sample
    np.testing.assert_allclose(cloud.plan.todense(), matrix.plan.todense(), atol=1e-11)
    assert cloud.rounded_cost == pytest.approx(matrix.rounded_cost, rel=1e-9)
    assert cloud.lp_lower_bound == pytest.approx(matrix.lp_lower_bound, abs=1e-9 * C.max())


@pytest.mark.parametrize("method", METHODS)
def test_float32_stays_float32_and_reaches_its_floor(method):
    a, b, C = (x.astype(np.float32) for x in squares(60, 70, 6))
    for reg in (1.0, 0.1, 1e-2, 1e-3):
        if method == "sinkhorn" and reg < 1e-2:
            continue
        result = sinkhorn_newton(a, b, C, reg=reg, method=method, density=20.0)
        assert result.f.dtype == result.g.dtype == result.plan.todense().dtype == np.float32
        P = plan_of(result, a, b, C)
        assert result.success, result.message
        assert violation(P, a, b) <= 2 * result.marginal_error + 1e-6
        assert result.marginal_error <= 1e-6 + 2e-7 * C.max() / reg
        wide = sinkhorn_newton(*(x.astype(float) for x in (a, b)), C.astype(float), reg=reg)
        assert result.value == pytest.approx(wide.value, rel=1e-4)


def test_mixed_precision_is_computed_in_float64():
    a, b, C = squares(10, 12, 7)
    result = sinkhorn_newton(a.astype(np.float32), b, C, reg=0.1)
    assert result.f.dtype == np.float64
