"""The exponentials and the logarithm of the CPU kernels, alone and where LLVM makes vectors of them."""

import numpy as np
import pytest

from numopt._kernels.cpu._jit import jit
from numopt._kernels.cpu._math import exp2_32, exp2_64, exp64, log64

LOG2E = np.log2(np.e)
KINDS = {
    "exp64": (exp64, np.exp, np.float64, -708.0, 709.0, 1.1),
    "exp2_64": (exp2_64, np.exp2, np.float64, -708.0 * LOG2E, 709.0 * LOG2E, 1.1),
    "exp2_32": (exp2_32, np.exp2, np.float32, np.float32(-75.0 * LOG2E), np.float32(87.0 * LOG2E), 6.0),  # 4e-7
}


@pytest.fixture(params=KINDS)
def case(request):
    return KINDS[request.param]


@jit(fastmath={"contract", "reassoc", "nsz"})
def exp64_of(x, out):
    total = 0.0
    for i in range(x.size):
        out[i] = exp64(x[i])
        total += out[i]
    return total


@jit(fastmath={"contract", "reassoc", "nsz"})
def exp2_64_of(x, out):
    total = 0.0
    for i in range(x.size):
        out[i] = exp2_64(x[i])
        total += out[i]
    return total


@jit(fastmath={"contract", "reassoc", "nsz"})
def exp2_32_of(x, out):
    total = np.float32(0)
    for i in range(x.size):
        out[i] = exp2_32(x[i])
        total += out[i]
    return total


VECTORS = {exp64: exp64_of, exp2_64: exp2_64_of, exp2_32: exp2_32_of}


def applied(function, x):
    out = np.empty_like(x)
    with np.errstate(over="ignore"):  # of the sum, where nothing is compiled
        VECTORS[function](x, out)
    return out


def error_in_ulp(function, truth, x):
    """Return the largest error in units of the last place, from a wider type."""
    exact = truth(x.astype(np.longdouble if x.dtype == np.float64 else np.float64))
    return float(np.max(np.abs(applied(function, x) - exact) / np.spacing(exact.astype(x.dtype))))


def test_error_in_units_of_the_last_place(case):
    function, truth, kind, low, high, bound = case
    rng = np.random.default_rng(0)
    every = np.linspace(low, high, 200_001).astype(kind)[1:-1]
    near_zero = (rng.choice([-1, 1], 100_000) * np.logspace(-12, 0, 100_000)).astype(kind)
    # where the range reduction changes its multiple of log 2
    unit = np.log(2) if truth is np.exp else 1.0
    ties = ((np.arange(int(low), int(high)) + 0.5) * unit).astype(kind)
    ties = ties[(ties > low) & (ties < high)]
    ties = np.concatenate((ties, np.nextafter(ties, kind(0)), np.nextafter(ties, kind(high))))
    assert max(error_in_ulp(function, truth, x) for x in (every, near_zero, ties)) < bound


def test_nan_stays(case):
    function, _, kind, *_ = case
    x = np.linspace(-1, 1, 64).astype(kind)
    x[37] = np.nan
    assert (np.isnan(applied(function, x)) == np.isnan(x)).all()


def test_exact_values_and_clamping(case):
    function, truth, kind, low, high, _ = case
    x = np.array([0, -0.0, -np.inf, low - 1, -1e30, np.inf, high + 1, 1e30], kind)
    ends = applied(function, np.array([low, high], kind))
    assert applied(function, x).tolist() == [1, 1, ends[0], ends[0], ends[0], ends[1], ends[1], ends[1]]
    np.testing.assert_allclose(ends, truth(np.array([low, high])), rtol=1e-5 if kind is np.float32 else 1e-12)


def test_results_are_normal_and_monotone_to_rounding(case):
    function, _, kind, low, high, bound = case
    values = applied(function, np.linspace(low - 1, high + 1, 100_001).astype(kind))
    assert values.min() >= np.finfo(kind).tiny and np.isfinite(values).all()
    assert (values[1:] >= values[:-1] * (1 - 2 * bound * np.finfo(kind).eps)).all()


def test_scalars_and_vectors_agree(case):
    function, _, kind, low, high, _ = case
    x = np.linspace(low, high, 1003).astype(kind)
    np.testing.assert_allclose([function(v) for v in x], applied(function, x), rtol=2 * np.finfo(kind).eps)


@jit(fastmath={"contract", "reassoc", "nsz"})
def log64_of(x, out):
    total = 0.0
    for i in range(x.size):
        out[i] = log64(x[i])
        total += out[i]
    return total


def test_logarithm():
    rng = np.random.default_rng(0)
    everywhere, near_one = np.exp(rng.uniform(-708, 709, 100_000)), rng.uniform(0.5, 2.0, 100_000)
    for x in (everywhere, near_one, 1 + rng.normal(size=10_000) * 1e-9):
        out, exact = np.empty_like(x), np.log(x.astype(np.longdouble))
        log64_of(x, out)
        assert np.max(np.abs(out - exact) / np.spacing(np.abs(exact.astype(float)))) < 2.5
        np.testing.assert_allclose([log64(v) for v in x[:100]], out[:100], rtol=1e-15)


def test_logarithm_of_what_is_no_normal_number():
    x = np.array([0.0, 1e-310, -1.0, 1.0, np.inf, np.nan, 3.0])
    out = np.empty_like(x)
    with np.errstate(all="ignore"):  # where nothing is compiled
        log64_of(x, out)
    assert out[:5].tolist() == [-np.inf, -np.inf, -np.inf, 0.0, np.inf]
    assert np.isnan(out[5]) and out[6] == pytest.approx(np.log(3.0), rel=1e-15)
