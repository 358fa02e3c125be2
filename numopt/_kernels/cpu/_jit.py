"""The house decorator over ``numba.njit``."""

import numba

from numopt._threads import rest_when_idle
from numopt.exceptions import BackendError

try:
    from numopt._kernels.cpu._apart import apart
except ImportError:  # of what another Numba keeps elsewhere

    def apart(kernel):
        """Let callers copy."""
        return kernel


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


def entry(kernel, args, constants=0):
    """Return the machine code of a kernel for arguments of the types of `args`, to be called in its place.

    Numba looks at the types of all arguments whenever a kernel is called: in cold caches that takes as long as a pass
    over 50,000 numbers. The code does not look: arrays must be C-contiguous, their dtypes and the kinds of numbers the
    same as here.

    Parameters
    ----------
    kernel : callable
        Made by `jit`; itself where nothing is compiled.
    args : sequence
        Arguments of a call; whether arrays may be written does not matter.
    constants : int, default 0
        How many arguments at the front the kernel never writes: the same compiled function whatever their flags.
    """
    if not hasattr(kernel, "compile"):
        return kernel
    found = [numba.typeof(arg) for arg in args]
    for q, kind in enumerate(found):
        if isinstance(kind, numba.types.Array):
            found[q] = kind.copy(layout="C", readonly=q < constants)
    return kernel.compile(tuple(found))


def direct(kernel):
    """Return a kernel as a function that looks at the types of its arguments the first time alone, as `entry` says."""
    code = None

    def call(*args):
        nonlocal code
        if code is None:
            code = entry(kernel, args)
        return code(*args)

    return call
