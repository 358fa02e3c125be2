"""The observed entries, from whatever the caller has: sorted by rows and by columns, never a dense matrix."""

import math
from typing import NamedTuple

import numpy as np

from numopt import _array
from numopt._check import Checks, integer, one_of
from numopt._given import unmasked
from numopt._kernels import kernels
from numopt.exceptions import InvalidInputError, InvalidTypeError


class Side(NamedTuple):
    """The entries row by row, or column by column: what kernels take.

    `indptr` is a NumPy array in every room, for it says how the work is cut; an empty `weights` stands for
    weights of 1.
    """

    y: object
    indices: object
    indptr: object
    weights: object


class Entries(NamedTuple):
    """The observed entries as a list, by rows and then by columns, each place once; `w` may be None.

    `indptr`, where rows start, is a NumPy array, if it is known.
    """

    xp: object
    device: object
    shape: tuple
    rows: object
    columns: object
    y: object
    w: object
    indptr: object = None

    def taken(self, which):
        """Return the entries at these positions."""
        w = None if self.w is None else self.xp.take(self.w, which)
        rows, columns, y = (self.xp.take(x, which) for x in (self.rows, self.columns, self.y))
        return self._replace(rows=rows, columns=columns, y=y, w=w, indptr=None)

    def sides(self):
        """Return the entries by rows, where they stay in place, and by columns."""
        xp, (m, n) = self.xp, self.shape
        indptr = self.indptr
        if indptr is None:
            starts = xp.arange(m + 1, dtype=self.rows.dtype, device=self.device)
            indptr = np.asarray(_array.host(xp.searchsorted(self.rows, starts)), dtype=np.int64)
        w = xp.empty((0,), dtype=self.y.dtype, device=self.device) if self.w is None else self.w
        rows = Side(self.y, self.columns, indptr, w)
        return rows, Side(*kernels("completion", xp).crossed(rows, n))


def entries(X, mask=None, sample_weight=None, duplicates="raise", dtype=None):
    """Return checked `Entries`; see `matrix_completion` for the forms of X."""
    one_of("duplicates", duplicates, ("raise", "mean", "sum"))
    if X is None:
        raise InvalidInputError("X is None: a matrix, or (rows, columns, values, shape), is expected; pass the data")
    if mask is not None and (isinstance(X, tuple) or _array.is_sparse(X)):
        raise InvalidInputError("mask is given and X lists its entries already: pass mask with a dense X only")
    if isinstance(X, tuple):
        found, name = _listed(X, sample_weight, dtype), "values"
    elif _array.is_sparse(X):
        found, name = _sparse(X, sample_weight, dtype), "X"
    else:
        found, name = _dense(X, mask, sample_weight, dtype), "X"
    xp = found.xp
    if found.y.shape[0] == 0:
        raise InvalidInputError(f"{name} has no observed entry: at least one is expected; pass some data")
    _finite(name, found.y, found)
    if found.w is not None:
        _finite("sample_weight", found.w, found, low=0.0)
        some, most = _array.host(xp.min(found.w), xp.max(found.w))
        if most == 0:
            raise InvalidInputError("sample_weight is 0 everywhere: a positive weight is expected; raise one")
        if some == 0:
            found = found.taken(xp.nonzero(found.w > 0)[0])
    k = kernels("completion", xp)
    if k.rising(found.rows, found.columns):
        return found
    found = found.taken(k.grouped(found.rows, found.columns, *found.shape)[0])
    again = (found.rows[1:] == found.rows[:-1]) & (found.columns[1:] == found.columns[:-1])
    if _array.host(xp.astype(xp.any(again), xp.float64)):
        found = _merged(found, again, duplicates)
    return found


def _listed(X, sample_weight, dtype):
    """Read (rows, columns, values, shape)."""
    if len(X) != 4:
        raise InvalidInputError(f"X is a tuple of {len(X)}: (rows, columns, values, shape) is expected; pass all four")
    *arrays, shape = X
    for name, x in zip(("rows", "columns", "values"), arrays, strict=True):
        if x is None:
            raise InvalidInputError(f"{name} is None: a vector is expected; pass one number for each entry")
    if not isinstance(shape, (tuple, list)) or len(shape) != 2:
        raise InvalidInputError(f"shape is {shape!r}: a pair (m, n) is expected; pass the shape of the matrix")
    shape = tuple(integer("shape", size, low=1, high=2**31 - 1, remedy="pass a pair (m, n)") for size in shape)
    return _entries(*arrays, sample_weight, shape, dtype)


def _sparse(X, sample_weight, dtype):
    """Read a sparse array; every stored entry is an observation, also a zero."""
    if len(X.shape) != 2 or 0 in X.shape:
        raise InvalidInputError(f"X has shape {tuple(X.shape)}: a matrix that is not empty is expected; pass one")
    xp, indptr = _array.namespace(X), getattr(X, "indptr", None)
    _array.float_dtype(xp, X=X)
    if indptr is not None and _array.is_numpy(xp) and not _rises(indptr, len(X.indices)):  # SciPy writes where it says
        raise InvalidInputError("X has an indptr that does not rise from 0 to its number of indices; rebuild it")
    try:
        coo = _banded(X) if X.format == "dia" and _array.is_numpy(xp) else X.tocoo(copy=False)
    except ValueError as error:
        raise InvalidInputError(f"X is no valid sparse array: {error}; rebuild it from its entries") from None
    found = _entries(coo.row, coo.col, coo.data, sample_weight, tuple(X.shape), dtype)
    known = _array.is_numpy(xp) and X.format == "csr" and X.indptr[-1] == found.y.shape[0]
    return found._replace(indptr=X.indptr.astype(np.int64)) if known else found


def _banded(X):
    """Return the stored entries of a diagonal format; its own `tocoo` drops zeros."""
    marked = X.copy()
    marked.data = np.arange(1, X.data.size + 1).reshape(X.data.shape)
    coo = marked.tocoo()
    coo.data = X.data.reshape(-1)[coo.data - 1]
    return coo


def _rises(indptr, size):
    return indptr[0] == 0 and indptr[-1] == size and bool((np.diff(indptr) >= 0).all())


def _entries(rows, columns, values, sample_weight, shape, dtype):
    checks = Checks({"values": values, "sample_weight": sample_weight}, dtype=dtype)
    xp = _array.namespace(rows=rows, columns=columns, values=values, sample_weight=sample_weight)
    y = checks.vector("values") if _any(values) else xp.empty((0,), dtype=xp.float64, device=checks.device)
    size = y.shape[0]
    w = None if sample_weight is None else _array.like(xp, checks._arrays["sample_weight"], checks.device, y.dtype)
    if w is not None and tuple(w.shape) != (size,):
        raise InvalidInputError(
            f"sample_weight has shape {tuple(w.shape)}: one weight for each of the {size} entries is expected; "
            f"pass a vector in the order of the entries"
        )
    found = []
    for name, index, high in (("rows", rows, shape[0]), ("columns", columns, shape[1])):
        index = places(name, index, high, xp, checks.device, "count from 0, or enlarge shape")
        if tuple(index.shape) != (size,):
            raise InvalidInputError(
                f"{name} has shape {tuple(index.shape)}: {size} indices are expected, as many as values; "
                f"make the sizes agree"
            )
        found.append(index)
    return Entries(xp, checks.device, shape, *found, y, w)


def _any(x):
    """Say whether a list or an array has entries; arrays of the standard have no `len`."""
    return math.prod(x.shape) > 0 if hasattr(x, "shape") else not hasattr(x, "__len__") or len(x) > 0


def places(name, index, high, xp, device, remedy="count from 0"):
    """Return a vector of indices below `high` as int32."""
    index = unmasked(name, index)
    index = xp.asarray(index, device=device) if _any(index) else xp.empty((0,), dtype=xp.int32, device=device)
    kind = str(index.dtype).rpartition(".")[2]
    if not kind.startswith(("int", "uint")):
        raise InvalidTypeError(f"{name} has dtype {kind}: integers are expected; convert them")
    if index.ndim != 1:
        raise InvalidInputError(f"{name} has shape {tuple(index.shape)}: a vector is expected; ravel it")
    if index.shape[0]:
        low, top = _array.host(xp.min(index), xp.max(index))
        if low < 0 or top >= high:
            at = int(_array.host(xp.argmax(xp.astype((index < 0) | (index >= high), xp.int8))))
            raise InvalidInputError(
                f"{name}[{at}] is {int(_array.host(index[at]))}: an index from 0 to {high - 1} is expected; {remedy}"
            )
    return xp.astype(index, xp.int32, copy=False)


def _dense(X, mask, sample_weight, dtype):
    """Read a matrix with NaN, or a mask, where nothing is observed; the places travel to the host once."""
    checks = Checks({"X": X, "sample_weight": sample_weight}, dtype=dtype)
    X, xp = checks.matrix("X", tested=False), checks.xp
    if mask is None:
        seen = xp.isfinite(X) | (xp.abs(X) == float("inf"))
    else:
        if _array.is_sparse(mask):
            raise InvalidTypeError("mask is sparse: a dense mask is expected; use toarray(), or pass a sparse X")
        mask = unmasked("mask", mask)
        _array.namespace(X=X, mask=mask)
        seen = xp.asarray(mask, device=checks.device)
        kind = str(seen.dtype).rpartition(".")[2]
        if not kind.startswith(("bool", "int", "uint")):
            raise InvalidTypeError(f"mask has dtype {kind}: booleans are expected, True where X is observed; compare")
        seen = xp.astype(seen, xp.bool)
        if tuple(seen.shape) != tuple(X.shape):
            raise InvalidInputError(
                f"mask has shape {tuple(seen.shape)}: that of X, {tuple(X.shape)}, is expected; make them agree"
            )
    w = None
    if sample_weight is not None:
        w = checks.matrix("sample_weight", shape=tuple(X.shape), low=0.0, remedy="weights must not be negative")
        checks.settle()
    rows, columns = _array.host(seen).nonzero()
    flat = rows * X.shape[1] + columns
    at = xp.asarray(flat, device=checks.device)
    rows, columns = (xp.asarray(x.astype("int32"), device=checks.device) for x in (rows, columns))
    y = xp.take(xp.reshape(X, (-1,)), at)
    w = None if w is None else xp.take(xp.reshape(w, (-1,)), at)
    return Entries(xp, checks.device, tuple(X.shape), rows, columns, y, w)


def _finite(name, x, found, low=-float("inf")):
    """Raise for the first entry that is not finite or too small."""
    xp = found.xp
    least, most = _array.host(xp.min(x), xp.max(x))
    if low <= least and -float("inf") < least <= most < float("inf"):
        return
    bad = (x != x) | (x < low) | (xp.abs(x) == float("inf"))
    at = int(_array.host(xp.argmax(xp.astype(bad, xp.int8))))
    value, i, j = _array.host(x[at], found.rows[at], found.columns[at])
    where = f"{int(i)}, {int(j)}" if name == "X" else at
    expected = "a finite number" if low == -float("inf") else f"a finite number >= {low:g}"
    raise InvalidInputError(f"{name}[{where}] is {value}: {expected} is expected; remove or replace it")


def _merged(found, again, duplicates):
    """Merge entries observed twice; they are sorted, so that they stand side by side."""
    xp = found.xp
    if duplicates == "raise":
        at = int(_array.host(xp.argmax(xp.astype(again, xp.int8))))
        i, j = _array.host(found.rows[at], found.columns[at])
        raise InvalidInputError(
            f"X[{int(i)}, {int(j)}] is given twice: distinct entries are expected; drop one, or pass "
            f'duplicates="mean" or "sum"'
        )
    y, again = _array.host(found.y, again)
    w = np.ones_like(y) if found.w is None else _array.host(found.w)
    group, first = np.concatenate(([0], np.cumsum(~again))), np.nonzero(np.concatenate(([True], ~again)))[0]
    total = np.bincount(group, w)
    if duplicates == "mean":
        y = np.bincount(group, w * y) / total
    else:
        y, total = np.bincount(group, y), total / np.bincount(group)
    y, total = (xp.asarray(x, dtype=found.y.dtype, device=found.device) for x in (y, total))
    return found.taken(xp.asarray(first, device=found.device))._replace(y=y, w=total)
