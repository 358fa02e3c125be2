"""The door to arrays: the only questions asked about array libraries, devices and dtypes.

Plain NumPy arrays take a short way through each function: a solve of a small problem costs little more
than these questions, and the general answers take microseconds each.
"""

import math
from contextlib import nullcontext
from functools import lru_cache
from itertools import chain

import array_api_compat as compat
import numpy as np

from numopt.exceptions import InvalidInputError, InvalidTypeError

_NUMPY = compat.array_namespace(np.empty(0))
_DOUBLE = np.dtype(float)
_INFINITE = math.inf  # found sooner than a function of a module, by a caller whose caches are cold
PLAIN = _NUMPY, "cpu", _NUMPY.float64  # namespace, device and dtype of NumPy's float64


def is_array(x):
    """Say whether `x` is a dense array of a library that speaks the array standard."""
    return compat.is_array_api_obj(x)


def is_sparse(x):
    """Say whether `x` is a SciPy or CuPy sparse array or matrix."""
    return hasattr(x, "tocsr") and hasattr(x, "nnz") and type(x).__module__.startswith(("scipy.", "cupyx."))


def namespace(*arrays, **named):
    """Return the array-standard namespace that all arguments share.

    Parameters
    ----------
    *arrays, **named : array_like, sparse or None
        Lists, pandas objects and SciPy sparse arrays count as NumPy, CuPy's sparse arrays as CuPy;
        None and scalars belong to every library. Arguments passed by keyword are named in messages.

    Returns
    -------
    module
        A namespace of array-api-compat; NumPy's if no argument decides.

    Raises
    ------
    InvalidTypeError
        Two arguments belong to different libraries.
    """
    found, owner = None, None
    for name, x in _arguments(arrays, named):
        if x is None or np.isscalar(x):
            continue
        xp = _namespace_of(x)
        if found is not None and xp is not found:
            one, other = _title(owner), _title(name)
            raise InvalidTypeError(
                f"{one} is a {_library(found)} array and {other} is a {_library(xp)} array: all arrays of a "
                f"call must belong to one library; convert one of them, numopt never moves data silently"
            )
        found, owner = xp, name
    return found or _NUMPY


def is_plain_vector(x):
    """Say whether `x` is a contiguous vector of NumPy's float64, not empty, of finite numbers with finite squares."""
    if type(x) is not np.ndarray or x.dtype is not _DOUBLE or x.ndim != 1:
        return False
    return x.size > 0 and x.flags.c_contiguous and bool(x.dot(x) < _INFINITE)


def shared(arrays):
    """Return (namespace, device, dtype to compute in) of checked arrays by name, which must be of one library."""
    for x in arrays.values():
        if type(x) is not np.ndarray or x.dtype is not _DOUBLE:
            break
    else:  # what most calls pass: no question is open
        return PLAIN
    xp, (first, *others) = namespace(**arrays), arrays
    for name in others:
        if device(arrays[name]) != device(arrays[first]):
            raise InvalidTypeError(
                f"{first} is on {device(arrays[first])} and {name} on {device(arrays[name])}: all arrays of a call "
                f"must be on one device; move one of them"
            )
    return xp, device(arrays[first]), float_dtype(xp, **arrays)


def _arguments(arrays, named):
    return chain(enumerate(arrays), named.items())


def _title(name):
    return f"array {name}" if isinstance(name, int) else name


def _namespace_of(x):
    if type(x) is np.ndarray:
        return _NUMPY
    if is_sparse(x):
        x = getattr(x, "data", None)  # formats without one array of values (lil, dok) are SciPy's
    return compat.array_namespace(x) if is_array(x) else _NUMPY


def _library(xp):
    return xp.__name__.removeprefix("array_api_compat.")


def is_numpy(xp):
    """Say whether the namespace is NumPy's."""
    return xp is _NUMPY or compat.is_numpy_namespace(xp)


def is_cupy(xp):
    """Say whether the namespace is CuPy's."""
    return compat.is_cupy_namespace(xp)


def device(x):
    """Return the device on which `x` lives; ``"cpu"`` for everything that counts as NumPy."""
    if type(x) is np.ndarray:
        return "cpu"
    if is_sparse(x):
        return device(getattr(x, "data", None))
    return compat.device(x) if is_array(x) else "cpu"


def float_dtype(xp, *arrays, **named):
    """Return the dtype to compute in: float32 if every array is float32, else float64.

    Parameters
    ----------
    xp : module
        The namespace of the arrays.
    *arrays, **named : array, sparse or None
        Integers and booleans count as float64; None has no say.

    Raises
    ------
    InvalidTypeError
        A dtype is neither real floating (32 or 64 bits), integer nor boolean.
    """
    found = set()
    for name, x in _arguments(arrays, named):
        if x is None:
            continue
        dtype = _cached_word(x.dtype) if type(x) is np.ndarray else _word(x.dtype)
        if not dtype.startswith(("float32", "float64", "int", "uint", "bool")):
            if dtype == "object" and x.ndim == 0:  # what NumPy makes of a function, an operator, or None
                raise InvalidTypeError(
                    f"{_title(name)} is {type(x[()]).__name__}: an array of numbers is expected; pass one"
                )
            raise InvalidTypeError(
                f"{_title(name)} has dtype {dtype}: real numbers are expected; "
                f"convert it to float32 or float64"
            )
        found.add(dtype)
    return xp.float32 if found == {"float32"} else xp.float64


def _word(dtype):
    native = dtype.newbyteorder("=") if isinstance(dtype, np.dtype) else dtype
    return str(native).rpartition(".")[2]


_cached_word = lru_cache(_word)  # dtypes of some libraries cannot be hashed


def host(*values):
    """Bring scalars and arrays to the host: the only door from a device.

    Parameters
    ----------
    *values : array or scalar
        Scalars and zero-dimensional arrays become Python floats; all device scalars of a call travel
        in one transfer. Other arrays become NumPy arrays, one transfer each.

    Returns
    -------
    tuple of (float or ndarray)
        In the order of the arguments; the bare value for a single argument.
    """
    if len(values) == 1 and isinstance(values[0], float):  # np.float64 is one: called often
        return float(values[0])
    out = list(values)
    waiting = []
    for i, x in enumerate(values):
        if type(x) is float:  # the common cases first: this is called often
            continue
        if isinstance(x, (int, float, np.generic)) or (type(x) is np.ndarray and x.ndim == 0):
            out[i] = float(x)
        elif getattr(x, "ndim", 0):
            out[i] = _to_numpy(x)
        elif is_array(x) and not isinstance(x, (np.ndarray, np.generic)):
            waiting.append(i)
        else:
            out[i] = float(x)
    if waiting:
        xp = compat.array_namespace(values[waiting[0]])
        stacked = xp.stack([xp.astype(values[i], xp.float64) for i in waiting])
        for i, value in zip(waiting, _to_numpy(stacked).tolist(), strict=True):
            out[i] = value
    return out[0] if len(out) == 1 else tuple(out)


def _to_numpy(x):
    if compat.is_numpy_array(x):
        return x
    if compat.is_cupy_array(x):  # its default device is no host
        return np.asarray(compat.to_device(x, "cpu"))
    default = compat.array_namespace(x).__array_namespace_info__().default_device()
    return np.asarray(compat.to_device(x, default))


def extremes(xp, x):
    """Return the smallest and the largest entry of `x`; both are NaN if one entry is."""
    return (x.min(), x.max()) if type(x) is np.ndarray else (xp.min(x), xp.max(x))


def like(xp, x, device, dtype, ordered=True):
    """Return `x` as an array of `xp` on `device` with `dtype`, C-contiguous where that has a meaning.

    ``ordered=False`` leaves the order of the memory alone.

    `x` is host data (lists, NumPy arrays, which then move to the device) or an array of `xp`. Nothing
    is copied if nothing changes, so the outcome may be the caller's own array: never write to it.
    """
    if type(x) is np.ndarray and xp is _NUMPY and x.dtype == dtype and (x.flags.c_contiguous or not ordered):
        return x
    order = {"order": "C"} if ordered and (is_numpy(xp) or is_cupy(xp)) else {}
    return xp.asarray(x, dtype=dtype, device=device, **order)


def turned(xp, x):
    """Return a copy of x.T whose rows are contiguous where that has a meaning."""
    order = {"order": "C"} if is_numpy(xp) or is_cupy(xp) else {}
    return xp.asarray(x.T, device=device(x), copy=True, **order)


def copied(state):
    """Copy the arrays in `state`, an array or nested tuples, lists and dicts of arrays; share the rest."""
    if type(state) is np.ndarray:
        return state.copy("K")
    if isinstance(state, dict):
        return {key: copied(value) for key, value in state.items()}
    if isinstance(state, (tuple, list)):
        parts = [copied(part) for part in state]
        return type(state)(*parts) if hasattr(state, "_fields") else type(state)(parts)
    if hasattr(state, "copy"):
        return state.copy()
    return compat.array_namespace(state).asarray(state, copy=True) if is_array(state) else state


def clip(x, least=None, most=None):
    """Return x between two numbers, NaN where it is NaN. That of array-api-compat waits for a device, twice a call."""
    xp = namespace(x)
    x = x if least is None else xp.where(x < least, least, x)
    return x if most is None else xp.where(x > most, most, x)


def cholesky(A):
    """Return the lower Cholesky factor of A, full of NaN if there is none.

    Where there is none, NumPy raises and CuPy, unless it is told to, returns what it has, finite and wrong.
    """
    xp = namespace(A)
    told = nullcontext()
    if is_cupy(xp):
        from cupyx import errstate

        told = errstate(linalg="raise")
    try:
        with told:
            return xp.linalg.cholesky(A)
    except MemoryError:  # also that of a device
        raise
    except Exception:  # each library has its own error
        return xp.full_like(A, float("nan"))


def default_rng(rng=None, name="rng"):
    """Return a NumPy generator: a new one for None, an int or a SeedSequence, the given one otherwise.

    Draws are made on the host and moved once, so that one seed means the same on every device.

    Raises
    ------
    InvalidTypeError
        `rng` is none of the above; legacy ``numpy.random.RandomState`` is refused too.
    InvalidInputError
        A negative seed.
    """
    if rng is None or isinstance(rng, (np.random.Generator, np.random.SeedSequence)):
        return np.random.default_rng(rng)
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool):
        if rng < 0:
            raise InvalidInputError(f"{name} is {rng}: a seed must be >= 0; take its absolute value")
        return np.random.default_rng(rng)
    raise InvalidTypeError(
        f"{name} is {type(rng).__name__}: expected None, an int, numpy.random.Generator or SeedSequence; "
        f"pass numpy.random.default_rng(seed)"
    )
