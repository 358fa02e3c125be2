"""Equality constraints: classics, invariants, curvature."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import LinearConstraint, NonlinearConstraint

from numopt import Status
from numopt.constrained import minimize_constrained
from numopt.exceptions import NumoptWarning
from tests.constrained.problems import EQUALITY, constraint, solve


@pytest.mark.parametrize("name", EQUALITY)
def test_classics(name):
    f, c, x0, value = EQUALITY[name]
    res = solve(f, x0, c)
    assert res.success and res.kkt_error <= 1e-8
    assert abs(res.fun - value) <= 1e-7 * max(1, abs(value))
    assert np.abs(c(res.x)).max() <= 1e-8
    assert res.certificate["kkt_error"] == res.kkt_error


@pytest.mark.parametrize("name", EQUALITY)
def test_one_block_of_plain_functions_is_like_any_other(name):
    """One block is evaluated in fewer calls than two; steps, answers and calls are the same."""
    f, c, x0, _ = EQUALITY[name]
    m = len(c(np.array(x0, float)))
    one = solve(f, x0, c)
    two = solve(f, x0, constraints=[constraint(c), NonlinearConstraint(lambda x: np.empty(0), [], [], jac=lambda x:
                np.empty((0, x.size)), hess=lambda x, v: np.zeros((x.size, x.size)))])  # fmt: skip
    assert (one.nit, one.nfev) == (two.nit, two.nfev)
    np.testing.assert_allclose(two.x, one.x, atol=1e-10)
    assert one.v[0].shape == two.v[0].shape == (m,)


def test_unit_steps_near_the_maratos_point():
    steps = []
    f, c, x0, _ = EQUALITY["Maratos"]
    res = solve(f, x0, c, callback=lambda r: steps.append(r.info["alpha"]))
    assert res.nit <= 6 and steps[-2:] == [1.0, 1.0]


def _quadratic(seed=0, n=50, m=20):
    rng = np.random.default_rng(seed)
    Q, A = rng.standard_normal((n, n)), rng.standard_normal((m, n))
    return Q @ Q.T / n + np.eye(n), rng.standard_normal(n), A, rng.standard_normal(m), rng


def test_a_convex_quadratic_takes_one_step():
    H, g, A, b, rng = _quadratic()
    res = minimize_constrained(
        lambda x: x @ H @ x / 2 + g @ x, 10 * rng.standard_normal(50), jac=lambda x: H @ x + g, hess=lambda x: H,
        constraints=LinearConstraint(A, b, b),
    )  # fmt: skip
    K = np.block([[H, A.T], [A, np.zeros((20, 20))]])
    exact = np.linalg.solve(K, np.concatenate([-g, b]))
    assert res.nit == 1 and res.second_order == "min"
    assert np.linalg.norm(res.x - exact[:50]) <= 1e-12 * np.linalg.norm(exact[:50])
    assert np.linalg.norm(res.v[0] - exact[50:]) <= 1e-12 * np.linalg.norm(exact[50:])


def test_a_linear_function_on_the_sphere():
    a = np.array([1.0, -2.0, 3.0, 0.5])
    res = solve(lambda x: a @ x, [0.5, 0.5, 0.5, 0.5], lambda x: [x @ x - 1], tol=1e-12)
    norm = np.linalg.norm(a)
    np.testing.assert_allclose(res.x, -a / norm, atol=1e-10)
    assert res.v[0][0] == pytest.approx(norm / 2, abs=1e-10) and res.second_order == "min"


def test_the_maximum_is_no_minimum():
    a = np.array([1.0, -2.0, 3.0])
    res = solve(lambda x: a @ x, a / np.linalg.norm(a), lambda x: [x @ x - 1], on_failure="ignore")
    assert res.second_order != "min" or a @ res.x < 0


def test_the_smallest_eigenvalue():
    rng = np.random.default_rng(1)
    S = rng.standard_normal((6, 6))
    S = S + S.T
    res = solve(lambda x: x @ S @ x, rng.standard_normal(6), lambda x: [x @ x - 1], tol=1e-11)
    assert res.success
    values = np.linalg.eigvalsh(S)
    assert abs(values - res.fun).min() <= 1e-10
    assert res.second_order != "min" or abs(res.fun - values[0]) <= 1e-10


def test_it_does_not_depend_on_the_coordinates_or_the_scale_of_the_rows():
    f, c, x0, _ = EQUALITY["HS77"]
    base = solve(f, x0, c, tol=1e-11)
    rng = np.random.default_rng(3)
    Q, _ = np.linalg.qr(rng.standard_normal((5, 5)))
    turned = solve(lambda y: f(Q @ y), Q.T @ np.array(x0, float), lambda y: c(Q @ y), tol=1e-11)
    np.testing.assert_allclose(Q @ turned.x, base.x, atol=1e-8)
    scaled = solve(lambda x: 3 * f(x) + 2, x0, lambda x: [5 * c(x)[0], 0.1 * c(x)[1]], tol=1e-11)
    np.testing.assert_allclose(scaled.x, base.x, atol=1e-8)
    order = [3, 1, 4, 0, 2]
    back = np.argsort(order)
    permuted = solve(lambda y: f(y[back]), np.array(x0, float)[order], lambda y: c(y[back])[::-1], tol=1e-11)
    np.testing.assert_allclose(permuted.x[back], base.x, atol=1e-8)


def test_no_constraints_at_all():
    res = solve(lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2, [-1.2, 1.0])
    np.testing.assert_allclose(res.x, [1, 1], atol=1e-7)
    assert res.success and res.second_order == "min"


@pytest.mark.parametrize("solver", ["ldl", "sparse-ldl", "minres", "pcg"])
@pytest.mark.parametrize("name", ["HS28", "HS52", "HS77", "HS79", "Maratos"])
def test_all_linear_solvers_agree(name, solver):
    f, c, x0, _ = EQUALITY[name]
    res = solve(f, x0, c, linear_solver=solver, tol=1e-10)
    assert res.success and res.linear_solver == solver
    np.testing.assert_allclose(res.x, solve(f, x0, c, tol=1e-10).x, atol=1e-7)


# dependent constraint gradients


def _combination(c):
    return lambda x: [*c(x), sum(c(x))]


def _square(c):
    return lambda x: [*c(x), c(x)[0] ** 2]


def _twice(c):
    return lambda x: [*c(x), *c(x)]


@pytest.mark.filterwarnings("ignore:overflow")  # in the problem's own functions, at trial points
@pytest.mark.parametrize("added", [_combination, _square, _twice])
@pytest.mark.parametrize("name", ["HS28", "HS39", "HS52", "HS77", "HS79", "Maratos"])
def test_rows_that_add_nothing_do_no_harm(name, added):
    f, c, x0, value = EQUALITY[name]
    if (name, added) == ("HS39", _square):  # wanders off along the objective, and says so
        res = solve(f, x0, added(c), on_failure="ignore")
        assert not res.success and np.isfinite(res.x).all()
        return
    with pytest.warns(NumoptWarning, match="dependent constraints"):
        res = solve(f, x0, added(c))
    assert res.success and abs(res.fun - value) <= 1e-6 * max(1, abs(value))


def test_a_degenerate_problem_takes_few_steps():
    f, c, x0, _ = EQUALITY["HS26"]
    assert solve(f, x0, c).nit <= 25
    # two spheres that touch: multipliers exist, the gradients of the constraints are parallel
    res = solve(lambda x: x[0], [0.5, 1.0, 1.0], lambda x: [x @ x - 1, (x[0] - 2) ** 2 + x[1] ** 2 + x[2] ** 2 - 1],
                on_failure="ignore", tol=1e-5)  # fmt: skip
    assert abs(res.x - [1, 0, 0]).max() < 0.02


def test_inconsistent_constraints_are_said_to_be():
    res = solve(lambda x: x @ x, [0.0, 0.0], lambda x: [x[0] + x[1] - 1, x[0] + x[1] - 2], on_failure="ignore")
    assert res.status == Status.INFEASIBLE and not res.success
    assert res.x.sum() == pytest.approx(1.5, abs=1e-4)


def test_a_row_of_zeros_with_a_constant():
    for rows in (lambda x: [1.0 + 0.0 * x[0]], lambda x: [x[0] - 0.5, 1.0 + 0.0 * x[0]]):
        res = solve(lambda x: x @ x, [1.0, 1.0], rows, on_failure="ignore")
        assert res.status == Status.INFEASIBLE


def test_more_rows_than_variables():
    with pytest.warns(NumoptWarning, match="dependent constraints"):
        res = solve(lambda x: x @ x, [0.0, 0.5], lambda x: [x[0] - 1, x[1] - 2, x[0] + x[1] - 3])
    np.testing.assert_allclose(res.x, [1, 2], atol=1e-8)


def test_an_unbounded_objective():
    res = solve(lambda x: -(x[0] ** 3) - x[1], [1.0, 1.0], lambda x: [x[1] - x[0]], on_failure="ignore", max_iter=500)
    assert res.status == Status.UNBOUNDED and not res.success


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_do_not_matter(threads):
    import numopt

    with numopt.threads(threads):
        f, c, x0, _ = EQUALITY["HS79"]
        res = solve(f, x0, c)
    assert res.x.tobytes() == solve(f, x0, c).x.tobytes()


@pytest.mark.parametrize("name", ["HS28", "HS77", "Maratos"])
def test_no_function_is_asked_twice_at_one_point(name):
    f, c, x0, _ = EQUALITY[name]
    asked = {"f": [], "c": [], "g": [], "J": []}

    def noted(kind, function):
        return lambda x: asked[kind].append(x.tobytes()) or function(x)

    def gradient(x):
        return np.array([(f(x + e) - f(x - e)) / 2e-6 for e in 1e-6 * np.eye(x.size)])

    def jacobian(x):
        return np.array([(np.array(c(x + e)) - c(x - e)) / 2e-6 for e in 1e-6 * np.eye(x.size)]).T

    constraint = NonlinearConstraint(
        noted("c", lambda x: np.array(c(x))), 0, 0, jac=noted("J", jacobian), hess=lambda x, v: np.zeros((x.size,) * 2)
    )
    res = minimize_constrained(
        noted("f", f), np.array(x0, float), jac=noted("g", gradient), hess=lambda x: np.eye(x.size),
        constraints=constraint, tol=1e-6, max_iter=5, on_failure="ignore",
    )  # fmt: skip
    for points in asked.values():
        assert len(set(points)) == len(points) >= 2
    assert (res.nfev, res.ncev, res.njev) == (*(len(asked[k]) for k in "fc"), len(asked["g"]) + len(asked["J"]))


@pytest.mark.parametrize("name", sorted(EQUALITY.keys() - {"HS7", "HS39"}))
def test_the_merit_function_falls_at_every_step(name):
    """HS7 is the filter's from its first step on, and HS39 is given shorter multipliers between two steps."""
    f, c, x0, _ = EQUALITY[name]
    seen = []
    solve(f, x0, c, callback=lambda r: seen.append((r.state, r.info)))
    for (old, _), (new, info) in pairwise(seen):
        if "eta1" in info:  # else the filter decides
            etas = info["eta1"], info["eta2"]
            assert new.merit(*etas) <= old.merit(*etas) + 2e-14 * max(1.0, abs(old.merit(*etas)))
    assert "eta1" in seen[0][1]
