"""Passes over a cost on a CUDA device, run on the host: each layout, at its limits, gives what the naive twins give."""

from pathlib import Path

import numpy as np
import pytest

from numopt._kernels.cuda import __path__ as ROOM
from numopt._kernels.portable import ot as portable
from tests.kernels import cuda_host
from tests.kernels.ot_problems import TOLERANCE, problem
from tests.oracles import ot as oracle

pytestmark = pytest.mark.skipif(cuda_host.COMPILER is None, reason="CUDA sources run on the host where there is a g++")


@pytest.fixture
def small(monkeypatch):
    """Return the kernels, laid out for blocks of 64 threads with 4 columns each, and a function that sets more."""
    k = cuda_host.kernels("ot")
    passes_ = k.row_pass.__globals__["_ot_passes"]

    def set_(**values):
        for name, value in values.items():
            monkeypatch.setattr(passes_, f"_{name}", value)

    set_(THREADS=64, COLUMNS=(2, 4))
    return k, set_


def orders(monkeypatch, call):
    """Return what a call gives with threads in either order: the same bits."""
    results = []
    for order in (1, -1):
        monkeypatch.setattr(cuda_host.RawModule, "order", order)
        results.append([np.array(x) for x in call()])
    assert all(x.tobytes() == y.tobytes() for x, y in zip(*results, strict=True))
    return results[0]


def compare(found, wanted, tolerance):
    for x, y in zip(found, wanted, strict=True):
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance * 1e-6)


def passes(k, p, guess, single=False):
    return k.plan_pass(p.cost, p.a, guess.astype(p.dtype), p.g, p.reg, single)


@pytest.mark.parametrize("m", [1, 31, 33, 128, 129, 255, 256, 257, 511, 513, 1023, 1025, 2048, 2049])
def test_matrices_around_the_limits(small, monkeypatch, m):
    """A cluster has 1, 2, 4 or 8 blocks of 256 columns; a wider matrix is swept twice."""
    k, p = small[0], problem((5, m))
    wanted = portable.plan_pass(p.cost, p.a, p.f, p.g, p.reg, False)
    for guess in wanted[0], 0 * p.f:
        found = orders(monkeypatch, lambda guess=guess: passes(k, p, guess))
        compare(found[:2], wanted[:2], 1e-12)
        compare(found[2:], wanted[2:], 1e-6)
    wanted = portable.plan_sums(p.cost, wanted[0], p.g, p.reg)
    compare(orders(monkeypatch, lambda: k.plan_sums(p.cost, found[0], p.g, p.reg)), wanted, 1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize(("m", "columns"), [(300, 4), (1030, 16), (2100, 4)])
def test_rows_of_many_clusters(small, monkeypatch, dtype, single, m, columns):
    """More rows than clusters, rows that lie apart, weights of all sizes, columns that a block does not have."""
    k, p = small[0], problem((150, m), dtype=dtype)
    small[1](COLUMNS=(columns,))
    wide = np.zeros((150, m + 3), dtype)
    wide[:, :m] = p.cost[0]
    p.cost = wide[:, :m], *p.cost[1:]
    p.a = (p.a * np.logspace(-12, 0, 150)).astype(dtype)
    a, g = p.a.astype(np.float64), p.g.astype(np.float64)
    f = oracle.half_step(p.D, a, g, p.reg)
    wanted = f, oracle.plan(p.D, f, g, p.reg).sum(axis=0)
    for guess in f, f + 40.0, -f:
        found = orders(monkeypatch, lambda guess=guess: passes(k, p, guess, single))
        compare(found[:2], wanted, max(TOLERANCE[dtype], 2e-5 * single))


@pytest.mark.parametrize("m", [300, 2100])
@pytest.mark.parametrize("single", [False, True])
def test_forbidden_pairs_rows_without_mass_and_bad_numbers(small, m, single):
    k, p = small[0], problem((40, m))
    C = p.cost[0]
    C[np.random.default_rng(1).random(C.shape) < 0.6] = np.inf
    C[:, 0], C[7], p.a[5], p.g[11] = 0.5, np.inf, 0.0, -np.inf
    with np.errstate(divide="ignore", invalid="ignore"):
        wanted = portable.plan_pass(p.cost, p.a, p.f, p.g, p.reg, False)
    for guess in wanted[0], p.f, np.full(40, np.nan):
        found = passes(k, p, guess, single)
        compare(found, wanted, 2e-5 if single else 1e-6)
        assert found[0][7] == np.inf and found[0][5] == -np.inf and found[1][11] < 1e-33
    f = np.where(np.isfinite(wanted[0]), wanted[0], 0.0)
    compare(k.plan_sums(p.cost, f, p.g, p.reg), portable.plan_sums(p.cost, f, p.g, p.reg), 1e-12)
    for bad in np.nan, -np.nan:
        C[3, m - 1] = bad
        f, c, _ = passes(k, p, p.f, single)
        assert np.isnan(f[3]) and np.isfinite(f[4]) and np.isnan(c[m - 1])
        assert all(np.isnan(x).any() for x in k.plan_sums(p.cost, p.f, p.g, p.reg))


def test_a_device_without_clusters(small, monkeypatch):
    k, set_ = small
    set_(device=lambda number: (160 * 1024, False))
    p = problem((30, 300))
    wanted = portable.plan_pass(p.cost, p.a, p.f, p.g, p.reg, False)
    compare(passes(k, p, p.f), wanted, 1e-6)
    set_(device=lambda number: (1024, True))
    compare(passes(k, p, p.f), wanted, 1e-6)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("d", [1, 8, 9, 20])
@pytest.mark.parametrize("kind", [1, 2, 3])
def test_points(small, monkeypatch, dtype, single, d, kind):
    """Products of slabs of points, sweeps of several parts, coordinates far from the origin."""
    k, set_ = small
    set_(SLAB=300 * 40, LENGTH=100, PARTS=2)
    rng, p = np.random.default_rng(d), problem((130, 300), dtype=dtype)
    X, Y = ((rng.random((size, d)) / d + 1).astype(dtype) for size in p.D.shape)
    p.cost, p.D = (p.cost[1], X, np.ascontiguousarray(Y.T), kind), oracle.distances(X, Y, kind)
    a, g = p.a.astype(np.float64), p.g.astype(np.float64)
    f = oracle.half_step(p.D, a, g, p.reg)
    P = oracle.plan(p.D, f, g, p.reg)
    for guess in f, 0 * f:
        found = orders(monkeypatch, lambda guess=guess: passes(k, p, guess, single))
        tolerance = max(TOLERANCE[dtype], 2e-5 * single)
        compare(found[:2], (f, P.sum(axis=0)), tolerance)
        np.testing.assert_allclose(found[2], P, rtol=3e-5 if tolerance > 1e-6 else 1e-6)
    f = found[0].astype(np.float64)
    wanted = oracle.plan(p.D, f, g, p.reg)
    wanted = wanted.sum(axis=1), wanted.sum(axis=0), oracle.paid(p.D, wanted)
    found = orders(monkeypatch, lambda: k.plan_sums(p.cost, f.astype(dtype), p.g, p.reg))
    compare(found, wanted, 10 * TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("d", "shape"), [(9, (1, 1)), (16, (129, 65)), (33, (600, 33)), (70, (40, 600)), (130, (33, 21))]
)
def test_points_of_many_coordinates(small, monkeypatch, dtype, d, shape):
    """Whole tiles and parts of one, slabs, guesses good and bad, weights of all sizes, too many coordinates."""
    k = small[0]
    monkeypatch.setattr(k.row_pass.__globals__["_ot_passes"]._ot_products, "_SLAB", 50_000)
    rng, p = np.random.default_rng(d), problem(shape, dtype=dtype)
    X, Y = ((rng.random((size, d)) / d**0.5 + 3).astype(dtype) for size in shape)
    p.cost, p.D = (p.cost[1], X, np.ascontiguousarray(Y.T), 1), oracle.distances(X, Y, 1)
    p.a = (p.a * np.logspace(-12, 0, shape[0])).astype(dtype)
    p.g[4:5] = -np.inf
    a, g = p.a.astype(np.float64), p.g.astype(np.float64)
    f = oracle.half_step(p.D, a, g, p.reg)
    P = oracle.plan(p.D, f, g, p.reg)
    for guess in f, f + 1000 * (np.arange(f.size) % 7 == 3), np.full(f.size, np.nan), np.full(f.size, -1e6):
        found = orders(monkeypatch, lambda guess=guess: passes(k, p, guess, True))
        compare(found[:2], (f, P.sum(axis=0)), 2e-5)
        np.testing.assert_allclose(found[2], P, rtol=3e-5, atol=1e-30)


def test_points_of_which_none_can_be_reached(small):
    k, p = small[0], problem((20, 30))
    X, Y = (np.random.default_rng(s).random((size, 12)) for s, size in enumerate(p.D.shape))
    p.cost = p.cost[1], X, np.ascontiguousarray(Y.T), 1
    p.g[:] = -np.inf
    f, c, P = passes(k, p, p.f, True)
    assert (f == np.inf).all() and (c == 0).all() and (P == 0).all()
    p.g[:], p.g[3] = 0.0, np.nan
    f, c, _ = passes(k, p, p.f, True)
    assert np.isnan(f).all() and np.isnan(c).all()


def test_powers():
    text = Path(ROOM[0], "common.cuh").read_text(encoding="utf8")
    text += """extern "C" __global__ void exponentials(const double *x, double reg, double *y, double *any, float *z) {
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        bool wild = false;
        Scale by(reg, 1000.0), less(reg, 120.0);
        double at = by.clamped(x[i], wild);
        powers<1>(&at, by, y + i);
        any[i] = power_of_any(x[i], by);
        at = less.clamped(x[i], wild);
        powers<1>(&at, less, z + i);
    }"""
    reg, size = 0.37, 64 * 1024
    x = np.random.default_rng(3).uniform(-200 * reg, 60 * reg, size)
    x[:9] = 0.0, -0.0, -1e-300, -np.inf, -1e308, np.nan, np.inf, 1e5, -1e5
    y, also, z = (cuda_host.empty((size,), t) for t in ("float64", "float64", "float32"))
    arguments = x, np.float64(reg), y, also, z
    cuda_host.RawModule(text).get_function("exponentials")((size // 64,), (64,), arguments)
    wanted = np.exp(x[9:].astype(np.longdouble) / reg)
    assert np.abs(y[9:] / wanted - 1).max() < 2e-13  # that is the rounding of exponents up to 200
    near = np.abs(x[9:]) < reg
    assert near.sum() > 100 and np.abs(y[9:] / wanted - 1)[near].max() < 6e-16
    some = x[9:] > -80 * reg
    assert np.abs(z[9:] / wanted - 1)[some].max() < 1e-6
    assert (y[:3] == 1).all() and (y[3:5] < 1e-300).all() and y[8] < 1e-300
    np.testing.assert_array_equal(also[:9], [1, 1, 1, 0, 0, np.nan, 2.0**100, 2.0**100, 0])
