"""Partial transport: bracketed by linear programming, its constraints, degenerate and bad input."""

import pickle

import numpy as np
import pytest

from numopt import Status
from numopt.exceptions import InvalidInputError, InvalidTypeError, PrecisionWarning
from numopt.ot import partial_transport, sinkhorn_newton
from tests.oracles.unbalanced import partial_cost


def problem(n=12, m=15, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random(n) + 0.1, rng.random(m) + 0.1, rng.random((n, m))


def check(res, a, b, C, mass, tol=1e-9):
    """Recompute in plain NumPy what a result claims; return the plan."""
    P = res.plan.todense()
    assert res.success is True and res.marginal_error <= tol
    rounding = max(1e-12, 2**-52 * np.max(np.abs(C), where=P > 0, initial=0) / res.reg)  # of an entry's exponent
    assert P.sum() == pytest.approx(mass, rel=2 * tol) and res.mass == pytest.approx(P.sum(), rel=rounding)
    assert (P.sum(axis=1) <= a + tol * mass).all() and (P.sum(axis=0) <= b + tol * mass).all()
    assert res.cost == pytest.approx((np.where(P > 0, C, 0) * P).sum(), rel=1e-9, abs=1e-12)
    assert res.value - res.dual_value == pytest.approx(0, abs=1e-8 * (abs(res.value) + 1))
    assert np.isfinite(res.f).all() and np.isfinite(res.g).all()
    return P


@pytest.mark.parametrize("mass", [0.05, 1.0, 4.0, "all"])
@pytest.mark.parametrize("shift", [0.0, -5.0, 30.0])
def test_the_cost_tends_to_that_of_the_linear_programme(mass, shift):
    a, b, C = problem()
    C = C + shift
    mass = min(a.sum(), b.sum()) if mass == "all" else mass
    least = partial_cost(a, b, C, mass)
    for reg in (1e-2, 1e-3):
        res = partial_transport(a, b, C, mass=mass, reg=reg)
        check(res, a, b, C, mass, tol=1e-8)
        mix = (mass + a.sum() + b.sum() - 2 * mass) * np.log((a.size + 1) * (b.size + 1))
        assert -1e-8 <= res.cost - least <= reg * mix


def test_the_plan_is_optimal_for_its_entropy():
    # a plan exp(f + g - C), with what stays exp(f + u) and exp(v + g), satisfies all conditions at once
    a, b, C = problem()
    res = partial_transport(a, b, C, mass=3.0, reg=0.05, tol=1e-12)
    P = check(res, a, b, C, 3.0)
    x, y = np.log(a - P.sum(axis=1)) - res.f / 0.05, np.log(b - P.sum(axis=0)) - res.g / 0.05
    assert x == pytest.approx(np.full(12, x.mean()), abs=1e-8)
    assert y == pytest.approx(np.full(15, y.mean()), abs=1e-8)


def test_all_of_equal_masses_is_the_balanced_plan():
    a, b, C = problem()
    a, b = a / a.sum(), b / b.sum()
    P = sinkhorn_newton(a, b, C, reg=0.02, tol=1e-12).plan.todense()
    assert partial_transport(a, b, C, mass=1.0, reg=0.02, tol=1e-12).plan.todense() == pytest.approx(P, abs=1e-11)


@pytest.mark.parametrize("mass", [1e-6, 1e-9])
@pytest.mark.parametrize("reg", [1.0, 100.0])
def test_the_default_tolerance_knows_how_little_is_transported(mass, reg):
    for seed in range(5):
        a, b, C = problem(seed=seed)
        check(partial_transport(a, b, C, mass=mass, reg=reg), a, b, C, mass, tol=1e-3)


def test_far_points_stay():
    rng = np.random.default_rng(1)
    X, Y = rng.random((20, 2)), rng.random((20, 2))
    X[:5] += 100
    res = partial_transport(np.ones(20), np.ones(20), X=X, Y=Y, mass=15.0, reg=0.01)
    C = ((X[:, None] - Y) ** 2).sum(axis=2)
    assert check(res, np.ones(20), np.ones(20), C, 15.0, tol=1e-8)[:5].sum() < 1e-6
    means = res.plan.barycentric(Y + 7)  # of rows, too, of which nothing leaves
    assert means.min() >= 7 and means.max() <= 8


def test_layout_and_exchange_of_the_sides():
    a, b, C = problem()
    P = partial_transport(a, b, C, mass=3.0, reg=0.02, tol=1e-12).plan.todense()
    column_major = partial_transport(a, b, np.asfortranarray(C), mass=3.0, reg=0.02, tol=1e-12)
    assert check(column_major, a, b, C, 3.0) == pytest.approx(P, abs=1e-10)
    exchanged = partial_transport(b, a, C.T, mass=3.0, reg=0.02, tol=1e-12).plan.todense()
    assert exchanged == pytest.approx(P.T, abs=1e-10)


def test_weights_of_zero_and_forbidden_pairs():
    a, b, C = problem()
    a[[0, 5]], b[3] = 0, 0
    C[2, :6] = np.inf
    P = check(partial_transport(a, b, C, mass=2.0, reg=0.02), a, b, C, 2.0)
    assert not P[[0, 5]].any() and not P[:, 3].any() and not P[2, :6].any()


def test_a_mass_that_the_allowed_pairs_cannot_carry():
    C = np.array([[0, np.inf, np.inf], [1, np.inf, np.inf], [np.inf, 0, 1]])  # two sources for one target: 2 at most
    for laid in (C, np.asfortranarray(C)):
        res = partial_transport(np.ones(3), np.ones(3), laid, mass=2.5, reg=0.1, on_failure="ignore")
        assert res.status == Status.INFEASIBLE and not res.success
        assert "cannot carry 0.2 of the mass" in res.message
        assert partial_transport(np.ones(3), np.ones(3), laid, mass=1.9, reg=0.1).success


def test_one_pair():
    res = partial_transport([2.0], [3.0], [[1.0]], mass=0.5, reg=0.1)
    assert res.plan.todense() == pytest.approx(np.array([[0.5]]), abs=1e-9)


def test_float32_reaches_its_default_tolerance():
    a, b, C = (x.astype(np.float32) for x in problem())
    res = partial_transport(a, b, C, mass=2.0, reg=0.01)
    assert res.success and res.f.dtype == np.float32 and res.marginal_error < 1e-3
    assert res.cost == pytest.approx(partial_transport(*problem(), mass=2.0, reg=0.01).cost, rel=1e-3)


def test_the_barycentric_map_divides_by_what_leaves():
    a, b, C = problem()
    res, Y = partial_transport(a, b, C, mass=2.0, reg=0.05), np.random.default_rng(0).random((15, 2))
    P = res.plan.todense()
    assert res.plan.barycentric(Y) == pytest.approx(P @ Y / P.sum(axis=1, keepdims=True), abs=1e-12)


def test_a_previous_result_is_a_start():
    a, b, C = problem()
    for D in (C, np.asfortranarray(C)):
        first = partial_transport(a, b, D, mass=3.0, reg=1e-2)
        again = partial_transport(a, b, D, mass=3.01, reg=1e-2, init=first)
        assert again.success and again.nit < first.nit
        check(again, a, b, C, 3.01)


def test_pickles_keep_the_plan():
    a, b, C = problem()
    res = partial_transport(a, b, C, mass=2.0, reg=0.01)
    again = pickle.loads(pickle.dumps(res))
    assert again.plan.todense().tobytes() == res.plan.todense().tobytes() and again.message == res.message


@pytest.mark.parametrize("units", [1e-290, 1e-200, 1e-30, 1e30, 1e200, 1e290])
@pytest.mark.parametrize("order", ["C", "F"])
def test_any_mass(units, order):
    a, b, C = problem()
    C = np.array(C, order=order)
    plain = partial_transport(a, b, C, mass=2.0, reg=0.02)
    res = partial_transport(units * a, units * b, C, mass=2.0 * units, reg=0.02)
    assert res.success and res.mass / units == pytest.approx(2.0)
    P = res.plan.todense()
    np.testing.assert_allclose(P / units, plain.plan.todense(), atol=1e-8)
    np.testing.assert_allclose(np.exp((res.f[:, None] + res.g - C) / 0.02) / units, P / units, atol=1e-8)
    assert res.cost / units == pytest.approx(plain.cost, rel=1e-7)
    stays = np.exp((res.f + res.stay_rows) / 0.02).sum(), np.exp((res.g + res.stay_columns) / 0.02).sum()
    np.testing.assert_allclose(stays, [units * (w.sum() - 2.0) for w in (a, b)], rtol=1e-7)
    assert res.value == pytest.approx(res.dual_value, rel=1e-7)
    shift = 0.02 * np.log(units) * (a.sum() + b.sum() - 2.0)
    assert res.value / units == pytest.approx(plain.value + shift, rel=1e-7)


def test_a_tolerance_below_rounding_ends_soon():
    a, b, C = problem()
    with pytest.warns(PrecisionWarning):
        res = partial_transport(a, b, C, mass=2.0, reg=0.01, tol=0.0, on_failure="ignore")
    assert res.status == Status.STALLED and res.marginal_error <= 1e-12 and res.n_passes <= 80


BAD = [
    ({"mass": 0.0}, InvalidInputError, "mass is 0"),
    ({"mass": 1e-20}, InvalidInputError, "mass is 1e-20 and .* stays: .* raise mass"),
    ({"mass": 1e-320}, InvalidInputError, "mass is 1e-320 and .* stays: .* raise mass"),
    ({"reg": 1e308}, InvalidInputError, r"reg is 1e\+308"),
    ({"mass": 50.0}, InvalidInputError, r"mass is 50: at most .* the smaller of the sums of a"),
    ({"mass": "x"}, InvalidTypeError, "mass is 'x'"),
    ({"reg": 0.0}, InvalidInputError, "reg is 0"),
    ({"a": -np.ones(12)}, InvalidInputError, r"a\[0\] is -1"),
    ({"C": np.full((12, 15), np.nan)}, InvalidInputError, r"C\[0, 0\] is nan"),
    ({"init": np.ones(15)}, InvalidTypeError, "init is ndarray: a PartialResult"),
    ({"tol": -1.0}, InvalidInputError, "tol is -1"),
]


@pytest.mark.parametrize(("bad", "error", "match"), BAD, ids=lambda x: str(x)[:30])
def test_bad_input_is_refused(bad, error, match):
    a, b, C = problem()
    with pytest.raises(error, match=match):
        partial_transport(**{"a": a, "b": b, "C": C, "mass": 2.0, "reg": 0.01} | bad)


def test_a_start_of_another_size_is_refused():
    a, b, C = problem()
    first = partial_transport(a, b, C, mass=2.0, reg=0.1)
    with pytest.raises(InvalidInputError, match="init has potentials for 15 points: 14"):
        partial_transport(a, b[:-1], C[:, :-1], mass=2.0, reg=0.1, init=first)
