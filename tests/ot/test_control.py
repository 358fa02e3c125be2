"""Starting, watching and stopping a solve; threads, memory order, repeatability."""

import time

import numpy as np
import pytest

import numopt
from numopt import Status, gallery
from numopt.exceptions import ConvergenceWarning, InvalidInputError, PrecisionWarning, SolverError
from numopt.ot import sinkhorn_newton
from tests.ot.measure import certified, squares

METHODS = ["auto", "sns", "sinkhorn"]


def same(one, two):
    """Say whether two results are equal bit for bit."""
    pairs = [(one.f, two.f), (one.g, two.g)]
    return all(x.tobytes() == y.tobytes() for x, y in pairs) and one.nit == two.nit and one.value == two.value


# ------------------ init


@pytest.mark.parametrize("method", METHODS)
def test_a_result_is_a_start(method):
    a, b, C = squares(40, 50)
    first = sinkhorn_newton(a, b, C, reg=0.02, tol=1e-12)
    again = sinkhorn_newton(a, b, C, reg=0.02, method=method, init=first)
    certified(again, a, b, C)
    assert again.nit <= 3
    assert sinkhorn_newton(a, b, C, reg=0.02, method=method, init=first.g).nit <= 3


@pytest.mark.parametrize("factor", [0.1, 0.5, 2.0, 100.0])
def test_a_start_from_another_reg(factor):
    a, b, C = squares(40, 50)
    first = sinkhorn_newton(a, b, C, reg=0.01)
    result = sinkhorn_newton(a, b, C, reg=0.01 * factor, init=first)
    certified(result, a, b, C)


@pytest.mark.parametrize("seed", range(5))
def test_a_bad_start_does_no_harm(seed):
    a, b, C = squares(40, 50)
    g = 10.0 ** (seed - 2) * np.random.default_rng(seed).standard_normal(50)
    certified(sinkhorn_newton(a, b, C, reg=0.01, init=g), a, b, C)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [1e12, 1e200, -1e308])
@pytest.mark.parametrize("where", [slice(None), 3])
def test_a_start_that_is_no_potential_does_no_harm(method, value, where):
    a, b, C = squares(40, 50)
    g = np.zeros(50)
    g[where] = value
    certified(sinkhorn_newton(a, b, C, reg=0.1, method=method, init=g, density=20.0), a, b, C)


def test_a_start_is_kept_from_a_stopped_run():
    a, b, C = squares(40, 50)
    part = sinkhorn_newton(a, b, C, reg=0.01, max_iter=6, on_failure="ignore")
    assert part.status == Status.MAX_ITER
    certified(sinkhorn_newton(a, b, C, reg=0.01, init=part), a, b, C)


@pytest.mark.parametrize("order", ["C", "F"])
def test_starts_do_not_depend_on_the_order_of_memory(order):
    a, b, C = squares(40, 50)
    laid = np.array(C, order=order)
    first = sinkhorn_newton(a, b, C, reg=0.02, tol=1e-12)
    for init in (first, first.g):
        again = sinkhorn_newton(a, b, laid, reg=0.02, init=init)
        certified(again, a, b, C)
        assert again.nit <= 3


def test_a_start_with_zero_weights():
    a, b, C = squares(40, 50)
    b[3], a[5] = 0.0, 0.0
    a, b = a / a.sum(), b / b.sum()
    first = sinkhorn_newton(a, b, C, reg=0.02, tol=1e-12)
    assert sinkhorn_newton(a, b, C, reg=0.02, init=first).nit <= 3


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda g: g[1:], r"init has shape \(49,\)"),
        (lambda g: g[None], r"init has shape \(1, 50\)"),
        (lambda g: np.where(np.arange(50) == 7, np.nan, g), r"init\[7\] is nan"),
        (lambda g: np.where(np.arange(50) == 7, np.inf, g), r"init\[7\] is inf"),
        (lambda g: 3.0, "init has shape"),
    ],
)
def test_bad_starts(spoil, message):
    a, b, C = squares(40, 50)
    with pytest.raises(InvalidInputError, match=message):
        sinkhorn_newton(a, b, C, reg=0.02, init=spoil(np.zeros(50)))


def test_a_result_of_another_size_is_no_start():
    small = sinkhorn_newton(*squares(4, 5), reg=0.1)
    with pytest.raises(InvalidInputError, match=r"init has shape \(5,\).*\(50\)"):
        sinkhorn_newton(*squares(40, 50), reg=0.1, init=small)


# ------------------ stopping


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("after", [1, 3, 6])
def test_a_callback_stops_and_the_best_is_kept(method, after):
    a, b, C = squares(40, 50)

    def stop(at):
        if at.nit == after:
            raise StopIteration

    result = sinkhorn_newton(a, b, C, reg=0.01, method=method, callback=stop)
    assert result.status == Status.CALLBACK_STOP and result.success is False
    assert result.nit == after
    assert np.isfinite(result.f).all() and np.isfinite(result.g).all()
    assert result.marginal_error < 2.1
    assert result.lp_lower_bound <= result.rounded_cost


def test_the_callback_sees_what_happens():
    a, b, C = squares(40, 50)
    seen = []
    result = sinkhorn_newton(a, b, C, reg=1e-3, callback=seen.append)
    assert [at.nit for at in seen] == list(range(1, result.nit + 1))
    assert all(at.info["reg"] >= result.reg and at.info["n_passes"] > 0 for at in seen)
    assert seen[-1].measure <= result.marginal_error + 1e-9
    assert len(result.history["nit"]) == len(seen)


@pytest.mark.parametrize("method", METHODS)
def test_ctrl_c_keeps_the_best(method):
    a, b, C = squares(40, 50)

    def interrupt(at):
        if at.nit == 5:
            raise KeyboardInterrupt

    with pytest.warns(ConvergenceWarning, match="interrupted"):
        result = sinkhorn_newton(a, b, C, reg=0.01, method=method, callback=interrupt)
    assert result.status == Status.INTERRUPTED
    assert np.isfinite(result.f).all() and result.marginal_error < 2.1


def test_an_error_in_the_callback_carries_the_result():
    a, b, C = squares(40, 50)
    with pytest.raises(ZeroDivisionError) as caught:
        sinkhorn_newton(a, b, C, reg=0.01, callback=lambda at: 1 / 0)
    assert np.isfinite(caught.value.result.f).all()


@pytest.mark.parametrize("method", METHODS)
def test_max_time(method):
    a, b, C = squares(40, 50)
    result = sinkhorn_newton(a, b, C, reg=0.01, method=method, max_time=0.0, on_failure="ignore")
    assert result.status == Status.TIME_LIMIT and result.nit == 1
    result = sinkhorn_newton(
        a, b, C, reg=0.01, method=method, max_time=0.05, on_failure="ignore",
        callback=lambda at: time.sleep(0.03), tol=1e-12,
    )  # fmt: skip
    assert result.status == Status.TIME_LIMIT and result.nit <= 3


@pytest.mark.parametrize("method", METHODS)
def test_failure_is_told_as_asked(method):
    a, b, C = squares(40, 50)
    settings = {"reg": 0.01, "method": method, "max_iter": 2}
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        assert not sinkhorn_newton(a, b, C, **settings).success
    with pytest.raises(SolverError, match="max_iter") as caught:
        sinkhorn_newton(a, b, C, on_failure="raise", **settings)
    assert caught.value.result.nit == 2


@pytest.mark.parametrize("check_every", [1, 3, 10])
@pytest.mark.parametrize("method", METHODS)
def test_check_every(method, check_every):
    a, b, C = squares(40, 50)
    result = sinkhorn_newton(a, b, C, reg=0.05, method=method, check_every=check_every, density=20.0)
    certified(result, a, b, C)
    assert (result.history["nit"] % check_every == 0).all()


@pytest.mark.parametrize("tol", [1e-16, 1e-300, 0.0])
@pytest.mark.parametrize("reg", [0.1, 1e-3])
def test_a_tolerance_below_rounding(tol, reg):
    a, b, C = squares(60, 70)
    with pytest.warns((PrecisionWarning, ConvergenceWarning)) as caught:
        result = sinkhorn_newton(a, b, C, reg=reg, tol=tol)
    assert {w.category for w in caught} == {PrecisionWarning, ConvergenceWarning}
    assert result.success is False
    assert result.status in (Status.STALLED, Status.PRECISION)
    assert result.marginal_error <= 1e-13


@pytest.mark.filterwarnings("ignore::numopt.exceptions.NumoptWarning")
@pytest.mark.parametrize("reg", [0.1, 1e-3])
def test_a_tolerance_below_rounding_ends_soon(reg):
    # The last bits decide when a run stalls: seldom, noise passes for progress for some hundred steps.
    passes = sorted(sinkhorn_newton(*squares(n, 70), reg=reg, tol=0.0).n_passes for n in range(56, 65))
    assert passes[-2] <= 40 and passes[-1] <= 200


@pytest.mark.parametrize("reg", [1.0, 1e-3])
def test_a_tolerance_just_above_rounding(reg):
    a, b, C = squares(60, 70)
    tol = 2e-15 + 0.2 * 2.3e-16 * (C.max() - C.min()) / reg
    result = sinkhorn_newton(a, b, C, reg=reg, tol=tol)
    assert result.success and result.marginal_error <= tol


def test_a_coarse_tolerance_stops_early():
    a, b, C = squares(40, 50)
    for tol in (0.5, 3.0, 1e6):
        result = sinkhorn_newton(a, b, C, reg=0.01, tol=tol)
        assert result.success and result.marginal_error <= tol


# ------------------ the same again

LARGE = {
    "dense": (lambda: gallery.gaussian_mixtures(500), 1e-1),
    "sparse": (lambda: gallery.gaussian_mixtures(500), 1e-3),
    "thinned": (lambda: gallery.gaussian_mixtures(1100), 1e-2),
}


@pytest.mark.parametrize("name", LARGE)
def test_any_number_of_threads_gives_the_same_bits(name):
    make, reg = LARGE[name]
    a, b, C = make()
    results = []
    for n in (1, 2, 4, 1):
        with numopt.threads(n):
            results.append(sinkhorn_newton(a, b, C, reg=reg))
    assert all(same(results[0], other) for other in results[1:])
    with numopt.threads(2):
        values = [other.gap for other in results], [other.lp_lower_bound for other in results]
    assert all(len(set(v)) == 1 for v in values)


@pytest.mark.parametrize("method", METHODS)
def test_points_and_threads(method):
    rng = np.random.default_rng(0)
    X, Y, a, b = rng.random((150, 3)), rng.random((170, 3)), np.full(150, 1 / 150), np.full(170, 1 / 170)
    results = []
    for n in (1, 2, 4):
        with numopt.threads(n):
            results.append(sinkhorn_newton(a, b, X=X, Y=Y, reg=0.05, method=method, density=20.0))
    assert all(same(results[0], other) for other in results[1:])


@pytest.mark.parametrize("reg", [0.1, 1e-3])
@pytest.mark.parametrize("method", METHODS)
def test_a_column_major_cost_is_read_as_it_lies(method, reg):
    if method != "auto" and reg < 0.1:
        pytest.skip("one value of reg is enough for the slow methods")
    a, b, C = squares(60, 70)
    turned = np.asfortranarray(C)
    turned.flags.writeable = False
    result = sinkhorn_newton(a, b, turned, reg=reg, method=method, tol=1e-12, density=20.0)
    P = certified(result, a, b, C, 1e-12)
    plain = sinkhorn_newton(a, b, C, reg=reg, method=method, tol=1e-12, density=20.0)
    np.testing.assert_allclose(P, plain.plan.todense(), atol=1e-12)
    np.testing.assert_allclose(result.plan.todense(), P, rtol=1e-9, atol=1e-300)
    assert result.gap == pytest.approx(plain.gap, abs=1e-11)
    assert result.lp_lower_bound <= result.rounded_cost
    swapped = sinkhorn_newton(b, a, C.T, reg=reg, method=method, tol=1e-12, density=20.0)
    np.testing.assert_allclose(swapped.plan.todense(), P.T, atol=1e-12)


@pytest.mark.parametrize("step", [2, -1, -3])
def test_strided_input(step):
    a, b, C = squares(60, 80)
    a, b, C = a[::step], b[::step], C[::step, ::step]
    a, b = a / a.sum(), b / b.sum()
    assert same(
        sinkhorn_newton(a, b, C, reg=0.05),
        sinkhorn_newton(a.copy(), b.copy(), np.ascontiguousarray(C), reg=0.05),
    )
