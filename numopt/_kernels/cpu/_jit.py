"""The house decorator over ``numba.njit``."""

import numba

from numopt._kernels.cpu._apart import apart
from numopt._threads import rest_when_idle
from numopt.exceptions import BackendError

# Never "nnan" or "ninf": kernels meet both and must show them.
_ALLOWED = {"contract", "arcp", "nsz", "afn", "reassoc"}

rest_when_idle()


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
