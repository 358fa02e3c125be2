"""Weights over many orders of magnitude, far points, ties, forbidden pairs, odd masses, extreme costs."""

import numpy as np
import pytest

from numopt import Status
from numopt.exceptions import ConvergenceWarning, PrecisionWarning
from numopt.ot import _feasible, sinkhorn_newton
from tests.ot.measure import certified, dirichlet, grid, plan_of, squares, violation


def _failures(alpha, seeds, **settings):
    wrong = []
    for seed in seeds:
        a, b, C, reg = dirichlet(seed, alpha)
        result = sinkhorn_newton(a, b, C, reg=reg, on_failure="ignore", **settings)
        P = plan_of(result, a, b, C)
        fine = np.isfinite(P).all() and np.isfinite(result.f).all() and np.isfinite(result.g).all()
        if not (fine and result.success and violation(P, a, b) <= 1.01e-9):
            wrong.append((seed, *C.shape, f"reg = {reg:.2g}", result.message))
    return wrong


@pytest.mark.parametrize(
    ("alpha", "seeds"),
    [
        (1.0, range(2000, 2100)),
        (0.1, range(210)),
        (0.1, range(1000, 1150)),
        (0.01, range(150)),
        (0.01, range(9000, 9150)),
    ],
)
def test_dirichlet_weights(alpha, seeds):
    wrong = _failures(alpha, seeds)
    assert not wrong, f"{len(wrong)} of {len(seeds)}, the first: {wrong[:3]}"


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.1, 0.01, 0.001])
def test_more_dirichlet_weights(alpha):
    wrong = _failures(alpha, range(20_000, 21_500))
    assert not wrong, f"{len(wrong)} of 1500, the first: {wrong[:3]}"


@pytest.mark.parametrize("side", [8, 12, 16])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("reg", [1e-2, 1e-3, 1e-4, 1e-5])
def test_an_integer_grid_with_l1_costs(side, seed, reg):
    a, b, C = grid(side, seed)
    result = sinkhorn_newton(a, b, C, reg=reg, reg_relative=True)
    certified(result, a, b, C)
    assert result.gap <= 1e-6


@pytest.mark.parametrize("reg", [10.0, 1.0, 0.1])
@pytest.mark.parametrize("points", [False, True])
def test_clouds_100_sigma_apart(reg, points):
    rng = np.random.default_rng(0)
    X, Y, u = rng.normal(size=(200, 2)), rng.normal(size=(200, 2)) + 100, np.full(200, 1 / 200)
    C = ((X[:, None] - Y) ** 2).sum(axis=2)
    data = {"X": X, "Y": Y} if points else {"C": C}
    certified(sinkhorn_newton(u, u, reg=reg, **data), u, u, C)


@pytest.mark.parametrize("reg", [1.0, 0.1, 1e-2])
@pytest.mark.parametrize("side", ["source", "target"])
def test_one_point_100_sigma_away(reg, side):
    rng = np.random.default_rng(1)
    X, Y, u = rng.normal(size=(200, 2)), rng.normal(size=(200, 2)), np.full(200, 1 / 200)
    (X if side == "source" else Y)[7] = 100.0
    C = ((X[:, None] - Y) ** 2).sum(axis=2)
    certified(sinkhorn_newton(u, u, C, reg=reg), u, u, C)


@pytest.mark.parametrize("method", ["auto", "sns", "sinkhorn"])
@pytest.mark.parametrize("reg", [1.0, 0.02])
def test_zero_weights_get_no_mass_and_c_transforms(method, reg):
    a, b, C = squares(20, 30)
    a[[0, 7]], b[[3, 29]] = 0.0, 0.0
    a, b = a / a.sum(), b / b.sum()
    result = sinkhorn_newton(a, b, C, reg=reg, method=method, density=20.0)
    certified(result, a, b, C)
    P = result.plan.todense()
    assert not P[[0, 7]].any() and not P[:, [3, 29]].any()
    kept = np.delete(np.arange(30), [3, 29]), np.delete(np.arange(20), [0, 7])
    np.testing.assert_allclose(result.f[[0, 7]], (C - result.g)[[0, 7]][:, kept[0]].min(axis=1), rtol=1e-12)
    transform = (C.T - result.f)[[3, 29]][:, kept[1]].min(axis=1)
    np.testing.assert_allclose(result.g[[3, 29]], transform, rtol=1e-12)
    inner = sinkhorn_newton(a[kept[1]], b[kept[0]], C[np.ix_(kept[1], kept[0])], reg=reg, tol=1e-12)
    np.testing.assert_allclose(P[np.ix_(kept[1], kept[0])], inner.plan.todense(), atol=2e-9)


@pytest.mark.parametrize("method", ["auto", "sinkhorn"])
def test_a_weight_of_1e_15_works(method):
    a, b, C = squares(20, 30)
    a[4], b[5] = 1e-15, 1e-16
    a, b = a / a.sum(), b / b.sum()
    result = sinkhorn_newton(a, b, C, reg=0.02, method=method)
    P = certified(result, a, b, C)
    assert P[4].sum() == pytest.approx(1e-15, rel=1e-3)
    assert P[:, 5].sum() == pytest.approx(1e-16, rel=1e-3)


def test_a_weight_that_underflows_relative_to_the_mass_is_still_a_weight():
    a, b, C = squares(20, 30)
    b[3] = 0.0
    a, b, C = (1e4 * a).astype(np.float32), (1e4 * b / b.sum()).astype(np.float32), C.astype(np.float32)
    b[3] = 1e-42  # a subnormal number, and 0 once it is divided by the mass
    result = sinkhorn_newton(a, b, C, reg=10.0)
    assert result.success and violation(plan_of(result, a, b, C), a, b) <= 1e-5


@pytest.mark.parametrize("seed", range(4))
def test_the_default_tolerance_can_be_reached_and_bounds_hold_at_the_smallest_reg(seed):
    rng = np.random.default_rng(seed)
    for _ in range(15):
        n, m = rng.integers(2, 40, 2)
        a, b, C = squares(n, m, rng.integers(2**32), dim=3)
        reg = 10 ** rng.uniform(-12, -7)
        result = sinkhorn_newton(a, b, C, reg=reg)
        assert result.success, (n, m, reg, result.message)
        assert result.gap >= -1e-12 * C.max() and result.lp_lower_bound <= result.rounded_cost + 1e-12 * C.max()
        # what one pass finds is the plan that another forms
        error = violation(result.plan.todense(), a, b)
        assert error == pytest.approx(result.marginal_error, rel=1e-3, abs=1e-14)


# ------------------ forbidden pairs


def _banded(n, width):
    i = np.arange(n)
    a, b, C = squares(n, n, 5)
    return a, b, np.where(np.abs(i[:, None] - i) <= width, C, np.inf)


@pytest.mark.parametrize("method", ["auto", "sns", "sinkhorn"])
@pytest.mark.parametrize("reg", [1.0, 0.1, 0.01])
def test_forbidden_pairs_get_nothing(method, reg):
    a, b, C = squares(25, 25, 3)
    C[np.random.default_rng(0).random(C.shape) < 0.4] = np.inf
    result = sinkhorn_newton(a, b, C, reg=reg, method=method, density=20.0, max_iter=100_000)
    certified(result, a, b, C)
    P = result.plan.todense()
    assert not P[np.isinf(C)].any()
    assert np.isfinite(result.cost) and np.isfinite(result.value)
    assert not np.isnan(result.gap)


@pytest.mark.parametrize("reg", [1.0, 1e-2, 1e-3])
def test_only_one_plan_is_allowed(reg):
    n = 40
    a = np.arange(1.0, n + 1) / (n * (n + 1) / 2)
    C = np.where(np.eye(n, dtype=bool), np.linspace(0, 1, n), np.inf)
    result = sinkhorn_newton(a, a, C, reg=reg)
    np.testing.assert_allclose(result.plan.todense(), np.diag(a), atol=1e-9)


def test_equal_allowed_costs():
    u = np.full(3, 1 / 3)
    C = np.where(np.eye(3, dtype=bool), 0.0, np.inf)
    np.testing.assert_allclose(sinkhorn_newton(u, u, C, reg=0.1).plan.todense(), np.diag(u), atol=1e-9)


@pytest.mark.parametrize("method", ["auto", "sns"])
@pytest.mark.parametrize("n", [2, 3, 10])
def test_allowed_pairs_that_no_plan_uses(method, n):
    u = np.full(n, 1 / n)  # an upper triangle: only its diagonal can carry mass, the potentials diverge
    C = np.where(np.arange(n)[:, None] <= np.arange(n), np.abs(np.arange(n)[:, None] - np.arange(n)), np.inf)
    result = sinkhorn_newton(u, u, C, reg=0.1, method=method)
    certified(result, u, u, C)
    np.testing.assert_allclose(result.plan.todense(), np.diag(u), atol=1e-8)


@pytest.mark.parametrize("method", ["auto", "sns", "sinkhorn"])
@pytest.mark.parametrize("costs", ["equal", "random"])
def test_no_plan_avoids_the_forbidden_pairs(method, costs):
    u = np.full(3, 1 / 3)
    allowed = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 1]], dtype=bool)  # two sources, one target for both
    C = np.where(allowed, 1.0 if costs == "equal" else np.random.default_rng(0).random((3, 3)), np.inf)
    with pytest.warns(ConvergenceWarning, match="no feasible point"):
        result = sinkhorn_newton(u, u, C, reg=0.1, method=method, max_iter=2000)
    assert result.status == Status.INFEASIBLE and result.success is False
    assert result.marginal_error >= 0.6
    assert np.isfinite(result.f).all() and np.isfinite(result.g).all()


def test_more_infeasible_patterns_never_succeed():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        n, m = rng.integers(4, 20, 2)
        a, b, C = squares(n, m, seed)
        C[:2, 1:] = np.inf  # two sources may only go to target 0, which is too small for them
        a[:2] = 0.3 * b[0] + a[:2]
        a[:2] *= 1.5 * b[0] / a[:2].sum()
        a[2:] *= (1 - a[:2].sum()) / a[2:].sum()
        result = sinkhorn_newton(a, b, C, reg=0.05, on_failure="ignore")
        assert result.status == Status.INFEASIBLE, (seed, result.message)
        assert result.marginal_error >= 0.9 * b[0]
        assert np.isfinite(result.f).all() and np.isfinite(result.g).all()


def test_no_flow_is_looked_for_when_the_time_is_up(monkeypatch):
    a, b, C = squares(300, 300)
    C[abs(np.arange(300)[:, None] - np.arange(300)) > 60] = np.inf
    asked = []
    monkeypatch.setattr(_feasible, "missing_mass", lambda p: asked.append(p) or 0.0)
    limits = {"reg": 1e-4, "on_failure": "ignore"}
    result = sinkhorn_newton(a, b, C, max_time=0.0, **limits)
    assert result.status == Status.TIME_LIMIT and not asked
    assert sinkhorn_newton(a, b, C, max_time=60.0, max_iter=1, **limits).status == Status.MAX_ITER and asked


def test_a_plan_that_is_lost_to_rounded_masses_alone_is_not_denied(monkeypatch):
    # blocks of one source with two targets, and of two with one, whose halves of a unit are rounded down
    monkeypatch.setattr("numopt.ot._feasible._UNITS", 2**16)
    block = np.zeros((3, 3))
    block[0, 2] = block[1:, :2] = np.inf
    a, b = np.tile([1024.0, 512.5, 511.5], 32), np.tile([512.5, 511.5, 1024.0], 32)
    C = np.where(np.kron(np.eye(32), np.ones((3, 3))) > 0, np.tile(block, (32, 32)), np.inf)
    C[np.isfinite(C)] = np.random.default_rng(0).random(np.isfinite(C).sum())
    with pytest.warns(PrecisionWarning):
        result = sinkhorn_newton(a, b, C, reg=0.01, tol=0.0, on_failure="ignore")
    assert result.status == Status.STALLED and result.marginal_error < 1e-12, result.message


def test_negligible_weights_that_may_only_go_to_each_other():
    a = np.array([0.5, 0.5, 1e-20])
    C = np.array([[0.0, 1.0, np.inf], [1.0, 0.0, np.inf], [np.inf, np.inf, 0.3]])
    result = sinkhorn_newton(a, a, C, reg=0.1)
    certified(result, a, a, C)
    assert np.isfinite([result.value, result.dual_value, result.lp_lower_bound]).all()


def test_a_weight_of_zero_may_have_no_allowed_pair():
    a, b, C = squares(6, 7)
    a[2] = 0.0
    a /= a.sum()
    C[2] = np.inf
    result = sinkhorn_newton(a, b, C, reg=0.1)
    assert result.success and not result.plan.todense()[2].any()
    numbers = [result.value, result.dual_value, result.cost, result.lp_lower_bound, result.rounded_cost, result.gap]
    assert np.isfinite(numbers).all() and not np.isnan(result.f).any()


# ------------------ masses and costs


@pytest.mark.parametrize("mass", [1e-200, 1e-6, 17.0, 1e12, 1e200])
def test_any_mass(mass):
    a, b, C = squares(20, 30)
    result = sinkhorn_newton(mass * a, mass * b, C, reg=0.02)
    P = certified(result, mass * a, mass * b, C)
    assert P.sum() == pytest.approx(mass)
    assert result.lp_lower_bound <= result.cost <= result.rounded_cost * (1 + 1e-9)
    assert abs(result.gap) <= 1e-8 * mass


def test_masses_that_nearly_agree():
    a, b, C = squares(20, 30)
    result = sinkhorn_newton(a, b * (1 + 5e-7), C, reg=0.02)
    certified(result, a, b, C)
    assert "b was scaled by" in result.message
    assert "scaled" not in sinkhorn_newton(a, b, C, reg=0.02).message
    single = sinkhorn_newton(*(x.astype(np.float32) for x in (a, b, C)), reg=0.02)
    assert "scaled" not in single.message  # float32 weights cannot agree any better


@pytest.mark.parametrize("scale", [1e-200, 1e-9, 1e9, 1e200])
@pytest.mark.parametrize("method", ["auto", "sns", "sinkhorn"])
def test_huge_and_tiny_costs(scale, method):
    a, b, C = squares(20, 30)
    result = sinkhorn_newton(a, b, scale * C, reg=0.02 * scale, method=method, density=20.0)
    certified(result, a, b, scale * C)
    assert result.lp_lower_bound <= result.rounded_cost
    assert -1e-12 <= result.gap / scale <= 1e-8


@pytest.mark.parametrize("offset", [-1e3, 1e3, 1e6])
def test_a_constant_in_the_cost_is_felt_as_rounding_alone(offset):
    a, b, C = squares(20, 30)
    result = sinkhorn_newton(a, b, C + offset, reg=0.02)  # the default tol knows what can be reached
    assert result.success, result.message
    plain = sinkhorn_newton(a, b, C, reg=0.02)
    rounding = 2.3e-16 * abs(offset) / 0.02
    np.testing.assert_allclose(result.plan.todense(), plain.plan.todense(), atol=1e-9 + rounding)
    assert result.cost - offset == pytest.approx(plain.cost, abs=1e-8 + 10 * rounding * abs(offset))


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint16, bool])
def test_integer_costs(dtype):
    a, b, C = squares(20, 30)
    C = (9 * C).astype(dtype)
    certified(sinkhorn_newton(a, b, C, reg=0.3), a, b, C.astype(float))


def test_integer_weights():
    C = squares(3, 3)[2]
    result = sinkhorn_newton([1, 2, 3], [3, 2, 1], C, reg=0.1)
    np.testing.assert_allclose(result.plan.todense().sum(axis=1), [1, 2, 3])


@pytest.mark.parametrize("reg", [1e2, 1e8, 1e100])
def test_a_huge_reg_gives_the_product(reg):
    a, b, C = squares(20, 30)
    P = sinkhorn_newton(a, b, C, reg=reg).plan.todense()
    np.testing.assert_allclose(P, np.outer(a, b), atol=2 / reg + 1e-9)


def test_the_smallest_reg_allowed():
    a, b, C = squares(20, 30)
    smallest = 65 * np.finfo(float).eps * (C.max() - C.min())
    result = sinkhorn_newton(a, b, C, reg=smallest)
    assert np.isfinite(result.f).all() and np.isfinite(result.g).all()
    assert result.success and result.marginal_error <= 1.3e-2
    assert result.rounded_cost >= result.lp_lower_bound - 1e-12
