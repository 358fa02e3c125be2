"""All input validation: small named checks that return clean values or raise uniform messages.

A message reads "<argument>[<index>] is <value>: <what is expected>; <remedy>".
"""

import math
import numbers
from collections import namedtuple
from typing import NamedTuple

import numpy as np

from numopt import _array
from numopt._csr import as_csr
from numopt._given import as_array
from numopt.exceptions import InvalidInputError, InvalidTypeError


def scalar(name, value, *, low=-math.inf, high=math.inf, above=-math.inf, remedy="pass a number in range"):
    """Return `value` as a finite float with ``low <= value <= high`` and ``value > above``."""
    if type(value) is not float and (isinstance(value, bool) or not isinstance(value, numbers.Real)):
        raise InvalidTypeError(f"{name} is {value!r}: a real number is expected; {remedy}")
    try:
        number = float(value)
    except OverflowError:  # an integer beyond all floats
        number = value = math.inf if value > 0 else -math.inf
    if not (math.isfinite(number) and low <= number <= high and number > above):
        raise InvalidInputError(f"{name} is {value}: {_range(low, high, above)} is expected; {remedy}")
    return number


def positive_scalar(name, value, *, high=math.inf, remedy="pass a positive number"):
    """Return `value` as a finite float above 0."""
    return scalar(name, value, above=0.0, high=high, remedy=remedy)


def integer(name, value, *, low=0, high=math.inf, remedy="pass an integer in range"):
    """Return `value` as an int with ``low <= value <= high``."""
    if type(value) is not int and (isinstance(value, bool) or not isinstance(value, numbers.Integral)):
        raise InvalidTypeError(f"{name} is {value!r}: an integer is expected; {remedy}")
    if not low <= value <= high:
        expected = _range(low, high, kind="an integer")
        raise InvalidInputError(f"{name} is {value}: {expected} is expected; {remedy}")
    return int(value)


def flag(name, value):
    """Return `value` if it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise InvalidTypeError(f"{name} is {value!r}: True or False is expected; pass one of them")
    return bool(value)


def one_of(name, value, options):
    """Return `value` if it is one of the strings `options`."""
    if not isinstance(value, str) or value not in options:
        raise InvalidInputError(
            f"{name} is {value!r}: one of {', '.join(map(repr, options))} is expected; choose one of them"
        )
    return value


_REACTIONS = "warn", "raise", "ignore"


def controls(*, tol, max_iter, max_time=None, check_every=1, callback=None, on_failure="warn"):
    """Check the keywords that all solvers share; the loop calls this for everybody."""
    typical = type(tol) is float and type(max_iter) is type(check_every) is int and type(on_failure) is str
    plain = typical and max_time is callback is None and 0.0 <= tol < math.inf
    if plain and max_iter >= 1 <= check_every and on_failure in _REACTIONS:  # what most calls pass
        return
    scalar("tol", tol, low=0.0, remedy="pass a tolerance >= 0")
    integer("max_iter", max_iter, low=1, remedy="allow at least one iteration")
    if max_time is not None:
        scalar("max_time", max_time, low=0.0, remedy="pass seconds, or None for no limit")
    integer("check_every", check_every, low=1, remedy="check every iteration with 1")
    if callback is not None and not callable(callback):
        raise InvalidTypeError(f"callback is {callback!r}: a function of one argument is expected; pass one")
    one_of("on_failure", on_failure, _REACTIONS)


def _range(low=-math.inf, high=math.inf, above=-math.inf, kind="a finite number"):
    bounds = [f">= {low}"] * (low > -math.inf) + [f"> {above}"] * (above > -math.inf)
    bounds += [f"<= {high}"] * (high < math.inf)
    return " ".join([kind, " and ".join(bounds)]).strip()


class Extent(NamedTuple):
    """Smallest and largest entry and, for weights, the sum; Python floats."""

    low: float
    high: float
    total: float


_Test = namedtuple("_Test", "name x low high remedy posinf total")  # waits for `Checks.settle`


class Checks:
    """Checks the arrays of one call; all value tests are settled in one transfer to the host.

    Parameters
    ----------
    arrays : dict of str to array_like or sparse
        The caller's arrays by argument name. They must belong to one library and one device; None is
        left out.
    dtype : dtype, optional
        To compute in. None (default) is float32 if every array is float32, else float64.

    Attributes
    ----------
    xp, device, dtype
        What all clean arrays share.

    Examples
    --------
    >>> from numopt._check import Checks
    >>> checks = Checks({"a": [0.25, 0.75], "C": [[1, 2, 3], [4, 5, 6]]})
    >>> a = checks.weights("a")
    >>> C = checks.matrix("C", shape=(a.size, None))
    >>> checks.settle()["C"].high
    6.0
    """

    def __init__(self, arrays, dtype=None):
        self._arrays = {name: as_array(name, x) for name, x in arrays.items() if x is not None}
        if not self._arrays:
            raise _missing(next(iter(arrays)))
        self.xp, self.device, wanted = _array.shared(self._arrays)
        self.dtype = dtype or wanted
        self._tests = []

    def vector(self, name, *, size=None, low=-math.inf, high=math.inf, told=True, remedy="remove or replace it"):
        """Return a vector of finite numbers in [low, high].

        ``told=False`` asks for no extent: where there are no limits, a short vector then takes a fraction of the time.
        """
        x = self._dense(name, (size,), "a vector")
        if told or type(x) is not np.ndarray or not (low == -high == -math.inf and math.isfinite(x.dot(x))):
            self._queue(name, x, low, high, remedy)
        return x

    def weights(self, name, *, size=None):
        """Return a vector of finite numbers >= 0 with a positive sum."""
        x = self._dense(name, (size,), "a vector of weights")
        self._queue(name, x, 0.0, math.inf, "weights must be finite and not negative", total=True)
        return x

    def matrix(self, name, *, shape=(None, None), low=-math.inf, high=math.inf, posinf=False, ordered=True,
               tested=True, remedy="remove or replace it"):  # fmt: skip
        """Return a matrix of finite numbers in [low, high]; `posinf` also allows +inf.

        ``ordered=False`` keeps a column-major matrix as it is; ``tested=False`` leaves the values to a
        kernel that reads them anyway, which calls `recheck` when it meets a bad one.
        """
        x = self._dense(name, shape, "a matrix", ordered)
        if tested:
            self._queue(name, x, low, high, remedy, posinf=posinf)
        return x

    def recheck(self, name, *, posinf=False, remedy="remove or replace it"):
        """Raise for the first bad entry of a matrix that was not tested."""
        x = self._dense(name, (None, None), "a matrix", ordered=False)
        self._queue(name, x, -math.inf, math.inf, remedy, posinf=posinf)
        self.settle()

    def csr(self, name, *, shape=(None, None), remedy="remove or replace it"):
        """Return a canonical CSR array of finite numbers, from any sparse format."""
        A = self._given(name)
        if not _array.is_sparse(A):
            raise InvalidTypeError(
                f"{name} is {type(A).__name__}: a sparse array is expected; wrap it in scipy.sparse.csr_array"
            )
        _expect_shape(name, A.shape, shape, "a sparse matrix")
        A = as_csr(A, dtype=self.dtype)
        self._queue(name, A, -math.inf, math.inf, remedy)
        return A

    def settle(self):
        """Run the queued value tests; return the extents by name or raise for the first bad entry."""
        if not self._tests:
            return {}
        xp, scalars = self.xp, []
        for t in self._tests:
            data = t.x.data if _array.is_sparse(t.x) else t.x
            empty = 0 in data.shape
            scalars += [0.0, 0.0] if empty else _array.extremes(xp, data)
            scalars.append(_total(xp, data) if t.total else math.nan)
        values = _array.host(*scalars, 0.0)
        extents = {}
        for i, t in enumerate(self._tests):
            extents[t.name] = extent = Extent(*values[3 * i : 3 * i + 3])
            good = t.low <= extent.low and extent.high <= t.high and extent.low > -math.inf
            if not (good and (t.posinf or extent.high < math.inf)):
                _raise_first(xp, t)
            if t.total and not 0 < extent.total < math.inf:
                raise InvalidInputError(
                    f"{t.name} sums to {extent.total}: a positive finite sum is expected; "
                    f"at least one weight must be positive"
                )
            if t.total and extent.total < _least(xp, self.dtype):
                raise InvalidInputError(
                    f"{t.name} sums to {extent.total:.3g}: at least {_least(xp, self.dtype):.1g} is expected, below it "
                    f"numbers lose digits; multiply the weights by a constant"
                )
        self._tests = []
        return extents

    def _given(self, name):
        if name not in self._arrays:
            raise _missing(name)
        return self._arrays[name]

    def _dense(self, name, shape, kind, ordered=True):
        x = self._given(name)
        if type(x) is not np.ndarray and _array.is_sparse(x):
            raise InvalidTypeError(f"{name} is sparse: {kind} is expected as a dense array; use toarray()")
        _expect_shape(name, x.shape, shape, kind)
        return _array.like(self.xp, x, self.device, self.dtype, ordered)

    def _queue(self, name, x, low, high, remedy, posinf=False, total=False):
        self._tests.append(_Test(name, x, low, high, remedy, posinf, total))


def lone_vector(name, x):
    """Check a vector that is the only array of a call; return (vector, namespace, device, dtype to compute in)."""
    if _array.is_plain_vector(x):
        return x, *_array.PLAIN
    checks = Checks({name: x})
    x = checks.vector(name, told=False)
    checks.settle()
    return x, checks.xp, checks.device, checks.dtype


def _total(xp, data):
    with np.errstate(over="ignore"):  # an infinite sum is reported by name
        return xp.sum(data, dtype=xp.float64)


def _least(xp, dtype):
    """Return the smallest sum of weights of which a millionth keeps all its digits."""
    return 2.0**20 * float(xp.finfo(dtype).smallest_normal)


def _missing(name):
    return InvalidTypeError(f"{name} is None: an array is expected; pass one")


def _expect_shape(name, shape, expected, kind):
    if len(shape) != len(expected):
        raise InvalidInputError(
            f"{name} has shape {tuple(shape)}: {kind} ({len(expected)}-dimensional) is expected; reshape it"
        )
    if 0 in shape:
        raise InvalidInputError(f"{name} has shape {tuple(shape)}: {kind} must not be empty; pass some data")
    for size, wanted in zip(shape, expected, strict=True):
        if wanted is not None and size != wanted:
            wanted = ", ".join("any" if e is None else str(e) for e in expected)
            raise InvalidInputError(
                f"{name} has shape {tuple(shape)}: {kind} of shape ({wanted}) is expected; "
                f"make the sizes of the arguments agree"
            )


def _raise_first(xp, test):
    """Raise for the first entry that fails; only on this path is a mask made."""
    name, x = test.name, test.x
    data = x.data if _array.is_sparse(x) else xp.reshape(x, (-1,))
    bad = (data != data) | (data < test.low) | (data > test.high) | (data == -math.inf)
    if not test.posinf:
        bad = bad | (data == math.inf)
    position = int(_array.host(xp.argmax(xp.astype(bad, xp.int8))))
    value = _array.host(data[position])
    if _array.is_sparse(x):
        column, indptr = _array.host(x.indices[position : position + 1], x.indptr)
        index = (int(np.searchsorted(indptr, position, side="right")) - 1, int(column[0]))
    else:
        index = tuple(int(i) for i in np.unravel_index(position, x.shape))
    where = ", ".join(map(str, index))
    expected = _range(test.low, test.high) + (" or +inf" if test.posinf else "")
    raise InvalidInputError(f"{name}[{where}] is {value}: {expected} is expected; {test.remedy}")
