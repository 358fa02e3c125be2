"""The base of the asv benchmarks: a problem over backend, size and dtype; clocks wait for the device."""

from __future__ import annotations

import abc
import importlib.util
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

Move = Callable[[np.ndarray], Any]
Wait = Callable[[], None]


def numpy() -> tuple[Move, Wait]:
    """Return how arrays get to NumPy, and how to wait for it: not at all."""
    return np.asarray, lambda: None


def cupy() -> tuple[Move, Wait]:
    """Return how arrays get to the current CUDA device, and how to wait for it; without one, asv skips."""
    import cupy

    if not cupy.cuda.is_available():
        raise NotImplementedError("no CUDA device")
    return cupy.asarray, cupy.cuda.get_current_stream().synchronize


backends = {"numpy": numpy, "cupy": cupy}


class Warm:
    """How asv samples a benchmark whose `setup` has solved once: a round is a process that loads the kernels anew."""

    timeout = 120
    rounds = 1
    repeat = (3, 10, 1.0)
    warmup_time = 0.0


class Bench(Warm, abc.ABC):
    """A solver on a seeded problem; a subclass names its `sizes` and writes `problem` and `solve`."""

    sizes: ClassVar[tuple[int, ...]] = ()
    dtypes: ClassVar[tuple[str, ...]] = ("float64", "float32")
    param_names = ("backend", "size", "dtype")

    def __init_subclass__(cls) -> None:
        """Spell out the parameters for asv."""
        present = tuple(name for name in backends if importlib.util.find_spec(name))
        cls.params = (present, cls.sizes, cls.dtypes)

    @abc.abstractmethod
    def problem(self, size: int) -> tuple[np.ndarray, ...]:
        """Return the data of the problem as NumPy arrays."""

    @abc.abstractmethod
    def solve(self, *data: Any) -> Any:
        """Solve it; return the result."""

    def setup(self, backend: str, size: int, dtype: str) -> None:
        """Place the data, and solve once, so that compilation is not timed."""
        move, self.wait = backends[backend]()
        self.data = tuple(move(array.astype(dtype)) for array in self.problem(size))
        self.result = self.solve(*self.data)
        self.wait()

    def time_solve(self, backend: str, size: int, dtype: str) -> None:
        """Time one solve."""
        self.solve(*self.data)
        self.wait()

    def peakmem_solve(self, backend: str, size: int, dtype: str) -> None:
        """Measure the memory of the whole process."""
        self.solve(*self.data)
        self.wait()

    def track_nit(self, backend: str, size: int, dtype: str) -> int:
        """Follow the number of iterations."""
        return self.result.nit

    track_nit.unit = "iterations"
