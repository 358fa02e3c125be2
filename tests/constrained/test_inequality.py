"""Bounds and inequalities."""

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, NonlinearConstraint

from numopt import Status
from numopt.constrained import minimize_constrained
from numopt.constrained._filter import Filter
from numopt.exceptions import NumoptWarning
from tests.constrained.problems import box_problem, solve


def hs71(**keywords):
    return solve(
        lambda x: x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2], [1, 5, 5, 1], lambda x: [np.prod(x), x @ x], [25, 40],
        [np.inf, 40], bounds=Bounds(1, 5), **keywords,
    )  # fmt: skip


def test_hs71():
    res = hs71()
    assert res.success and res.fun == pytest.approx(17.0140173, abs=1e-7) and res.second_order == "min"
    assert res.complementarity <= 1e-8 and res.nit <= 9
    assert res.v[0].shape == (2,) and res.v[0][0] <= 0
    assert (res.z_lower >= 0).all() and res.z_lower[0] > 0.5


# name: f, c, low, high, bounds, start, value
INEQUALITY = {
    "HS10": (
        lambda x: x[0] - x[1], lambda x: [-3 * x[0] ** 2 + 2 * x[0] * x[1] - x[1] ** 2 + 1], 0, np.inf, None,
        [-10, 10], -1,
    ),
    "HS12": (
        lambda x: x[0] ** 2 / 2 + x[1] ** 2 - x[0] * x[1] - 7 * x[0] - 7 * x[1],
        lambda x: [25 - 4 * x[0] ** 2 - x[1] ** 2], 0, np.inf, None, [0, 0], -30,
    ),
    "HS21": (
        lambda x: 0.01 * x[0] ** 2 + x[1] ** 2 - 100, lambda x: [10 * x[0] - x[1] - 10], 0, np.inf,
        Bounds([2, -50], [50, 50]), [-1, -1], -99.96,
    ),
    "HS35": (
        lambda x: 9 - 8 * x[0] - 6 * x[1] - 4 * x[2] + 2 * x[0] ** 2 + 2 * x[1] ** 2 + x[2] ** 2 + 2 * x[0] * x[1]
        + 2 * x[0] * x[2], lambda x: [3 - x[0] - x[1] - 2 * x[2]], 0, np.inf, Bounds(0, np.inf), [0.5] * 3, 1 / 9,
    ),
    "HS43": (
        lambda x: x[0] ** 2 + x[1] ** 2 + 2 * x[2] ** 2 + x[3] ** 2 - 5 * x[0] - 5 * x[1] - 21 * x[2] + 7 * x[3],
        lambda x: [
            8 - x @ x - x[0] + x[1] - x[2] + x[3],
            10 - x[0] ** 2 - 2 * x[1] ** 2 - x[2] ** 2 - 2 * x[3] ** 2 + x[0] + x[3],
            5 - 2 * x[0] ** 2 - x[1] ** 2 - x[2] ** 2 - 2 * x[0] + x[1] + x[3],
        ], 0, np.inf, None, [0] * 4, -44,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", INEQUALITY)
@pytest.mark.filterwarnings("ignore:x0")
def test_classics(name):
    f, c, low, high, bounds, x0, value = INEQUALITY[name]
    res = solve(f, x0, c, low, high, bounds=bounds)
    assert res.success and abs(res.fun - value) <= 1e-7 * max(1, abs(value))
    assert np.min(c(res.x)) >= -1e-8


@pytest.mark.parametrize("jac", [None, "2-point"])
@pytest.mark.parametrize(("tol", "calls"), [(1e-8, 9), (1e-5, 6)])
def test_differences_are_as_good_as_the_tolerance_asks(jac, tol, calls):
    """SciPy's default, "2-point", has errors larger than the default `tol`; where they do not matter it is cheaper."""
    f, c, low, high, _, x0, value = INEQUALITY["HS43"]
    given = NonlinearConstraint(lambda x: np.array(c(x)), low, high)
    res = minimize_constrained(f, x0, jac=jac, constraints=given, tol=tol)
    assert given.jac == "2-point" and res.success and res.nit <= 15 and res.fun == pytest.approx(value, abs=1e-3 + tol)
    assert res.ncev <= calls * (res.nit + 3)


@pytest.mark.parametrize("seed", range(5))
def test_the_active_set_of_a_box(seed):
    H, g, low, high, x = box_problem(seed)
    res = minimize_constrained(
        lambda y: y @ H @ y / 2 + g @ y,
        np.zeros(12),
        jac=lambda y: H @ y + g,
        hess=lambda y: H,
        bounds=Bounds(low, high),
    )
    assert res.success
    np.testing.assert_allclose(res.x, x, atol=1e-6)
    assert (res.z_lower[x == low] > 0.1).all() and (res.z_upper[x == high] > 0.1).all()
    assert res.second_order == "min"


def test_fixed_variables_take_no_part_but_get_multipliers():
    res = solve(lambda x: ((x - [1, 2, 3]) ** 2).sum(), [0, 0, 0], lambda x: [x.sum() - 3],
                bounds=[(None, None), (5, 5), (None, None)])  # fmt: skip
    np.testing.assert_allclose(res.x, [-2, 5, 0], atol=1e-7)
    g = 2 * (res.x - [1, 2, 3]) + res.v[0][0] - res.z_lower + res.z_upper
    assert abs(g).max() <= 1e-7


def test_two_sided_rows_and_mixed_order():
    A = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [1.0, 0.0, -1.0]])
    rows = LinearConstraint(A, [-1, 0.5, -np.inf], [1, 0.5, np.inf])  # inequality, equality, none
    res = solve(lambda x: ((x - 2) ** 2).sum(), [0, 0, 0], constraints=rows)
    assert res.success and res.v[0].shape == (3,) and res.v[0][2] == 0
    assert A[0] @ res.x == pytest.approx(1, abs=1e-6) and A[1] @ res.x == pytest.approx(0.5, abs=1e-8)


def test_infeasible_inequalities():
    res = solve(lambda x: x.sum(), [0.5, 0.5], lambda x: [x[0] + x[1] - 1, -1 - x @ x], [0, 0], [0, np.inf],
                bounds=Bounds(0, np.inf), on_failure="ignore")  # fmt: skip
    assert res.status == Status.INFEASIBLE and not res.success


def test_a_warm_start_takes_fewer_steps():
    cold = hs71()
    f = lambda x: x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2]  # noqa: E731
    warm = solve(f, cold.x, lambda x: [np.prod(x), x @ x], [25.01, 40], [np.inf, 40], bounds=Bounds(1, 5),
                 options={"lam0": cold.v[0], "z0": (cold.z_lower, cold.z_upper)})  # fmt: skip
    again = solve(f, [1, 5, 5, 1], lambda x: [np.prod(x), x @ x], [25.01, 40], [np.inf, 40], bounds=Bounds(1, 5))
    assert warm.success and warm.nit < again.nit
    np.testing.assert_allclose(warm.x, again.x, atol=1e-6)


def test_a_start_outside_is_moved_inside():
    with pytest.warns(NumoptWarning, match=r"x0\[1\] is 9.0, outside its bounds"):
        res = solve(lambda x: x @ x, [0.5, 9.0], bounds=Bounds(0.25, 1))
    np.testing.assert_allclose(res.x, [0.25, 0.25], atol=1e-6)


def test_bounds_without_room():
    res = solve(lambda x: -x.sum(), [0, 0, 0], lambda x: [x.sum() - 3], bounds=Bounds(0, 1), on_failure="ignore")
    np.testing.assert_allclose(res.x, [1, 1, 1], atol=1e-5)
    assert res.success


def test_a_path_that_breaks_down_gives_way_to_others(monkeypatch):
    from numopt.constrained import _minimize

    paths, path = [], _minimize.interior

    def broken(*args, **keywords):
        paths.append(keywords)
        if len(paths) < 3:
            return Status.BREAKDOWN, "for a test"
        return (yield from path(*args, **keywords))

    monkeypatch.setattr(_minimize, "interior", broken)
    assert hs71().success
    first, strong, loose = paths
    assert "relax" not in first and strong["insist"] and strong["mu"] > 1 and loose.keys() == {"relax"}


@pytest.mark.filterwarnings("ignore:dependent constraints")
@pytest.mark.parametrize(("only", "x0"), [([0.3, 1.1], [0.0, 0.0]), ([1.0, 2.0], [3.0, -1.0])])
def test_a_path_whose_steps_are_lost_in_rounding_gives_way_to_others(only, x0):
    """One point is feasible: multipliers grow until their products with the slacks are rounding alone."""
    A = np.array([[-0.2, 0.81], [1.0, 0.0], [0.0, 3.0], [-0.98, 1.3], [0.47, -0.8]])
    at, inf = A @ only, np.inf
    rows = LinearConstraint(A, at - [0, 0, inf, 0.02, 0], at + np.array([inf, 0, 1.5, inf, inf]))
    res = minimize_constrained(lambda x: (x**4).sum() / 40 + 1.73 * x[0] + 0.64 * x[1], x0, constraints=rows,
                               jac=lambda x: x**3 / 10 + [1.73, 0.64], hess=lambda x: np.diag(0.3 * x**2))  # fmt: skip
    assert res.success and res.nit <= 80
    np.testing.assert_allclose(res.x, only, atol=1e-6)


def test_a_saddle_between_bounds_is_said_to_be_one():
    res = solve(lambda x: x[0] * x[1], [0.0, 0.0], bounds=Bounds(-1, 1))
    assert res.success and abs(res.x).max() < 1e-6 and res.second_order == "saddle"
    corner = solve(lambda x: x[0] * x[1], [0.1, -0.2], bounds=Bounds(-1, 1))
    assert corner.success and corner.second_order == "min" and corner.fun == pytest.approx(-1, abs=1e-7)


@pytest.mark.parametrize("slope", [-1e200, -1.0, -1e-200])
@pytest.mark.parametrize("theta", [0.0, 1e-5, 1e300])
def test_slopes_and_violations_of_any_size_are_compared(slope, theta):
    filter_ = Filter(theta)
    assert filter_.switching(theta, slope, 1.0) == (slope == -1e200 or (slope == -1.0 and theta < 1))
    assert 0 < filter_.shortest(theta, slope) <= 1e-6


def test_where_no_step_is_taken_the_run_ends(monkeypatch):
    """A filter that is cleared for steps that are not taken, and kept them all the same, went round for ever."""
    from numopt.constrained._filter import Filter
    from numopt.constrained._search import Search

    asked = []

    def never(search, pair):
        asked.append(pair)
        assert len(asked) < 5000
        return False

    monkeypatch.setattr(Search, "_accepts", never)
    monkeypatch.setattr(Search, "_error", lambda *_: 1.0)
    monkeypatch.setattr(Filter, "switching", lambda *_: False)
    res = solve(lambda x: x @ x, [0.5, 0.5], bounds=Bounds(0.25, 1), on_failure="ignore")
    assert not res.success and res.status == Status.BREAKDOWN and asked


def test_a_violation_that_could_fall_is_not_called_infeasible():
    """Dependent rows, rounding of large numbers: the program is unbounded, and has feasible points."""
    A = np.array([[1.23, 0.943, -0.122, -0.556], [2.46, 1.886, -0.244, -1.112], [0.586, -0.359, -0.354, 1.54]])
    q, bounds = np.array([0.972, 0.0167, 0.206, -0.784]), Bounds([-np.inf, -2.9, -np.inf, 0.314], [0.811, np.inf, 1.42,
                                                                                                  np.inf])  # fmt: skip
    rows = [LinearConstraint(A, [-2.21, -4.42, 0.6], [-2.21, -4.42, 1.57]),
                     LinearConstraint(np.zeros((1, 4)), -0.119, 0.0933)]
    with pytest.warns(NumoptWarning, match="outside its bounds"):
        res = minimize_constrained(lambda x: q @ x, np.zeros(4), jac=lambda x: q, hess=lambda x: np.zeros((4, 4)),
                                   bounds=bounds, max_iter=500, constraints=rows, on_failure="ignore")  # fmt: skip
    assert not res.success and res.status != Status.INFEASIBLE and np.isfinite(res.x).all()


@pytest.mark.filterwarnings("ignore:dependent constraints")
def test_equations_that_put_a_variable_on_its_bound():
    """Rounding leaves no distance to the bound: a path without an interior gives way to one with bounds loosened."""
    solved = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        A, x, q = np.linalg.qr(rng.standard_normal((2, 2)))[0], rng.standard_normal(2) - 2, rng.standard_normal(2)
        low = x[0] - 0.6 * rng.random()
        res = minimize_constrained(lambda y, q=q: q @ y, [(low + x[0]) / 2, 0.0], jac=lambda y, q=q: q,
                                   hess=lambda y: np.zeros((2, 2)), constraints=LinearConstraint(A, A @ x, A @ x),
                                   bounds=[(low, x[0]), (None, None)], on_failure="ignore")  # fmt: skip
        assert res.status in (Status.CONVERGED, Status.STALLED) and res.kkt_error <= 1e-6
        solved += res.success
    assert solved >= 32  # the others stop short: they have no interior that is wider than tol
