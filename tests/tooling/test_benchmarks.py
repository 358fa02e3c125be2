"""The base class of the asv benchmarks on a solver that takes no time."""

import inspect
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks._common import Bench, backends


class Toy(Bench):
    sizes = (3, 5)
    calls = 0

    def problem(self, size):
        return np.arange(size), np.ones(size)

    def solve(self, x, y):
        self.calls += 1
        return SimpleNamespace(nit=7)


def test_parameters_are_spelled_out_for_asv():
    assert Toy.params[0][0] == "numpy"
    assert set(Toy.params[0]) <= set(backends)
    assert Toy.params[1:] == ((3, 5), ("float64", "float32"))
    assert len(Toy.params) == len(Toy.param_names)
    assert inspect.isabstract(Bench)  # asv passes over abstract classes


@pytest.mark.parametrize("dtype", Toy.dtypes)
def test_a_benchmark_is_warm_before_it_is_timed(dtype):
    bench = Toy()
    bench.setup("numpy", 5, dtype)
    assert bench.calls == 1
    assert [array.dtype for array in bench.data] == [dtype, dtype]
    bench.time_solve("numpy", 5, dtype)
    assert bench.calls == 2
    assert bench.track_nit("numpy", 5, dtype) == 7


def test_a_backend_that_is_not_there_is_left_out(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "cupy" else True)

    class Fresh(Toy):
        pass

    assert Fresh.params[0] == ("numpy",)


def test_without_a_device_cupy_is_skipped(monkeypatch):
    cuda = SimpleNamespace(is_available=lambda: False)
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=cuda))
    with pytest.raises(NotImplementedError, match="no CUDA device"):  # asv's word for a skip
        Toy().setup("cupy", 3, "float64")
