"""The one loop: every way to end, the certificate's last word, records, callbacks, nesting."""

import warnings
from fractions import Fraction

import numpy as np
import pytest

from numopt import _loop
from numopt._loop import Iterate, Status, run
from numopt._result import Result, result_class
from numopt.exceptions import ConvergenceWarning, InvalidInputError, InvalidTypeError, SolverError


@result_class
class Point(Result):
    x: object
    info: dict


def finish(state, info, common):
    return Point(x=state, info=info, **common)


def solve(iterates, *, tol=0.5, max_iter=50, certify=None, on_failure="ignore", **options):
    """Run with a certificate that is the state itself, where states are numbers."""
    certify = certify or (lambda state: {"residual": abs(float(state[0]))})
    return run(
        iterates, certify=certify, finish=finish, tol=tol, max_iter=max_iter, on_failure=on_failure, **options
    )


def halving(x=64.0, claim=lambda x: x, reuse=False):
    """Yield 64, 32, 16, ... with the measure `claim`; `reuse` overwrites the state in place."""
    state = np.array([2 * x])
    while True:
        state = np.multiply(state, 0.5, out=state if reuse else None)
        yield Iterate(state, np.asarray(claim(state[0])), {"calls": 7})


def scripted(*measures, end=None, truth=None):
    """Yield states that equal their measure, or `truth`."""
    for i, measure in enumerate(measures):
        yield Iterate(np.array([measure if truth is None else truth[i]]), measure)
    return end


def test_converges_with_the_certificate_of_the_returned_point():
    result = solve(halving(), tol=1.0)
    assert result.success and result.status == Status.CONVERGED == 0
    assert result.nit == 7 and result.x[0] == 1.0 and result.certificate == {"residual": 1.0}
    assert (
        "converged" in result.message
        and "residual = 1" in result.message
        and "7 iterations" in result.message
    )


def test_history_has_equal_lengths_and_the_counters():
    result = solve(halving(), tol=1.0)
    assert list(result.history) == ["nit", "time", "measure", "calls"]
    np.testing.assert_array_equal(result.history["nit"], np.arange(1, 8))
    np.testing.assert_array_equal(result.history["measure"], 2.0 ** np.arange(6, -1, -1))
    assert set(result.history["calls"]) == {7} and np.all(np.diff(result.history["time"]) >= 0)
    assert result.info == {"calls": 7}


def test_counters_that_come_later_are_nan_before():
    def late():
        yield Iterate(np.array([3.0]), 3.0)
        yield Iterate(np.array([0.0]), 0.0, {"factor": 2, "basis": np.eye(2), "name": "lu"})

    result = solve(late())
    np.testing.assert_array_equal(result.history["factor"], [np.nan, 2.0])
    assert set(result.history) == {"nit", "time", "measure", "factor"}  # neither arrays nor words


def test_max_iter_returns_the_best_and_warns_at_the_callers_line():
    with pytest.warns(ConvergenceWarning, match="max_iter") as caught:
        result = solve(scripted(9.0, 4.0, 8.0, 8.0), max_iter=3, on_failure="warn")
    assert result.status == Status.MAX_ITER and not result.success
    assert result.x[0] == 4.0 and result.nit == 3 and caught[0].filename == __file__


def test_max_iter_with_a_point_that_meets_tol_is_a_success():
    result = solve(scripted(9.0, 4.0, truth=[9.0, 0.1]), max_iter=2)
    assert result.success and result.x[0] == 0.1


def test_in_place_states_are_kept_as_copies():
    def buffer():
        state = np.empty(1)
        for value in (5.0, 2.0, 7.0, 9.0):
            state[0] = value
            yield Iterate(state, value)

    assert solve(buffer(), max_iter=4).x[0] == 2.0
    assert solve(halving(reuse=True), tol=1.0).x[0] == 1.0


def test_a_method_may_end_with_a_status_and_a_reason():
    result = solve(scripted(3.0, end=(Status.INFEASIBLE, "row 3 has no partner")))
    assert result.status == Status.INFEASIBLE and "row 3 has no partner" in result.message
    assert solve(scripted(3.0, 2.0, end=(Status.BREAKDOWN, "", 5))).nit == 7
    assert solve(scripted(3.0, end=Status.BREAKDOWN)).status == Status.BREAKDOWN
    assert solve(scripted(3.0)).status == Status.STALLED


def test_a_method_cannot_declare_itself_converged():
    result = solve(scripted(3.0, end=Status.CONVERGED))
    assert result.status == Status.STALLED and not result.success
    assert solve(scripted(3.0, truth=[0.1], end=Status.CONVERGED)).success


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_nonfinite_measure_ends_the_run_at_the_best_finite_iterate(bad):
    result = solve(scripted(9.0, 4.0, bad, truth=[9.0, 4.0, np.nan]))
    assert result.status == Status.NONFINITE and not result.success
    assert result.x[0] == 4.0 and result.certificate["residual"] == 4.0


def test_a_nonfinite_certificate_is_no_success():
    result = solve(scripted(9.0, 0.1, truth=[9.0, np.nan]))
    assert result.status == Status.NONFINITE and result.x[0] == 9.0


def test_nothing_finite_returns_the_start_or_raises():
    result = solve(scripted(np.nan), start=np.array([100.0]))
    assert result.status == Status.NONFINITE and result.x[0] == 100.0
    with pytest.raises(SolverError, match="no finite iterate in 1 iterations") as caught:
        solve(scripted(np.nan))
    assert caught.value.result is None


def test_a_start_that_cannot_be_certified_counts_as_infinitely_bad():
    result = solve(scripted(np.nan), start=np.array([1.0]), certify=lambda state: {"residual": np.nan})
    assert result.certificate == {"residual": np.inf} and not result.success


def test_a_lying_measure_is_asked_to_rebuild_and_then_stalls():
    requests = []

    def liar():
        for truth in (8.0, 8.0, 6.0, 7.0):
            requests.append((yield Iterate(np.array([truth]), 0.0)))

    result = solve(liar(), tol=1.0)
    assert requests[0] == "rebuild" and result.status == Status.STALLED and not result.success
    assert result.x[0] == 8.0 and result.nit == 2


def test_the_best_certified_iterate_is_returned():
    result = solve(scripted(0.0, 0.0, truth=[3.0, 5.0]), tol=1.0)
    assert result.x[0] == 3.0 and result.certificate["residual"] == 3.0


def test_rebuilding_that_helps_goes_on():
    def recursive():
        truth, claimed = 64.0, 0.1
        while True:
            if (yield Iterate(np.array([truth]), claimed)) == "rebuild":
                claimed = truth
            else:
                truth, claimed = truth / 4, claimed / 64

    result = solve(recursive(), tol=1.0)
    assert result.success and result.certificate["residual"] <= 1.0


def test_a_measure_proportional_to_the_certificate_converges_without_a_rebuild():
    result = solve(halving(claim=lambda x: x / 10), tol=1e-3, max_iter=200)
    assert result.success and result.certificate["residual"] <= 1e-3


def test_a_measure_that_is_nearly_right_need_not_fall_far():
    certified = []

    def certify(state):
        certified.append(state[0])
        return {"residual": 1.05 * state[0]}

    result = solve(scripted(*(1.2 * 0.99 ** np.arange(100))), tol=1.0, max_iter=100, certify=certify)
    assert result.success and result.certificate["residual"] > 0.8 and len(certified) == 2


def test_near_misses_without_end_are_a_stall():
    result = solve(scripted(*(0.9 ** np.arange(1000)), truth=[1.1] * 1000), tol=1.0, max_iter=1000)
    assert result.status == Status.STALLED and result.nit < 100


def test_stagnation_is_detected():
    result = solve(scripted(9.0, *[5.0] * 1000), max_iter=1000)
    assert result.status == Status.STALLED and result.nit < 500


def test_slow_but_steady_progress_is_not_stagnation():
    result = solve(scripted(*(1.0 / np.sqrt(1 + np.arange(5000)))), tol=0.0, max_iter=4000)
    assert result.status == Status.MAX_ITER


def test_callback_sees_each_check_and_stops_by_stop_iteration():
    seen = []

    def callback(intermediate_result):
        seen.append(intermediate_result)
        if intermediate_result.nit == 4:
            raise StopIteration

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a wish is no failure
        result = solve(halving(), callback=callback, check_every=2, on_failure="raise")
    assert result.status == Status.CALLBACK_STOP and result.nit == 4 and result.x[0] == 8.0
    assert [s.nit for s in seen] == [2, 4] and seen[0].measure == 32.0 and seen[0].tol == 0.5
    assert seen[0].info == {"calls": 7} and seen[0].time >= 0 and seen[1].state[0] == 8.0


def test_a_converged_run_is_not_undone_by_its_callback():
    def callback(intermediate_result):
        if intermediate_result.measure <= 1.0:
            raise StopIteration

    assert solve(halving(), tol=1.0, callback=callback).success


@pytest.fixture
def clock(monkeypatch):
    """Return a function that lets seconds pass for the loop, and no others do."""
    now = [0.0]
    monkeypatch.setattr(_loop, "perf_counter", lambda: now[0])
    return lambda seconds: now.append(now.pop() + seconds)


def test_seconds_exclude_callbacks(clock):
    result = solve(halving(), tol=32.0, callback=lambda _: clock(5.0))
    assert result.nit == 2 and result.time == 0.0


def test_keyboard_interrupt_keeps_the_best_iterate():
    def callback(intermediate_result):
        if intermediate_result.nit == 3:
            raise KeyboardInterrupt

    result = solve(scripted(9.0, 4.0, 8.0), callback=callback)
    assert result.status == Status.INTERRUPTED and not result.success and result.x[0] == 4.0


def test_keyboard_interrupt_with_nothing_to_return_stays_one():
    def early():
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        solve(early())
    result = solve(early(), start=np.array([100.0]))
    assert result.status == Status.INTERRUPTED and result.x[0] == 100.0 and result.nit == 0


def test_keyboard_interrupt_inside_a_step_does_not_trust_a_half_written_buffer():
    def half_written():
        state = np.array([4.0])
        yield Iterate(state, 4.0)
        state[0] = np.nan
        raise KeyboardInterrupt

    result = solve(half_written())
    assert result.status == Status.INTERRUPTED and result.x[0] == 4.0


def test_an_exception_of_the_user_carries_the_best_result():
    def callback(intermediate_result):
        if intermediate_result.nit == 3:
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        solve(halving(), callback=callback)
    assert caught.value.result.x[0] == 16.0 and caught.value.result.status == Status.EVALUATION_ERROR


@pytest.mark.parametrize("quiet", [False, True], ids=["in the run", "in a run inside"])
@pytest.mark.parametrize("where", ["method", "certificate"])
def test_stop_iteration_of_a_function_is_told_by_an_error_with_the_best_result(where, quiet):
    def method():
        yield from (Iterate(np.array([x]), x) for x in (9.0, 4.0))
        if quiet:
            solve(scripted(1.0, 0.1), certify=broken, quiet=True)
        if where == "method":
            broken(None)
        yield Iterate(np.array([0.1]), 0.1)

    def broken(state):
        raise StopIteration("mine")

    def certify(state):
        return broken(state) if state[0] == 0.1 else {"error": float(state[0])}

    with pytest.raises(SolverError, match=r"a function of the caller raised StopIteration\('mine'\)") as caught:
        solve(method(), certify=certify)
    best = 0.1 if where == "certificate" and not quiet else 4.0
    assert caught.value.result.x[0] == best and caught.value.result.status == Status.EVALUATION_ERROR


@pytest.mark.parametrize("failures", [1, 99])
@pytest.mark.parametrize("measures", [[9.0, 4.0, 8.0], [9.0, 8.0, 0.3]], ids=["at the limit", "near the tolerance"])
def test_an_exception_in_a_certificate_carries_the_best_result(measures, failures):
    calls = []

    def certify(state):
        calls.append(state)
        if len(calls) <= failures:
            raise ZeroDivisionError("mine")
        return {"error": abs(float(state[0]))}

    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        solve(scripted(*measures), certify=certify, max_iter=3)
    result = caught.value.result
    assert result.x[0] == min(measures) and result.status == Status.EVALUATION_ERROR and not result.success
    assert result.certificate["error"] == (np.inf if failures == 99 else min(measures))


def test_an_exception_without_any_iterate_is_raised_as_it_is():
    def broken():
        raise ZeroDivisionError("mine")
        yield

    with pytest.raises(ZeroDivisionError, match="mine"):
        solve(broken())


def test_on_failure_raise_carries_the_result():
    with pytest.raises(SolverError, match="max_iter") as caught:
        solve(halving(), tol=0.0, max_iter=3, on_failure="raise")
    assert caught.value.result.nit == 3


def test_max_time_ends_the_run(clock):
    def slow():
        while True:
            clock(2.0)
            yield Iterate(np.array([5.0]), 5.0)

    for limit in (19.0, np.float16(19)):  # a half-precision number plus the time of the day is infinite
        result = solve(slow(), max_time=limit, max_iter=10**6, check_every=10**6)
        assert result.status == Status.TIME_LIMIT and result.x[0] == 5.0 and list(result.history["nit"]) == [10]
        assert result.time == 20.0


@pytest.mark.parametrize("tol", [np.float16(0.5), Fraction(1, 2)])
def test_limits_of_any_real_type_count_as_floats(tol):
    result = solve(halving(), tol=tol, max_time=np.float16(60.0))
    assert result.success and "tol = 0.5" in result.message


def test_inner_runs_are_silent_and_inherit_the_deadline():
    inner_results = []

    def outer():
        while True:
            endless = solve(scripted(*[3.0] * 10**4), quiet=True, tol=0.0, max_iter=10**9, on_failure="raise")
            inner_results.append(endless)
            yield Iterate(np.array([3.0]), 3.0)

    result = solve(outer(), max_time=0.0)
    assert result.status == Status.TIME_LIMIT and result.nit == 1
    assert inner_results[0].status == Status.TIME_LIMIT and inner_results[0].nit == 1
    assert inner_results[0].history == {}


def test_keyboard_interrupt_in_an_inner_run_ends_the_outer_one():
    def inner():
        raise KeyboardInterrupt
        yield

    def outer():
        yield Iterate(np.array([3.0]), 3.0)
        solve(inner(), quiet=True)

    assert solve(outer()).status == Status.INTERRUPTED


def test_progress_without_a_measure_is_certified_at_the_end():
    def progress():
        for x in (9.0, 0.2):
            yield Iterate(np.array([x]))

    result = solve(progress())
    assert result.success and result.x[0] == 0.2 and np.isnan(result.history["measure"]).all()


def test_the_generator_is_closed():
    closed = []

    def method():
        try:
            yield from halving()
        finally:
            closed.append(True)

    solve(method(), tol=1.0)
    assert closed == [True]


def test_one_transfer_for_each_check_and_one_for_each_certificate(xp, transfers):
    A = xp.asarray(np.diag([1.0, 0.5]))

    def richardson(b):
        x = 0 * b
        while True:
            r = b - A @ x
            x = x + r
            yield Iterate(x, xp.xp.linalg.vector_norm(r), {"mass": xp.xp.sum(x)})

    b = xp.asarray([1.0, 1.0])
    result = solve(
        richardson(b),
        tol=1e-3,
        check_every=4,
        certify=lambda x: {"residual": xp.xp.linalg.vector_norm(b - A @ x)},
    )
    assert result.success and xp.owns(result.x)
    if xp.name in ("strict", "cupy"):
        assert len(transfers) == len(result.history["nit"]) + 1


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"tol": -1.0}, InvalidInputError, "tol is -1.0"),
        ({"tol": float("nan")}, InvalidInputError, "tol is nan"),
        ({"tol": "small"}, InvalidTypeError, "tol is 'small'"),
        ({"max_iter": 0}, InvalidInputError, "max_iter is 0"),
        ({"max_iter": 2.5}, InvalidTypeError, "max_iter is 2.5"),
        ({"max_time": -1}, InvalidInputError, "max_time is -1"),
        ({"check_every": 0}, InvalidInputError, "check_every is 0"),
        ({"callback": 3}, InvalidTypeError, "callback is 3"),
        ({"on_failure": "cry"}, InvalidInputError, "on_failure is 'cry'"),
    ],
)
def test_bad_keywords_are_refused_before_the_first_iteration(options, error, match):
    def never():
        raise AssertionError("the method was started")
        yield

    with pytest.raises(error, match=match):
        solve(never(), **options)


def test_every_status_has_its_sentence():
    assert all(status.sentence() and "(why)" in status.sentence("why") for status in Status)


def test_the_time_that_is_left():
    seen = [_loop.time_left()]

    def method():
        seen.append(_loop.time_left())
        yield Iterate(np.array([3.0]), 3.0)
        solve(inner(), quiet=True, max_time=90.0)

    def inner():
        seen.append(_loop.time_left())
        yield Iterate(np.array([0.1]), 0.1)

    solve(method(), max_time=30.0)
    assert seen[0] == np.inf and 0 < seen[2] <= seen[1] <= 30.0
    solve(method(), max_time=0.0)
    assert seen[3] <= 0 and _loop.time_left() == np.inf
