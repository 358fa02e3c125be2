"""Linear programs: optimal pairs, proofs of the contrary, and no false ones."""

from itertools import permutations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import linprog

from numopt import Status
from numopt.exceptions import InvalidInputError, InvalidTypeError
from numopt.gallery import random_program, transport_program
from numopt.monotone import _highs, _lp_polish, _lp_rays, linprog_pd
from numopt.monotone._lp_problem import linear_program


def feasible(seed, m_ub=8, m_eq=4, n=15):
    rng = np.random.default_rng(seed)
    A, E, x = rng.standard_normal((m_ub, n)), rng.standard_normal((m_eq, n)), rng.random(n)
    y, z = -rng.random(m_ub), rng.standard_normal(m_eq)
    s = rng.random(n) * (rng.random(n) < 0.5)
    return A.T @ y + E.T @ z + s, A, A @ x + rng.random(m_ub) * (rng.random(m_ub) < 0.5), E, E @ x


def check(result, c, A, b, E, d, tol=1e-6):
    """Assert that a claimed optimum is one, in plain NumPy."""
    assert result.success, result.message
    x, y, z = result.x, result.ineqlin.marginals, result.eqlin.marginals
    size = np.linalg.norm(np.concatenate([b, d]))
    assert np.linalg.norm(np.concatenate([np.maximum(A @ x - b, 0), E @ x - d])) <= 1.01 * tol * size
    assert (x >= 0).all() and (y <= 0).all()
    reduced = c - A.T @ y - E.T @ z
    assert np.linalg.norm(np.minimum(reduced, 0)) <= 1.01 * tol * np.linalg.norm(c)
    assert abs(c @ x - b @ y - d @ z) <= 1.01 * tol * (abs(c * x).sum() + abs(b * y).sum() + abs(d * z).sum())


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("sparse", [False, True])
def test_optimal_pairs(seed, sparse):
    c, A, b, E, d = feasible(seed)
    kind = sp.csr_array if sparse else np.asarray
    result = linprog_pd(c, kind(A), b, kind(E), d)
    check(result, c, A, b, E, d)
    other = linprog(c, A, b, E, d)
    assert abs(result.fun - other.fun) <= 1e-4 * (1 + abs(other.fun))
    np.testing.assert_allclose(result.slack, b - A @ result.x, atol=1e-12)
    np.testing.assert_allclose(result.con, d - E @ result.x, atol=1e-12)


def test_marginals_are_those_of_scipy():
    args = [-1, 4], [[-3, 1], [1, 2]], [6, 4], None, None, [(None, None), (-3, None)]
    ours, theirs = linprog_pd(*args, tol=1e-9), linprog(*args)
    np.testing.assert_allclose(ours.x, theirs.x, atol=1e-6)
    np.testing.assert_allclose(ours.ineqlin.marginals, theirs.ineqlin.marginals, atol=1e-6)
    np.testing.assert_allclose(ours.lower.marginals, theirs.lower.marginals, atol=1e-6)
    np.testing.assert_allclose(ours.upper.marginals, theirs.upper.marginals, atol=1e-6)


def test_assignment_against_all_permutations():
    C = np.random.default_rng(0).integers(0, 20, (6, 6)).astype(float)
    E = np.vstack([np.kron(np.eye(6), np.ones(6)), np.kron(np.ones(6), np.eye(6))])
    result = linprog_pd(C.ravel(), A_eq=E, b_eq=np.ones(12), tol=1e-7)
    best = min(sum(C[i, p[i]] for i in range(6)) for p in permutations(range(6)))
    assert abs(result.fun - best) < 1e-4


CALLS = {
    "in its order": (([-1, 4], [[-3, 1], [1, 2]], [6, 4], None, None, [(None, None), (-3, None)], "highs"), {}),
    "options": (([1, 2], None, None, [[1, 1]], [3]), {"method": "highs-ds", "options": {"maxiter": 99, "disp": False}}),
    "a start, and no integers": (([1, 2], None, None, [[1, 1]], [3]), {"x0": [1, 2], "integrality": [0, 0]}),
    "a number for a vector": (([1, 2], [[-1, -1]], -3), {}),
    "columns": (([[1], [2]], None, None, [[1, 1], [1, -1]], [[3], [1]]), {}),
    "one variable": ((-2, [[1]], 5), {}),
    "one pair as an array": (([1, -1],), {"bounds": np.array([0, 5])}),
    "one pair as a row": (([1, -1],), {"bounds": [[0, 5]]}),
    "pairs as an array": (([1, -1],), {"bounds": np.array([[-1, 2], [-np.inf, 3]])}),
    "pairs of objects": (([1, -1],), {"bounds": np.array([[-1, None], [None, 3]], dtype=object)}),
    "no bounds given": (([1, -1], [[1, 1]], [4]), {"bounds": []}),
    "no rows": (([1, 2], [[-1, -1]], [-3], np.zeros((0, 2)), []), {}),
    "a sparse and a dense matrix": (([1, 2, 1], sp.coo_array([[1.0, 1, 0]]), [2], [[1, 0, 1]], [3]), {}),
    "a dense and a sparse matrix": (([1, 2, -1], [[1.0, 1, 0]], [2], sp.csc_matrix([[1.0, 0, 1]]), [3]), {}),
}


@pytest.mark.parametrize("name", CALLS)
def test_scipy_calls_work_unchanged(name):
    args, keywords = CALLS[name]
    ours, theirs = linprog_pd(*args, **keywords), linprog(*args, **{k: v for k, v in keywords.items() if k != "x0"})
    assert ours.success and abs(ours.fun - theirs.fun) <= 1e-5 * (1 + abs(theirs.fun))


def test_a_start_is_used():
    c, A, b, E, d = feasible(0)
    one = linprog_pd(c, A, b, E, d, tol=1e-10)
    cold, warm = (linprog_pd(0 * c, A, b, E, d, x0=x0) for x0 in (None, one.x))  # any point will do
    assert warm.nit == 1 < cold.nit and abs(warm.x - one.x).max() <= 1e-6


def test_violations_count_beside_bounds_where_the_sides_are_zero():
    """In units of 1e-9 any x in the box violates x = y by less than 1e-6."""
    for unit in (1e-9, 1.0, 1e9):
        result = linprog_pd([-1.0, 0.0], A_eq=[[unit, -unit]], b_eq=[0.0], bounds=[(0, 1), (0, 0)])
        assert result.success and abs(result.fun) <= 1e-5


@pytest.mark.parametrize("method", ["auto", "pdhg"])
@pytest.mark.parametrize("tol", [1e-4, 1e-6])
def test_small_rows_count_beside_large_ones(tol, method):
    """A row in units of 1e-3 beside one in units of 1e4 is nothing in the norm of both."""
    rng = np.random.default_rng(5)
    for _ in range(10):
        c, A, b, E, d = feasible(rng.integers(1000))
        truth = linprog(c, A, b, E, d).fun
        s, q = 10.0 ** rng.uniform(-4, 4, 8), 10.0 ** rng.uniform(-4, 4, 4)
        result = linprog_pd(c, A * s[:, None], b * s, E * q[:, None], d * q, method=method, tol=tol)
        off = np.r_[np.maximum(A @ result.x - b, 0), E @ result.x - d]
        assert result.success and np.linalg.norm(off) <= 5 * tol * np.linalg.norm(np.r_[b, d])
        assert abs(result.fun - truth) <= 5 * tol * abs(c * result.x).sum()


def test_an_equation_in_small_units_is_heeded():
    """All sides are 0: what the bounds make of the second row is 1e7 times what they make of the first."""
    E = [[1e-3, 1e-3, -1e-3], [0.0, 0.0, 1e4]]  # so x1 = -x2
    result = linprog_pd([1.0, 0.0, 0.0], A_eq=E, b_eq=[0, 0], bounds=[(-5, 5), (0, None), (-1, 1)], method="pdhg")
    assert result.success and result.fun == pytest.approx(-5, rel=1e-5)
    assert abs(result.x[0] + result.x[1]) <= 1e-4


def test_multipliers_of_the_wrong_sign_prove_nothing():
    """Least x below 1 is -inf; 1 would be the answer if its row might push."""
    p, _ = linear_program([1.0], [[1.0]], [1.0], None, None, (None, None))
    _, rows, columns = p.scaled
    assert p.certificate((1.0 / columns, -1.0 / rows))["kkt_error"] >= 0.5


def test_the_exact_solver_keeps_to_the_limit_of_time(monkeypatch):
    seen = []

    def timed(*args, options=None, **keywords):
        seen.append(options["time_limit"])
        return linprog(*args, options=options, **keywords)

    monkeypatch.setattr("scipy.optimize.linprog", timed)
    c, E, d = transport(20, 30)
    linprog_pd(c, A_eq=E, b_eq=d, tol=1e-11, max_time=50.0)
    assert seen and max(seen) <= 50.0
    seen.clear()
    monkeypatch.setattr(_highs, "time_left", lambda: 7.0)
    p, _ = linear_program(c, None, None, E, d, None)
    _lp_rays.least_violation(p), _lp_rays.steepest(p)
    assert seen == [7.0, 7.0]


def test_no_proof_is_looked_for_while_errors_fall(monkeypatch):
    """The exact solver takes minutes on this program, whose displacement rests while it is solved."""
    monkeypatch.setattr("scipy.optimize.linprog", None)
    c, E, d = random_program()
    assert linprog_pd(c, A_eq=E, b_eq=d, method="pdhg").success


def test_bounds_alone():
    result = linprog_pd([1.0, -1.0, 0.0], bounds=[(-2, 5), (-1, 4), (0, 1)])
    assert result.success and result.fun == -6


def test_infeasible_and_unbounded():
    one = linprog_pd([1.0, 1.0], [[-1, -1]], [-1], [[1, 1]], [0.5], on_failure="ignore")
    assert one.status == Status.INFEASIBLE and not one.success and one.ray is not None
    two = linprog_pd([-1.0, -1.0], [[1, -1]], [1], on_failure="ignore")
    assert two.status == Status.UNBOUNDED and not two.success
    assert two.ray[0] - two.ray[1] <= 1e-9 * abs(two.ray).max() and two.ray.sum() > 0


def test_what_hides_in_rounding_is_far():
    """x + y = 1 and x + (1 + 1e-10) y = 2 meet at y = 1e10."""
    result = linprog_pd([0.0, 0.0], A_eq=[[1.0, 1.0], [1.0, 1.0 + 1e-10]], b_eq=[1.0, 2.0], bounds=(None, None),
                        on_failure="ignore")  # fmt: skip
    assert result.status == Status.INFEASIBLE and 0.4e10 <= result.far <= 2e10
    exact = linprog_pd([1.0, 1.0], A_eq=[[1.0, 1.0], [1.0, 1.0]], b_eq=[1.0, 2.0], on_failure="ignore")
    assert exact.status == Status.INFEASIBLE and exact.far > 1e8


def test_absolute_tests_would_call_this_infeasible():
    result = linprog_pd([1.0], A_eq=[[1e-6]], b_eq=[1.0])
    assert result.success and abs(result.x[0] - 1e6) < 10


def programs(count):
    """Yield (kind, c, A_ub, b_ub, A_eq, b_eq, bounds): every kind in turn."""
    for seed in range(count):
        rng = np.random.default_rng(seed)
        n, m, k = rng.integers(2, 9), rng.integers(1, 6), rng.integers(1, 4)
        c, A, b, E, d = feasible(seed, m, k, n)
        kind = ("feasible", "infeasible", "unbounded", "nearly infeasible", "badly scaled")[seed % 5]
        if kind == "infeasible":
            E, d = np.vstack([E, E[0]]), np.r_[d, d[0] + rng.choice([-1, 1]) * (1 + rng.random())]
        if kind == "unbounded":
            c, E, d = np.r_[c, -1.0], np.c_[E, np.zeros(k)], d
            A = np.c_[A, -rng.random(m)]
        if kind == "nearly infeasible":
            E, d = np.vstack([E, E[0] * (1 + 1e-6 * rng.standard_normal(n))]), np.r_[d, d[0] * (1 + 1e-6)]
        if kind == "badly scaled":
            rows, columns = 10.0 ** rng.integers(-5, 6, m), 10.0 ** rng.integers(-5, 6, n)
            A, b, c, E = rows[:, None] * A * columns, rows * b, c * columns, E * columns
        yield kind, c, A, b, E, d


@pytest.mark.slow
def test_no_false_certificate():
    wrong, right = [], {}
    for number, (kind, *data) in enumerate(programs(300)):
        result = linprog_pd(*data, max_iter=300, on_failure="ignore")
        truth = linprog(*data)
        if result.success:
            check(result, *data)
        claims = {Status.INFEASIBLE: (2, 4), Status.UNBOUNDED: (3, 4)}.get(result.status)
        if claims and truth.status not in claims:
            wrong.append((number, kind, result.message, truth.message))
        right.setdefault(kind, []).append(result.success or bool(claims))
    assert not wrong
    assert np.mean(right["feasible"]) >= 0.95 and np.mean(right["infeasible"]) >= 0.95
    assert np.mean(right["unbounded"]) >= 0.9


@pytest.mark.parametrize("change, message", [
    ({"c": [1.0, np.nan]}, r"c\[1\] is nan"),
    ({"A_ub": [[1.0, np.inf]]}, r"A_ub\[0, 1\] is inf"),
    ({"b_ub": None}, "A_ub and b_ub"),
    ({"A_ub": np.zeros((0, 2))}, "b_ub has shape .* A_ub has no rows"),
    ({"b_ub": [1.0, 2.0]}, r"b_ub has shape \(2,\)"),
    ({"A_ub": [[1.0]]}, r"A_ub has shape \(1, 1\)"),
    ({"bounds": [(0, 1)] * 3}, "bounds has 3"),
    ({"bounds": [(0, 1), (2, 1)]}, r"bounds\[1\] is"),
    ({"bounds": [(0, 1), (np.nan, 1)]}, r"bounds\[1\] is"),
    ({"tol": -1.0}, "tol is -1"),
    ({"options": {"autoscale": True}}, "options holds 'autoscale'"),
    ({"integrality": [0, 1]}, r"integrality is \[0, 1\]"),
    ({"x0": [1.0]}, r"x0 has shape \(1,\)"),
    ({"x0": [1.0, np.nan]}, r"x0\[1\] is nan"),
    ({"method": "simplex"}, "method is 'simplex'"),
])  # fmt: skip
def test_bad_input(change, message):
    good = {"c": [1.0, 2.0], "A_ub": [[1.0, 1.0]], "b_ub": [1.0]}
    with pytest.raises((InvalidInputError, InvalidTypeError), match=message):
        linprog_pd(**good | change)


def transport(s, t, seed=0):
    rng = np.random.default_rng(seed)
    C = np.linalg.norm(rng.random((s, 1, 2)) - rng.random((t, 2)), axis=2)
    rows = sp.vstack([sp.kron(sp.eye(s), np.ones((1, t))), sp.kron(np.ones((1, s)), sp.eye(t))], format="csr")
    a, b = rng.random(s) + 0.1, rng.random(t) + 0.1
    return C.ravel(), rows, np.concatenate([a / a.sum(), b / b.sum()])


@pytest.mark.parametrize("high", [None, 0.02])
@pytest.mark.parametrize("sparse", [False, True])
def test_the_polish_is_exact(high, sparse):
    c, E, d = transport(20, 30)
    E = E if sparse else E.toarray()
    bounds = (0, high)
    exact = linprog(c, A_eq=E, b_eq=d, bounds=bounds)
    result = linprog_pd(c, A_eq=E, b_eq=d, bounds=bounds, tol=1e-11)
    assert result.success and abs(result.fun - exact.fun) <= 1e-10
    plain = linprog_pd(c, A_eq=E, b_eq=d, bounds=bounds, tol=1e-4, method="pdhg")
    assert plain.success and abs(plain.fun - exact.fun) <= 1e-3


@pytest.mark.parametrize("kept", [1, 2])
def test_the_polish_finds_the_variables_that_it_lacks(kept, monkeypatch):
    monkeypatch.setattr(_lp_polish, "KEPT", kept)  # a basis alone, rarely a feasible one
    c, E, d = transport(20, 30)
    result = linprog_pd(c, A_eq=E, b_eq=d, tol=1e-11)
    assert result.success and abs(result.fun - linprog(c, A_eq=E, b_eq=d).fun) <= 1e-10


def test_a_program_in_tiny_units_is_polished_too():
    c, E, d = transport(20, 30)
    result = linprog_pd(1e-9 * c, A_eq=1e-5 * E, b_eq=1e-14 * d, tol=1e-9)
    exact = linprog(c, A_eq=E, b_eq=d)
    assert result.success and abs(result.fun / 1e-18 - exact.fun) <= 1e-7


EXTREME = [(1e300, 1e300, 1), (1e-300, 1e-300, 1), (1e300, 1e300, 1e300), (1e-300, 1e-300, 1e-300), (1e300, 1, 1),
           (1, 1e300, 1), (1, 1, 1e300), (1, 1e-300, 1), (1, 1, 1e-300), (1e-300, 1, 1),
           (1e150, 1e-150, 1)]  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rows, sides, costs", EXTREME)
@pytest.mark.parametrize("sparse", [False, True])
def test_extreme_units(rows, sides, costs, sparse):
    c, A, b, E, d = feasible(0)
    kind = sp.csr_array if sparse else np.asarray
    result = linprog_pd(costs * c, kind(rows * A), sides * b, kind(rows * E), sides * d, bounds=(0, 1e3 * sides / rows))
    assert result.success, result.message
    exact = linprog(c, A, b, E, d)
    np.testing.assert_allclose(result.fun / costs / (sides / rows), exact.fun, rtol=1e-4)
    np.testing.assert_allclose(result.dual_value / costs / (sides / rows), exact.fun, rtol=1e-4)
    for ours, unit, theirs in (
        (result.x, sides / rows, exact.x),
        (result.slack, sides, exact.slack),
        (result.ineqlin.marginals, costs / rows, exact.ineqlin.marginals),
        (result.eqlin.marginals, costs / rows, exact.eqlin.marginals),
        (result.lower.marginals, costs, exact.lower.marginals),
        (result.lower.residual, sides / rows, exact.x),
    ):
        np.testing.assert_allclose(ours / unit, theirs, atol=1e-4)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("unit", [1e300, 1e-300])
def test_proofs_in_extreme_units(unit):
    one = linprog_pd([1.0, 1.0], [[-unit, -unit]], [-unit], [[unit, unit]], [0.5 * unit], on_failure="ignore")
    assert one.status == Status.INFEASIBLE and one.ray is not None
    two = linprog_pd([-unit, -unit], [[1, -1]], [1], on_failure="ignore")
    assert two.status == Status.UNBOUNDED and np.isfinite(two.x).all() and np.isfinite(two.fun)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("data, message", [
    ((1.0, 1e300, 1e-300, (0, None)), "x would not be"),
    ((1.0, 1e-300, 1e300, (0, None)), "x would not be"),
    ((1e300, 1.0, 1e300, (0, None)), "c.x would not be"),
    ((1e300, 1e-300, 1e-300, (0, None)), "the multipliers would not be"),
    ((1.0, 1.0, 1.0, (0, 1e300)), "bounds reach"),
    ((1.0, 1e-300, 1e-300, (-1e300, 1e300)), "bounds reach"),
])  # fmt: skip
def test_what_no_units_can_represent_is_refused(data, message):
    c, A, b, bounds = data
    with pytest.raises(InvalidInputError, match=message):
        linprog_pd([c, c], A_eq=[[A, A]], b_eq=[b], bounds=bounds)


@pytest.mark.filterwarnings("error")
def test_small_entries_are_not_dropped():
    with pytest.raises(InvalidInputError, match="A has entries"):  # x = (1, 1e300), which dropping would deny
        linprog_pd([1.0, 1.0], A_eq=[[1e300, 0.0], [0.0, 1e-300]], b_eq=[1e300, 1.0])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(60))
def test_no_warning_leaves_a_badly_scaled_program(seed):
    rng = np.random.default_rng(seed)
    span, (p, q, r) = [1, 10, 50, 150, 300][seed % 5], rng.integers(-300, 301, 3) * (seed % 2)

    def far(v, power):
        return v * 10.0 ** np.clip(power + rng.integers(-span, span + 1, v.shape), -305, 300)

    c, A, b, E, d = feasible(seed, 4, 2, 6)
    bounds = [(0, None), (0, 1), (-1e300, 1e300), (0, 1e-300), (None, None)][rng.integers(5)]
    try:
        result = linprog_pd(far(c, p), far(A, q), far(b, r), far(E, q), far(d, r), bounds, max_iter=30,
                            on_failure="ignore")  # fmt: skip
    except InvalidInputError:
        return
    assert np.isfinite(result.x).all() and np.isfinite(result.fun)


def test_a_sparse_matrix_without_entries():
    result = linprog_pd([1.0, 2.0], A_ub=sp.csr_array((1, 2)), b_ub=[1e300], bounds=(1, 3))
    assert result.success and result.fun == 3


@pytest.mark.parametrize("method", ["auto", "pdhg"])
@pytest.mark.parametrize("c", [[0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1e-200], [1e200, 0, 0]])
@pytest.mark.parametrize("unit", [1e-60, 1e-9, 1.0, 1e9])
def test_the_least_cost_may_be_nothing(c, unit, method):
    """Relative to a value of 0 every rounding error is infinitely large."""
    result = linprog_pd(c, A_eq=[[1.0, 1.0, 1.0]], b_eq=[unit], method=method, tol=1e-12)
    assert result.success and result.gap <= 1e-12 and abs(result.fun) <= 1e-12 * unit * max(c)
    assert result.x.sum() == pytest.approx(unit, rel=1e-12)


@pytest.mark.parametrize("method", ["auto", "pdhg"])
@pytest.mark.parametrize("tol", [1e-4, 1e-6, 1e-10])
def test_the_least_cost_may_be_that_of_nothing(tol, method):
    """Where x = 0 is the answer, the values on both sides vanish, and so does what they were relative to."""
    one = [0.0258], [[0.5107]], [0.6089], [[-0.5407]], [0.0], (None, None)
    result = linprog_pd(*one, method=method, tol=tol)
    assert result.success and abs(result.x[0]) <= tol * 0.6089 / 0.5107
    assert result.eqlin.marginals[0] == pytest.approx(0.0258 / -0.5407, rel=10 * tol)


SPARSE = {  # c, A_eq, x, units of the rows: where the first-order method alone stalls
    "bounded": ([3, 3, -3, 1], [[2, 2, 0, 2], [1, 0, -3, 3]], [0, 2, 1, 1], [1e-3, 1e3]),
    "unbounded": ([1, 0, -1, 0], [[-2, 2, 3, -3], [-3, 0, -1, 1]], [2, 1, 1, 1], [1e-3, 1e3]),
}


@pytest.mark.parametrize("name", SPARSE)
def test_a_small_sparse_program_goes_to_the_exact_solver(name):
    """To it a pass costs hardly more to read than to begin; and a point is found apart from the direction."""
    c, A, x, units = (np.array(v, float) for v in SPARSE[name])
    A *= units[:, None]
    result = linprog_pd(c, A_eq=sp.csr_array(A), b_eq=A @ x, tol=1e-8, on_failure="ignore")
    truth = linprog(c, A_eq=A, b_eq=A @ x)
    assert result.status == (Status.CONVERGED if truth.status == 0 else Status.UNBOUNDED)
    if truth.status == 0:
        assert result.fun == pytest.approx(truth.fun, abs=1e-7)
    else:
        assert (abs(A @ result.ray) <= 1e-9 * abs(A) @ result.ray).all() and (result.ray >= 0).all()
        assert c @ result.ray < 0


def test_no_cost_and_no_point():
    result = linprog_pd([0.0, 0.0], A_eq=[[1.0, 1.0], [1.0, 1.0]], b_eq=[1.0, 2.0], on_failure="ignore")
    assert result.status == Status.INFEASIBLE and abs(result.ray.sum()) < 1e-6 * abs(result.ray).max()


def test_no_cost_and_many_equations():
    rng = np.random.default_rng(0)
    A, x = rng.standard_normal((60, 120)), rng.random(120)
    for method in ("auto", "pdhg"):
        assert linprog_pd(np.zeros(120), A_eq=A, b_eq=A @ x, method=method).success


def test_bounds_may_be_an_array_of_any_library(xp):
    result = linprog_pd(xp.asarray([1.0, -1.0]), bounds=xp.asarray([[-1.0, 2.0], [0.0, 3.0]]))
    np.testing.assert_array_equal(xp.to_numpy(result.x), [-1.0, 3.0])


@pytest.mark.cuda
def test_a_sparse_program_on_a_device():
    cupy = pytest.importorskip("cupy", exc_type=ImportError)
    if not cupy.cuda.is_available():
        pytest.skip("no CUDA device")
    from cupyx.scipy.sparse import csr_matrix

    c, A, b = transport_program(12, 15)
    result = linprog_pd(cupy.asarray(c), A_eq=csr_matrix(A), b_eq=cupy.asarray(b), tol=1e-5)
    assert result.success, result.message
    assert isinstance(result.x, cupy.ndarray)
    x, y = cupy.asnumpy(result.x), cupy.asnumpy(result.eqlin.marginals)
    assert np.linalg.norm(A @ x - b) <= 1.01e-5 * np.linalg.norm(b)
    assert np.linalg.norm(np.minimum(c - A.T @ y, 0)) <= 1.01e-5 * np.linalg.norm(c)
    np.testing.assert_allclose(c @ x, linprog(c, A_eq=A, b_eq=b).fun, rtol=1e-3)
