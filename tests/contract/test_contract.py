"""What every solver promises, for every case, backend and dtype."""

import warnings

import numpy as np
import pytest

import numopt
from numopt import Status
from numopt._solver import REGISTRY
from numopt.exceptions import (
    ConvergenceWarning,
    InvalidInputError,
    InvalidTypeError,
    NumoptError,
    SolverError,
)
from tests.contract.cases import CASES, load_all_rooms
from tests.contract.harness import Call, Poison, all_finite, arrays, same_bits


@pytest.fixture(scope="module", autouse=True)
def every_room():
    load_all_rooms()


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.fixture(params=CASES, ids=str, scope="module")  # pytest then runs all tests of a case together
def case(request):
    return request.param


@pytest.fixture(scope="module")
def runs(case):
    return {}


@pytest.fixture
def call(case, xp, dtype, runs):
    if dtype not in REGISTRY[case.name].dtypes:
        pytest.skip(f"{case.name} does not compute in {dtype}")
    if case.backends and xp.name not in case.backends:
        pytest.skip(f"{case.name} reads files")
    return Call(case, xp, dtype, runs)


def test_every_registered_solver_has_a_case():
    load_all_rooms()
    assert set(REGISTRY) == {case.name for case in CASES}


def test_it_converges_and_the_certificate_can_be_recomputed(call):
    result = call.clean.result
    assert result.success is True and result.status == Status.CONVERGED and result.message
    assert result.nit >= 0 and result.time >= 0 and all_finite(result, call.backend)
    judged = next(iter(result.certificate))
    claimed, tol = result.certificate[call.case.certificate], call.tol
    assert result.certificate[judged] <= tol
    assert abs(call.recompute(result) - claimed) <= 0.05 * (abs(claimed) + tol)


def test_type_dtype_and_device_in_are_those_out(call):
    result = call.clean.result
    assert arrays(result)
    for name, x in arrays(result).items():
        assert call.backend.owns(x), name
        assert "float" not in str(x.dtype) or str(x.dtype).endswith(call.dtype), name
    assert all(type(v) is float for v in result.certificate.values())
    assert all(
        type(v) is np.ndarray and len(v) == len(result.history["nit"]) for v in result.history.values()
    )


def test_inputs_are_never_written(call):
    assert call.clean.written == []


def test_layout_does_not_matter(call):
    if call.backend.name != "numpy":
        pytest.skip("layout is NumPy's")
    result = call()
    for lay in (np.asfortranarray, _strided, _foreign_bytes, np.ndarray.tolist):
        if lay is np.ndarray.tolist and call.dtype != "float64":
            continue  # lists are float64
        names = [name for name, x in call.plain.items() if isinstance(x, np.ndarray)]
        spoilt = {name: lay(call.plain[name]) for name in names}
        other = _call_as_is(call, spoilt)
        if lay is np.asfortranarray:  # a solver may read a column-major matrix along its columns
            assert other.success and other.certificate.keys() == result.certificate.keys()
            assert call.recompute(other) <= 1.05 * call.tol
        else:
            assert same_bits(result, other, call.backend), lay


def _strided(x):
    wide = np.zeros(tuple(2 * n for n in x.shape), x.dtype)
    view = wide[tuple(slice(None, None, 2) for _ in x.shape)]
    view[...] = x
    return view


def _foreign_bytes(x):
    return x.astype(x.dtype.newbyteorder(">"))


def _call_as_is(call, changes):
    call.arguments = call.arguments | changes
    return call()


def test_one_seed_gives_one_result_for_any_number_of_threads(call):
    for n in (2, 4):  # the clean run had one
        with numopt.threads(n):
            assert same_bits(call.clean.result, call(), call.backend), n


def test_the_plain_kernels_do_as_well(call):
    if call.backend.name == "strict":
        pytest.skip("it has no others")
    with numopt.use_kernels("portable"):
        result = call()
    assert result.success and all_finite(result, call.backend)


def test_nan_out_of_a_kernel_is_no_success(call):
    calls = call.clean.kernel_calls
    if calls == 0:
        pytest.skip("no kernel is called")
    for at in sorted({1, min(2, calls), (calls + 1) // 2, max(1, calls - 1)}):
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's, about the NaN we made
            poison = Poison(patch, at)
            try:
                result = call(on_failure="ignore")
            except NumoptError:
                continue
        where = f"NaN out of call {at} of {calls}"
        assert poison.calls >= at, where
        assert result.success is False and result.status != Status.CONVERGED, where
        assert all_finite(result, call.backend), where


def test_the_callback_sees_and_stops(call):
    seen = []

    def callback(intermediate_result):
        seen.append((intermediate_result.nit, intermediate_result.measure, intermediate_result.time))
        assert intermediate_result.state is not None and isinstance(intermediate_result.info, dict)
        raise StopIteration

    result = call(callback=callback)
    assert len(seen) == 1 and result.nit == seen[0][0] and all_finite(result, call.backend)
    assert result.status in (Status.CALLBACK_STOP, Status.CONVERGED)


def test_an_exception_in_the_callback_carries_the_best_result(call):
    def callback(intermediate_result):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        call(callback=callback)
    assert all_finite(caught.value.result, call.backend)


def test_ctrl_c_keeps_the_best_iterate(call):
    def callback(intermediate_result):
        raise KeyboardInterrupt

    result = call(callback=callback, on_failure="ignore")
    assert result.status == Status.INTERRUPTED and result.success is False
    assert all_finite(result, call.backend) and np.isfinite(next(iter(result.certificate.values())))


def test_no_time_at_all_still_returns_a_point(call):
    result = call(max_time=0.0, on_failure="ignore")
    assert result.status in (Status.TIME_LIMIT, Status.CONVERGED) and all_finite(result, call.backend)


def test_failures_are_reported_as_asked(call):
    if call(max_iter=1, on_failure="ignore").success:
        pytest.skip("solved in one iteration")
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        assert call(max_iter=1).success is False
    with pytest.raises(SolverError, match="max_iter") as caught:
        call(max_iter=1, on_failure="raise")
    assert caught.value.result.status == Status.MAX_ITER


BAD_KEYWORDS = [
    {"tol": -1.0},
    {"tol": float("nan")},
    {"max_iter": 0},
    {"max_time": -1.0},
    {"check_every": 0},
    {"callback": 3},
    {"on_failure": "cry"},
    {"rng": "seed"},
    {"method": "magic"},
]


def test_bad_keywords_are_refused(call):
    for bad in BAD_KEYWORDS:
        (name,) = bad
        if call.takes(name):
            with pytest.raises((InvalidInputError, InvalidTypeError), match=f"{name} is "):
                call(**bad)
                pytest.fail(f"accepted: {bad}")


def test_bad_entries_are_named(call):
    for name in call.declared.arrays:
        if isinstance(call.plain.get(name), np.ndarray):
            last = ", ".join(str(n - 1) for n in call.plain[name].shape)
            for value in (np.nan, -np.inf):
                spoilt = call.plain[name].copy()
                spoilt[(-1,) * spoilt.ndim] = value
                with pytest.raises(InvalidInputError, match=rf"^{name}\[{last}\] is {value}"):
                    call(**{name: spoilt})
                    pytest.fail(f"accepted: {value} in {name}")


def test_complex_arrays_are_refused(call):
    for name in call.declared.arrays:
        if isinstance(call.plain.get(name), np.ndarray):
            with pytest.raises(InvalidTypeError, match=rf"^{name} has dtype complex128"):
                call(**{name: call.plain[name].astype(complex)})


def test_entries_under_a_mask_are_refused(call):
    if call.backend.name != "numpy":
        pytest.skip("masks are NumPy's")
    for name in call.declared.arrays:
        if isinstance(x := call.plain.get(name), np.ndarray):
            last = (-1,) * x.ndim
            hidden = np.zeros(x.shape, bool)
            hidden[last] = True
            where = ", ".join(str(n - 1) for n in x.shape)
            with pytest.raises(InvalidInputError, match=rf"^{name}\[{where}\] is masked"):
                _call_as_is(call, {name: np.ma.array(x, mask=hidden)})
            call.arguments[name] = np.ma.array(x, mask=False)
    same = call()
    call.arguments = call.arguments | call.plain
    assert same_bits(same, call(), call.backend)


def test_mixed_libraries_are_refused(call):
    names = [name for name in call.declared.arrays if isinstance(call.plain.get(name), np.ndarray)]
    if len(names) > 1:
        other = call.plain[names[0]]
        array_api_strict = pytest.importorskip("array_api_strict")
        call.arguments[names[0]] = array_api_strict.asarray(other) if call.backend.name != "strict" else other
        with pytest.raises(InvalidTypeError, match=rf"\b{names[0]} is a .* array"):
            call()


def test_what_a_case_calls_bad_is_refused(call):
    for label, spoil, error, match in call.case.bad:
        arguments = dict(call.plain)
        spoil(arguments)
        changed = {name: x for name, x in arguments.items() if x is not call.plain.get(name)}
        with pytest.raises(error, match=match):
            call(**changed)
            pytest.fail(f"accepted: {label}")
