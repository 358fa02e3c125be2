"""What must not change the results of the transport kernels: blocks, strides, threads."""

import numpy as np
import pytest

import numopt
from numopt._kernels import kernels
from numopt._kernels.portable import ot as portable
from tests.kernels.ot_problems import as_kept, each_cost, each_dtype, fitted, moved, pattern_direction, plan_direction
from tests.oracles import ot as oracle

# BLAS now and then raises this flag for products of finite numbers, with the right result.
pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered in matmul")


@each_cost
def test_portable_blocks_do_not_show(xp, kind, monkeypatch):
    p, _ = fitted((33, 21), kind)
    cost, a, f, g = moved(xp, (p.cost, p.a, p.f, p.g))

    def results():
        f_new, c, P = portable.plan_pass(cost, a, f, g, p.reg, False)
        d, _ = plan_direction(portable, P, cost, f, g * g, g - c, 1e-2, 1e-9, 100)
        found = [f_new, c, P, d, *portable.cost_minima(cost), portable.c_transform(cost, g)]
        found += portable.extract(cost, f, g, p.reg, a, g, -5.0)
        found += [portable.plan_block(cost, f, g, p.reg), *portable.plan_sums(cost, f, g, p.reg)]
        found += portable.rounded_sums(cost, f, g, p.reg, a, g * g)
        return [xp.to_numpy(v) for v in found]

    whole = results()
    for size in 1, 100, 21 * 32:
        monkeypatch.setattr("numopt._kernels.portable._ot_blocks._BLOCK", size)
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
            found += [k.plan_block(p.cost, p.f, p.g, p.reg), k.groups(p.cost, p.f)[0]]
            found += k.rounded_sums(p.cost, p.f, p.g, p.reg, p.a, p.b)
            vectors = p.a, p.b, np.ones_like(p.b), s
            found += pattern_direction(k, K, p.cost, p.f, *vectors, 1e-5, p.b - c_pattern, 1e-3, 1e-6, 300)
            tiles = as_kept(k, K, p.cost, p.f, p.a, p.b)
            v = np.linspace(0, 3, p.b.size).astype(p.b.dtype)
            v, s_kept, c_kept, *values = k.kept_point(tiles, p.a, p.b, v, 20.0)
            found += [s_kept, c_kept, *values, k.kept_shift(tiles, p.a, p.b, v, s_kept, c_kept)]
            found += k.kept_direction(tiles, p.a, p.b, v, s_kept, p.b - c_kept, 1e-3, 1e-6, 300)
        return [*found, f, c, P, d, steps, *K, s, c_pattern]

    one = results(1)
    for threads in 2, 4:
        for v, w in zip(results(threads), one, strict=True):
            np.testing.assert_array_equal(v, w)
