"""The caller's functions: each answer is checked for library, shape and dtype, copied, counted and timed."""

import math
from time import perf_counter

import numpy as np

from numopt import _array
from numopt._csr import as_csr
from numopt._given import as_array
from numopt.exceptions import InvalidInputError, InvalidTypeError

SCHEMES = ("2-point", "3-point", "cs")
_EPS = {kind: float(np.finfo(kind).eps) for kind in "fd"}  # asking takes as long as ten calls of Python


class Space:
    """Where the variables live: the library, device and dtype that every answer must have.

    Attributes
    ----------
    counts : dict of str to int
        Calls of `ask` by kind: ``nfev``, ``njev``, ``nhev``, ``ncev``; "" for what asks others in turn.
    seconds : float
        Time spent in the caller's functions.
    box : pair of ndarray of shape (n,), or None
        Bounds on x that differences keep to.
    tol : float
        What the KKT error is to reach, which differences have to allow; infinite unless set.
    """

    __slots__ = ("box", "counts", "device", "dtype", "native", "numpy", "seconds", "tol", "xp")

    def __init__(self, xp, device, dtype):
        self.xp, self.device, self.dtype = xp, device, dtype
        self.numpy = _array.is_numpy(xp)
        self.native = np.dtype(dtype) if self.numpy else None  # NumPy arrays of just this dtype need no further look
        self.counts = {"nfev": 0, "njev": 0, "nhev": 0, "ncev": 0, "": 0}
        self.seconds, self.box, self.tol = 0.0, None, math.inf

    def ask(self, asked, x, more=None):
        """Call functions of the caller at x, counted and timed; return their answers, checked.

        Each gets a copy of x that it may write to, and a tuple of `more`. They are called one right after the other:
        each leaves cold caches behind, so what else there is to do waits for the last one.
        """
        answers, counts, before, began = [], self.counts, self.seconds, perf_counter()
        for one in asked:
            counts[one.kind] += 1
            y = x.copy() if self.numpy else self.copied(x)
            answers.append(one.call(y) if more is None else one.call(y, *more[len(answers)]))
        self.seconds = before + perf_counter() - began
        return [one.read(answer, x) for one, answer in zip(asked, answers, strict=True)]

    @property
    def eps(self):
        """The rounding error of the dtype."""
        return _EPS[self.native.char] if self.numpy else float(self.xp.finfo(self.dtype).eps)

    def zeros(self, *shape):
        """Return an array of zeros."""
        if self.numpy:
            return np.zeros(shape, self.native)
        return self.xp.zeros(shape, dtype=self.dtype, device=self.device)

    def finite(self, c):
        """Say whether all entries are finite, and their squares too."""
        return math.isfinite(c.dot(c) if self.numpy else _array.host(c @ c))

    def copied(self, x):
        """Return a copy for a function that may write to it."""
        return x.copy() if self.numpy else self.xp.asarray(x, copy=True, device=self.device)

    def scalar(self, name, value):
        """Return the value of a scalar function as a float; infinite or NaN is the caller's to judge."""
        if isinstance(value, float):  # np.float64 is one
            return float(value)
        shape = value.shape if _array.is_array(value) else np.shape(value)
        if math.prod(shape) != 1:
            raise InvalidInputError(
                f"{name} returned an array of shape {tuple(shape)}: a scalar of shape () is expected; "
                f"return one number"
            )
        if _array.is_array(value) and "complex" not in str(value.dtype):
            self._same_library(name, value)
            return _array.host(self.xp.reshape(value, ()))
        if isinstance(value, (complex, str)) or not np.isscalar(value):
            raise InvalidTypeError(f"{name} returned {value!r}: a real number is expected; return one")
        return float(value)

    def vector(self, name, value, size=None):
        """Return a fresh vector; scalars and matrices of one row or column count as vectors."""
        if not (type(value) is np.ndarray and self.numpy and value.dtype == self.dtype and value.ndim == 1):
            value = self._dense(name, value)
            if value.ndim != 1 and max(value.shape, default=1) == value.size:
                value = self.xp.reshape(value, (-1,))
        if value.ndim != 1 or (size is not None and value.shape[0] != size):
            wanted = "any" if size is None else size
            raise InvalidInputError(
                f"{name} returned an array of shape {value.shape}: shape ({wanted},) is expected; "
                f"make it agree with x0 and the constraints"
            )
        return self.copied(value)

    def matrix(self, name, value, shape):
        """Return a fresh matrix: dense, a SciPy CSR array, or an operator with ``matvec`` as it is."""
        if _array.is_sparse(value):
            _expect_real(name, value)
            if not self.numpy:
                raise InvalidTypeError(
                    f"{name} returned a sparse array: the sparse factorisation runs on the host alone; return a "
                    f"dense {self.xp.__name__.rpartition('.')[2]} array, or pass NumPy arrays"
                )
            value = as_csr(value, dtype=self.dtype)
        elif hasattr(value, "matvec"):
            pass
        elif not (type(value) is np.ndarray and self.numpy and value.dtype == self.dtype and value.ndim == 2):
            value = self._dense(name, value)
            if value.ndim < 2 and (shape[0] == 1 or value.ndim == 0):
                value = self.xp.reshape(value, (1, -1))
            elif value.ndim == 1 and shape == (value.shape[0], 1):
                value = self.xp.reshape(value, shape)
        if tuple(value.shape) != shape:
            raise InvalidInputError(
                f"{name} returned a matrix of shape {tuple(value.shape)}: shape {shape} is expected; "
                f"make it agree with x0 and the constraints"
            )
        if type(value) is np.ndarray:
            return value.copy()
        return self.copied(value) if _array.is_array(value) else value

    def _dense(self, name, value):
        if _array.is_sparse(value):
            value = value.toarray()
        value = as_array(f"what {name} returned", value)
        self._same_library(name, value)
        _expect_real(name, value)
        return self.xp.asarray(value, dtype=self.dtype, device=self.device)

    def _same_library(self, name, value):
        if _array.namespace(value) is not self.xp:
            mine, theirs = (xp.__name__.rpartition(".")[2] for xp in (self.xp, _array.namespace(value)))
            raise InvalidTypeError(
                f"x0 is a {mine} array and {name} returned a {theirs} array: all arrays of a call must belong to "
                f"one library; compute with the library of x0, numopt never moves data silently"
            )


def is_real(dtype):
    """Say whether a dtype of any library is one of real numbers."""
    return getattr(dtype, "kind", "c" if "complex" in str(dtype) else "f") in "biuf"


def _expect_real(name, value):
    if not is_real(value.dtype):
        raise InvalidTypeError(f"{name} returned dtype {value.dtype}: real numbers are expected; return them")


def differences(space, function, x, scheme):
    """Return the derivative of a vector function by differences: a matrix with a row for each output.

    Near `space.box`, the bounds on x, differences are one-sided, so that no point lies beyond.

    Parameters
    ----------
    function : callable
        ``function(x) -> vector`` of the same library; for "cs", where it has a `name`, it is called with complex `x`.
    scheme : {"2-point", "3-point", "cs"}
    """
    xp, columns, base = space.xp, [], None
    eps, index = space.eps, xp.arange(x.shape[0], device=space.device)
    for i, value in enumerate(map(float, _array.host(x))):
        at = index == i
        if scheme == "cs":
            ahead = function(xp.where(at, x + 1e-30j, x + 0j))
            if "complex" not in str(ahead.dtype):
                raise InvalidInputError(
                    f"{function.name} returned real numbers for complex x: differences by 'cs' need a function that "
                    f"computes with complex numbers; choose '3-point'"
                )
            columns.append(xp.imag(ahead) / 1e-30)
            continue
        h = eps ** (1 / 2 if scheme == "2-point" else 1 / 3) * max(1.0, abs(value))
        below, above = (value - space.box[0][i], space.box[1][i] - value) if space.box else (math.inf, math.inf)
        if scheme == "3-point" and h <= min(below, above):
            h = (value + h) - value  # as it is rounded
            columns.append((function(xp.where(at, x + h, x)) - function(xp.where(at, x - h, x))) / (2 * h))
            continue
        base, reach = function(x) if base is None else base, h if scheme == "2-point" else 2 * h
        sign = 1.0 if above >= min(below, reach) else -1.0
        room = above if sign > 0 else below
        h *= sign * (room / reach if 1e-3 * reach < room < reach else 1.0)
        h = (value + h) - value
        ahead = function(xp.where(at, x + h, x))
        if scheme == "2-point":
            columns.append((ahead - base) / h)
        else:  # of second order, too
            columns.append((4 * ahead - 3 * base - function(xp.where(at, x + 2 * h, x))) / (2 * h))
    return xp.stack(columns, axis=1)
