"""Sparse plans and Newton directions of optimal transport, against dense twins."""

import numpy as np
import pytest

from numopt import _array
from numopt._kernels import kernels
from numopt._kernels.portable import ot as portable
from tests.kernels.ot_problems import (
    TOLERANCE,
    as_kept,
    check,
    csr,
    each_cost,
    each_dtype,
    each_shape,
    fitted,
    moved,
    pattern_direction,
    plan_direction,
    problem,
    rooms,
    weights,
)
from tests.oracles import ot as oracle

# BLAS now and then raises this flag for products of finite numbers, with the right result.
pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered in matmul")


@each_cost
@each_shape
def test_groups_part_the_columns(xp, shape, kind):
    p = problem(shape, kind)
    for k in rooms(xp):
        group, count = k.groups(*moved(xp, (p.cost, p.f)))
        assert isinstance(count, int) and xp.owns(group)
        group = xp.to_numpy(group)
        assert group.shape == shape[1:] and group.dtype == np.int32
        assert (group >= 0).all() and (group < count).all()


def test_groups_are_of_the_nearest_landmarks(xp):
    """So many columns that the landmarks are shared among threads, with ties."""
    p = problem((300, 800), 0)
    D, f = np.round(4 * p.D) / 4, np.round(p.f)
    for k in rooms(xp):
        group, count = k.groups(*moved(xp, ((D, *p.cost[1:]), f)))
        landmarks = np.linspace(0, 299, count).astype(int)
        np.testing.assert_array_equal(xp.to_numpy(group), (f[landmarks, None] - D[landmarks]).argmax(axis=0))


@each_shape
def test_plan_density(xp, shape):
    """An estimate from some rows: exact at both ends, near the truth between."""
    p, P = fitted(shape, 1)
    true = np.mean(np.minimum(p.a[:, None], p.b) * 1e-2 <= P)
    for k in rooms(xp):
        a, b, f, g = moved(xp, (p.a, p.b, p.f, p.g))
        kept = k.plan_pass(moved(xp, p.cost), a, f, g, p.reg, False)[2]
        ends = k.plan_density(kept, a, b, 0.0), k.plan_density(kept, a, b, 1e9)
        assert ends == (1.0, 0.0)
        density = k.plan_density(kept, a, b, 1e-2)
        assert isinstance(density, float) and abs(density - true) <= (0.1 if shape[0] > 16 else 1e-12)


def direction_tolerance(k):
    """The room for CUDA devices rounds the entries of the plan to float32; a direction needs two digits."""
    return 1e-5 if ".cuda." in k.pattern_direction.__module__ else 1e-7


@pytest.mark.parametrize("shape", [(7, 5), (33, 21), (130, 257)])
@each_dtype
def test_plan_direction(xp, shape, dtype):
    """Plans may be rounded to 2**-9: that changes the solution by as much in the norm of the matrix."""
    p = problem(shape, 1, dtype)
    a, b, g = (v.astype(np.float64) for v in (p.a, p.b, p.g))
    P = oracle.plan(p.D, oracle.half_step(p.D, a, g, p.reg), g, p.reg)
    S, rhs = oracle.newton_matrix(P, 1e-4 * b), b - P.sum(axis=0)
    wanted = np.linalg.solve(S, rhs)
    for k in rooms(xp):
        cost, a, b, f, g = moved(xp, (p.cost, p.a, p.b, p.f, p.g))
        kept = k.plan_pass(cost, a, f, g, p.reg, True)[2]
        d, steps = plan_direction(k, kept, cost, f, b, moved(xp, rhs.astype(dtype)), 1e-4, 1e-4, 500)
        assert d.dtype == getattr(xp.xp, dtype) and xp.owns(d)
        assert isinstance(steps, int) and 0 < steps < 500
        error = xp.to_numpy(d).astype(np.float64) - wanted
        assert error @ S @ error <= 1e-4 * (wanted @ S @ wanted)


@each_dtype
@each_shape
def test_pattern_eval(xp, shape, dtype):
    p, P = fitted(shape)
    K = oracle.large_entries(P, p.a, p.b, 1e-4)
    a, w = p.a.astype(dtype), np.exp(3 * np.random.default_rng(1).normal(size=shape[1])).astype(dtype)
    s = K @ w.astype(np.float64) / a.astype(np.float64)
    c = w.astype(np.float64) * (K.T @ (1 / s))
    for k in rooms(xp):
        found = k.pattern_eval(*moved(xp, csr(K)), *moved(xp, (a, w)))
        check(xp, found[0], s, TOLERANCE[dtype] / 20, dtype)
        check(xp, found[1], c, TOLERANCE[dtype] / 20, dtype)


@each_dtype
def test_kept_point(xp, dtype):
    p, P = fitted((33, 21))
    K = oracle.large_entries(P, p.a, p.b, 1e-4)
    a, b = p.a.astype(dtype), p.b.astype(dtype)
    v = np.random.default_rng(1).normal(size=21).astype(dtype)
    v[3], v[7] = 50.0, -50.0
    clipped = np.clip(v, -2, 2)
    w = np.exp(clipped.astype(np.float64))
    s = K @ w / a.astype(np.float64)
    c = w * (K.T @ (1 / s))
    for k in rooms(xp):
        cost, f, graph, *vectors = moved(xp, (p.cost, p.f, csr(K), a, b, v))
        found = k.kept_point(as_kept(k, graph, cost, f, *vectors[:2]), *vectors, 2.0)
        for x, wanted in zip(found[:3], (clipped, s, c), strict=True):
            check(xp, x, wanted, TOLERANCE[dtype] / 20, dtype)
        value, error = _array.host(*found[3:])
        assert value == pytest.approx(b @ clipped - a @ np.log(s), rel=TOLERANCE[dtype], abs=TOLERANCE[dtype])
        assert error == pytest.approx(np.abs(c - b).sum(), rel=10 * TOLERANCE[dtype])


def test_pattern_eval_keeps_small_rows_and_columns_exact(xp):
    """What a cumulative sum over the rows would lose; also columns that nothing reaches."""
    rng = np.random.default_rng(0)
    K = rng.random((300, 700)) * (rng.random((300, 700)) < 0.4) * np.logspace(-30, 0, 300)[:, None]
    K[:, 13], K[:, 0], K[7, 1] = 0.0, 1.0, 1.0
    a, w = weights(rng, 300), np.exp(rng.uniform(-24, 24, 700))
    s = K @ w / a
    for k in rooms(xp):
        found = k.pattern_eval(*moved(xp, csr(K)), *moved(xp, (a, w)))
        check(xp, found[0], s, 1e-14)
        check(xp, found[1], w * (K.T @ (1 / s)), 1e-14)
        assert xp.to_numpy(found[1])[13] == 0


def test_pattern_eval_of_an_empty_row(xp):
    K = np.array([[0.0, 2.0, 0.0], [0.0, 0.0, 0.0], [1.0, 3.0, 0.0]])
    for k in rooms(xp):
        s, c = k.pattern_eval(*moved(xp, csr(K)), *moved(xp, (np.full(3, 0.5), np.ones(3))))
        check(xp, s, [4.0, 0.0, 8.0], 1e-14)
        check(xp, c, [0.125, 0.875, 0.0], 1e-14)


@pytest.mark.parametrize("shape", [(1, 7), (33, 21), (130, 257)])
@pytest.mark.parametrize("drop", [0.0, 1e-3])
@each_dtype
def test_pattern_direction(xp, shape, drop, dtype):
    p, P = fitted(shape, 1, reg=0.02)
    K = oracle.large_entries(P, p.a, p.b, 1e-6)
    w = np.exp(0.3 * np.random.default_rng(1).normal(size=shape[1])).astype(dtype)
    a, b = p.a.astype(dtype), p.b.astype(dtype)
    s = (K @ w / a).astype(dtype)
    rhs = (b - w * (K.T @ (1 / s))).astype(dtype)
    kept = oracle.large_entries(w * K / s[:, None].astype(np.float64), a, b, drop)
    wanted = np.linalg.solve(oracle.newton_matrix(kept, 1e-4 * b), rhs.astype(np.float64))
    for k in rooms(xp):
        graph, cost, f, *vectors, right = moved(xp, (csr(K), p.cost, p.f, a, b, w, s, rhs))
        d, steps = pattern_direction(k, graph, cost, f, *vectors, drop, right, 1e-4, 1e-12, 2000)
        assert isinstance(steps, int) and 0 < steps < 2000
        check(xp, d, wanted, 1e-4 if dtype == "float32" else direction_tolerance(k), dtype)


@each_dtype
@pytest.mark.parametrize("size", [1, 2, 127, 1000])
def test_directions_are_centred_by_the_median_of_a_sample(xp, size, dtype):
    d = np.random.default_rng(size).normal(size=size).astype(dtype)
    d.flags.writeable = False
    shifted = d - np.sort(d[:: max(1, size // 128)])[-(-size // max(1, size // 128)) // 2]
    for k in rooms(xp):
        new, largest = k.centred(*moved(xp, (d,)))
        assert new.dtype == xp.asarray(d).dtype and xp.owns(new)
        np.testing.assert_array_equal(xp.to_numpy(new), shifted)
        assert _array.host(largest) == np.max(np.abs(shifted))


def test_a_direction_that_is_no_number_has_no_size(xp):
    for place in (0, 3, 299):
        d = np.ones(300)
        d[place] = np.nan
        for k in rooms(xp):
            assert np.isnan(_array.host(k.centred(*moved(xp, (d,)))[1]))


@each_dtype
def test_semidual(xp, dtype):
    rng = np.random.default_rng(0)
    a, f, b, g, c = (rng.random(size).astype(dtype) for size in (33, 33, 21, 21, 21))
    for k in rooms(xp):
        value, error = _array.host(*k.semidual(*moved(xp, (a, f, b, g, c))))
        wide = [x.astype(float) for x in (a, f, b, g, c)]
        assert value == pytest.approx(wide[0] @ wide[1] + wide[2] @ wide[3], rel=1e-14)
        assert error == pytest.approx(np.sum(np.abs(wide[4] - wide[2])), rel=1e-14)


@pytest.mark.parametrize("shape", [(1, 7), (33, 21), (130, 257)])
@each_dtype
def test_kept_direction(xp, shape, dtype):
    p, P = fitted(shape, 1, reg=0.02)
    K = oracle.large_entries(P, p.a, p.b, 1e-6)
    v = (0.3 * np.random.default_rng(1).normal(size=shape[1])).astype(dtype)
    w, a, b = np.exp(v.astype(np.float64)), p.a.astype(dtype), p.b.astype(dtype)
    s = (K @ w / a).astype(dtype)
    rhs = (b - w * (K.T @ (1 / s))).astype(dtype)
    plan = w * K / s[:, None].astype(np.float64)
    wanted = np.linalg.solve(oracle.newton_matrix(plan, 1e-4 * b), rhs.astype(np.float64))
    for k in rooms(xp):
        graph, cost, f, a_k, b_k, *rest = moved(xp, (csr(K), p.cost, p.f, a, b, v, s, rhs))
        d, steps = k.kept_direction(as_kept(k, graph, cost, f, a_k, b_k), a_k, b_k, *rest, 1e-4, 1e-12, 2000)
        assert isinstance(steps, int) and 0 < steps < 2000
        check(xp, d, wanted, 1e-4 if dtype == "float32" else direction_tolerance(k), dtype)


def test_parts_of_a_plan_are_shifted_to_their_masses():
    """Two parts that hardly any mass joins: their exchange is wrong by a factor that shifts find at once."""
    p, P = fitted((130, 257), 1, reg=0.02)
    P = P.copy()
    P[:65, 128:] *= 1e-4
    P[65:, :128] *= 1e-4
    k = kernels("ot", np)
    K = k.pattern_kept(*csr(P), p.a, p.b, (np.arange(257) // 128).astype(np.int32), 3)
    v, c = np.zeros(257), p.b
    for _ in range(30):
        v, s, c, value, error = k.kept_point(K, p.a, p.b, v + np.log(p.b / c), 30.0)
    assert error > 1e-2  # sweeps damp what is local alone
    shifted = k.kept_shift(K, p.a, p.b, v, s, c)
    _, _, c_shifted, better, _ = k.kept_point(K, p.a, p.b, shifted, 30.0)
    place, group, count = K[1]
    before, after = (np.bincount(group[place // 4], x - p.b, count) for x in (c, c_shifted))
    assert better > value and np.abs(after).sum() < 0.2 * np.abs(before).sum()
    assert k.kept_shift(K, p.a, c, v, s, c) is v  # solved: nothing to do


def test_directions_of_a_solved_problem_are_zero(xp):
    p, P = fitted((33, 21))
    for k in rooms(xp):
        cost, a, b, f, g, K = moved(xp, (p.cost, p.a, p.b, p.f, p.g, csr(P)))
        kept = k.plan_pass(cost, a, f, g, p.reg, False)[2]
        d, steps = plan_direction(k, kept, cost, f, b, 0 * b, 1e-4, 0.1, 50)
        assert steps == 0 and not xp.to_numpy(d).any()
        ones = moved(xp, (np.ones(21), np.ones(33)))
        d, steps = pattern_direction(k, K, cost, f, a, b, *ones, 0.0, 0 * b, 1e-4, 0.1, 50)
        assert steps == 0 and not xp.to_numpy(d).any()
        entries = as_kept(k, K, cost, f, a, b)
        s = k.kept_point(entries, a, b, 0 * b, 1.0)[1]
        d, steps = k.kept_direction(entries, a, b, 0 * b, s, 0 * b, 1e-4, 0.1, 50)
        assert steps == 0 and not xp.to_numpy(d).any()


def unsolved(xp):
    """Return the arguments of `pattern_direction` up to the right-hand side, for any backend."""
    p, P = fitted((33, 21))
    ones = np.ones(21), np.ones(33)
    return moved(xp, (csr(P), p.cost, p.f, p.a, p.b, *ones, 0.0, p.b - P.sum(axis=0)))


def test_a_limit_of_steps_is_kept(xp):
    for k in rooms(xp):
        for limit in 1, 7, 17:
            assert pattern_direction(k, *unsolved(xp), 1e-6, 0.0, limit)[1] == limit
            K, cost, f, a, b, w, s, _, rhs = unsolved(xp)
            d = k.kept_direction(as_kept(k, K, cost, f, a, b), a, b, 0 * w, s, rhs, 1e-6, 0.0, limit)
            assert d[1] <= limit


@pytest.mark.parametrize("xp", ["strict"], indirect=True)
def test_conjugate_gradients_look_at_the_device_every_sixteenth_step(xp, transfers):
    arguments = unsolved(xp)
    pattern_direction(portable, *arguments, 1e-6, 0.0, 64)
    assert len(transfers) == 64 // 16
    transfers.clear()
    p, _ = fitted((33, 21))
    cost, a, f, g = moved(xp, (p.cost, p.a, p.f, p.g))
    portable.cost_minima(cost)
    portable.row_pass(cost, a, f, g, p.reg, False)
    portable.extract(cost, f, g, p.reg, a, g, -5.0)
    portable.pattern_eval(*arguments[0], arguments[3], arguments[5])
    portable.plan_sums(cost, f, g, p.reg)
    portable.rounded_sums(cost, f, g, p.reg, a, g)
    assert not transfers


@pytest.mark.parametrize(("small", "parts"), [(1e-9, 2), (1e-3, 2), (0.5, 1)])
def test_parts_joined_by_small_entries_get_groups_of_their_own(small, parts):
    from numopt._kernels.cpu._ot_components import split

    n, rng = 24, np.random.default_rng(0)
    side = rng.permutation(n) < n // 2
    P = np.where(side[:, None] == side, 1.0, small) * (0.5 + rng.random((n, n)))
    start, column = np.arange(0, n * n + 1, n), np.tile(np.arange(n, dtype=np.uint32), n)
    group = np.zeros(n, np.int32)
    cut, count = split(group, 1, P.ravel(), column, start, P.max(axis=1), P.max(axis=0))
    assert count == parts and len(set(cut)) == parts
    assert all(len(set(cut[which])) == 1 for which in (side, ~side))
