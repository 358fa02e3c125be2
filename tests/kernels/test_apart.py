"""Large kernels are compiled once: callers jump to them, also when they come from the cache."""

import importlib
import sys

import numpy as np
import pytest

from numopt.exceptions import BackendError

LARGE = "from numopt._kernels.cpu._jit import jit\n\n@jit\ndef large(x, first):\n    t = 0.0\n    for y in x[first:]:\n"
LARGE += "".join(f"        t = t * y + {k}.0\n" for k in range(200)) + "    return t\n"
CALLERS = """
import numba
from large_kernel import large
from numopt._kernels.cpu._jit import jit

@jit
def small(x, first):
    return x[first]

@jit
def whole(x):
    return large(x, 0) + small(x, 0)

@jit
def through(x):
    return x[0] * large(x, 1)

@jit
def copy_of_through(x):
    return through(x) + 1.0

@jit(parallel=True)
def each(x, out):
    if out.size == 1:
        out[0] = large(x, 0)
    else:
        for q in numba.prange(out.size):
            out[q] = large(x, numba.int64(q))
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Return a function that imports both modules as a new process would, the first of them from this source."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "calling_kernels.py").write_text(CALLERS)

    def load(source=LARGE):
        (tmp_path / "large_kernel.py").write_text(source)
        for name in "large_kernel", "calling_kernels":
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        return importlib.import_module("large_kernel"), importlib.import_module("calling_kernels")

    yield load
    for name in "large_kernel", "calling_kernels":
        sys.modules.pop(name, None)


def copied(kernel):
    """Return the names of the functions whose code a kernel holds."""
    (compiled,) = kernel.overloads.values()
    return " ".join(function.name for function in compiled.library.get_defined_functions())


def test_a_large_kernel_is_compiled_once_and_found_again(load):
    x, seen = np.linspace(-0.5, 0.5, 8), []
    for hits in 0, 1:  # compiled, then from the cache
        kernels, callers = load()
        out = np.empty(8)
        callers.each(x, out)
        seen.append([*out, callers.whole(x)])
        assert len(kernels.large.overloads) == 1
        assert sum(callers.each.stats.cache_hits.values()) == hits
        if not hits:
            assert "4each" in copied(callers.each)
            assert not any("12large_kernel5large" in copied(caller) for caller in (callers.each, callers.whole))
    assert seen[0] == seen[1] == [*(kernels.large(x, q) for q in range(8)), kernels.large(x, 0) + x[0]]
    assert seen[0][:8] == pytest.approx([kernels.large.py_func(x, q) for q in range(8)], rel=1e-12)


def test_another_body_counts_at_once_and_another_type_is_refused(load):
    x = np.linspace(-0.5, 0.5, 8)
    _, callers = load()
    before = callers.whole(x)
    _, callers = load(LARGE.replace("return t", "return t + 1024.0"))
    assert callers.whole(x) == before + 1024
    assert sum(callers.whole.stats.cache_hits.values()) == 1
    _, callers = load(LARGE.replace("return t", "return (t, t, t)"))
    with pytest.raises(BackendError, match=r"is older than large_kernel.large, which it calls: delete the files"):
        callers.whole(x)


def test_who_copies_a_cached_caller_loads_what_it_calls(load):
    x = np.linspace(-0.5, 0.5, 8)
    _, callers = load()
    callers.through(x)
    _, callers = load()
    assert callers.copy_of_through(x) == callers.through(x) + 1
    assert sum(callers.through.stats.cache_hits.values()) == 1
    (compiled,) = callers.copy_of_through.overloads.values()
    assert [first.args[:2] for first in compiled.reload_init] == [("large_kernel", "large")]


@pytest.mark.parametrize("part", ["llvmlite.binding.add_symbol", "numopt._kernels.cpu._apart"])
def test_another_numba_lets_callers_copy(load, part, monkeypatch):
    if part in sys.modules:
        monkeypatch.setitem(sys.modules, part, None)  # it cannot be imported
        monkeypatch.delitem(sys.modules, "numopt._kernels.cpu._jit")
    else:
        monkeypatch.delattr(part)
    x = np.linspace(-0.5, 0.5, 8)
    kernels, callers = load()
    assert callers.whole(x) == kernels.large(x, 0) + x[0]
    assert "12large_kernel5large" in copied(callers.whole)
