"""Sparse transport plans: kernels, optimality, the limit on columns, bad and degenerate input."""

import numpy as np
import pytest
from scipy.optimize import linprog

import numopt
from numopt import Status
from numopt._kernels import kernels
from numopt.exceptions import ConvergenceWarning, InvalidInputError, PrecisionWarning, SolverError
from numopt.ot._sparse_plan import sparse_plan
from numopt.ot._sparse_round import north_west
from tests.oracles import sparse_plan as oracle


def instance(n, m, seed=0, alpha=None):
    """Return (a, b, C): points in a square, weights even or Dirichlet(alpha)."""
    rng = np.random.default_rng(seed)
    X, Y = rng.random((n, 2)), rng.random((m, 2))
    C = ((X[:, None] - Y[None]) ** 2).sum(axis=2)
    if alpha is None:
        b = rng.random(m) + 0.5
        return np.full(n, 1 / n), b / b.sum(), C
    return rng.dirichlet(np.full(n, alpha)), rng.dirichlet(np.full(m, alpha)), C


def check(result, a, b, C, reg, k=None):
    """Recompute in plain NumPy what a result claims."""
    P = result.plan.todense()
    assert result.success and result.status == Status.CONVERGED
    assert oracle.marginal_error(P, a, b) == pytest.approx(result.marginal_error, abs=1e-13)
    assert oracle.value(C, P, reg) == pytest.approx(result.value, rel=1e-12)
    assert result.plan.nnz == result.nnz == np.count_nonzero(P)
    assert result.max_nnz_per_column == np.count_nonzero(P, axis=0).max() <= (k or C.shape[0])
    assert np.isfinite(result.f).all() and np.isfinite(result.g).all()
    scale = np.abs(C[np.isfinite(C)]).max() + reg * a.sum()
    dual = oracle.dual(C, result.f, a, b, reg, k or C.shape[0])
    assert dual == pytest.approx(result.dual_value, abs=1e-9 * scale)
    return P


# ------------------ kernels

SHAPES = [(1, 1), (1, 5), (7, 1), (3, 4), (17, 33), (40, 130)]


@pytest.mark.parametrize(("n", "m"), SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("room", ["cpu", "portable", "strict"])
def test_kernels_agree_with_the_oracle(n, m, dtype, room):
    rng = np.random.default_rng(n * m)
    C = rng.integers(0, 20, (n, m)).astype(dtype) / 16  # ties on purpose
    C[rng.random((n, m)) < 0.1] = np.inf
    C[0], C[:, 0] = 0.5, 0.25
    f, b, reg = rng.integers(0, 20, n) / 16, rng.random(m) + 0.1, 0.37
    xp = pytest.importorskip("array_api_strict" if room == "strict" else "numpy")
    device = xp.Device("device1") if room == "strict" else "cpu"
    C_, f_, b_ = (xp.asarray(x, device=device) for x in (C, f, b))
    with numopt.use_kernels("portable") if room == "portable" else numopt.threads(1):
        k = kernels("ot_sparse", numopt._array.namespace(C_))
    host = numopt._array.host
    t, P = oracle.project(C, f, b, reg, n)
    np.testing.assert_allclose(host(k.threshold(C_, f_, reg * b_)), t, atol=1e-13)
    tops = oracle.project(C.T, b, np.ones(n), reg, m)[0]
    np.testing.assert_allclose(host(k.threshold(C_.T, b_, reg + 0 * f_)), tops, atol=1e-13)
    pattern = k.screen(C_, f_, reg * b_, 0.5)
    for limit in {1, min(2, n), n}:
        t, P = oracle.project(C, f, b, reg, limit)
        t_, p, r, square, peak = k.project(pattern, f_, reg * b_, reg, limit)
        rows, columns, values = map(host, k.entries(pattern, p))
        dense = np.zeros((n, m))
        dense[rows, columns] = values
        np.testing.assert_allclose(host(t_), t, atol=1e-13)
        np.testing.assert_allclose(dense, P, atol=1e-13)
        np.testing.assert_allclose(host(r), P.sum(axis=1), atol=1e-13)
        np.testing.assert_allclose([host(square), host(peak)], [(P**2).sum(), reg * P.max(axis=0).mean()])
        for got, want in zip(k.margins(pattern, p), (P.sum(axis=1), P.sum(axis=0)), strict=True):
            np.testing.assert_allclose(host(got), want, atol=1e-13)
    kept = k.restrict(pattern, p)
    turned = k.transpose(kept)
    np.testing.assert_allclose(host(k.project(kept, f_, reg * b_, reg, n)[2]), P.sum(axis=1), atol=1e-13)
    back = k.project(k.transpose(turned), f_, reg * b_, reg, n)
    np.testing.assert_allclose(host(back[2]), P.sum(axis=1), atol=1e-13)
    rhs = rng.random(n)
    heavy = P * (P.sum(axis=0) > 0.3)
    L = oracle.laplacian(heavy) + 0.1 * np.eye(n)
    L[heavy.sum(axis=1) == 0] = np.eye(n)[heavy.sum(axis=1) == 0]
    d, steps = k.direction(pattern, p, xp.asarray(rhs, device=device), 0.3, 0.1, 1e-13, 500)
    np.testing.assert_allclose(host(d), np.linalg.solve(L, rhs), rtol=1e-9)
    assert 0 < steps < 500


def test_top_k_takes_the_first_of_equal_entries_in_every_room():
    C = np.zeros((9, 3))
    f, b = np.array([0, 1, 1, 1, 0, 1, 1, 0, 1.0]), np.full(3, 1 / 3)
    for room in ("cpu", "portable"):
        with numopt.use_kernels("portable") if room == "portable" else numopt.threads(1):
            k = kernels("ot_sparse", np)
        pattern = k.screen(C, f, b, 10.0, k.threshold(C, f, b))
        rows, columns, _ = k.entries(pattern, k.project(pattern, f, b, 1.0, 2)[1])
        assert set(rows) == {1, 2} and len(columns) == 6


def test_north_west_has_the_marginals():
    rng = np.random.default_rng(0)
    u, v = rng.random(6), rng.random(9)
    u[[0, 3]] = v[8] = 0
    v *= u.sum() / v.sum()
    rows, columns, values = north_west(numopt._array.namespace(u), u, v)
    P = np.zeros((6, 9))
    np.add.at(P, (rows, columns), values)
    np.testing.assert_allclose(P.sum(axis=1), u, atol=1e-15)
    np.testing.assert_allclose(P.sum(axis=0), v, atol=1e-15)


# ------------------ without a limit


def test_two_by_two_by_hand():
    # P = [[p, 1/2 - p], [1/2 - p, p]]: value 1 - 2p + reg (p^2 + (1/2 - p)^2), least at p = 1/4 + 1/(2 reg)
    a, C = np.array([0.5, 0.5]), np.array([[0.0, 1.0], [1.0, 0.0]])
    for reg, p in ((8.0, 0.3125), (3.0, 0.25 + 1 / 6), (2.0, 0.5), (0.1, 0.5)):
        P = sparse_plan(a, a, C, reg=reg, tol=1e-14).plan.todense()
        np.testing.assert_allclose(P, [[p, 0.5 - p], [0.5 - p, p]], atol=1e-14)


@pytest.mark.parametrize("reg", [10.0, 1.0, 1e-1, 1e-2, 1e-3])
@pytest.mark.parametrize("shape", [(40, 40), (30, 70), (70, 30)])
def test_optimality_conditions(shape, reg):
    a, b, C = instance(*shape)
    result = sparse_plan(a, b, C, reg=reg)
    P = check(result, a, b, C, reg)
    assert result.kind == "exact" and result.marginal_error <= 1e-9
    # The plan is the positive part of (f + g - C) / reg: that and the marginals are the KKT conditions.
    np.testing.assert_allclose(P, np.maximum(result.f[:, None] + result.g - C, 0) / reg, atol=1e-12 / reg)
    assert -1e-13 <= result.gap <= 1e-9


def test_constant_cost_gives_the_flattest_plan():
    a, b = np.array([0.25, 0.75]), np.array([0.5, 0.3, 0.2])
    P = sparse_plan(a, b, np.full((2, 3), 7.0), reg=1.0).plan.todense()
    # minimal norm with these marginals, as all of it is positive: a_i / m + b_j / n - 1 / (n m)
    np.testing.assert_allclose(P, a[:, None] / 3 + b / 2 - 1 / 6, atol=1e-9)


@pytest.mark.parametrize("reg", [1e-4, 1e-2])
@pytest.mark.parametrize("seed", [1, 5, 9])
def test_weights_over_a_hundred_orders_of_magnitude(seed, reg):
    # a row of real mass must not be left with columns that carry none, nor a column with rows that have none
    a, b, C = instance(50, 50, seed, alpha=0.01)
    assert a[a > 0].min() < 1e-30
    result = sparse_plan(a, b, C, reg=reg)
    check(result, a, b, C, reg)
    assert result.kind == "exact" and result.nit < 300


@pytest.mark.parametrize("seed", [62, 265, 272, 277, 325])
def test_weights_below_rounding_do_not_stop_progress(seed):
    # dozens of rows that ask for 1e-50 used to take turns at filling the columns that were nearly empty
    rng = np.random.default_rng(seed)
    n, m = rng.integers(30, 201, 2)
    X, Y = rng.random((n, 2)), rng.random((m, 2))
    C = ((X[:, None] - Y[None]) ** 2).sum(axis=2)
    a, b = rng.dirichlet(np.full(n, 0.01)), rng.dirichlet(np.full(m, 0.01))
    reg = 10 ** rng.uniform(-4, 1)
    result = sparse_plan(a, b, C, reg=reg)
    check(result, a, b, C, reg)
    assert -1e-12 <= result.gap <= 1e-8 and result.nit < 400


def test_weights_that_are_held_out_count_in_the_certificate():
    a, b, C = instance(12, 15)
    a[3], b[[0, 7]] = 1e-14, 2e-14
    a, b = a / a.sum(), b / b.sum()
    result = sparse_plan(a, b, C, reg=0.1, tol=1e-7)
    P = check(result, a, b, C, 0.1)
    assert not P[3].any() and not P[:, 7].any() and result.marginal_error > 5e-14
    limited = sparse_plan(a, b, C, reg=0.1, tol=1e-7, max_nonzeros=5)
    assert limited.success and limited.gap >= 0


def test_negligible_weights_that_may_only_go_to_each_other_are_not_held_out():
    a = np.array([0.5, 0.5, 1e-20])
    C = np.array([[0.0, 1.0, np.inf], [1.0, 0.0, np.inf], [np.inf, np.inf, 0.3]])
    result = sparse_plan(a, a, C, reg=0.1)
    check(result, a, a, C, 0.1)
    assert np.isfinite([result.value, result.dual_value, *result.f, *result.g]).all()


@pytest.mark.parametrize("seed", [0, 1, 3, 6, 8])
def test_parts_that_hang_together_by_no_pair_find_each_other(seed):
    # at a tiny reg the next pair between two parts is 1e5 times as far away as a plan is deep
    rng = np.random.default_rng(seed)
    X, Y = rng.random((20, 2)), rng.random((25, 2))
    a, b = rng.random(20) + 0.1, rng.random(25) + 0.1
    a, b, C = a / a.sum(), b / b.sum(), ((X[:, None] - Y) ** 2).sum(axis=2)
    result = sparse_plan(a, b, C, reg=1e-8)
    assert result.success and oracle.marginal_error(result.plan.todense(), a, b) <= 1e-6
    assert -1e-9 <= result.gap <= 1e-6


@pytest.mark.parametrize("seed", [0, 7, 9, 14])
def test_below_some_reg_the_plan_no_longer_changes(seed):
    rng = np.random.default_rng(seed)
    a, b, C = rng.random(20) + 0.1, rng.random(20) + 0.1, rng.random((20, 20))
    a, b = a / a.sum(), b / b.sum()
    flattest = sparse_plan(a, b, C, reg=1e-6)
    for reg in (1e-8, 1e-10):
        result = sparse_plan(a, b, C, reg=reg)
        assert result.success and result.nit <= 400
        np.testing.assert_allclose(result.plan.todense(), flattest.plan.todense(), atol=result.marginal_error + 1e-7)


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e-30, 1e30, 1e200, 1e290])
@pytest.mark.parametrize("k", [None, 3])
def test_units_of_cost_do_not_matter(scale, k):
    a, b, C = instance(6, 7)
    one = sparse_plan(a, b, C, reg=0.1, max_nonzeros=k)
    two = sparse_plan(a, b, scale * C, reg=0.1 * scale, max_nonzeros=k)
    assert two.success
    np.testing.assert_allclose(two.plan.todense(), one.plan.todense(), atol=1e-8)


@pytest.mark.parametrize("unit, mass", [(1e-308, 1.0), (1e-320, 1.0), (1e-160, 1e-150)])
def test_units_in_which_numbers_lose_their_digits_are_refused(unit, mass):
    a, b, C = instance(6, 7)
    with pytest.raises(InvalidInputError, match="lest its inverse overflow"):
        sparse_plan(mass * a, mass * b, unit * mass * C, reg=unit, tol=1e-9)


@pytest.mark.parametrize("offset", [-1e6, 1e3, 1e6, 1e9])
def test_the_default_tolerance_knows_what_rounding_leaves(offset):
    a, b, C = instance(6, 7)
    assert sparse_plan(a, b, C + offset, reg=0.1).success
    with pytest.warns(PrecisionWarning, match="rounding allows"):
        sparse_plan(a, b, C + 1e6, reg=0.1, tol=1e-12, on_failure="ignore")
    assert sparse_plan(*(x.astype(np.float32) for x in (a, b, C)), reg=0.1).success


def test_prescribed_solution_is_found():
    rng = np.random.default_rng(1)
    for reg in (1.0, 1e-2):
        P = np.where(rng.random((30, 25)) < 0.2, rng.random((30, 25)), 0.0)
        P[np.arange(30), np.arange(30) % 25] += 0.1
        P /= P.sum()
        f, g = rng.normal(size=30), rng.normal(size=25)
        C = f[:, None] + g - reg * P + np.where(P > 0, 0.0, reg * rng.random(P.shape))
        found = sparse_plan(P.sum(axis=1), P.sum(axis=0), C, reg=reg, tol=1e-11).plan.todense()
        np.testing.assert_allclose(found, P, atol=1e-9)


def test_small_reg_brackets_the_linear_program():
    a, b, C = instance(12, 15)
    A = np.r_[np.kron(np.eye(12), np.ones(15)), np.kron(np.ones(12), np.eye(15))]
    exact = linprog(C.ravel(), A_eq=A, b_eq=np.r_[a, b]).fun
    result = sparse_plan(a, b, C, reg=1e-4)
    assert exact - 1e-12 <= result.rounded_cost <= exact + 1e-4
    assert result.dual_value <= exact + 1e-4 / 2


def test_invariances():
    a, b, C = instance(20, 25)
    rng = np.random.default_rng(2)
    options = {"reg": 0.05, "tol": 1e-12}
    P = sparse_plan(a, b, C, **options).plan.todense()
    u, v, i, j = rng.normal(size=20), rng.normal(size=25), rng.permutation(20), rng.permutation(25)
    for other in (
        sparse_plan(a, b, C + u[:, None] + v, **options).plan.todense(),
        sparse_plan(b, a, C.T, **options).plan.todense().T,
        sparse_plan(a, b, 1e6 * C, reg=5e4, tol=1e-12).plan.todense(),
        sparse_plan(1e3 * a, 1e3 * b, C, reg=5e-5, tol=1e-12).plan.todense() / 1e3,
    ):
        np.testing.assert_allclose(other, P, atol=1e-11)
    shuffled = sparse_plan(a[i], b[j], C[i][:, j], **options).plan.todense()
    np.testing.assert_allclose(shuffled, P[i][:, j], atol=1e-11)


def test_value_has_the_potentials_as_gradient():
    a, b, C = instance(8, 9)
    rng, h = np.random.default_rng(3), 1e-5

    def value(a, b, C):
        return sparse_plan(a, b, C, reg=0.3, tol=1e-13).value

    at = sparse_plan(a, b, C, reg=0.3, tol=1e-13)
    da, db, dC = rng.normal(size=8), rng.normal(size=9), rng.normal(size=C.shape)
    da, db = a * (da - a @ da), b * (db - b @ db)
    slope = (value(a + h * da, b + h * db, C) - value(a - h * da, b - h * db, C)) / (2 * h)
    assert slope == pytest.approx(at.f @ da + at.g @ db, rel=1e-5)
    slope = (value(a, b, C + h * dC) - value(a, b, C - h * dC)) / (2 * h)
    assert slope == pytest.approx((at.plan.todense() * dC).sum(), rel=1e-5)


def test_random_problems():
    rng = np.random.default_rng(4)
    for seed in range(100):
        a, b, C = instance(*rng.integers(1, 60, 2), seed=seed, alpha=0.1)
        reg = 10.0 ** rng.uniform(-2, 1)
        result = sparse_plan(a, b, C, reg=reg, on_failure="ignore")
        assert result.success, (seed, reg, result.message)
        P = result.plan.todense()
        assert oracle.marginal_error(P, a, b) <= 1.001e-9
        assert -1e-13 <= result.gap <= 1e-8


def test_warm_start_needs_few_steps():
    a, b, C = instance(60, 60)
    cold = sparse_plan(a, b, C, reg=0.01)
    for init in (cold, cold.f):
        warm = sparse_plan(a, b, C, reg=0.01, init=init)
        assert warm.nit <= 2 < cold.nit
        np.testing.assert_allclose(warm.plan.todense(), cold.plan.todense(), atol=1e-8)


def test_callback_sees_the_violation_fall():
    a, b, C = instance(30, 30)
    seen = []

    def callback(intermediate_result):
        seen.append(intermediate_result.info["reg"])
        if len(seen) == 5:
            raise StopIteration

    result = sparse_plan(a, b, C, reg=1e-3, callback=callback)
    assert result.status == Status.CALLBACK_STOP and not result.success
    assert seen == sorted(seen, reverse=True) and set(result.history) >= {"violation", "reg", "n_cg"}


# ------------------ with a limit


def test_limit_that_is_kept_anyway_changes_nothing():
    a, b, C = instance(30, 40)
    free = sparse_plan(a, b, C, reg=0.05)
    limited = sparse_plan(a, b, C, reg=0.05, max_nonzeros=free.max_nnz_per_column)
    assert limited.kind == "exact" and limited.success
    np.testing.assert_allclose(limited.plan.todense(), free.plan.todense(), atol=1e-8)
    everything = sparse_plan(a, b, C, reg=0.05, max_nonzeros=500)
    np.testing.assert_array_equal(everything.plan.todense(), free.plan.todense())


@pytest.mark.parametrize(("reg", "k"), [(10.0, 4), (10.0, 8), (1.0, 4), (1.0, 5)])
def test_limited_plan_is_feasible_and_bracketed(reg, k):
    a, b, C = instance(50, 60)
    free = sparse_plan(a, b, C, reg=reg)
    assert free.max_nnz_per_column > k
    result = sparse_plan(a, b, C, reg=reg, max_nonzeros=k)
    check(result, a, b, C, reg, k)
    assert result.kind == "relaxed" and result.marginal_error <= 1e-9
    assert free.value - 1e-12 <= result.dual_value <= result.value + 1e-12
    assert 0 < result.gap < 0.01 * result.value


def test_dual_value_is_below_every_plan_with_k_entries():
    rng = np.random.default_rng(5)
    a, b, C = np.full(3, 1 / 3), np.array([0.4, 0.35, 0.25]), rng.random((3, 3))
    least = oracle.best_with_supports(C, a, b, 2.0, 2)
    result = sparse_plan(a, b, C, reg=2.0, max_nonzeros=2, on_failure="ignore")
    assert result.dual_value <= least + 1e-9
    if result.success:
        assert least - 1e-6 <= result.value <= least + result.gap + 1e-9


def test_assignment_is_exact_with_one_entry_a_column():
    a, _, C = instance(12, 12, seed=3)
    result = sparse_plan(a, a, C, reg=1e-3, max_nonzeros=1)
    assert result.kind == "exact" and result.nnz == 12 and result.gap <= 1e-12


def test_impossible_limit_is_never_a_success():
    # three columns of different weights and one entry each cannot fill two equal rows
    a, b = np.array([0.5, 0.5]), np.array([0.5, 0.3, 0.2])
    C = np.array([[0.0, 1.0, 2.0], [1.0, 1.5, 0.0]])
    a, b = np.array([0.45, 0.55]), b
    with pytest.warns(ConvergenceWarning, match="raise max_nonzeros"):
        result = sparse_plan(a, b, C, reg=0.1, max_nonzeros=1)
    assert not result.success and result.kind == "relaxed" and result.status == Status.STALLED
    P = result.plan.todense()
    assert result.max_nnz_per_column == 1
    assert oracle.marginal_error(P, a, b) == pytest.approx(result.marginal_error)
    with pytest.raises(SolverError):
        sparse_plan(a, b, C, reg=0.1, max_nonzeros=1, on_failure="raise")


def test_a_limit_that_tied_costs_defeat_is_told_so():
    a = np.full(20, 0.05)
    result = sparse_plan(a, a, np.ones((20, 20)), reg=20.0, max_nonzeros=4, on_failure="ignore")
    assert not result.success and "leave 16 rows empty" in result.message and "break ties of C" in result.message
    perturbed = np.ones((20, 20)) + 1e-6 * np.random.default_rng(0).random((20, 20))
    result = sparse_plan(a, a, perturbed, reg=20.0, max_nonzeros=4)
    assert result.success and result.max_nnz_per_column <= 4


def test_zero_weights_do_not_count_for_the_limit():
    a, b = np.array([0.5, 0.0, 0.5, 0.0]), np.array([0.5, 0.5])
    result = sparse_plan(a, b, [[0.0, 1.0], [0.0, 0.0], [1.0, 0.0], [0.0, 0.0]], reg=0.1, max_nonzeros=1)
    assert result.success and result.nnz == 2


@pytest.mark.parametrize("init", [np.full(50, 1e200), np.where(np.arange(50) == 3, 1e200, 0.0), np.full(50, -1e308)])
def test_a_start_that_is_no_potential_does_no_harm(init):
    a, b, C = instance(50, 60)
    check(sparse_plan(a, b, C, reg=0.5, init=init), a, b, C, 0.5)


def test_random_limited_problems_keep_their_promises():
    rng = np.random.default_rng(6)
    for seed in range(40):
        a, b, C = instance(*rng.integers(2, 30, 2), seed=seed, alpha=0.5)
        k, reg = int(rng.integers(1, 6)), 10.0 ** rng.uniform(-2, 1)
        heaviest = np.sort(a)[::-1]
        if k < a.size and (heaviest[: k * b.size].sum() < 1 - 1e-9 or heaviest[:k].sum() < b.max() - 1e-9):
            with pytest.raises(InvalidInputError, match=f"max_nonzeros is {k}: "):
                sparse_plan(a, b, C, reg=reg, max_nonzeros=k)
            continue
        result = sparse_plan(a, b, C, reg=reg, max_nonzeros=k, on_failure="ignore")
        P = result.plan.todense()
        assert np.count_nonzero(P, axis=0).max() <= k
        assert oracle.marginal_error(P, a, b) == pytest.approx(result.marginal_error, abs=1e-12)
        assert result.success == (result.marginal_error <= 1e-9)
        if result.success:
            assert result.gap >= -1e-9


# ------------------ backends


def test_backends_agree(xp):
    a, b, C = instance(25, 31)
    for k in (None, 4):
        want = sparse_plan(a, b, C, reg=0.5, max_nonzeros=k, tol=1e-12)
        got = sparse_plan(*map(xp.asarray, (a, b, C)), reg=0.5, max_nonzeros=k, tol=1e-12)
        assert xp.owns(got.f) and xp.owns(got.plan.values) and xp.owns(got.plan.todense())
        assert got.kind == want.kind
        if k is None:
            np.testing.assert_allclose(xp.to_numpy(got.plan.todense()), want.plan.todense(), atol=1e-11)
        assert got.value == pytest.approx(want.value, rel=1e-3 if k else 1e-12)


def test_float32_stays_float32(xp):
    a, b, C = (x.astype("float32") for x in instance(25, 31))
    result = sparse_plan(*map(xp.asarray, (a, b, C)), reg=0.5, tol=1e-6)
    assert result.success
    assert {str(x.dtype)[-7:] for x in (result.f, result.g, result.plan.values)} == {"float32"}
    P = xp.to_numpy(result.plan.todense()).astype(float)
    a, b = a / a.sum(dtype=float), b / b.sum(dtype=float)
    assert oracle.marginal_error(P, a, b) == pytest.approx(result.marginal_error, abs=1e-7)


def test_threads_do_not_change_a_bit():
    a, b, C = instance(90, 110)
    plans = []
    for n in (1, 2, 4):
        with numopt.threads(n):
            plans.append(sparse_plan(a, b, C, reg=0.05, max_nonzeros=6, on_failure="ignore"))
    for other in plans[1:]:
        assert other.f.tobytes() == plans[0].f.tobytes()
        assert other.plan.values.tobytes() == plans[0].plan.values.tobytes()


def test_plan_in_csr(xp):
    plan = sparse_plan(*map(xp.asarray, instance(9, 7)), reg=0.1).plan
    sparse = plan.tocsr()
    assert sparse.shape == plan.shape and sparse.nnz == plan.nnz and sparse.has_canonical_format
    np.testing.assert_array_equal(xp.to_numpy(sparse.toarray()), xp.to_numpy(plan.todense()))
    assert plan.dtype == xp.xp.float64 and repr(plan).startswith("SparsePlan of shape (9, 7)")


# ------------------ degenerate and bad input


def test_zero_weights_get_potentials_and_no_mass():
    a, b, C = instance(20, 22)
    a[[0, 7]], b[[3, 21]] = 0, 0
    a, b = a / a.sum(), b / b.sum()
    result = sparse_plan(a, b, C, reg=0.1)
    P = check(result, a, b, C, 0.1)
    assert P[[0, 7]].sum() == P[:, [3, 21]].sum() == 0
    np.testing.assert_allclose(P, np.maximum(result.f[:, None] + result.g - C, 0) / 0.1, atol=1e-12)


def test_single_row_or_column_is_the_product():
    b = np.array([0.2, 0.3, 0.5])
    C = np.array([[3.0, 1.0, 2.0]])
    np.testing.assert_allclose(sparse_plan([1.0], b, C, reg=1.0).plan.todense(), b[None], rtol=1e-12)
    np.testing.assert_allclose(sparse_plan(b, [1.0], C.T, reg=1.0).plan.todense(), b[:, None], rtol=1e-9)


def test_masses_other_than_one():
    a, b, C = instance(10, 12)
    result = sparse_plan(5 * a, 5 * b * (1 + 1e-8), C, reg=0.1)
    assert result.plan.todense().sum() == pytest.approx(5)


def test_forbidden_pairs_stay_empty():
    a, b, C = instance(30, 30)
    C[np.random.default_rng(7).random(C.shape) < 0.4] = np.inf
    result = sparse_plan(a, b, C, reg=0.2)
    P = check(result, a, b, C, 0.2)
    assert P[np.isinf(C)].sum() == 0 and not np.isnan(result.gap)


@pytest.mark.parametrize("k", [None, 2])
def test_infeasible_patterns_are_found_out(k):
    C = np.zeros((40, 40))
    C[:20, 20:] = C[20:, :20] = np.inf
    a = np.full(40, 1 / 40)
    b = np.linspace(1, 2, 40) / 60
    result = sparse_plan(a, b, C, reg=0.1, max_nonzeros=k, on_failure="ignore")
    assert result.status == Status.INFEASIBLE and not result.success
    assert np.isfinite(result.plan.todense()).all()


def test_extreme_weights():
    for seed in range(20):
        a, b, C = instance(25, 35, seed=seed, alpha=0.01)
        assert sparse_plan(a, b, C, reg=0.1).success


def test_inputs_of_all_kinds():
    a, b, C = [0.5, 0.5], [1, 1], [[0, 1], [1, 0]]
    assert sparse_plan(np.array([1, 1]), b, C, reg=0.1).success
    x, y, Z = instance(6, 8)
    want = sparse_plan(x, y, Z, reg=0.1).plan.todense()
    np.testing.assert_array_equal(sparse_plan(x, y, np.asfortranarray(Z), reg=0.1).plan.todense(), want)
    assert a == [0.5, 0.5]


A, B, COST = instance(4, 5)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"C": COST[:, :4]}, r"C has shape \(4, 4\)"),
        ({"a": A[:, None]}, r"a has shape \(4, 1\)"),
        ({"a": A[:0], "C": COST[:0]}, r"a has shape \(0,\)"),
        ({"a": -A}, r"a\[0\] is -0.25"),
        ({"b": B * np.nan}, r"b\[0\] is nan"),
        ({"C": COST * np.nan}, r"C\[0, 0\] is nan"),
        ({"C": COST - np.inf}, r"C\[0, 0\] is -inf"),
        ({"C": np.where(np.arange(4)[:, None] == 2, np.inf, COST)}, r"a\[2\] is positive and C has \+inf"),
        ({"C": np.where(np.arange(5) == 1, np.inf, COST)}, r"b\[1\] is positive and C has \+inf"),
        ({"C": np.where(COST > 0.3, 1.5e308, -1.5e308)}, "a finite range"),
        ({"b": 2 * B}, "normalise both"),
        ({"reg": 0.0}, "reg is 0.0"),
        ({"reg": np.nan}, "reg is nan"),
        ({"reg": 1e-18}, "drowns in the rounding"),
        ({"reg": 1e308}, r"reg is 1e\+308, .* rescale"),
        ({"C": COST + 1e17}, r"C has entries of 1e\+17 and reg is 0.1: .* subtract"),
        ({"C": 0 * COST + 1e200}, r"C has entries of 1e\+200"),
        ({"max_nonzeros": 0}, "max_nonzeros is 0"),
        ({"C": COST.T, "a": B, "b": A, "max_nonzeros": 1}, r"max_nonzeros is 1: at least 2 .* since 4 columns of 1"),
        ({"b": B * 0 + [0.7, 0.1, 0.1, 0.05, 0.05], "max_nonzeros": 2}, r"at least 3 .* since b\[0\] is 0.7 .* 0.5;"),
        (
            {"C": COST[:, :4], "b": [0.1, 0.4, 0.25, 0.25], "a": [0.4, 0.2, 0.2, 0.2], "max_nonzeros": 1},
            "the same up to",
        ),
        ({"init": A * np.nan}, r"init\[0\] is nan"),
        ({"init": B}, r"init has shape \(5,\)"),
        ({"tol": -1.0}, "tol is -1.0"),
        ({"on_failure": "shout"}, "on_failure is 'shout'"),
    ],
)
def test_bad_input(changes, match):
    with pytest.raises(InvalidInputError, match=match):
        sparse_plan(**{"a": A, "b": B, "C": COST, "reg": 0.1} | changes)


def test_tolerance_below_rounding_warns_and_stalls():
    a, b, C = instance(40, 40)
    with pytest.warns(PrecisionWarning, match="rounding allows"):
        result = sparse_plan(a, b, C, reg=1e-3, tol=1e-17, on_failure="ignore")
    assert not result.success and result.status == Status.STALLED and result.marginal_error < 1e-9
