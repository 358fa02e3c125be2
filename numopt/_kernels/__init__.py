"""The table of kernels: portable functions, overlaid by the fast ones of the array library at hand.

Each room (``portable``, ``cpu``, ``cuda``) holds one file for each family. Every public function defined
there is a kernel, except ``warmup(dtype)`` of a ``cpu`` file, which compiles the others for ``"float32"``
or ``"float64"``. A kernel has one name, signature and result in all rooms.
"""

import importlib
import pkgutil
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from types import SimpleNamespace

from numopt._array import is_cupy, is_numpy
from numopt._check import one_of
from numopt._kernels._settled import Settled
from numopt._threads import set_numba_threads, thread_count
from numopt.exceptions import BackendError, PerformanceWarning, warn

_forced = ContextVar("room", default=None)


def kernels(family, xp):
    """Return the kernels of `family` for arrays of the namespace `xp`, as attributes; cached."""
    return _table(family, _chosen(xp))


def settled(family, xp, dtype):
    """Return the same for C-contiguous arrays of one dtype: `Settled` kernels; cached."""
    return _one_kind(family, _chosen(xp), dtype)


@contextmanager
def use_kernels(room):
    """Use other kernels inside a ``with`` block: to debug, or to compare.

    Parameters
    ----------
    room : {"portable"}
        The kernels written in array-standard calls alone: slow, but they run on every array. Otherwise NumPy's arrays
        run those that Numba compiles, and CuPy's the CUDA kernels, compiled when they are first called.

    Raises
    ------
    InvalidInputError
        Another `room`: it follows from the arrays.

    Examples
    --------
    >>> import numopt
    >>> with numopt.use_kernels("portable"):
    ...     pass  # solve here
    """
    token = _forced.set(one_of("room", room, ("portable",)))
    try:
        yield
    finally:
        _forced.reset(token)


def compiled_families():
    """Return the names that `warmup` takes for `family`."""
    cpu = importlib.import_module("numopt._kernels.cpu")
    return tuple(info.name for info in pkgutil.iter_modules(cpu.__path__) if info.name[0] != "_")


def warmup(dtype=None, family=None):
    """Compile the CPU kernels and fill their disk cache, so that first calls are fast.

    Parameters
    ----------
    dtype : {"float32", "float64"}, optional
        Compile for this dtype only. None (default) compiles for both; some minutes the first time
        on a machine, a few seconds later.
    family : str, optional
        Compile for this family of solvers only, such as ``"ot"``. None (default): for all.

    Raises
    ------
    InvalidInputError
        Another `dtype` or `family`.
    BackendError
        Numba cannot be imported.
    """
    known = "float32", "float64"
    dtypes = known if dtype is None else (one_of("dtype", dtype, known),)
    families = compiled_families()
    for name in families if family is None else (one_of("family", family, families),):
        try:
            module = importlib.import_module(f"numopt._kernels.cpu.{name}")
        except ImportError as error:
            raise BackendError(f"Numba cannot be imported ({error}): there is nothing to compile") from error
        for each in dtypes if hasattr(module, "warmup") else ():
            module.warmup(each)


def _chosen(xp):
    """Return the room of a namespace, or the one that is forced."""
    return _forced.get() or _room(xp)


@lru_cache
def _room(xp):
    return "cpu" if is_numpy(xp) else "cuda" if is_cupy(xp) else "portable"


@lru_cache
def _table(family, room):
    table = _functions(importlib.import_module(f"numopt._kernels.portable.{family}"))
    if room == "portable":
        return SimpleNamespace(**table)
    name = f"numopt._kernels.{room}.{family}"
    try:
        fast = _functions(importlib.import_module(name))
        set_numba_threads(thread_count())  # it may have been loaded just now, inside `threads`
    except ModuleNotFoundError as error:
        if error.name != name:  # the file is there: a library that it needs is not
            _warn_once(room, str(error))
        fast = {}
    except ImportError as error:
        _warn_once(room, str(error))
        fast = {}
    if unknown := set(fast) - set(table):
        raise BackendError(f"{name} defines {sorted(unknown)}, which the portable room lacks: add them there")
    return SimpleNamespace(**table | fast)


@lru_cache
def _one_kind(family, room, dtype):
    return Settled(_table(family, room))


def _functions(module):
    return {
        name: value
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__ and name[0] != "_" and name != "warmup"
    }


@lru_cache
def _warn_once(room, why):
    warn(f"the {room} kernels cannot be loaded ({why}): slower portable ones are used", PerformanceWarning)
