"""Backends for every test: NumPy, NumPy read-only, array-api-strict off its default device, CuPy."""

import os
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType

os.environ.setdefault("NUMBA_NUM_THREADS", "4")  # so that threads(4) means 4 on any machine

import array_api_compat
import numpy as np
import pytest

import numopt
from numopt import _array


@dataclass(frozen=True)
class Backend:
    """One kind of arrays: makes them, and brings them back."""

    name: str
    xp: ModuleType
    device: object
    readonly: bool = False

    def asarray(self, x, dtype=None):
        """Return a fresh array of this kind; `dtype` is a name such as "float32"."""
        x = np.array(x, dtype=dtype)
        if self.xp is array_api_compat.array_namespace(x):
            x.flags.writeable = not self.readonly
            return x
        return self.xp.asarray(x, device=self.device)

    def to_numpy(self, x):
        """Return a NumPy array, or a float for a scalar."""
        return _array.host(x)

    def owns(self, x):
        """Say whether `x` is an array of this kind, on the device."""
        return _array.is_array(x) and _array.namespace(x) is self.xp and _array.device(x) == self.device


def _numpy(request, readonly):
    xp = array_api_compat.array_namespace(np.empty(0))
    return Backend(request.param, xp, "cpu", readonly)


def _strict(request):
    """Set the synchronisation trap: a device read outside the one door fails on any machine."""
    strict, patch = request.getfixturevalue("strict"), request.getfixturevalue("monkeypatch")
    array = type(strict.empty(0))
    for name in ("__bool__", "__float__", "__int__", "__index__", "__complex__"):
        patch.setattr(array, name, _trapped(getattr(array, name)))
    return Backend("strict", strict, strict.Device("device1"))


def _trapped(read):
    def guarded(self):
        frame = sys._getframe(1)
        while frame is not None and frame.f_code is not _array.host.__code__:
            frame = frame.f_back
        assert frame is not None, f"hidden device read: {read.__name__} outside numopt._array.host"
        return read(self)

    return guarded


def _cupy(request):
    cupy = pytest.importorskip("cupy", exc_type=ImportError)
    if not cupy.cuda.is_available():
        pytest.skip("no CUDA device")
    x = cupy.empty(0)
    return Backend("cupy", array_api_compat.array_namespace(x), array_api_compat.device(x))


_MAKERS = {
    "numpy": lambda request: _numpy(request, readonly=False),
    "readonly": lambda request: _numpy(request, readonly=True),
    "strict": _strict,
    "cupy": _cupy,
}


_BACKENDS = ["numpy", "readonly", "strict"]
if find_spec("cupy"):  # without it a quarter of all tests would be collected only to be skipped
    _BACKENDS.append(pytest.param("cupy", marks=pytest.mark.cuda))


@pytest.fixture
def strict():
    """Return array-api-strict, which a machine with a device may do without."""
    return pytest.importorskip("array_api_strict")


@pytest.fixture(params=_BACKENDS)
def xp(request):
    """Yield each `Backend` in turn."""
    return _MAKERS[request.param](request)


@pytest.fixture
def transfers(monkeypatch):
    """Return a list that grows by one entry for each array that `host` moves."""
    moved, move = [], _array._to_numpy
    monkeypatch.setattr(_array, "_to_numpy", lambda x: moved.append(x) or move(x))
    return moved


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Keep every worker to one thread, so that parallel test runs do not fight for cores."""
    with numopt.threads(1):
        yield
