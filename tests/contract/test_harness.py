"""The contract tests notice a solver that breaks a promise."""

import dataclasses
import functools
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest
from _pytest.outcomes import Failed

from numopt import _array
from numopt._solver import REGISTRY
from tests.contract import test_contract as contract
from tests.contract.cases import CASES
from tests.contract.harness import Call, Poison
from tests.contract.tiny import richardson

TINY = next(case for case in CASES if case.name == "tiny.richardson")


def writes_its_input(A, b, **kwargs):
    result = richardson(A, b, **kwargs)
    b[0] = 7.0
    return result


def returns_float64(A, b, **kwargs):
    result = richardson(A, b, **kwargs)
    result.x = _array.namespace(result.x).astype(result.x, _array.namespace(result.x).float64)
    return result


def returns_numpy(A, b, **kwargs):
    result = richardson(A, b, **kwargs)
    result.x = _array.host(result.x)
    return result


def flatters_itself(A, b, **kwargs):
    result = richardson(A, b, **kwargs)
    result.certificate["residual"] *= 0.5
    return result


def believes_nan(A, b, **kwargs):
    result = richardson(A, b, **kwargs)
    result.success = True
    return result


def forgets_the_seed(A, b, *, rng=None, calls=count(), **kwargs):  # noqa: B008
    return richardson(A, b, rng=next(calls), **kwargs)


def reads_the_device(A, b, **kwargs):
    float(b[0])
    return richardson(A, b, **kwargs)


def swallows_bad_keywords(A, b, *, tol=1e-6, **kwargs):
    return richardson(A, b, tol=tol if tol >= 0 else 1e-6, **kwargs)


def swallows_complex(A, b, **kwargs):
    return richardson(_array.namespace(A).real(A) if "complex" in str(A.dtype) else A, b, **kwargs)


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        (writes_its_input, contract.test_inputs_are_never_written),
        (returns_float64, contract.test_type_dtype_and_device_in_are_those_out),
        (returns_numpy, contract.test_type_dtype_and_device_in_are_those_out),
        (flatters_itself, contract.test_it_converges_and_the_certificate_can_be_recomputed),
        (believes_nan, contract.test_nan_out_of_a_kernel_is_no_success),
        (forgets_the_seed, contract.test_one_seed_gives_one_result_for_any_number_of_threads),
        (reads_the_device, contract.test_it_converges_and_the_certificate_can_be_recomputed),
        (swallows_bad_keywords, contract.test_bad_keywords_are_refused),
        (swallows_complex, contract.test_complex_arrays_are_refused),
    ],
)
def test_a_broken_promise_is_noticed(broken, test, xp, monkeypatch):
    if xp.name != "strict":
        pytest.skip("one backend is enough, and this one notices most")
    broken = functools.update_wrapper(broken, richardson)  # with its signature
    declared = dataclasses.replace(REGISTRY[TINY.name], function=broken)
    monkeypatch.setitem(REGISTRY, TINY.name, declared)
    call = Call(TINY, xp, "float32")
    with pytest.raises((AssertionError, Failed)):
        test(call)


def test_an_unregistered_case_is_noticed(monkeypatch):
    monkeypatch.setattr(contract, "load_all_rooms", lambda: None)
    monkeypatch.setattr(contract, "REGISTRY", dict(REGISTRY) | {"toys.new": REGISTRY[TINY.name]})
    with pytest.raises(AssertionError):
        contract.test_every_registered_solver_has_a_case()


def test_poison_counts_kernels_that_return_scalars(xp, monkeypatch):
    table = SimpleNamespace(total=lambda x: xp.xp.sum(x), count=lambda x: 3)
    poison = Poison(monkeypatch, at=1)
    spoilt = poison.wrap(table)
    assert spoilt.count(1) == 3 and poison.calls == 0
    assert np.isnan(_array.host(spoilt.total(xp.asarray([1.0])))) and poison.calls == 1


def test_finite_means_finite(xp):
    result = Call(TINY, xp, "float64")()
    assert contract.all_finite(result, xp)
    result.x = xp.asarray([np.inf])
    assert not contract.all_finite(result, xp)
