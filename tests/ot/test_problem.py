"""The checked problem: scale, start, floor, what is held out, and the certificate."""

import math

import numpy as np
import pytest

from numopt.exceptions import PrecisionWarning
from numopt.ot import sinkhorn_newton
from numopt.ot._median import sample_median
from numopt.ot._problem import transport_problem
from tests.oracles import ot as oracle
from tests.ot.measure import squares


def test_extent_start_and_scale():
    a, b, C = squares(40, 50)
    p = transport_problem(a, b, C, reg=0.1)
    assert p.shape == (40, 50) and p.mass == pytest.approx(1) and not p.transposed and p.whole is None
    assert p.extent == (C.min(), C.max())
    rows, columns, _, _ = oracle.cost_minima(C)
    np.testing.assert_allclose(p.start[0], rows, rtol=1e-14)
    np.testing.assert_allclose(p.start[1], columns, atol=1e-15)
    assert p.scale == pytest.approx(np.median(C) - C.min(), rel=0.1)
    assert p.reg == 0.1


def test_nothing_is_copied_that_need_not_be():
    a, b, C = squares(40, 50)
    assert np.shares_memory(transport_problem(a, b, C, reg=0.1).cost[0], C)
    turned = transport_problem(a, b, np.asfortranarray(C), reg=0.1)
    assert turned.transposed and turned.shape == (50, 40)
    laid = np.asfortranarray(C)
    assert np.shares_memory(transport_problem(a, b, laid, reg=0.1).cost[0], laid)


def test_the_median_of_few_is_exact_and_of_many_is_near():
    a, b, C = squares(40, 50)
    p = transport_problem(a, b, C, reg=0.1)
    assert sample_median(p, 2**16) == np.median(C)
    a, b, C = squares(700, 900)
    p = transport_problem(a, b, C, reg=0.1)
    assert sample_median(p, 2**16) == pytest.approx(np.median(C), rel=0.1)
    C[::2] = math.inf
    p = transport_problem(a[1::2] / a[1::2].sum(), b, C[1::2], reg=0.1)
    assert sample_median(p, 2**16) == pytest.approx(np.median(C[1::2]), rel=0.1)


def test_reg_relative_is_the_median():
    a, b, C = squares(40, 50)
    assert transport_problem(a, b, C, reg=0.1, reg_relative=True).reg == pytest.approx(0.1 * np.median(C))
    C[3, 4] = math.inf
    finite = C[np.isfinite(C)]
    assert transport_problem(a, b, C, reg=0.1, reg_relative=True).reg == pytest.approx(0.1 * np.median(finite))


def test_the_default_tolerance_follows_the_floor():
    a, b, C = squares(40, 50)
    assert transport_problem(a, b, C, reg=0.1).tol == 1e-9
    small = transport_problem(a, b, C, reg=1e-9)
    assert 1e-9 < small.tol <= 1e-3
    single = transport_problem(*(x.astype(np.float32) for x in (a, b, C)), reg=1e-3 * float(C.max()))
    assert 1e-5 <= single.tol <= 1e-4
    with pytest.warns(PrecisionWarning, match=r"tol = 1e-09 is below .*float64"):
        transport_problem(*(x.astype(np.float32) for x in (a, b, C)), reg=1e-3, tol=1e-9)


def test_a_reached_floor_is_no_underestimate():
    a, b, C = (x.astype(np.float32) for x in squares(40, 50))
    for reg in (10.0, 1.0, 0.1):  # sums in float32 lose some digits whatever reg is
        assert transport_problem(a, b, C, reg=reg).tol >= 2.4e-7
    shifted = transport_problem(*squares(40, 50)[:2], squares(40, 50)[2] + 1e6, reg=0.01)
    assert shifted.tol >= 1e-9 + 1e6 * 2.2e-16 / 0.01  # potentials of this size are rounded


def test_small_weights_are_held_out():
    a, b, C = squares(40, 50)
    a[[3, 8]], b[[0, 49]] = (0.0, 1e-16), (1e-20, 0.0)
    a, b = a / a.sum(), b / b.sum()
    p = transport_problem(a, b, C, reg=0.1)
    assert p.shape == (38, 48) and p.whole.shape == (40, 50)
    assert p.rows.tolist() == [i for i in range(40) if i not in (3, 8)]
    assert p.columns.tolist() == list(range(1, 49))
    np.testing.assert_array_equal(p.cost[0], C[np.ix_(p.rows, p.columns)])


def test_held_out_weights_come_back_at_their_place():
    a, b, C = squares(40, 50)
    a[[3, 8]], b[[0, 49]] = (0.0, 1e-16), (1e-20, 0.0)
    a, b = a / a.sum(), b / b.sum()
    p = transport_problem(a, b, C, reg=0.1)
    f, g = p.potentials((np.arange(38.0), np.arange(48.0) / 9))
    np.testing.assert_array_equal(np.delete(f, [3, 8]), np.arange(38.0))
    np.testing.assert_array_equal(np.delete(g, [0, 49]), np.arange(48.0) / 9)
    assert np.isfinite(f).all() and np.isfinite(g).all()


def test_two_small_weights_close_to_each_other_get_no_more_than_they_have():
    # Each of them far from all others: their mutual entry must not be made twice.
    X = np.array([[0.0], [1.0], [50.0]])
    Y = np.array([[0.1], [0.9], [50.0]])
    a = np.array([0.5, 0.5, 1e-16])
    C = (X - Y.T) ** 2
    p = transport_problem(a, a, C, reg=0.5)
    assert p.shape == (2, 2)
    f, g = p.potentials((np.zeros(2), np.zeros(2)))
    P = oracle.plan(C, f, g, 0.5)
    assert P[2].sum() <= 3e-16 and P[:, 2].sum() <= 3e-16


def test_the_certificate_is_recomputed_from_everything():
    a, b, C = squares(40, 50)
    b[7] = 0.0
    b /= b.sum()
    p = transport_problem(a, b, C, reg=0.1)
    rng = np.random.default_rng(0)
    g = 0.1 * rng.standard_normal(49)
    certificate = {name: float(v) for name, v in p.certificate((None, g)).items()}
    f, g = p.potentials((None, g))
    P = oracle.plan(C, f, g, 0.1) * (b > 0)
    error = np.abs(P.sum(axis=1) - a).sum() + np.abs(P.sum(axis=0) - b).sum()
    assert next(iter(certificate)) == "marginal_error"
    assert certificate["marginal_error"] == pytest.approx(error, rel=1e-12)
    assert certificate["cost"] == pytest.approx((C * P).sum(), rel=1e-12)
    assert certificate["value"] == pytest.approx((C * P).sum() + 0.1 * oracle.entropy(P), rel=1e-12)
    assert certificate["dual_value"] == pytest.approx(f @ a + g @ b - 0.1 * P.sum(), rel=1e-12)


def test_the_dual_value_is_a_lower_bound_wherever_it_is_taken():
    a, b, C = squares(20, 30)
    p = transport_problem(a, b, C, reg=0.1, tol=1e-12)
    best = sinkhorn_newton(a, b, C, reg=0.1, tol=1e-12).value
    for seed in range(20):
        rng = np.random.default_rng(seed)
        state = rng.standard_normal(20), rng.standard_normal(30) * 10.0 ** rng.uniform(-3, 0)
        assert float(p.certificate(state)["dual_value"]) <= best + 1e-12


def test_thinned_problems_keep_the_mass():
    a, b, C = squares(41, 50)
    p = transport_problem(a, b, C, reg=0.1)
    assert p.thinned(1) is p
    thin = p.thinned(4)
    assert thin.shape == (11, 50) and thin.a.sum() == pytest.approx(p.mass)
    np.testing.assert_array_equal(thin.cost[0], C[::4])


@pytest.mark.parametrize("kind", ["C", "points"])
def test_any_backend(xp, kind):
    a, b, C = squares(9, 11)
    X, Y = np.random.default_rng(0).random((2, 11, 2))
    points = {"X": xp.asarray(X[:9]), "Y": xp.asarray(Y)}
    data = {"C": xp.asarray(C)} if kind == "C" else points
    p = transport_problem(xp.asarray(a), xp.asarray(b), **data, reg=0.1)
    assert all(xp.owns(x) for x in (p.a, p.b, *p.start))
    assert all(type(x) is float for x in (p.mass, p.reg, p.tol, p.scale, *p.extent, p.floor))
