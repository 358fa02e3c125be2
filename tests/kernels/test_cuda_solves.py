"""Whole solves on the CUDA kernels, which run on the host: what they leave to one another shows in a certificate."""

import numpy as np
import pytest

from numopt import _array, _kernels
from numopt._solver import REGISTRY
from tests.conftest import Backend
from tests.contract.cases import CASES, load_all_rooms
from tests.contract.harness import Call, all_finite
from tests.kernels import cuda_host

# Run here too, on CUDA kernels: in float32 equal exponents are rounded alike, and marginals seem right that are not.
from tests.ot.test_closed_forms import test_a_separable_cost_takes_no_newton_step  # noqa: F401

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
