"""Random problems of every kind at once: whatever comes back is honest."""

import warnings

import numpy as np
import pytest

from numopt import Status
from numopt.exceptions import InvalidInputError, NumoptWarning
from numopt.ot import sinkhorn_newton
from tests.ot.measure import violation

COSTS = [
    lambda rng, n, m: rng.random((n, m)),
    lambda rng, n, m: ((rng.random((n, 1, 2)) - rng.random((1, m, 2))) ** 2).sum(axis=2),
    lambda rng, n, m: rng.integers(0, 6, (n, m)).astype(float),
    lambda rng, n, m: np.abs(rng.integers(0, 9, (n, 1)) - rng.integers(0, 9, (1, m))).astype(float),
    lambda rng, n, m: rng.standard_cauchy((n, m)),
    lambda rng, n, m: np.exp(8 * rng.standard_normal((n, m))),
]


def weights(rng, n, alpha, zeros):
    a = rng.dirichlet(np.full(n, alpha)) * (rng.random(n) >= zeros)
    return a / a.sum() if a.sum() > 0 else np.full(n, 1 / n)


def problem(seed, smallest):
    """Return (a, b, C) and settings: sizes, weights, masses, ties, forbidden pairs, dtypes, orders, methods."""
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 80, 2)
    C = COSTS[rng.integers(len(COSTS))](rng, n, m)
    if rng.random() < 0.3:
        C[rng.random((n, m)) < 0.5 * rng.random()] = np.inf
    finite = C[np.isfinite(C)]
    extent = max(np.ptp(finite), 1e-3) if finite.size else 1.0
    dtype = np.float32 if rng.random() < 0.25 else np.float64
    reg = extent * 10 ** rng.uniform(-4 if dtype == np.float32 else smallest, 1)
    alpha, zeros = 10 ** rng.uniform(-2, 1), 0.2 * (rng.random() < 0.3)
    mass = 10 ** rng.uniform(-8, 8) if rng.random() < 0.3 else 1.0
    a, b = (mass * weights(rng, k, alpha, zeros) for k in (n, m))
    order = "F" if rng.random() < 0.3 else "C"
    method = str(rng.choice(["auto"] * 4 + ["sns", "sinkhorn"]))
    settings = {"reg": float(reg), "method": method, "max_iter": 300, "on_failure": "ignore"}
    return (a.astype(dtype), b.astype(dtype), np.array(C, dtype=dtype, order=order)), settings


def complaints(result, a, b, C):
    """Return what is wrong with a result, whether it succeeded or not."""
    finite = C[np.isfinite(C)].astype(float)
    scale = np.abs(finite).max() + result.reg
    rounding = 40 * np.finfo(C.dtype).eps * scale / result.reg
    slack = 1e-9 * scale + rounding * result.reg
    P = np.asarray(result.plan.todense(), dtype=float)
    numbers = result.value, result.dual_value, result.cost, result.gap, result.lp_lower_bound, result.rounded_cost
    found = {
        "dtype": result.f.dtype != C.dtype or result.g.dtype != C.dtype,
        "potentials": not (np.isfinite(result.f).all() and np.isfinite(result.g).all()),
        "NaN": bool(np.isnan(numbers).any()),
        "success": result.success and not violation(P, a, b) <= 1.01 * result.marginal_error + rounding,
        "bracket": result.lp_lower_bound > result.rounded_cost + slack * a.sum(),
        "gap": result.gap < -(rounding + 1e-12) * scale * a.sum(),
    }
    return [name for name, wrong in found.items() if wrong]


def failures(seeds, smallest, judge):
    wrong = {}
    for seed in seeds:
        data, settings = problem(seed, smallest)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                warnings.simplefilter("ignore", NumoptWarning)
                found = judge(sinkhorn_newton(*data, **settings), *data)
        except InvalidInputError as error:
            found = [] if "+inf in the whole" in str(error) else [str(error)]
        except Warning as warning:  # NumPy's
            found = [repr(warning)]
        if found:
            wrong[seed] = found
    return wrong


def _converged(result, *_):
    return [] if result.success or result.status == Status.INFEASIBLE else [result.message]


# in parts, which several workers share
SEEDS = [range(400), *(pytest.param(range(k, k + 800), marks=pytest.mark.slow) for k in range(400, 6000, 800))]


@pytest.mark.parametrize("seeds", SEEDS)
def test_what_comes_back_is_true(seeds):
    wrong = failures(seeds, -7, complaints)
    assert not wrong, f"{len(wrong)} of {len(seeds)}: {dict(list(wrong.items())[:8])}"


@pytest.mark.parametrize("seeds", SEEDS)
def test_the_default_solves_what_can_be_solved(seeds):
    seeds = [s for s in seeds if problem(s, -4)[1]["method"] == "auto" and problem(s, -4)[0][2].dtype == float]
    wrong = failures(seeds, -4, _converged)
    assert not wrong, f"{len(wrong)} of {len(seeds)}: {dict(list(wrong.items())[:4])}"


@pytest.mark.parametrize("seed", [1297, 4729])
def test_what_lacks_a_plan_by_very_little_is_told_apart_from_a_failure(seed):
    """The pairs can carry all but 5e-7 and 8e-9 of the mass."""
    data, settings = problem(seed, -4)
    assert sinkhorn_newton(*data, **settings).status == Status.INFEASIBLE
