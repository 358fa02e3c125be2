"""Kernels of optimal transport: every room gives what the naive twins give."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

import numopt
from numopt._kernels import kernels
from numopt._kernels.portable import ot as portable
from tests.oracles import ot as oracle

SHAPES = [(1, 1), (1, 7), (7, 1), (33, 21), (130, 257)]
TOLERANCE = {"float64": 1e-12, "float32": 2e-5}
each_cost = pytest.mark.parametrize("kind", [0, 1, 2, 3], ids=["matrix", "sqeuclidean", "euclidean", "l1"])
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda s: f"{s[0]}x{s[1]}")
each_dtype = pytest.mark.parametrize("dtype", ["float64", "float32"])


def rooms(xp):
    """Return the kernels for these arrays and, for NumPy's, the portable ones too."""
    return [kernels("ot", xp.xp)] + [portable] * (xp.name in ("numpy", "readonly"))


def weights(rng, size):
    w = rng.random(size) + 0.1
    return w / w.sum()


def plan_direction(k, kept, cost, f, b, rhs, regularization, rtol, max_iter):
    return k.plan_direction(kept, *k.groups(cost, f), b, rhs, regularization, rtol, max_iter)


def pattern_direction(k, K, cost, f, a, b, w, s, drop, rhs, regularization, rtol, max_iter):
    groups = k.groups(cost, f)
    return k.pattern_direction(*K, a, b, w, s, *groups, drop, rhs, regularization, rtol, max_iter)


def problem(shape=(33, 21), kind=0, dtype="float64", spread=1.0, seed=0):
    """Return NumPy arrays in `dtype`, and the cost matrix D of the rounded arrays in float64."""
    rng = np.random.default_rng(seed)
    n, m = shape
    X, Y = rng.random((n, 3)).astype(dtype), rng.random((m, 3)).astype(dtype)
    C = (spread * rng.random(shape)).astype(dtype)
    D = oracle.distances(X, Y, kind) if kind else C.astype(np.float64)
    empty = np.empty((0, 0), dtype)
    return SimpleNamespace(
        cost=(empty, X, np.ascontiguousarray(Y.T), kind) if kind else (C, empty, empty, 0),
        D=D,
        reg=0.2,
        a=weights(rng, n).astype(dtype),
        b=weights(rng, m).astype(dtype),
        f=rng.normal(size=n).astype(dtype),
        g=rng.normal(size=m).astype(dtype),
        dtype=dtype,
    )


def moved(xp, x):
    """Return copies of the arrays in `x` as arrays of the backend."""
    if isinstance(x, tuple):
        return tuple(moved(xp, v) for v in x)
    return xp.asarray(x, x.dtype.name) if isinstance(x, np.ndarray) else x


def check(xp, found, wanted, tolerance, dtype=None):
    """Compare a kernel's array with NumPy's, relative to the entry, and its dtype."""
    assert xp.owns(found) or np.isscalar(found)
    if dtype is not None:
        assert found.dtype == getattr(xp.xp, dtype)
    np.testing.assert_allclose(xp.to_numpy(found), wanted, rtol=tolerance, atol=tolerance * 1e-6)


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


def fitted(shape, kind=0, dtype="float64", reg=0.05):
    """Return a problem whose potentials give a plan with entries of all sizes, and this plan."""
    p = problem(shape, kind, dtype)
    p.reg = reg
    p.g = (0.1 * p.g).astype(dtype)
    p.f = oracle.half_step(p.D, p.a.astype(np.float64), p.g.astype(np.float64), reg).astype(dtype)
    return p, oracle.plan(p.D, p.f.astype(np.float64), p.g.astype(np.float64), reg)


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


def csr(K):
    rows, columns = np.nonzero(K)
    indptr = np.concatenate(([0], np.cumsum(np.count_nonzero(K, axis=1))))
    return K[rows, columns], columns.astype(np.int32), indptr


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
        check(xp, d, wanted, 1e-7 if dtype == "float64" else 1e-4, dtype)


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


def unsolved(xp):
    """Return the arguments of `pattern_direction` up to the right-hand side, for any backend."""
    p, P = fitted((33, 21))
    ones = np.ones(21), np.ones(33)
    return moved(xp, (csr(P), p.cost, p.f, p.a, p.b, *ones, 0.0, p.b - P.sum(axis=0)))


def test_a_limit_of_steps_is_kept(xp):
    for k in rooms(xp):
        for limit in 1, 7, 17:
            assert pattern_direction(k, *unsolved(xp), 1e-6, 0.0, limit)[1] == limit


@pytest.mark.parametrize("xp", ["strict"], indirect=True)
def test_conjugate_gradients_look_at_the_device_every_sixteenth_step(xp, transfers):
    arguments = unsolved(xp)
    pattern_direction(portable, *arguments, 1e-6, 0.0, 64)
    assert len(transfers) <= 64 // 16 + 1
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


@each_cost
def test_portable_blocks_do_not_show(xp, kind, monkeypatch):
    p, _ = fitted((33, 21), kind)
    cost, a, f, g = moved(xp, (p.cost, p.a, p.f, p.g))

    def results():
        f_new, c, P = portable.plan_pass(cost, a, f, g, p.reg, False)
        d, _ = plan_direction(portable, P, cost, f, g * g, g - c, 1e-2, 1e-9, 100)
        found = [f_new, c, P, d, *portable.cost_minima(cost), portable.c_transform(cost, g)]
        found += portable.extract(cost, f, g, p.reg, a, g, -5.0)
        found += portable.plan_sums(cost, f, g, p.reg)
        found += portable.rounded_sums(cost, f, g, p.reg, a, g * g)
        return [xp.to_numpy(v) for v in found]

    whole = results()
    for size in 1, 100, 21 * 32:
        monkeypatch.setattr(portable, "_BLOCK", size)
        for v, w in zip(results(), whole, strict=True):
            np.testing.assert_allclose(v, w, rtol=1e-4, atol=1e-9)  # products with P are float32


def test_strides():
    p, P = fitted((33, 21))

    def laid(x):
        out = np.full(tuple(2 * s for s in x.shape), 9, x.dtype)[tuple(slice(None, None, 2) for _ in x.shape)]
        out[...] = x
        return out

    a, b, f, g = map(laid, (p.a, p.b, p.f, p.g))
    cost = (laid(p.cost[0]), *p.cost[1:])
    c = P.sum(axis=0)
    for k in kernels("ot", np), portable:
        np.testing.assert_allclose(k.cost_minima(cost)[0], p.D.min(axis=1))
        np.testing.assert_allclose(k.row_pass(cost, a, f, g, p.reg, False)[1], c, rtol=1e-12)
        K = k.extract(cost, f, g, p.reg, laid(np.log(a)), laid(np.log(b)), -60.0)
        np.testing.assert_allclose(oracle.dense(*K, 21), P, rtol=1e-12)
        s, sums = k.pattern_eval(*K, a, laid(np.ones(21)))
        np.testing.assert_allclose(s, np.ones(33), rtol=1e-12)
        np.testing.assert_allclose(sums, c, rtol=1e-12)


@each_dtype
@pytest.mark.parametrize("single", [False, True])
def test_results_do_not_depend_on_the_number_of_threads(dtype, single):
    p, _ = fitted((700, 500), 1, dtype, reg=0.01)
    k = kernels("ot", np)

    def results(threads):
        with numopt.threads(threads):
            f, c, P = k.plan_pass(p.cost, p.a, p.f, p.g, p.reg, single)
            d, steps = plan_direction(k, P, p.cost, p.f, p.b, p.b - c, 1e-3, 1e-3, 100)
            K = k.extract(p.cost, p.f, p.g, p.reg, np.log(p.a), np.log(p.b), -15.0)
            s, c_pattern = k.pattern_eval(*K, p.a, np.ones_like(p.b))
            found = [*k.cost_minima(p.cost), *k.row_pass(p.cost, p.a, p.f, p.g, p.reg, single)]
            found += [*k.plan_sums(p.cost, p.f, p.g, p.reg), k.c_transform(p.cost, p.g)]
            found += k.rounded_sums(p.cost, p.f, p.g, p.reg, p.a, p.b)
            vectors = p.a, p.b, np.ones_like(p.b), s
            found += pattern_direction(k, K, p.cost, p.f, *vectors, 1e-5, p.b - c_pattern, 1e-3, 1e-6, 300)
        return [*found, f, c, P, d, steps, *K, s, c_pattern]

    one = results(1)
    for threads in 2, 4:
        for v, w in zip(results(threads), one, strict=True):
            np.testing.assert_array_equal(v, w)
