"""CUDA kernels on the host: a stand-in for CuPy whose arrays are NumPy's and whose modules g++ compiles.

Wrappers in ``numopt/_kernels/cuda`` and their sources run unchanged. The stand-in is stricter than CuPy: it compares
the dtype of every argument with the signature of the kernel, refuses arrays that are not contiguous, hands out arrays
full of NaN, and looks for what was written beside them.
"""

import ctypes
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from functools import lru_cache, partial
from pathlib import Path
from types import MappingProxyType, ModuleType, SimpleNamespace

import numpy as np
import pytest

from numopt import _kernels

COMPILER = shutil.which("g++")
_SHIM = Path(__file__).with_name("shim.h")
_TYPES = {
    "double": "float64", "float": "float32", "int": "int32", "unsigned": "uint32", "Int": "int64",
    "long long": "int64", "Short": "uint16",
}  # fmt: skip
_KERNEL = re.compile(r'extern "C" __global__ void\s+(?:__launch_bounds__\([^)]*\)\s+)?(?:TOGETHER\s+)?(\w+)\(([^)]*)\)')
# Contraction is what a device does too, and nothing else may be reordered. Kernels may bear names that libc knows.
# No library may use what is static in another one.
_FLAGS = [
    "-std=c++17", "-O1", "-ffp-contract=fast", "-fPIC", "-shared", "-pthread", "-w", "-U_FORTIFY_SOURCE",
    "-Wl,-Bsymbolic", "-fno-gnu-unique",
]  # fmt: skip
_GUARD = 64
_ROOM = "numopt._kernels.cuda"
_look_up = _kernels._table.__wrapped__  # what it made before is not asked
_cache = Path(tempfile.gettempdir()) / "numopt-cuda-host"


class RawModule:
    """A source compiled for the host; `order` is -1 for threads that start from the last one on."""

    order = 1

    def __init__(self, code, options=(), enable_cooperative_groups=False, several=False):
        options = (*options, *("-DTOGETHER=1",) * (enable_cooperative_groups and several))
        macros = dict(o[2:].split("=") for o in options if o.startswith("-D"))
        self._together = int(macros.get("CLUSTER", 1))
        self._types = _TYPES | {name: _TYPES[text] for name, text in macros.items() if text in _TYPES}
        self._functions = {}
        self._kernels = {name: self._read(parameters) for name, parameters in _KERNEL.findall(code)}
        self._library = ctypes.CDLL(str(_compiled(code, tuple(o for o in options if o[:2] == "-D"), self._kernels)))

    def _read(self, parameters):
        """Return (is it a pointer, dtype) for each parameter of a kernel."""
        found = []
        for text in parameters.split(","):
            words = text.replace("*", " * ").split()
            words = [w for w in words if w not in ("const", "__restrict__")]
            kind = " ".join(words[:-1]).replace("*", "").strip()
            found.append(("*" in words, np.dtype(self._types[kind])))
        return found

    def get_function(self, name):
        """Return the kernel as CuPy would call it: ``f(grid, block, arguments, shared_mem=0)``; one object a kernel."""
        if name not in self._functions:
            self._functions[name] = self._function(name)
        return self._functions[name]

    def _function(self, name):
        expected, entry = self._kernels[name], getattr(self._library, f"host_{name}")

        def call(grid, block, arguments, shared_mem=0):
            assert len(arguments) == len(expected), f"{name}: {len(arguments)} arguments for {len(expected)}"
            assert block[0] % 32 == 0 and block[0] <= 1024, f"{name}: blocks of {block}"
            most = getattr(call, "max_dynamic_shared_size_bytes", 48 * 1024)
            assert shared_mem <= most, f"{name}: {shared_mem} bytes of shared memory"
            assert not shared_mem or grid[0] % self._together == 0, f"{name}: {grid} blocks for clusters"
            kept, pointers = [], []
            for at, (value, (pointer, dtype)) in enumerate(zip(arguments, expected, strict=True)):
                null = pointer and type(value) is np.uint64 and value == 0
                assert null or value.dtype == dtype, f"{name}, argument {at}: {value.dtype} for {dtype}"
                if pointer:
                    if not null:
                        assert isinstance(value, np.ndarray) and value.size, f"{name}, argument {at} is no array"
                        dense = value.shape[-1] == 1 or value.strides[-1] == value.itemsize
                        assert dense, f"{name}, argument {at} is strided"
                    value = ctypes.c_void_p(None if null else value.ctypes.data)
                else:
                    assert isinstance(value, np.generic), f"{name}, argument {at}: {type(value).__name__}"
                    value = np.array(value)
                kept.append(value)
                at = ctypes.addressof(value) if pointer else value.ctypes.data
                pointers.append(ctypes.c_void_p(at))
            gx, gy = (*grid, 1)[:2]
            layout = gx, gy, block[0], self.order, ctypes.c_size_t(shared_mem)
            entry(*layout, (ctypes.c_void_p * len(pointers))(*pointers))
            assert all(map(_untouched, arguments)), f"{name} wrote beside an array"

        call.shared_size_bytes = 1024  # of what the source declares, at most
        return call


def _compiled(code, macros, kernels):
    """Return the shared library of a source, compiled once a machine."""
    calls = "\n".join(
        f'extern "C" void host_{k}(unsigned x, unsigned y, unsigned t, int o, size_t room, void **a)'
        f"{{ run({k}, x, y, t, o, room, a); }}"
        for k in kernels
    )
    text = f'#include <utility>\n#include "{_SHIM}"\n{code}\n{calls}\n'
    key = hashlib.sha256((text + _SHIM.read_text() + repr((_FLAGS, macros))).encode()).hexdigest()[:24]
    _cache.mkdir(exist_ok=True)
    library = _cache / f"{key}.so"
    if not library.exists():
        with tempfile.TemporaryDirectory(dir=_cache) as folder:
            source, made = Path(folder) / "kernels.cpp", Path(folder) / "kernels.so"
            source.write_text(text)
            subprocess.run([COMPILER, *_FLAGS, *macros, str(source), "-o", str(made)], check=True)
            made.replace(library)
    return library


class Device:
    """What is asked of a device."""

    id, compute_capability = 0, "90"
    attributes = MappingProxyType({"MaxSharedMemoryPerBlockOptin": 227 * 1024})

    def __init__(self, number=0):
        pass


def empty(shape, dtype):
    """Return an array in which what is never written shows, between two stretches that nobody may write to."""
    dtype, size = np.dtype(dtype), int(np.prod(shape))
    room = np.full(size + 2 * _GUARD, np.nan if dtype.kind == "f" else np.iinfo(dtype).min // 2, dtype)
    room[:_GUARD] = room[_GUARD + size :] = 77
    return room[_GUARD : _GUARD + size].reshape(shape)


def _untouched(x):
    room = getattr(x, "base", None)
    if not isinstance(room, np.ndarray) or room.ndim != 1 or room.size < 2 * _GUARD or room[0] != 77:
        return True
    return bool((room[:_GUARD] == 77).all() and (room[-_GUARD:] == 77).all())


@lru_cache
def kernels(family, multiprocessors=1):
    """Return the kernels of the room for CUDA devices, on the host; with several multiprocessors, blocks may wait."""
    before = {name for name in sys.modules if name.startswith(_ROOM)}
    given, sys.modules["cupy"] = sys.modules.get("cupy"), stand_in(multiprocessors)
    try:
        for name in before:
            del sys.modules[name]
        return _look_up(family, "cuda")
    finally:  # nothing of it may be found by somebody who has a device
        del sys.modules["cupy"]
        if given is not None:
            sys.modules["cupy"] = given
        for name in [name for name in sys.modules if name.startswith(_ROOM)]:
            del sys.modules[name]


def rooms(family, xp):
    """Return these kernels in a list if there is a compiler and the arrays are NumPy's, else none."""
    return [kernels(family)] if xp.name == "numpy" and COMPILER else []


def kernels_or_skip(family, xp):
    """Return these kernels, or skip the test."""
    if xp.name != "numpy" or COMPILER is None:
        pytest.skip("CUDA sources run on the host as C++, on NumPy arrays, where there is a g++")
    return kernels(family)


def stand_in(multiprocessors=1):
    """Return the module that takes the place of CuPy."""
    made = ModuleType("cupy")
    made.RawModule, made.empty, made.zeros = RawModule, empty, np.zeros
    if multiprocessors > 1:
        made.RawModule = partial(RawModule, several=True)
    made.ascontiguousarray, made.asarray = np.ascontiguousarray, np.array
    made.matmul, made.cuda = np.matmul, SimpleNamespace(Device=Device, runtime=SimpleNamespace(
        getDevice=lambda: 0, cudaDevAttrMultiProcessorCount=16, deviceGetAttribute=lambda *_: multiprocessors,
    ))  # fmt: skip
    return made
