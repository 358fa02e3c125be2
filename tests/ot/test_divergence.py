"""The Sinkhorn divergence: closed forms, positivity, symmetry, its parts."""

import array_api_strict
import numpy as np
import pytest

from numopt.exceptions import ConvergenceWarning, InvalidInputError, InvalidTypeError, SolverError
from numopt.ot import sinkhorn_divergence

COSTS = ["sqeuclidean", "euclidean", "cityblock"]


def clouds(n=60, m=70, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((n, 2)), rng.random((m, 2)) ** 2


def transport(a, b, C, reg):
    """Return min <C, P> + reg KL(P | a b^T), naively."""
    from scipy.special import logsumexp

    f, g = np.zeros_like(a), np.zeros_like(b)
    for _ in range(5000):
        f = -reg * logsumexp((g - C) / reg + np.log(b), axis=1)
        g = -reg * logsumexp((f[:, None] - C) / reg + np.log(a)[:, None], axis=0)
    return a @ f + b @ g


def test_it_is_what_its_definition_says():
    X, Y = clouds(20, 25)
    rng = np.random.default_rng(1)
    a, b = rng.dirichlet(np.ones(20)), rng.dirichlet(np.ones(25))
    C = [((P[:, None] - Q) ** 2).sum(axis=2) for P, Q in ((X, Y), (X, X), (Y, Y))]
    for reg in (0.3, 0.05):
        xy, xx, yy = transport(a, b, C[0], reg), transport(a, a, C[1], reg), transport(b, b, C[2], reg)
        res = sinkhorn_divergence(X, Y, a, b, reg=reg, tol=1e-12)
        assert res.value == pytest.approx(xy - (xx + yy) / 2, abs=1e-11) and res.success


@pytest.mark.parametrize("reg", [1.0, 0.1, 1e-2, 1e-3])
def test_a_translate_differs_by_the_square_of_the_translation(reg):
    X, _ = clouds()
    res = sinkhorn_divergence(X, X + np.array([0.3, -0.4]), reg=reg, tol=1e-11)
    assert res.value == pytest.approx(0.25, abs=1e-9) and res.success and abs(res.gap) < 1e-8


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("reg", [0.1, 1e-2, 1e-3])
def test_it_vanishes_for_equal_clouds_and_is_positive_else(cost, reg):
    X, Y = clouds()
    assert abs(sinkhorn_divergence(X, X, reg=reg, cost=cost).value) < 1e-11
    one, two = sinkhorn_divergence(X, Y, reg=reg, cost=cost), sinkhorn_divergence(Y, X, reg=reg, cost=cost)
    assert one.value > 1e-3 and two.value == pytest.approx(one.value, rel=1e-7)


@pytest.mark.parametrize("cost", COSTS)
def test_the_symmetric_transports_need_few_passes_at_any_reg(cost):
    X, Y = clouds()
    for reg in (1.0, 1e-1, 1e-2, 1e-3, 1e-4):
        res = sinkhorn_divergence(X, Y, reg=reg, cost=cost)
        for part in (res.xx, res.yy):
            assert part.success and part.nit <= 22 and part.marginal_error <= 1e-9
            assert (part.f == part.g).all()


def test_the_potentials_are_derivatives_by_the_weights():
    X, Y = clouds(12, 15)
    a, b, h = np.full(12, 1 / 12), np.full(15, 1 / 15), 1e-5
    res = sinkhorn_divergence(X, Y, a, b, reg=0.1, tol=1e-12)
    move = np.zeros(12)
    move[3], move[7] = 1, -1
    up, down = (sinkhorn_divergence(X, Y, a + s * move, b, reg=0.1, tol=1e-12).value for s in (h, -h))
    assert (up - down) / (2 * h) == pytest.approx((res.xy.f - res.xx.f) @ move, rel=1e-5)
    move = np.zeros(15)
    move[1], move[2] = 1, -1
    up, down = (sinkhorn_divergence(X, Y, a, b + s * move, reg=0.1, tol=1e-12).value for s in (h, -h))
    assert (up - down) / (2 * h) == pytest.approx((res.xy.g - res.yy.f) @ move, rel=1e-5)


def test_weights_of_zero_mass_and_units():
    X, Y = clouds()
    a = np.random.default_rng(2).dirichlet(np.full(60, 0.1))
    a[:10] = 0
    a /= a.sum()
    one = sinkhorn_divergence(X, Y, a, reg=0.01, tol=1e-12)
    some = sinkhorn_divergence(X[10:], Y, a[10:], reg=0.01, tol=1e-12)
    scaled = sinkhorn_divergence(X, Y, 5 * a, reg=0.01, tol=1e-12)
    assert one.success and some.value == pytest.approx(one.value, abs=1e-10)
    assert scaled.value == pytest.approx(5 * one.value, abs=1e-9)
    relative = sinkhorn_divergence(10 * X, 10 * Y, reg=0.05, reg_relative=True)
    assert relative.value == pytest.approx(100 * sinkhorn_divergence(X, Y, reg=relative.reg / 100).value, rel=1e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arrays_stay_what_and_where_they_are(dtype):
    device = array_api_strict.Device("device1")
    X, Y = (array_api_strict.asarray(Z.astype(dtype), device=device) for Z in clouds())
    res = sinkhorn_divergence(X, Y, reg=0.05)
    assert res.success and type(res.value) is float
    for potential in (res.xy.f, res.xx.f, res.yy.g):
        assert potential.device == device and str(potential.dtype).endswith(dtype)
    assert res.value == pytest.approx(sinkhorn_divergence(*clouds(), reg=0.05).value, rel=1e-3)


def test_it_prints_in_short_and_lists_its_parts():
    res = sinkhorn_divergence(*clouds(), reg=0.1)
    assert "X to Y: converged" in repr(res) and len(repr(res).splitlines()) < 12
    assert res["xy"] is res.xy and res.nit == res.xy.nit + res.xx.nit + res.yy.nit


def test_failures_are_those_of_the_parts():
    with pytest.warns(ConvergenceWarning, match="X to X: stopped by max_iter"):
        res = sinkhorn_divergence(*clouds(), reg=0.1, max_iter=2)
    assert res.success is False and res.status == res.xy.status and res.marginal_error > 1e-9
    with pytest.raises(SolverError, match="X to Y") as caught:
        sinkhorn_divergence(*clouds(), reg=0.1, max_iter=2, on_failure="raise")
    assert caught.value.result.xx.nit == 2
    assert sinkhorn_divergence(*clouds(), reg=0.1, max_time=0.0, on_failure="ignore").success is False


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"Y": np.ones((3, 5))}, InvalidInputError, r"X has shape \(60, 2\) and Y \(3, 5\)"),
        ({"X": np.ones(3)}, InvalidInputError, r"X has shape \(3,\)"),
        ({"a": np.ones(7)}, InvalidInputError, r"a has shape \(7,\)"),
        ({"a": np.full(60, 1.0), "b": np.full(70, 1.0)}, InvalidInputError, "a sums to 60 and b to 70"),
        ({"X": np.full((60, 2), np.nan)}, InvalidInputError, r"X\[0, 0\] is nan"),
        ({"X": np.ones((3, 2), complex)}, InvalidTypeError, "X has dtype complex128"),
        ({"reg": -1.0}, InvalidInputError, "reg is -1"),
        ({"cost": "cosine"}, InvalidInputError, "cost is 'cosine'"),
        ({"tol": -1.0}, InvalidInputError, "tol is -1"),
        ({"on_failure": "cry"}, InvalidInputError, "on_failure is 'cry'"),
    ],
)
def test_bad_input_is_refused(change, error, match):
    X, Y = clouds()
    with pytest.raises(error, match=match):
        sinkhorn_divergence(**{"X": X, "Y": Y, "reg": 0.1} | change)
