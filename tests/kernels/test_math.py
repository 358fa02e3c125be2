"""The exponentials of the CPU kernels, alone and where LLVM makes vectors of them."""

import numpy as np
import pytest

from numopt._kernels.cpu._jit import jit
from numopt._kernels.cpu._math import exp32, exp64

KINDS = {np.float64: (exp64, -708.0, 709.0), np.float32: (exp32, -75.0, 87.0)}
each = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


@jit(fastmath={"contract", "reassoc", "nsz"})
def exp64_of(x, out):
    total = 0.0
    for i in range(x.size):
        out[i] = exp64(x[i])
        total += out[i]
    return total


@jit(fastmath={"contract", "reassoc", "nsz"})
def exp32_of(x, out):
    total = np.float32(0)
    for i in range(x.size):
        out[i] = exp32(x[i])
        total += out[i]
    return total


def applied(x):
    out = np.empty_like(x)
    with np.errstate(over="ignore"):  # of the sum, where nothing is compiled
        (exp64_of if x.dtype == np.float64 else exp32_of)(x, out)
    return out


def error_in_ulp(x):
    """Return the largest error in units of the last place, from a wider type."""
    exact = np.exp(x.astype(np.longdouble if x.dtype == np.float64 else np.float64))
    return float(np.max(np.abs(applied(x) - exact) / np.spacing(exact.astype(x.dtype))))


@each
def test_error_in_units_of_the_last_place(kind):
    _, low, high = KINDS[kind]
    rng = np.random.default_rng(0)
    every = np.linspace(low, high, 200_001).astype(kind)
    near_zero = (rng.choice([-1, 1], 100_000) * np.logspace(-12, 0, 100_000)).astype(kind)
    # where the range reduction changes its multiple of log 2
    ties = ((np.arange(int(low), int(high)) + 0.5) * np.log(2)).astype(kind)
    ties = ties[(ties > low) & (ties < high)]
    ties = np.concatenate((ties, np.nextafter(ties, kind(0)), np.nextafter(ties, kind(high))))
    bound = 1.1 if kind is np.float64 else 3.0  # degree 6: 2e-7
    assert max(map(error_in_ulp, (every, near_zero, ties))) < bound


@each
def test_nan_stays(kind):
    x = np.linspace(-1, 1, 64).astype(kind)
    x[37] = np.nan
    assert (np.isnan(applied(x)) == np.isnan(x)).all()


@each
def test_exact_values_and_clamping(kind):
    _, low, high = KINDS[kind]
    x = np.array([0, -0.0, -np.inf, low - 1, -1e30, np.inf, high + 1, 1e30], kind)
    ends = applied(np.array([low, high], kind))
    assert applied(x).tolist() == [1, 1, ends[0], ends[0], ends[0], ends[1], ends[1], ends[1]]
    np.testing.assert_allclose(
        ends, np.exp(np.array([low, high])), rtol=1e-5 if kind is np.float32 else 1e-15
    )


@each
def test_results_are_normal_and_monotone_to_rounding(kind):
    _, low, high = KINDS[kind]
    values = applied(np.linspace(low - 1, high + 1, 100_001).astype(kind))
    assert values.min() >= np.finfo(kind).tiny and np.isfinite(values).all()
    assert (values[1:] >= values[:-1] * (1 - 2 * np.finfo(kind).eps)).all()


@each
def test_scalars_and_vectors_agree(kind):
    exp, low, high = KINDS[kind]
    x = np.linspace(low, high, 1003).astype(kind)
    np.testing.assert_allclose([exp(v) for v in x], applied(x), rtol=2 * np.finfo(kind).eps)
