"""What changes the answer in a known way, and the derivatives of the optimal value."""

import numpy as np
import pytest

from numopt.ot import sinkhorn_newton
from tests.ot.measure import squares

REGS = [1e-1, 1e-2, 1e-3]


pytestmark = pytest.mark.filterwarnings("ignore::numopt.exceptions.PrecisionWarning")


def solve(a, b, C, reg):
    return sinkhorn_newton(a, b, C, reg=reg, tol=1e-13, on_failure="ignore")  # or as far as rounding allows


def plan(a, b, C, reg):
    return solve(a, b, C, reg).plan.todense()


@pytest.fixture
def problem():
    return squares(30, 40, seed=11)


@pytest.mark.parametrize("reg", REGS)
def test_potentials_absorb_a_separable_cost(problem, reg):
    a, b, C = problem
    rng = np.random.default_rng(0)
    u, v = rng.standard_normal(30), rng.standard_normal(40)
    one, two = solve(a, b, C, reg), solve(a, b, C + u[:, None] + v, reg)
    np.testing.assert_allclose(two.plan.todense(), one.plan.todense(), atol=1e-12)
    shift = two.f - one.f - u
    np.testing.assert_allclose(shift, shift[0], atol=1e-9)
    np.testing.assert_allclose(two.g - one.g - v, -shift[0], atol=1e-9)


@pytest.mark.parametrize("reg", REGS)
@pytest.mark.parametrize("factor", [1e-6, 3.0, 1e150])
def test_units_do_not_matter(problem, reg, factor):
    a, b, C = problem
    np.testing.assert_allclose(plan(a, b, factor * C, factor * reg), plan(a, b, C, reg), atol=1e-12)


@pytest.mark.parametrize("reg", REGS)
@pytest.mark.parametrize("factor", [1e-30, 1e-9, 1e9, 1e30, 1e100, 1e-100])
def test_mass_is_a_unit_too(problem, reg, factor):
    a, b, C = problem
    P = plan(factor * a, factor * b, C, reg)
    np.testing.assert_allclose(P / factor, plan(a, b, C, reg), atol=1e-12)


@pytest.mark.parametrize("reg", REGS)
def test_order_does_not_matter(problem, reg):
    a, b, C = problem
    rng = np.random.default_rng(0)
    i, j = rng.permutation(30), rng.permutation(40)
    P = plan(a[i], b[j], C[np.ix_(i, j)], reg)
    np.testing.assert_allclose(P, plan(a, b, C, reg)[np.ix_(i, j)], atol=1e-12)


@pytest.mark.parametrize("reg", REGS)
@pytest.mark.parametrize("method", ["auto", "sinkhorn"])
def test_swapping_the_sides_transposes_the_plan(problem, reg, method):
    a, b, C = problem
    if method == "sinkhorn" and reg < 1e-2:
        pytest.skip("Sinkhorn's iteration takes too long")
    tol = 1e-13 if method == "auto" else 1e-11
    one = sinkhorn_newton(a, b, C, reg=reg, tol=tol, method=method)
    two = sinkhorn_newton(b, a, np.ascontiguousarray(C.T), reg=reg, tol=tol, method=method)
    np.testing.assert_allclose(two.plan.todense(), one.plan.todense().T, atol=10 * tol)


@pytest.mark.parametrize("reg", REGS)
def test_halves_of_an_atom_add_up(problem, reg):
    a, b, C = problem
    halves = np.concatenate([a, a[3:4] / 2])
    halves[3] /= 2
    P = plan(halves, b, np.concatenate([C, C[3:4]]), reg)
    np.testing.assert_allclose(P[3], P[30], atol=1e-13)
    whole = P[:30].copy()
    whole[3] += P[30]
    np.testing.assert_allclose(whole, plan(a, b, C, reg), atol=1e-12)


@pytest.mark.parametrize("reg", REGS)
@pytest.mark.parametrize("cost", ["sqeuclidean", "euclidean", "cityblock"])
def test_moving_both_clouds_changes_nothing(reg, cost):
    rng = np.random.default_rng(2)
    X, Y, a, b = rng.random((30, 3)), rng.random((40, 3)), np.full(30, 1 / 30), np.full(40, 1 / 40)
    shift = np.array([8.0, -4.0, 2.0])  # with points of few digits nothing is rounded
    X, Y = np.round(X, 2) * 1024, np.round(Y, 2) * 1024
    X, Y = np.round(X) / 1024, np.round(Y) / 1024
    here = sinkhorn_newton(a, b, X=X, Y=Y, cost=cost, reg=reg, tol=1e-13)
    there = sinkhorn_newton(a, b, X=X + shift, Y=Y + shift, cost=cost, reg=reg, tol=1e-13)
    np.testing.assert_allclose(there.plan.todense(), here.plan.todense(), atol=1e-12)


def _slope(value, step):
    return (value(step) - value(-step)) / (2 * step)


@pytest.mark.parametrize("reg", REGS)
def test_plan_and_potentials_are_the_derivatives_of_the_value(problem, reg):
    a, b, C = problem
    result = solve(a, b, C, reg)
    P, rng = result.plan.todense(), np.random.default_rng(0)
    da, db = rng.standard_normal(30), rng.standard_normal(40)
    da, db = a * (da - a @ da), b * (db - b @ db)  # the masses stay equal
    dC = rng.standard_normal(C.shape)
    step = 1e-3 * reg
    for value, derivative in (
        (lambda t: solve(a, b, C + t * dC, reg).value, (P * dC).sum()),
        (lambda t: solve(a + t * da, b, C, reg).value, result.f @ da),
        (lambda t: solve(a, b + t * db, C, reg).value, result.g @ db),
    ):
        assert _slope(value, step) == pytest.approx(derivative, rel=1e-5, abs=1e-6)
