"""Passes over the cost of optimal transport: every room gives what the naive twins give."""

import itertools

import numba
import numpy as np
import pytest

from numopt._array import namespace
from numopt._kernels import kernels
from numopt._kernels.portable import ot as portable
from tests.kernels.ot_problems import (
    TOLERANCE,
    check,
    each_cost,
    each_dtype,
    each_shape,
    fitted,
    moved,
    problem,
    rooms,
)
from tests.oracles import ot as oracle

if numba.config.DISABLE_JIT:  # plain Python warns where compiled code does not
    pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered")


@each_dtype
@each_cost
@each_shape
def test_cost_minima(xp, shape, kind, dtype):
    p = problem(shape, kind, dtype)
    # a column minimum of C - r is a difference of rounded costs
    wide = dict(rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
    for k in rooms(xp):
        found = k.cost_minima(moved(xp, p.cost))
        assert all(v.dtype == getattr(xp.xp, dtype) and xp.owns(v) for v in found[:2])
        for v, w in zip(found, oracle.cost_minima(p.D), strict=True):
            np.testing.assert_allclose(xp.to_numpy(v), w, **wide)


def test_cost_minima_of_forbidden_pairs_and_bad_numbers(xp):
    p = problem((9, 70))
    C = p.D.copy()
    C[2], C[:, 5], C[4, 60] = np.inf, np.inf, -3.0
    for k in rooms(xp):
        rows, columns, high, low = (xp.to_numpy(v) for v in k.cost_minima(moved(xp, (C, *p.cost[1:]))))
        r = C.min(axis=1)
        assert (rows == r).all() and rows[2] == np.inf
        assert (columns == (C - np.where(r < np.inf, r, 0)[:, None]).min(axis=0)).all()
        assert high == C[np.isfinite(C)].max() and low == -3.0
        for i, j in (0, 0), (8, 69), (4, 60):
            bad = C.copy()
            bad[i, j] = np.nan
            assert np.isnan(xp.to_numpy(k.cost_minima(moved(xp, (bad, *p.cost[1:])))[3]))


@each_dtype
@pytest.mark.parametrize("kind", [1, 2, 3])
@each_shape
def test_cost_block(xp, shape, kind, dtype):
    p = problem(shape, kind, dtype)
    for k in rooms(xp):
        D = k.cost_block(moved(xp, p.cost))
        assert D.dtype == getattr(xp.xp, dtype) and xp.owns(D)
        np.testing.assert_allclose(xp.to_numpy(D), p.D, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@each_dtype
@each_cost
@each_shape
def test_plan_block(xp, shape, kind, dtype):
    p = problem(shape, kind, dtype)
    p.f[0] = -np.inf
    P = oracle.plan(p.D, p.f.astype(np.float64), p.g.astype(np.float64), p.reg)
    for k in rooms(xp):
        found = k.plan_block(*moved(xp, (p.cost, p.f, p.g)), p.reg)
        check(xp, found, P, TOLERANCE[dtype], dtype)
        assert (xp.to_numpy(found)[0] == 0).all()


@each_dtype
@each_cost
@each_shape
@pytest.mark.parametrize("single", [False, True])
def test_passes(xp, shape, kind, dtype, single):
    p = problem(shape, kind, dtype)
    tolerance = max(TOLERANCE[dtype], 2e-5 * single)
    a, g = p.a.astype(np.float64), p.g.astype(np.float64)
    f = oracle.half_step(p.D, a, g, p.reg)
    c = oracle.plan(p.D, f, g, p.reg).sum(axis=0)
    for k in rooms(xp):
        for guess in f, p.f, f + 1e4, f - 1e4:
            cost, *vectors = moved(xp, (p.cost, p.a, guess.astype(dtype), p.g))
            one, two = k.row_pass(cost, *vectors, p.reg, single), k.plan_pass(cost, *vectors, p.reg, single)
            for found in one, two[:2]:
                check(xp, found[0], f, tolerance, dtype)
                check(xp, found[1], c, tolerance, dtype)
            assert two[2].shape == shape


@pytest.mark.parametrize("single", [False, True])
def test_passes_with_forbidden_pairs(xp, single):
    p = problem((40, 30))
    p.D[np.random.default_rng(1).random(p.D.shape) < 0.6] = np.inf
    p.D[:, 0] = np.linspace(0, 1, 40)
    p.D[:39, 1] = np.inf
    f = oracle.half_step(p.D, p.a, p.g, p.reg)
    c = oracle.plan(p.D, f, p.g, p.reg).sum(axis=0)
    for k in rooms(xp):
        for guess in f, f + 1e4:
            cost, *vectors = moved(xp, ((p.D, *p.cost[1:]), p.a, guess, p.g))
            found = k.row_pass(cost, *vectors, p.reg, single)
            check(xp, found[0], f, 2e-5 if single else 1e-12)
            check(xp, found[1], c, 2e-5 if single else 1e-12)


def test_a_row_of_forbidden_pairs_leaves_the_others_alone(xp):
    p = problem((40, 30))
    p.D[7] = np.inf
    others = np.arange(40) != 7
    for k in rooms(xp):
        f, _ = k.row_pass(*moved(xp, ((p.D, *p.cost[1:]), p.a, p.f, p.g)), p.reg, False)
        wanted = oracle.half_step(p.D[others], p.a[others], p.g, p.reg)
        np.testing.assert_allclose(xp.to_numpy(f)[others], wanted, rtol=1e-12, atol=1e-12)
        assert not np.isfinite(xp.to_numpy(f)[7])


def test_memory_and_kinds_of_numbers_do_not_matter():
    p = problem((80, 60))
    k = kernels("ot", namespace(p.D))
    cost, vectors = (p.D, *p.cost[1:]), (p.a, p.f, p.g)
    wanted = k.row_pass(cost, *vectors, 1.0, False)
    for x in (p.D, *vectors):
        x.flags.writeable = False
    spread = [np.repeat(x, 2)[::2] for x in vectors]
    for C in (p.D, np.repeat(p.D, 2, axis=0)[::2], np.repeat(p.D, 2, axis=1)[:, ::2], np.asfortranarray(p.D)):
        found = k.row_pass((C, *p.cost[1:]), *spread, 1, np.False_)
        assert all(np.array_equal(x, w) for x, w in zip(found, wanted, strict=True))


@pytest.mark.parametrize("bad", ["C", "a", "g"])
@pytest.mark.parametrize("single", [False, True])
def test_nan_shows(xp, bad, single):
    p = problem((40, 30))
    {"C": p.D, "a": p.a, "g": p.g}[bad][3] = np.nan
    for k in rooms(xp):
        arguments = moved(xp, ((p.D, *p.cost[1:]), p.a, p.f, p.g))
        f, c = k.row_pass(*arguments, p.reg, single)
        assert np.isnan(xp.to_numpy(f)).any() and np.isnan(xp.to_numpy(c)).any()
        f, c, _ = k.plan_pass(*arguments, p.reg, single)
        assert np.isnan(xp.to_numpy(f)).any() and np.isnan(xp.to_numpy(c)).any()
        if bad != "a":
            assert all(
                np.isnan(xp.to_numpy(v)).any() for v in k.plan_sums(*arguments[:1], *arguments[2:], p.reg)
            )


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize(("spread", "reg"), [(1e3, 1e-3), (1.0, 1e-7), (1e200, 1e196), (1.0, 1e9)])
def test_passes_with_huge_and_with_tiny_exponents(xp, spread, reg, single):
    p = problem((130, 257), spread=spread)
    p.g *= spread
    f = oracle.half_step(p.D, p.a, p.g, reg)
    c = oracle.plan(p.D, f, p.g, reg).sum(axis=0)
    exponent = np.abs(p.g).max() / reg + np.abs(p.D).max() / reg  # rounding of the exponents
    tolerance = 4e-16 * exponent + (2e-5 if single else 1e-12)
    for k in rooms(xp):
        for guess in f, np.zeros_like(f):
            cost, *vectors = moved(xp, (p.cost, p.a, guess, p.g))
            new, sums = (xp.to_numpy(v) for v in k.row_pass(cost, *vectors, reg, single))
            np.testing.assert_allclose(new, f, rtol=tolerance, atol=tolerance * reg)
            np.testing.assert_allclose(sums, c, rtol=10 * tolerance, atol=1e-9 * p.a.min())


def test_passes_with_weights_of_all_sizes(xp):
    p = problem((33, 21))
    a = p.a * np.logspace(-15, 0, 33)
    f = oracle.half_step(p.D, a, p.g, p.reg)
    for k in rooms(xp):
        for guess in f, p.f:
            new, c = k.row_pass(*moved(xp, (p.cost, a, guess, p.g)), p.reg, False)
            check(xp, new, f, 1e-12)
            check(xp, c, oracle.plan(p.D, f, p.g, p.reg).sum(axis=0), 1e-12)


@each_dtype
@each_cost
@each_shape
def test_certificates(xp, shape, kind, dtype):
    """Sums over the whole plan and over the rounded plan, and the c-transform."""
    p, P = fitted(shape, kind, dtype)
    u, v = 0.01 * p.a, 0.01 * p.b
    R = P + np.outer(u, v).astype(np.float64)
    reduced = (p.D - p.g).min(axis=1)
    tolerance = 10 * TOLERANCE[dtype]
    for k in rooms(xp):
        cost, f, g, u_, v_ = moved(xp, (p.cost, p.f, p.g, u, v))
        found = k.plan_sums(cost, f, g, p.reg)
        for x, wanted in zip(found, (P.sum(axis=1), P.sum(axis=0), oracle.paid(p.D, P)), strict=True):
            check(xp, x, wanted, tolerance, "float64")
        found = k.rounded_sums(cost, f, g, p.reg, u_, v_)
        for x, wanted in zip(found, (oracle.paid(p.D, R), oracle.entropy(R)), strict=True):
            check(xp, x, wanted, tolerance, "float64")
        found = k.c_transform(cost, g)
        assert found.dtype == getattr(xp.xp, dtype)
        np.testing.assert_allclose(xp.to_numpy(found), reduced, rtol=tolerance, atol=tolerance)


def test_certificates_with_forbidden_pairs(xp):
    p, _ = fitted((40, 70))
    C = p.D.copy()
    C[np.random.default_rng(1).random(C.shape) < 0.6], C[3] = np.inf, np.inf
    P = oracle.plan(C, p.f, p.g, p.reg)
    zero = np.zeros(40), np.zeros(70)
    for k in rooms(xp):
        cost, f, g, u, v = moved(xp, ((C, *p.cost[1:]), p.f, p.g, *zero))
        rows, columns, paid = k.plan_sums(cost, f, g, p.reg)
        check(xp, rows, P.sum(axis=1), 1e-12)
        check(xp, columns, P.sum(axis=0), 1e-12)
        check(xp, paid, oracle.paid(C, P), 1e-12)
        paid, entropy = k.rounded_sums(cost, f, g, p.reg, u, v)
        check(xp, paid, oracle.paid(C, P), 1e-12)
        check(xp, entropy, oracle.entropy(P), 1e-12)
        assert (xp.to_numpy(k.c_transform(cost, g)) == (C - p.g).min(axis=1)).all()


@each_dtype
@each_cost
@each_shape
def test_extract(xp, shape, kind, dtype):
    p, P = fitted(shape, kind, dtype)
    theta = 1e-3
    wanted = oracle.large_entries(P, p.a.astype(np.float64), p.b.astype(np.float64), theta)
    for k in rooms(xp):
        cost, *vectors = moved(xp, (p.cost, p.f, p.g))
        logs = moved(xp, (np.log(p.a), np.log(p.b)))
        found = k.extract(cost, *vectors, p.reg, *logs, float(np.log(theta)))
        for v, name in zip(found, ("float64", "int32", "int64"), strict=True):
            assert v.dtype == getattr(xp.xp, name) and xp.owns(v)
        data, indices, indptr = (xp.to_numpy(v) for v in found)
        assert indptr[0] == 0 and len(indptr) == shape[0] + 1
        assert all((np.diff(indices[i:j]) > 0).all() for i, j in itertools.pairwise(indptr))
        K = oracle.dense(data, indices, indptr, shape[1])
        assert ((K > 0) == (wanted > 0)).all()
        np.testing.assert_allclose(K, wanted, rtol=10 * TOLERANCE[dtype])


def test_extract_leaves_out_forbidden_pairs_and_clamps_exponents(xp):
    C = np.array([[0.0, np.inf, 2.0], [np.inf, np.inf, np.inf], [-1e4, 0.0, 1e4]])
    zero, log_weight = np.zeros(3), np.full(3, -1.0)
    for k in rooms(xp):
        cost = moved(xp, (C, np.empty((0, 0)), np.empty((0, 0)), 0))
        found = k.extract(cost, *moved(xp, (zero, zero)), 1.0, *moved(xp, (log_weight, log_weight)), -2e4)
        data, indices, indptr = (xp.to_numpy(v) for v in found)
        assert indptr.tolist() == [0, 2, 2, 5] and indices.tolist() == [0, 2, 0, 1, 2]
        np.testing.assert_allclose(data, np.exp([0.0, -2.0, 709.0, 0.0, -708.0]), rtol=1e-13)


def test_extract_of_rows_that_lie_apart():
    """Such rows are read from longer ones, of which no more than m numbers count."""
    p = problem((120, 700))
    vectors = p.f[::3], p.g, p.reg, np.log(p.a[::3]), np.log(p.b), -2.0
    for k in (kernels("ot", namespace(p.a)), portable):
        apart = k.extract((p.cost[0][::3], *p.cost[1:]), *vectors)
        dense = k.extract((np.ascontiguousarray(p.cost[0][::3]), *p.cost[1:]), *vectors)
        for one, two in zip(apart, dense, strict=True):
            np.testing.assert_array_equal(one, two)
