"""The house decorator over ``numba.njit``, and how its threads wait."""

import contextlib
import importlib
import os

import numba

from numopt._kernels.cpu._apart import apart
from numopt.exceptions import BackendError

# Never "nnan" or "ninf": kernels meet both and must show them.
_ALLOWED = {"contract", "arcp", "nsz", "afn", "reassoc"}
_LOOKS = "10000"  # a tenth of a millisecond: longer than most kernels are apart, shorter than a turn of the scheduler


def _threads_that_rest():
    """Load GNU's OpenMP for Numba such that idle threads soon sleep, unless the environment says how they wait.

    By default they look for work for some milliseconds, which takes the core from others or from a thread that has
    work: on two cores with two other programs a completion took 0.58 s, and with threads that rest 0.31 s. The library
    reads its settings when it is loaded, and never again; other OpenMPs do not know this one.
    """
    if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
        os.environ["GOMP_SPINCOUNT"] = _LOOKS
        try:
            with contextlib.suppress(ImportError):  # a Numba without OpenMP
                importlib.import_module("numba.np.ufunc.omppool")
        finally:
            del os.environ["GOMP_SPINCOUNT"]


_threads_that_rest()


def jit(function=None, *, fastmath=(), parallel=False):
    """Compile a kernel: no GIL, NumPy's error model, cached on disk where that can be written.

    Parameters
    ----------
    function : callable
        Plain Python on C-contiguous arrays of one float dtype and scalars.
    fastmath : iterable of {"contract", "arcp", "nsz", "afn", "reassoc"}
        LLVM's flags, none by default; no "reassoc" where the order of a sum matters, as inside ``exp``.
    parallel : bool, default False
        Allow ``numba.prange``. Sums must go over chunks of a size fixed by the problem and be added in
        order, so that the result is the same for every number of threads.

    Returns
    -------
    callable
        The compiled function; plain Python under ``NUMBA_DISABLE_JIT=1``.

    Raises
    ------
    BackendError
        A flag that hides NaN or infinity, or an unknown one.
    """
    flags = {fastmath} if isinstance(fastmath, (bool, str)) else set(fastmath)
    if not flags <= _ALLOWED:
        raise BackendError(f"fastmath is {fastmath!r}: a set of flags out of {sorted(_ALLOWED)} is expected")

    def compiled(function):
        options = {"nogil": True, "error_model": "numpy", "fastmath": flags, "parallel": parallel}
        try:
            kernel = numba.njit(cache=True, **options)(function)
        except RuntimeError:  # neither beside the source nor in the user's directory can be written
            kernel = numba.njit(**options)(function)
        return apart(kernel)

    return compiled if function is None else compiled(function)
