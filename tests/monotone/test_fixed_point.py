"""Fixed points: rates, dominance, and no exception."""

import numpy as np
import pytest

from numopt import Status
from numopt.exceptions import ConvergenceWarning, InvalidInputError
from numopt.monotone import fixed_point

TURN = np.array([[np.cos(1), -np.sin(1)], [np.sin(1), np.cos(1)]])


def affine(seed, low):
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.standard_normal((30, 30)))[0]
    M = np.eye(30) - Q @ np.diag(np.linspace(low, 1, 30)) @ Q.T
    b = rng.standard_normal(30)
    return (lambda x: M @ x + b), np.zeros(30), np.linalg.solve(np.eye(30) - M, b)


MAPS = {
    "rotation": (lambda x: TURN @ x, np.array([1.0, 0.5]), np.zeros(2)),
    "reflection": (lambda x: -x, np.ones(3), np.zeros(3)),
    "contraction": affine(0, 0.3),
    "slow": affine(1, 1e-2),
    "slower": affine(2, 1e-4),
    "projection": (lambda x: np.maximum(x - 1, 0) / 2, np.full(4, 9.0), np.zeros(4)),
}


def residuals(method, name, count):
    T, x0, _ = MAPS[name]
    result = fixed_point(T, x0, xtol=0.0, maxiter=count, method=method, on_failure="ignore")
    return result.history["measure"] * np.linalg.norm(T(x0) - x0)


@pytest.mark.parametrize("name", MAPS)
def test_halpern_obeys_its_bound(name):
    _, x0, solution = MAPS[name]
    r = residuals("halpern", name, 1000)
    bound = 2 * np.linalg.norm(x0 - solution) / (np.arange(r.size) + 1)
    assert (r <= bound * (1 + 1e-12) + 1e-13).all()


def test_the_bound_is_attained():
    r = residuals("halpern", "reflection", 3)
    assert r[0] == 2 * np.sqrt(3)


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("level", [1e-1, 1e-2, 3e-3])
def test_the_default_is_never_much_slower(name, level):
    first = {}
    for method in ("halpern", "auto"):
        r = residuals(method, name, 5000)
        below = np.flatnonzero(np.minimum.accumulate(r) <= level * r[0])
        first[method] = below[0] + 1 if below.size else np.inf
    assert first["auto"] <= 1.1 * first["halpern"] + 8


@pytest.mark.parametrize("name", ["contraction", "projection", "slow"])
def test_the_default_finds_the_point(name):
    T, x0, solution = MAPS[name]
    result = fixed_point(T, x0, xtol=1e-10, maxiter=5000)
    assert result.success
    np.testing.assert_allclose(result.x, solution, atol=1e-6)
    assert abs(result.residual - np.linalg.norm(T(result.x) - result.x)) <= 1e-14


@pytest.mark.parametrize("T", [lambda x: x + 1.0, lambda x: 3 * x + 1, lambda x: x**2 + 1, lambda x: np.exp(x)])
@pytest.mark.parametrize("method", ["auto", "halpern", "iteration"])
def test_maps_without_a_fixed_point(T, method):
    with np.errstate(over="ignore", invalid="ignore"):
        result = fixed_point(T, np.array([2.0, 1.0]), method=method, on_failure="ignore", maxiter=300)
    good = result.success and np.linalg.norm(T(result.x) - result.x) <= 1e-8 * np.linalg.norm(T(np.array([2.0, 1.0])))
    assert good or (not result.success and np.isfinite(result.x).all())


def test_the_limit_warns_and_does_not_raise():
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        result = fixed_point(lambda x: TURN @ x, [1.0, 0.0], method="halpern", maxiter=5)
    assert result.status == Status.MAX_ITER


def test_scipy_calls_work_unchanged():
    c = np.array([10.0, 12.0]), np.array([3.0, 5.0])
    result = fixed_point(lambda x, c1, c2: np.sqrt(c1 / (x + c2)), [1.2, 1.3], args=c)
    np.testing.assert_allclose(result.x, [1.4920333, 1.37228132], atol=1e-6)
    assert fixed_point(np.cos, 0.5, (), 1e-8, 500, "del2").x.shape == ()


@pytest.mark.parametrize("method", ["auto", "halpern", "iteration"])
def test_a_start_at_the_solution_is_one(method):
    """Relative to a residual that is rounding, nothing is small."""
    x = fixed_point(np.cos, np.full(3, 0.5), xtol=1e-15, maxiter=50, on_failure="ignore").x
    for x0 in (x, x * (1 + 1e-15)):
        result = fixed_point(np.cos, x0, method=method)
        assert result.success and result.nit <= 5 and result.residual <= 2e-15


def test_calls_are_counted():
    calls = []
    result = fixed_point(lambda x: calls.append(1) or np.cos(x), np.ones(2))
    assert result.n_evaluations == len(calls)


def test_bad_maps():
    with pytest.raises(InvalidInputError, match="shape"):
        fixed_point(lambda x: x[:1], np.ones(2))
    with pytest.raises(InvalidInputError, match="not finite"):
        fixed_point(lambda x: x * np.nan, np.ones(2))
    with pytest.raises(ZeroDivisionError):
        fixed_point(lambda x: 1 // 0, np.ones(2))


@pytest.mark.parametrize("method", ["auto", "halpern", "iteration"])
@pytest.mark.parametrize("start", [0.0, 1e-3, 1.0, 1e3])
@pytest.mark.parametrize("d", [1, 3])
def test_a_translation_has_no_fixed_point_where_it_is_lost_in_rounding(d, start, method):
    """Anderson's method leaps to 1e16 and beyond, where x + b is x."""
    b, x0 = np.array([1.0, -0.5, 0.3])[:d], start * np.random.default_rng(0).standard_normal(d)
    result = fixed_point(lambda x: x + b, x0, method=method, on_failure="ignore")
    assert not result.success and abs(result.x).max() < 1e10
    assert result.residual == pytest.approx(np.linalg.norm(b), rel=1e-5)
