"""A device and its arrays, or NumPy in its place: what a part may ask."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

import numopt
from numopt import _array, _kernels

PACKAGES = (
    "numopt", "numpy", "scipy", "numba", "scikit-learn", "array-api-compat", "cupy-cuda12x", "cupy-cuda13x", "torch",
    "flash-sinkhorn", "ott-jax", "jax", "cupdlpx",
)  # fmt: skip

TABLE = _kernels._table
_COPY = """extern "C" __global__ void copy(const double2 *x, double2 *y, long long n) {
    long long i = blockIdx.x * (long long)(4 * blockDim.x) + threadIdx.x, step = blockDim.x;
    double2 v[4];
    for (int k = 0; k < 4; k++) if (i + k * step < n) v[k] = x[i + k * step];
    for (int k = 0; k < 4; k++) if (i + k * step < n) y[i + k * step] = v[k];
}"""


class Machine:
    """Arrays on the current CUDA device.

    Attributes
    ----------
    scale : float
        What sizes are multiplied by: 1, or little for a rehearsal.
    rooms : tuple of str
        The rooms of kernels to compare.
    """

    name, scale, rooms = "cupy", 1.0, ("portable", "cuda")

    def __init__(self, seconds: float = 480.0):
        self.end = time.perf_counter() + seconds
        self.seed = int.from_bytes(os.urandom(4), "little")  # every run draws other numbers, and says which
        self.open()

    def open(self) -> None:
        """Take the device."""
        import cupy

        if not cupy.cuda.is_available():
            raise RuntimeError("no CUDA device")
        self.library = cupy
        self.xp = _array.namespace(cupy.empty(0))
        self.device = _array.device(cupy.empty(0))

    def left(self) -> float:
        """Return the seconds that are left for the part."""
        return self.end - time.perf_counter()

    def asarray(self, x: Any, dtype: Any = None) -> Any:
        """Return a copy of host data on the device."""
        return self.xp.asarray(np.array(x, dtype=dtype), device=self.device)

    def to_numpy(self, x: Any) -> Any:
        """Return a NumPy array, or a float for a scalar."""
        return _array.host(x)

    def owns(self, x: Any) -> bool:
        """Say whether `x` is an array of this device."""
        return _array.is_array(x) and _array.namespace(x) is self.xp and _array.device(x) == self.device

    def normal(self, *shape: int, dtype: str = "float64", seed: int = 1) -> Any:
        """Return normal numbers, drawn on the device."""
        if 0 in shape:  # cuRAND has no word for none
            return self.xp.zeros(shape, dtype=getattr(self.xp, dtype), device=self.device)
        draws = self.library.random.RandomState(seed)
        return self.xp.asarray(draws.standard_normal(shape, dtype=dtype))

    def uniform(self, *shape: int, dtype: str = "float64", seed: int = 2) -> Any:
        """Return numbers between 0 and 1, drawn on the device."""
        draws = self.library.random.RandomState(seed)
        return self.xp.asarray(draws.random_sample(shape, dtype=dtype))

    def integers(self, high: int, size: int, seed: int = 3) -> Any:
        """Return int32 numbers from 0 to high - 1, drawn on the device."""
        draws = self.library.random.RandomState(seed)
        return self.xp.asarray(draws.randint(0, high, size, dtype="int32"))

    def csr(self, A: Any) -> Any:
        """Return a SciPy matrix on the device."""
        import cupyx.scipy.sparse as sparse

        return sparse.csr_matrix(tuple(map(self.asarray, (A.data, A.indices, A.indptr))), shape=A.shape)

    @contextmanager
    def room(self, name: str) -> Iterator[None]:
        """Solve with the kernels of a room."""
        with numopt.use_kernels("portable") if name == "portable" else nullcontext():
            yield

    def kernels(self, family: str, room: str) -> Any:
        """Return the kernels of a room."""
        return TABLE(family, room)

    def copy_rate(self) -> float:
        """Return the bytes that move in a second, read and written, by the faster of two copies of 4 GB."""
        count = int(min(2**29, self.memory() / 40))
        x, y = self.normal(count), self.library.empty(count)
        size = x.nbytes
        moved = self.library.cuda.runtime.memcpyAsync
        stream = self.library.cuda.get_current_stream().ptr
        by_engine = self.seconds(lambda: moved(y.data.ptr, x.data.ptr, size, 3, stream), 0.5)  # 3: device to device
        copy = self.library.RawKernel(_COPY, "copy")
        by_kernel = self.seconds(lambda: copy((count // 2048 + 1,), (512,), (x, y, np.int64(count // 2))), 0.5)
        return 2 * size / min(by_engine, by_kernel)

    def has(self, family: str, room: str) -> bool:
        """Say whether a room has kernels of its own for a family."""
        return room == "portable" or importlib.util.find_spec(f"numopt._kernels.{room}.{family}") is not None

    def toy(self, size: int) -> int:
        """Return the size of a small problem: for a rehearsal, a smaller one."""
        return size

    def wait(self) -> None:
        """Return when the device has nothing left to do."""
        self.library.cuda.get_current_stream().synchronize()

    def once(self, call: Callable[[], Any], count: int = 1) -> float:
        """Return the seconds of so many calls in a row, by device events."""
        begin, end = self.library.cuda.Event(), self.library.cuda.Event()
        begin.record()
        for _ in range(count):
            call()
        end.record()
        end.synchronize()
        return self.library.cuda.get_elapsed_time(begin, end) / 1e3

    def seconds(self, call: Callable[[], Any], most: float = 2.0) -> float:
        """Return the median of up to 15 measurements after two calls to warm up; no longer than about `most` seconds.

        Calls of less than 5 ms are measured five in a row, so that what the host does before one hides behind the one
        before, as in a solve. Of calls that take a fourth of `most`, the second one is returned.
        """
        began = time.perf_counter()
        call()
        first = self.once(call)
        if first > most / 4:
            return first
        count, taken = 5 if first < 5e-3 else 1, []
        while len(taken) < 3 or (len(taken) < 15 and time.perf_counter() - began < most):
            taken.append(self.once(call, count) / count)
        return statistics.median(taken)

    def free(self) -> None:
        """Give cached memory back."""
        self.library.get_default_memory_pool().free_all_blocks()

    def memory(self) -> float:
        """Return the bytes of the device."""
        return float(self.library.cuda.Device().mem_info[1])

    def held(self) -> float:
        """Return the bytes that arrays took at most since the last `free`, the space between them included."""
        return float(self.library.get_default_memory_pool().total_bytes())

    def facts(self) -> dict[str, Any]:
        """Return what the device is."""
        runtime = self.library.cuda.runtime
        found = runtime.getDeviceProperties(self.library.cuda.Device().id)
        return {
            "device": found["name"].decode(),
            "memory_gb": round(self.memory() / 1e9, 1),
            "multiprocessors": found["multiProcessorCount"],
            "driver": _cuda_version(runtime.driverGetVersion()),
            "runtime": _cuda_version(runtime.runtimeGetVersion()),
        } | software()


class StandIn(Machine):
    """NumPy in the place of a device, on small problems: a rehearsal whose seconds mean nothing."""

    name, scale = "numpy", 1e-4

    def open(self) -> None:
        """Take NumPy."""
        self.library = np
        self.xp, self.device = _array.namespace(np.empty(0)), "cpu"

    def normal(self, *shape: int, dtype: str = "float64", seed: int = 1) -> Any:
        """Return normal numbers."""
        return np.random.default_rng(seed).standard_normal(shape, dtype=np.dtype(dtype))

    def uniform(self, *shape: int, dtype: str = "float64", seed: int = 2) -> Any:
        """Return numbers between 0 and 1."""
        return np.random.default_rng(seed).random(shape, dtype=np.dtype(dtype))

    def integers(self, high: int, size: int, seed: int = 3) -> Any:
        """Return int32 numbers."""
        return np.random.default_rng(seed).integers(0, high, size, dtype=np.int32)

    def csr(self, A: Any) -> Any:
        """Return the matrix."""
        return A

    def kernels(self, family: str, room: str) -> Any:
        """Return the kernels of a room; those for a device as C++ where there is a compiler."""
        from tests.kernels import cuda_host

        on_host = room == "cuda" and self.has(family, room)
        return cuda_host.kernels(family) if on_host else TABLE(family, "portable")

    def has(self, family: str, room: str) -> bool:
        """Say whether a room has kernels of its own for a family."""
        from tests.kernels import cuda_host

        return super().has(family, room) and (room == "portable" or cuda_host.COMPILER is not None)

    def toy(self, size: int) -> int:
        """Return the size of a small problem."""
        return max(2, size // 20)

    @contextmanager
    def room(self, name: str) -> Iterator[None]:
        """Solve with the kernels of a room."""
        _kernels._table = lambda family, _: self.kernels(family, name)
        try:
            yield
        finally:
            _kernels._table = TABLE

    def wait(self) -> None:
        """There is nothing to wait for."""

    def once(self, call: Callable[[], Any]) -> float:
        """Return the seconds of one call."""
        began = time.perf_counter()
        call()
        return time.perf_counter() - began

    def seconds(self, call: Callable[[], Any], most: float = 2.0) -> float:
        """Return the seconds of the second call."""
        call()
        return self.once(call)

    def free(self) -> None:
        """There is nothing to give back."""

    def memory(self) -> float:
        """Return a size that no rehearsal reaches."""
        return 1e9

    def held(self) -> float:
        """Nobody counts."""
        return 0.0

    def copy_rate(self) -> float:
        """Return the bytes that a copy moves in a second."""
        x = self.normal(1000)
        return 16e3 / self.seconds(lambda: self.xp.asarray(x, copy=True))

    def facts(self) -> dict[str, Any]:
        """Return what this is not."""
        return {"device": "none: a rehearsal with NumPy, no figure means anything"} | software()


def software() -> dict[str, Any]:
    """Return the versions of what is installed here."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    versions.setdefault("numopt", numopt.__version__)
    return {"cores": os.cpu_count(), "system": platform.platform(terse=True), "versions": versions}


def _cuda_version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def wrong_by(found: Any, wanted: Any) -> float:
    """Return ||found - wanted|| / ||wanted||, inf where something is NaN or the shapes differ."""
    found, wanted = np.asarray(found, float), np.asarray(wanted, float)
    if found.shape != wanted.shape:
        return float("inf")
    off = float(np.linalg.norm(found - wanted)) / max(float(np.linalg.norm(wanted)), 1e-300)
    return off if off == off else float("inf")
