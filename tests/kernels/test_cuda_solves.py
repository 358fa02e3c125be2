"""Whole solves on the CUDA kernels, which run on the host: what they leave to one another shows in a certificate."""

import numpy as np
import pytest

from numopt import _array, _kernels
from numopt._solver import REGISTRY
from numopt.ot import sinkhorn_newton
from tests.conftest import Backend
from tests.contract.cases import CASES, load_all_rooms
from tests.contract.harness import Call, all_finite
from tests.kernels import cuda_host

pytestmark = pytest.mark.skipif(cuda_host.COMPILER is None, reason="CUDA sources run on the host where there is a g++")
NUMPY = Backend("numpy", _array.namespace(np.empty(0)), "cpu")

load_all_rooms()


@pytest.fixture(autouse=True)
def on_cuda(monkeypatch):
    """Give NumPy arrays the kernels of CuPy's."""
    monkeypatch.setattr(_kernels, "_table", lambda family, room: cuda_host.kernels(family))
    monkeypatch.setattr(_kernels, "_one_kind", lambda family, room, dtype: cuda_host.kernels(family))


@pytest.mark.parametrize(("case", "dtype"), [
    pytest.param(case, dtype, id=f"{case}-{dtype}")
    for case in CASES for dtype in REGISTRY[case.name].dtypes if not case.backends
])  # fmt: skip
def test_it_converges_and_the_certificate_can_be_recomputed(case, dtype):
    call = Call(case, NUMPY, dtype)
    result = call()
    judged, claimed = next(iter(result.certificate)), result.certificate[case.certificate]
    assert result.success and all_finite(result, NUMPY) and result.certificate[judged] <= call.tol
    assert abs(call.recompute(result) - claimed) <= 0.05 * (abs(claimed) + call.tol)


@pytest.mark.parametrize(("spread", "reg"), [(0.0, 0.1), (1.0, 0.1), (10.0, 1e-3), (1.0, 1e-6)])
def test_a_separable_cost_takes_no_newton_step(spread, reg):
    """In float32 equal exponents are rounded alike, and marginals seem right that are not."""
    rng = np.random.default_rng(0)
    C = spread * (rng.random(7)[:, None] + rng.random(5)) + 3.0
    result = sinkhorn_newton(np.full(7, 1 / 7), np.full(5, 1 / 5), C, reg=reg)
    assert result.success and result.n_newton == 0


@pytest.mark.parametrize("seed", [3, 4])
def test_the_plan_shown_is_the_one_that_was_judged(seed):
    """At a small reg it depends on how exponents are rounded."""
    rng = np.random.default_rng(seed)
    C = ((rng.random((5, 3))[:, None] - rng.random((6, 3))) ** 2).sum(axis=2)
    result = sinkhorn_newton(np.full(5, 0.2), np.full(6, 1 / 6), C, reg=1e-10)
    P = result.plan.todense()
    error = np.abs(P.sum(axis=1) - 0.2).sum() + np.abs(P.sum(axis=0) - 1 / 6).sum()
    assert result.success and error == pytest.approx(result.marginal_error, rel=1e-3, abs=1e-14)
