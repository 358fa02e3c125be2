"""Compiling the CUDA sources beside this file, and launching what is in them on the current stream.

Every scalar argument of a kernel is a `long long` or a `double`, so that a Python number always arrives as what
the kernel expects; arrays are C-contiguous, and one of no entries is a null pointer (that of a view need not be).
"""

import re
import weakref
from functools import lru_cache
from pathlib import Path

import cupy
import numpy as np

_HERE = Path(__file__).parent
OPTIONS = ("-std=c++17",)
_NULL = np.uint64(0)
_SHARED = 48 * 1024  # of a block that does not ask for more


def source(name):
    """Return the text of ``<name>.cu``, and of what it includes, behind what all sources share."""
    text = "\n".join((_HERE / file).read_text(encoding="utf8") for file in ("common.cuh", f"{name}.cu"))
    return re.sub('#include "(.+)"', lambda found: (_HERE / found[1]).read_text(encoding="utf8"), text)


@lru_cache
def module(name, *macros, together=False):
    """Return the module of ``<name>.cu`` compiled with these macros, such as ``"REAL=float"``.

    The blocks of its kernels may wait for one another if they are launched `together`: at most one for each
    multiprocessor, unless the source bounds its use of registers further.
    """
    options = *OPTIONS, *(f"-D{macro}" for macro in macros)
    return cupy.RawModule(code=source(name), options=options, enable_cooperative_groups=together)


def multiprocessors():
    """Return how many multiprocessors the current device has."""
    return _multiprocessors(cupy.cuda.runtime.getDevice())


@lru_cache
def _multiprocessors(device):
    return cupy.cuda.runtime.deviceGetAttribute(cupy.cuda.runtime.cudaDevAttrMultiProcessorCount, device)


def real(x):
    """Return the macro that says in which dtype a kernel reads `x`."""
    return "REAL=float" if x.dtype == np.float32 else "REAL=double"


def launch(compiled, kernel, blocks, threads, *arguments, shared=0):
    """Run a kernel on a grid of `blocks` (a number, or a tuple) of `threads` each; nothing for an empty grid.

    `shared` is the number of bytes of shared memory that each block gets beside what its source declares.
    """
    prepared(compiled, kernel, blocks, threads, *arguments, shared=shared)()


def prepared(compiled, kernel, blocks, threads, *arguments, shared=0):
    """Return a function that launches a kernel, as often as it is called; its own arguments come before the others."""
    grid = blocks if isinstance(blocks, tuple) else (blocks,)
    if min(grid) <= 0:
        return lambda *_: None
    run = _kernel(compiled, kernel, shared > _SHARED, cupy.cuda.runtime.getDevice())
    rest = tuple(map(_argument, arguments))
    return lambda *first: run(grid, (threads,), (*map(_argument, first), *rest), shared_mem=shared)


@lru_cache
def _kernel(compiled, name, much, device):
    """Return a kernel, which may share all that the device has if it asks for much.

    It is always all: a bound set for one launch would hold for those prepared before it, too.
    """
    function = compiled.get_function(name)  # which looks it up again each time that it is new
    if much:
        most = cupy.cuda.Device(device).attributes["MaxSharedMemoryPerBlockOptin"]
        function.max_dynamic_shared_size_bytes = most - function.shared_size_bytes
    return function


def rows_first(x):
    """Return `x`, or a copy whose rows are contiguous."""
    return cupy.ascontiguousarray(x)


def empty(shape, dtype):
    """Return an array that has yet to be written."""
    return cupy.empty(shape, dtype=dtype)


def zeros(shape, dtype):
    """Return an array of zeros."""
    return cupy.zeros(shape, dtype=dtype)


_kept = {}


def kept(x, make=cupy.asarray):
    """Return what `make` makes of a NumPy array, kept as long as the array lives, which is never written to."""
    key = id(x), make
    if key not in _kept:
        weakref.finalize(x, _kept.pop, key, None)
        _kept[key] = make(x)
    return _kept[key]


def wide(x):
    """Return `x` in float64, contiguous."""
    return cupy.ascontiguousarray(x, dtype=np.float64)


def _argument(x):
    if isinstance(x, (bool, int, np.integer)):
        return np.int64(x)
    if isinstance(x, (float, np.floating)):
        return np.float64(x)
    return x if x.size else _NULL
