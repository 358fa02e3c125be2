"""The table of kernels and the house decorator."""

import importlib
import inspect
import pkgutil
import sys
import warnings
from types import ModuleType

import numpy as np
import pytest

import numopt
from numopt import _kernels
from numopt._kernels.cpu._jit import jit
from numopt.exceptions import BackendError, InvalidInputError, PerformanceWarning
from tests.kernels import cuda_host


def module(room, source):
    """Make the file ``numopt._kernels.<room>.toy`` out of its source."""
    made = ModuleType(f"numopt._kernels.{room}.toy")
    exec(source, made.__dict__)
    return made


@pytest.fixture
def toy(monkeypatch):
    """Return a function that puts toy kernels into a room."""
    _kernels._table.cache_clear()
    _kernels._warn_once.cache_clear()

    def put(room, source):
        monkeypatch.setitem(sys.modules, f"numopt._kernels.{room}.toy", module(room, source))

    put("portable", "from math import pi\ndef f(x): return 1\ndef g(x): return 1\ndef _h(x): return 1")
    yield put
    _kernels._table.cache_clear()
    _kernels._warn_once.cache_clear()


def test_fast_kernels_lie_over_portable_ones(toy, xp):
    toy("cpu", "def f(x): return 2\ndef warmup(dtype): pass")
    toy("cuda", "def f(x): return 3")
    k = _kernels.kernels("toy", xp.xp)
    assert (k.f(0), k.g(0)) == ({"strict": 1, "cupy": 3}.get(xp.name, 2), 1)
    assert set(vars(k)) == {"f", "g"}
    assert _kernels.kernels("toy", xp.xp) is k


def test_the_kernels_for_a_device_follow_from_the_arrays(toy, monkeypatch):
    toy("cpu", "def f(x): return 2")
    toy("cuda", "def f(x): return 3")
    monkeypatch.setattr(_kernels, "is_cupy", lambda xp: xp == "CuPy")
    monkeypatch.setattr(_kernels, "is_numpy", lambda xp: xp is np)
    assert [_kernels.kernels("toy", xp).f(0) for xp in (np, "CuPy", "another")] == [2, 3, 1]
    with numopt.use_kernels("portable"):
        assert _kernels.kernels("toy", "CuPy").f(0) == 1
    assert _kernels._table("toy", "cuda").g(0) == 1


def test_a_family_without_a_fast_file_is_portable(toy):
    assert _kernels.kernels("toy", np).f(0) == 1


def test_a_fast_name_that_portable_lacks_is_an_error(toy):
    toy("cpu", "def fresh(x): return 2")
    with pytest.raises(BackendError, match=r"cpu\.toy defines \['fresh'\]"):
        _kernels.kernels("toy", np)


def test_use_kernels_forces_the_portable_room(toy):
    toy("cpu", "def f(x): return 2")
    with numopt.use_kernels("portable"):
        assert _kernels.kernels("toy", np).f(0) == 1
    assert _kernels.kernels("toy", np).f(0) == 2
    for name in "cpu", "cuda":
        with pytest.raises(InvalidInputError, match=f"room is '{name}'"), numopt.use_kernels(name):
            pass


@pytest.mark.parametrize("error", [ImportError("no llvm"), ModuleNotFoundError("no numba", name="numba")])
def test_without_numba_portable_is_used_and_one_warning_given(toy, monkeypatch, error):
    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name == "numopt._kernels.cpu.toy":
                raise error

    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.warns(PerformanceWarning, match="cpu kernels cannot be loaded") as caught:
        assert _kernels.kernels("toy", np).f(0) == 1
    assert caught[0].filename == __file__
    _kernels._table.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert _kernels.kernels("toy", np).f(0) == 1


def files(room):
    package = importlib.import_module(f"numopt._kernels.{room}")
    return [info.name for info in pkgutil.iter_modules(package.__path__) if not info.name.startswith("_")]


@pytest.mark.parametrize(("room", "family"), [(room, family) for room in ("cpu", "cuda") for family in files(room)])
def test_fast_kernels_have_the_signatures_of_the_portable_ones(room, family):
    portable = _kernels._functions(importlib.import_module(f"numopt._kernels.portable.{family}"))
    if room == "cuda":
        fast = {k: f for k, f in vars(cuda_host.kernels(family)).items() if f is not portable[k]}
        assert fast
    else:
        fast = _kernels._functions(importlib.import_module(f"numopt._kernels.cpu.{family}"))
    for name, function in fast.items():
        names = list(inspect.signature(getattr(function, "py_func", function)).parameters)
        assert names == list(inspect.signature(portable[name]).parameters), name


def test_warmup_calls_each_files_own(monkeypatch):
    seen = []
    monkeypatch.setattr(
        _kernels.pkgutil, "iter_modules", lambda path: [pkgutil.ModuleInfo(None, "toy", False)]
    )
    toy = ModuleType("numopt._kernels.cpu.toy")
    toy.warmup = seen.append
    monkeypatch.setitem(sys.modules, toy.__name__, toy)
    numopt.warmup()
    numopt.warmup("float32")
    assert seen == ["float32", "float64", "float32"]
    numopt.warmup("float64", "toy")
    assert seen == ["float32", "float64", "float32", "float64"]
    with pytest.raises(InvalidInputError, match="dtype is 'int8'"):
        numopt.warmup("int8")
    with pytest.raises(InvalidInputError, match="family is 'doll'"):
        numopt.warmup(family="doll")


def test_warmup_without_numba(monkeypatch):
    monkeypatch.setattr(
        _kernels.pkgutil, "iter_modules", lambda path: [pkgutil.ModuleInfo(None, "gone", False)]
    )
    with pytest.raises(BackendError, match="Numba cannot be imported"):
        numopt.warmup()


def test_jit_compiles_and_keeps_numpys_error_model():
    @jit
    def ratio(x, y):
        return x / y

    @jit(fastmath={"contract"}, parallel=False)
    def total(x):
        s = 0.0
        for v in x:
            s += v
        return s

    assert ratio(1.0, 0.0) == np.inf and np.isnan(ratio(0.0, 0.0))
    assert total(np.array([1.0, np.nan, np.inf])) != 3.0
    assert ratio.__module__ == __name__


@pytest.mark.parametrize("fastmath", [True, "fast", {"nnan"}, {"ninf", "contract"}])
def test_jit_refuses_flags_that_hide_nan(fastmath):
    with pytest.raises(BackendError, match="fastmath is"):
        jit(fastmath=fastmath)


def test_jit_works_where_no_cache_can_be_written(monkeypatch):
    import numba

    def njit(cache=False, **options):
        def refuse(function):
            raise RuntimeError("cannot cache function: no locator available")

        return refuse if cache else (lambda function: (function, options))

    monkeypatch.setattr(numba, "njit", njit)
    function, options = jit(test_warmup_without_numba)
    assert function is test_warmup_without_numba and options["nogil"] and options["error_model"] == "numpy"
