"""Unbalanced transport: the solution, its limits, the certificate, degenerate and bad input."""

import pickle

import numpy as np
import pytest

import numopt
from numopt import Status
from numopt.exceptions import ConvergenceWarning, InvalidInputError, PrecisionWarning
from numopt.ot import sinkhorn_newton, unbalanced_sinkhorn_newton
from tests.oracles import unbalanced as oracle

INF = np.inf


def problem(n=30, m=40, seed=0, ratio=1.7):
    """Return (a, b, C): points of two squares that overlap, uneven weights of unequal mass."""
    rng = np.random.default_rng(seed)
    X, Y = rng.random((n, 2)), rng.random((m, 2)) + 0.3
    a, b = rng.random(n) + 0.1, rng.random(m) + 0.1
    return a / a.sum(), ratio * b / b.sum(), ((X[:, None] - Y) ** 2).sum(axis=2)


def check(res, a, b, C, rho, kind="entropy", tol=1e-9):
    """Recompute in plain NumPy what a result claims; return the plan."""
    P = res.plan.todense()
    assert res.success is True and res.status == Status.CONVERGED and res.marginal_error <= tol
    assert np.isfinite(res.f).all() and np.isfinite(res.g).all()
    assert oracle.error(res.f, res.g, a, b, C, res.reg, rho, kind) == pytest.approx(
        res.marginal_error, rel=0.05, abs=1e-9 * max(1.0, 1e-3 / res.reg)
    )
    scale = abs(res.value) + res.reg + max(r for r in (*rho, 1.0) if r < INF) * (a.sum() + b.sum())
    assert res.value == pytest.approx(oracle.value(P, a, b, C, res.reg, rho, kind), abs=1e-12 * scale)
    assert res.value - res.dual_value == pytest.approx(0, abs=1e-8 * scale)
    assert 0 <= res.gap <= 1e-8 * scale
    assert res.mass == pytest.approx(P.sum(), rel=1e-9)
    assert res.cost == pytest.approx((np.where(P > 0, C, 0) * P).sum(), rel=1e-9, abs=1e-15)
    return P


@pytest.mark.parametrize("kind", ["entropy", "kl"])
@pytest.mark.parametrize("reg", [1.0, 0.1, 0.02])
@pytest.mark.parametrize("rho", [(0.05, 0.05), (0.3, 2.0), (INF, 0.2), (0.2, INF)], ids=str)
def test_it_agrees_with_the_plain_iteration(reg, rho, kind):
    a, b, C = problem()
    res = unbalanced_sinkhorn_newton(a, b, C, reg=reg, rho=rho[0], rho_columns=rho[1], reg_type=kind, tol=1e-12)
    check(res, a, b, C, rho, kind)
    f, g = oracle.sinkhorn(a, b, C, reg, rho, kind)
    assert res.f == pytest.approx(f, abs=1e-9) and res.g == pytest.approx(g, abs=1e-9)


@pytest.mark.parametrize("kind", ["entropy", "kl"])
@pytest.mark.parametrize("reg", [1e-2, 1e-3, 1e-4])
@pytest.mark.parametrize("rho", [(0.01, 0.01), (10.0, 0.1), (INF, 1.0), (1.0, INF), (1e3, 1e3)], ids=str)
def test_small_reg_is_certified(reg, rho, kind):
    a, b, C = problem(80, 90)
    res = unbalanced_sinkhorn_newton(a, b, C, reg=reg, rho=rho[0], rho_columns=rho[1], reg_type=kind)
    check(res, a, b, C, rho, kind, tol=1e-8)
    assert res.rho == rho and res.nit < 100


def test_one_pair_has_a_closed_form():
    # rho log(p / a) + rho log(p / b) + c + reg log p = 0
    a, b, c, reg, rho = 2.0, 3.0, 0.7, 0.1, 0.5
    res = unbalanced_sinkhorn_newton([a], [b], [[c]], reg=reg, rho=rho, tol=1e-13)
    p = np.exp((rho * np.log(a * b) - c) / (2 * rho + reg))
    assert res.mass == pytest.approx(p, rel=1e-13)


def test_large_penalties_give_the_balanced_plan():
    a, b, C = problem(ratio=1.0)
    P = sinkhorn_newton(a, b, C, reg=0.01, tol=1e-12).plan.todense()
    res = unbalanced_sinkhorn_newton(a, b, C, reg=0.01, rho=1e7)
    assert res.plan.todense() == pytest.approx(P, abs=1e-7)


def test_what_is_dearer_than_both_penalties_is_given_up():
    a, b, C = problem()
    near, far = (unbalanced_sinkhorn_newton(a, b, C + d, reg=1e-3, rho=0.1, reg_type="kl").mass for d in (0, 2))
    assert 0.1 < near < 1.7 and far < 1e-3
    res = unbalanced_sinkhorn_newton(a, b, C + 1000, reg=1e-3, rho=0.1, reg_type="kl")
    assert res.success and res.mass < 1e-100 and np.isfinite(res.f).all()


def test_the_kl_regulariser_does_not_create_mass():
    a, b, C = problem(ratio=1.0)
    masses = [unbalanced_sinkhorn_newton(a, b, C, reg=1.0, rho=0.1, reg_type=kind).mass for kind in ("kl", "entropy")]
    assert masses[0] < 1 < 10 < masses[1]


def test_the_derivatives_of_the_value_are_the_marginals_and_the_plan():
    a, b, C = problem(8, 9)
    kw = {"reg": 0.1, "rho": 0.5, "rho_columns": 0.8, "tol": 1e-13}
    res, h = unbalanced_sinkhorn_newton(a, b, C, **kw), 1e-5

    def slope(da, db, dC):
        values = [unbalanced_sinkhorn_newton(a + s * da, b + s * db, C + s * dC, **kw).value for s in (h, -h)]
        return (values[0] - values[1]) / (2 * h)

    zero = np.zeros_like
    dC = zero(C)
    dC[2, 3] = 1
    assert slope(zero(a), zero(b), dC) == pytest.approx(res.plan.todense()[2, 3], rel=1e-5)
    da = zero(a)
    da[2] = 1
    assert slope(da, zero(b), zero(C)) == pytest.approx(0.5 * (1 - np.exp(-res.f[2] / 0.5)), rel=1e-5)


def test_exchanging_the_sides_transposes_the_plan():
    a, b, C = problem()
    one = unbalanced_sinkhorn_newton(a, b, C, reg=0.01, rho=0.2, rho_columns=INF, tol=1e-12)
    for D in (C.T, np.ascontiguousarray(C.T)):
        two = unbalanced_sinkhorn_newton(b, a, D, reg=0.01, rho=INF, rho_columns=0.2, tol=1e-12)
        assert two.plan.todense() == pytest.approx(one.plan.todense().T, abs=1e-11)
        assert two.f == pytest.approx(one.g, abs=1e-9) and two.rho == (INF, 0.2)
        assert two.value == pytest.approx(one.value, abs=1e-12)


def test_units_of_cost_do_not_matter():
    a, b, C = problem()
    one = unbalanced_sinkhorn_newton(a, b, C, reg=0.01, rho=0.2, tol=1e-12)
    two = unbalanced_sinkhorn_newton(a, b, 1e6 * C, reg=1e4, rho=2e5, tol=1e-12)
    assert two.plan.todense() == pytest.approx(one.plan.todense(), abs=1e-11)


def test_points_and_their_costs_agree():
    rng = np.random.default_rng(3)
    X, Y, a, b = rng.random((20, 3)), rng.random((25, 3)), rng.random(20), rng.random(25)
    for kind, C in (
        ("sqeuclidean", ((X[:, None] - Y) ** 2).sum(axis=2)),
        ("cityblock", abs(X[:, None] - Y).sum(axis=2)),
    ):
        one = unbalanced_sinkhorn_newton(a, b, C, reg=0.05, rho=0.3, reg_relative=True, tol=1e-12)
        two = unbalanced_sinkhorn_newton(a, b, X=X, Y=Y, cost=kind, reg=0.05, rho=0.3, reg_relative=True, tol=1e-12)
        assert two.reg == pytest.approx(one.reg, rel=1e-12)
        assert two.plan.todense() == pytest.approx(one.plan.todense(), abs=1e-11)


def test_weights_of_zero_are_absent():
    a, b, C = problem()
    a[:4], b[[2, 7]] = 0, 0
    C[0] = INF
    res = unbalanced_sinkhorn_newton(a, b, C, reg=0.01, rho=0.2, tol=1e-12)
    P = check(res, a, b, C, (0.2, 0.2))
    kept = np.ix_(a > 0, b > 0)
    some = unbalanced_sinkhorn_newton(a[a > 0], b[b > 0], C[kept], reg=0.01, rho=0.2, tol=1e-12)
    assert P[kept] == pytest.approx(some.plan.todense(), abs=1e-12)
    assert not P[a == 0].any() and not P[:, b == 0].any()


def test_forbidden_pairs_stay_empty():
    a, b, C = problem()
    C[:10, 10:] = INF
    res = unbalanced_sinkhorn_newton(a, b, C, reg=0.01, rho=0.3)
    assert not check(res, a, b, C, (0.3, 0.3))[:10, 10:].any()


@pytest.mark.parametrize("C", [np.zeros((4, 5)), np.full((1, 3), 2.0), np.ones((3, 1)) * [[7.0]]], ids=str)
def test_constant_costs(C):
    a, b = np.arange(1.0, C.shape[0] + 1), np.arange(1.0, C.shape[1] + 1)
    P = check(unbalanced_sinkhorn_newton(a, b, C, reg=0.1, rho=1.0), a, b, C, (1.0, 1.0))
    assert np.linalg.matrix_rank(P, tol=1e-8 * P.max()) == 1


def test_dirichlet_weights_and_random_shapes():
    rng = np.random.default_rng(5)
    for _ in range(60):
        n, m = rng.integers(1, 60, 2)
        a, b = 3 * rng.dirichlet(np.full(n, 0.1)), rng.dirichlet(np.full(m, 0.1))
        C, reg, rho = rng.random((n, m)), 10 ** rng.uniform(-4, 0), tuple(10 ** rng.uniform(-2, 1, 2))
        kind = ("kl", "entropy")[int(rng.integers(2))]
        res = unbalanced_sinkhorn_newton(a, b, C, reg=reg, rho=rho[0], rho_columns=rho[1], reg_type=kind)
        assert res.success and res.gap >= 0 and np.isfinite(res.f).all() and np.isfinite(res.g).all()


def forbidding(seed):
    """Return a random problem, half of its pairs forbidden, and its settings; weights of any size, large penalties."""
    rng = np.random.default_rng(seed)
    n, m = rng.integers(5, 61, 2)
    kind = rng.integers(3)
    if kind == 0:
        C = rng.random((n, m))
    elif kind == 1:
        C = ((rng.random((n, 1, 2)) - rng.random((1, m, 2))) ** 2).sum(axis=2)
    else:
        C = rng.integers(0, 6, (n, m)).astype(float)
    C[rng.random((n, m)) < 0.5] = INF
    alpha = 10 ** rng.uniform(-2, 1)
    a, b = rng.dirichlet(np.full(n, alpha)), rng.dirichlet(np.full(m, alpha))
    if rng.random() < 0.3:
        a, b = a * (rng.random(n) > 0.2), b * (rng.random(m) > 0.2)
    b = b * 10 ** rng.uniform(-3, 3)
    reg, rho, u = 10 ** rng.uniform(-4, 1), tuple(10 ** rng.uniform(-3, 3, 2)), rng.random()
    rho = (INF, rho[1]) if u < 0.1 else (rho[0], INF) if u < 0.2 else rho
    kw = {"reg": reg, "rho": rho[0], "rho_columns": rho[1], "reg_type": ("entropy", "kl")[int(rng.integers(2))]}
    return a, b, C, kw


@pytest.mark.parametrize("seed", [66, 91, 113, 149, 160, 164, 273, 464, 646, 675, 687])
def test_parts_that_no_pair_connects_move_by_the_penalty(seed):
    # at reg = rho / 1e5 steps of some reg would never get there
    a, b, C, kw = forbidding(seed)
    rng, tries = np.random.default_rng(seed), 8 if seed in (66, 675) else 1  # those take 80 to 300 steps by rounding
    for k in range(tries):
        x = a * (1 + 1e-15 * rng.standard_normal(a.size)) if k else a
        res = unbalanced_sinkhorn_newton(x, b, C, **kw, on_failure="ignore")
        assert np.isfinite(res.f).all() and np.isfinite(res.g).all()
        if res.success and res.nit < 150:
            break
    assert res.success and res.nit < 150


def test_potentials_too_large_for_reg_are_said_to_be():
    a, b, C, kw = forbidding(283)
    res = unbalanced_sinkhorn_newton(a, b, C, **kw, on_failure="ignore")
    assert res.success or "raise tol or reg, or lower rho" in res.message
    assert unbalanced_sinkhorn_newton(a, b, C, **kw, tol=1e-6).success


def test_float32_reaches_its_default_tolerance():
    a, b, C = problem()
    for reg in (0.1, 1e-3):
        wide = unbalanced_sinkhorn_newton(a, b, C, reg=reg, rho=0.3)
        res = unbalanced_sinkhorn_newton(*(x.astype(np.float32) for x in (a, b, C)), reg=reg, rho=0.3)
        assert res.success and res.f.dtype == res.g.dtype == np.float32
        assert res.value == pytest.approx(wide.value, rel=1e-5)


def test_a_previous_result_is_a_start():
    a, b, C = problem()
    for D in (C, np.asfortranarray(C)):
        first = unbalanced_sinkhorn_newton(a, b, D, reg=1e-3, rho=0.3)
        again = unbalanced_sinkhorn_newton(a, b, D, reg=1e-3, rho=0.3, init=first)
        near = unbalanced_sinkhorn_newton(a, b, D, reg=1e-3, rho=0.31, init=first)
        assert again.nit <= 2 and near.success and near.nit < first.nit
    array = unbalanced_sinkhorn_newton(a, b, C, reg=1e-3, rho=0.3, init=first.g)
    turned = unbalanced_sinkhorn_newton(a, b, np.asfortranarray(C), reg=1e-3, rho=0.3, init=first.g)
    assert turned.nit == array.nit
    assert array.success and array.nit <= 2


def test_the_plain_kernels_reach_the_same_plan():
    a, b, C = problem()
    one = unbalanced_sinkhorn_newton(a, b, C, reg=1e-3, rho=0.3, tol=1e-12)
    with numopt.use_kernels("portable"):
        two = unbalanced_sinkhorn_newton(a, b, C, reg=1e-3, rho=0.3, tol=1e-12)
    assert two.success and two.plan.todense() == pytest.approx(one.plan.todense(), abs=1e-10)


def test_the_barycentric_map_divides_by_what_is_transported():
    a, b, C = problem()
    res, Y = unbalanced_sinkhorn_newton(a, b, C, reg=0.01, rho=0.1), np.random.default_rng(0).random((40, 2))
    P = res.plan.todense()
    assert res.plan.barycentric(Y) == pytest.approx(P @ Y / P.sum(axis=1, keepdims=True), abs=1e-7)


def test_a_tolerance_below_rounding_is_said_to_be():
    a, b, C = problem()
    with pytest.warns(PrecisionWarning, match=r"tol = 1e-12 is below .* a ratio of the masses"):
        unbalanced_sinkhorn_newton(a, b, C, reg=1e-4, rho=INF, rho_columns=1e4, tol=1e-12, on_failure="ignore")
    assert unbalanced_sinkhorn_newton(a, b, C, reg=1e-4, rho=INF, rho_columns=1e4).success


def test_failure_is_honest():
    a, b, C = problem()
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        res = unbalanced_sinkhorn_newton(a, b, C, reg=1e-4, rho=1.0, max_iter=2)
    assert res.success is False and res.marginal_error > 1e-9
    assert oracle.error(res.f, res.g, a, b, C, 1e-4, (1.0, 1.0)) == pytest.approx(res.marginal_error, rel=1e-6)


def test_pickles_keep_the_plan():
    a, b, C = problem()
    res = unbalanced_sinkhorn_newton(a, b, C, reg=0.01, rho=0.3)
    again = pickle.loads(pickle.dumps(res))
    assert again.plan.todense().tobytes() == res.plan.todense().tobytes() and again.message == res.message


@pytest.mark.parametrize("kind", ["entropy", "kl"])
@pytest.mark.parametrize("rho", [(0.3, 2.0), (INF, 0.2), (0.2, INF)], ids=str)
@pytest.mark.parametrize("units", [1e-290, 1e-200, 1e-60, 1e60, 1e120])
def test_any_mass(units, rho, kind):
    a, b, C = problem()
    reg, rows, columns = 0.02, *rho
    kw = {"reg": reg, "rho": rows, "rho_columns": columns, "reg_type": kind}
    res = unbalanced_sinkhorn_newton(units * a, units * b, C, **kw)
    assert res.success and res.nit < 20 and np.isfinite([res.value, res.dual_value]).all()
    P = res.plan.todense()
    assert res.mass == pytest.approx(P.sum(), rel=1e-11) and 0 <= res.gap <= 1e-8 * abs(res.value)
    # the same problem with weights of about 1 and a constant in the cost
    shift = reg * np.log(units) * (1 if kind == "entropy" else -1)
    kw["tol"] = 1e-9 + 1e-14 * abs(shift) / reg
    plain = unbalanced_sinkhorn_newton(a, b, C + shift, **kw)
    np.testing.assert_allclose(P / units, plain.plan.todense(), atol=1e-8 * plain.mass)
    assert res.cost / units == pytest.approx(plain.cost - shift * plain.mass, rel=1e-6)
    again = unbalanced_sinkhorn_newton(units * a, units * b, C, **kw, init=res)
    assert again.success and again.nit <= 3


@pytest.mark.parametrize("kind", ["entropy", "kl"])
@pytest.mark.parametrize("rho", [(100.0, 1e-5), (1e-5, 100.0), (INF, 1e-6)], ids=str)
def test_a_penalty_that_is_small_against_the_costs_beside_a_large_one(rho, kind):
    # at the start, marginals are off by exp(1e5)
    a, b, C = problem()
    res = unbalanced_sinkhorn_newton(a, b, C + 0.1, reg=2e-7, rho=rho[0], rho_columns=rho[1], reg_type=kind)
    assert res.success and res.nit < 150 and 0 <= res.gap <= 1e-8
    assert np.isfinite([res.value, res.dual_value, res.mass, res.cost]).all()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("rho", [(1e-6, INF), (INF, 1e-6), (1e-6, 1.0), (1.0, 1e-6)], ids=str)
def test_the_side_with_the_larger_penalty_is_eliminated(rho, order):
    """The other way round the problem is so stiff that no method here solves it."""
    a, b, C = problem()
    C[: C.shape[0] // 3] += 10.0
    kw = {"reg": 1e-5, "rho": rho[0], "rho_columns": rho[1]}
    res = unbalanced_sinkhorn_newton(a, b, np.array(C, order=order), **kw)
    assert res.success and res.n_passes < 60 and 0 <= res.gap <= 1e-8
    assert oracle.error(res.f, res.g, a, b, C, 1e-5, rho) <= 1e-9
    points = {"X": np.random.default_rng(1).random((a.size, 2)), "Y": np.random.default_rng(2).random((b.size, 2))}
    found = unbalanced_sinkhorn_newton(a, b, **points, **kw)
    dense = found.plan.todense()
    same = unbalanced_sinkhorn_newton(a, b, squared(**points), **kw, init=found)
    assert found.success and dense.shape == C.shape and same.success
    np.testing.assert_allclose(same.plan.todense(), dense, atol=1e-9)


def squared(X, Y):
    return ((X[:, None] - Y) ** 2).sum(axis=2)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("heavy", ["a", "b"])
def test_errors_are_relative_to_the_plan_whichever_side_is_heavy(heavy, order):
    a, b, C = problem(ratio=1.0)
    a, b = (1e12 * a, b) if heavy == "a" else (a, 1e12 * b)
    rho = (0.3, 10.0) if heavy == "a" else (10.0, 0.3)
    kw = {"reg": 0.1, "rho": rho[0], "rho_columns": rho[1], "on_failure": "ignore"}
    for steps in (1, 2, 3):
        res = unbalanced_sinkhorn_newton(a, b, np.array(C, order=order), **kw, max_iter=steps)
        error = oracle.error(res.f, res.g, a, b, C, 0.1, rho)
        assert res.marginal_error == pytest.approx(error, rel=1e-6, abs=1e-12) and res.mass < 100
    assert unbalanced_sinkhorn_newton(a, b, np.array(C, order=order), **kw).success


def test_masses_apart_cost_no_digits_where_rho_is_small_against_reg():
    a, b, C = problem(ratio=1e6)
    assert unbalanced_sinkhorn_newton(a, b, C, reg=400.0, rho=2e-6).success


def test_means_of_points_where_nothing_is_transported():
    a, b, C = problem()
    res, Y = unbalanced_sinkhorn_newton(a, b, C + 1e4, reg=1e-3, rho=0.1), np.random.default_rng(0).random((40, 2)) + 5
    means = res.plan.barycentric(Y)
    assert res.mass < 1e-290 and means.min() >= 5 and means.max() <= 6


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("rho", [1e-9, 1e-6, 1e6, 1e12])
@pytest.mark.parametrize("kind", ["entropy", "kl"])
def test_penalties_far_from_reg(rho, kind):
    a, b, C = problem(ratio=1.0)
    res = unbalanced_sinkhorn_newton(a, b, C, reg=0.1, rho=rho, reg_type=kind, on_failure="ignore")
    assert res.success, res.message
    assert 0 <= res.gap <= 1e-8


def test_a_start_that_leads_nowhere_is_left():
    a, b, C = problem()
    for init in (np.full(40, 1e300), np.where(np.arange(40) == 3, -1e200, 0.0)):
        assert unbalanced_sinkhorn_newton(a, b, C, reg=0.02, rho=1.0, init=init).success


BAD = [
    ({"rho": 1e-320}, "rho is 1e-320: at least 1.42e-16 is expected"),
    ({"rho_columns": 1e-20}, "rho_columns is 1e-20: at least"),
    ({"rho": 1e308}, r"rho is 1e\+308, .* lower rho, or pass inf"),
    ({"reg": 1e308}, r"reg is 1e\+308, .* rescale C and reg"),
    ({"b": np.full(40, 1e300)}, r"a sums to 1 and b to 4e\+301: masses .* rescale"),
    ({"a": np.full(30, 1e200), "b": np.full(40, 1e200), "reg_type": "kl"}, "do not overflow"),
    ({"rho": 0.0}, "rho is 0"),
    ({"rho": -INF}, "rho is -inf"),
    ({"rho": INF}, "rho and rho_columns are inf: .* use numopt.ot.sinkhorn_newton"),
    ({"rho_columns": np.nan}, "rho_columns is nan"),
    ({"reg": 0.0}, "reg is 0"),
    ({"reg": 1e-17}, "reg is 1e-17: at least"),
    ({"reg_type": "l2"}, "reg_type is 'l2'"),
    ({"rho": 1e-3, "C": -np.ones((30, 40))}, "C has entries down to -1 .* shift C, or raise rho"),
    ({"init": np.ones(3)}, r"init has shape \(3,\)"),
    ({"init": np.full(40, np.nan)}, r"init\[0\] is nan"),
    ({"C": np.ones((30, 41))}, r"C has shape \(30, 41\)"),
    ({"a": np.zeros(30)}, "a sums to 0"),
    ({"b": -np.ones(40)}, r"b\[0\] is -1"),
    ({"C": None}, "C, X, Y: none of them given"),
]


@pytest.mark.parametrize(("bad", "match"), BAD, ids=lambda x: str(x)[:40])
def test_bad_input_is_refused(bad, match):
    a, b, C = problem()
    with pytest.raises(InvalidInputError, match=match):
        unbalanced_sinkhorn_newton(**{"a": a, "b": b, "C": C, "reg": 0.01, "rho": 0.3} | bad)
