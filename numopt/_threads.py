"""Thread pools: BLAS, OpenMP and Numba are set together."""

import importlib
import os
import sys
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache

from numopt._check import integer

_asked = ContextVar("threads", default=None)
_LOOKS = "30000"  # a third of a millisecond: launches of one solve are closer, turns of a scheduler longer


@contextmanager
def threads(n):
    """Limit BLAS, OpenMP and Numba to `n` threads inside a ``with`` block.

    Results of numopt's kernels are the same, bit for bit, for every number of threads; results of BLAS
    calls may differ in the last bits.

    Parameters
    ----------
    n : int
        At least 1. Numba cannot go beyond the number of threads it was started with
        (``NUMBA_NUM_THREADS``, by default the number of cores).

    Raises
    ------
    InvalidInputError
        `n` is below 1.
    InvalidTypeError
        `n` is not an integer.

    Notes
    -----
    The BLAS and OpenMP limits hold for the process, Numba's for the calling Python thread.

    Threads without work sleep after some tenths of a millisecond, where they are those of GNU's OpenMP and numopt was
    imported before they were made; ``OMP_WAIT_POLICY`` or ``GOMP_SPINCOUNT`` in the environment decide otherwise.

    Python threads may solve at the same time where Numba's threading layer is ``omp`` or ``tbb``. Its last resort,
    ``workqueue``, cannot serve two at once and ends the process: solve in processes there. ``python -m numba -s`` says
    which layers a machine has.

    Examples
    --------
    >>> import numopt
    >>> with numopt.threads(1):
    ...     pass  # solve here
    """
    n = integer("n", n, low=1, remedy="pass a number of threads")
    from threadpoolctl import threadpool_limits

    outer = thread_count()
    token = _asked.set(n)
    try:
        with threadpool_limits(limits=n):
            set_numba_threads(n)
            yield
    finally:
        _asked.reset(token)
        set_numba_threads(outer)


def thread_count():
    """Return how many threads a parallel kernel may use at this point of the program."""
    if _asked.get() is not None:
        return _asked.get()
    if "numba" in sys.modules:
        rest_when_idle()
        return sys.modules["numba"].get_num_threads()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return int(os.environ.get("NUMBA_NUM_THREADS") or cores)


def set_numba_threads(n):
    """Set Numba's pool to `n` threads or as many as it has; Numba is never loaded for that."""
    numba = sys.modules.get("numba")
    if numba is not None:
        rest_when_idle()
        numba.set_num_threads(min(n, numba.config.NUMBA_NUM_THREADS))


@cache
def rest_when_idle():
    """Load GNU's OpenMP for Numba such that threads without work soon sleep, unless the environment says how they wait.

    By default they look for work for some milliseconds, and take the core from others or from a thread that has work:
    on two cores in the company of ten programs a completion took 3 to 7 s, and 1.4 s with threads that rest at once.
    OpenMP reads its settings when it is loaded, and never again: this comes before Numba launches anything. Other
    OpenMPs do not know this setting.
    """
    if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
        os.environ["GOMP_SPINCOUNT"] = _LOOKS
        try:
            with suppress(ImportError):  # a Numba without OpenMP
                importlib.import_module("numba.np.ufunc.omppool")
        finally:
            os.environ.pop("GOMP_SPINCOUNT", None)  # another Python thread may have been here
