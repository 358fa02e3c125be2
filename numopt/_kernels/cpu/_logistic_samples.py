"""The samples of a logistic regression, in the layout whose sums cost least.

Few samples are columns side by side. Else, where columns mostly hold one number, as indicators do, X is that number
plus a sparse rest, X = 1 shift^T + S. S is kept by rows, shorter ones first, so that the processor foresees the ends of
loops; if the rest of each column is one number too, S = P diag(unit) and only the places of the ones in P are kept.
Other data are kept as they are.
"""

import math
from typing import NamedTuple

import numpy as np

from numopt._kernels.cpu._jit import jit

BLOCK = 1 << 15  # dense entries at a time, a quarter of a megabyte; who has no more is small
_LOOK = 64  # rows that are looked at first
_SPARSE = 0.12  # of the squares of dense rows: BLAS does eight multiplications while the sparse sum does one


class Columns(NamedTuple):
    """The columns of few samples, and one of ones for the intercept."""

    columns: np.ndarray
    y: np.ndarray


class Dense(NamedTuple):
    """The rows as they are, with a column of ones for the intercept."""

    X: np.ndarray
    y: np.ndarray


class Shifted(NamedTuple):
    """1 shift^T + S diag(unit), S by rows; without `data` its entries are ones."""

    data: np.ndarray | None
    indices: np.ndarray
    indptr: np.ndarray
    unit: np.ndarray
    shift: np.ndarray
    y: np.ndarray


def dense_samples(X, y, intercept):
    """Return the layout of a dense X."""
    N, d = X.shape
    if X.size <= BLOCK:
        columns = np.ones((d + intercept, N))
        columns[:d] = X.T
        return Columns(columns, y)
    X = np.ascontiguousarray(X)
    look = X[:: max(1, N // _LOOK)]
    shift = _commonest(look)
    if ((look != shift).sum(1) ** 2.0).mean() <= _SPARSE * d * d:
        most = int(N * d * math.sqrt(_SPARSE)) + d
        data, indices, indptr = np.empty(most), np.empty(most, _kind(d)), np.empty(N + 1, np.int64)
        if _compressed(X, shift, data, indices, indptr):
            return _shifted(data, indices, indptr, np.append(shift, 1.0) if intercept else shift, y)
    return Dense(np.column_stack([X, np.ones(N)]) if intercept else X, y)


def sparse_samples(data, indices, indptr, d, y, intercept):
    """Return the layout of a sparse X; dense where that is cheaper and not much larger."""
    counts = np.diff(indptr).astype(float)
    if counts @ counts > _SPARSE * d * d * y.size:
        X = np.zeros((y.size, d + 1) if intercept else (y.size, d))
        X[np.repeat(np.arange(y.size), np.diff(indptr)), indices] = data
        X[:, d:] = 1.0
        return Dense(X, y)
    shift = np.zeros(d + 1 if intercept else d)
    shift[d:] = 1.0
    return _shifted(data, indices.astype(_kind(d)), indptr.astype(np.int64), shift, y)


def _kind(d):
    return np.uint16 if d < 1 << 16 else np.uint32


def _shifted(data, indices, indptr, shift, y):
    counts = np.diff(indptr)
    order = np.argsort(counts.astype(_kind(int(counts.max(initial=0)))), kind="stable")
    unit = np.zeros(shift.size)
    if _units(data[: indptr[-1]], indices, unit):
        return Shifted(None, *_ordered(None, indices, indptr, order)[1:], unit, shift, y[order])
    return Shifted(*_ordered(data, indices, indptr, order), np.ones(shift.size), shift, y[order])


@jit
def _commonest(look):
    """Return the most frequent number of each column."""
    k, d = look.shape
    found = np.empty(d)
    for j in range(d):
        column = np.sort(look[:, j])
        most = run = 0
        for i in range(k):
            run = run + 1 if i and column[i] == column[i - 1] else 1
            if run > most:
                most = run
                found[j] = column[i]
    return found


@jit
def _compressed(X, shift, data, indices, indptr):
    """Put the entries of X - 1 shift^T into `data` and `indices`; return whether they fit."""
    N, d = X.shape
    at, one, none = np.uint64(0), np.uint64(1), np.uint64(0)
    indptr[0] = 0
    for i in range(N):
        if np.int64(at) + d > data.size:
            return False
        for j in range(d):
            rest = X[i, j] - shift[j]
            data[at] = rest
            indices[at] = j
            at += one if rest != 0.0 else none
        indptr[i + 1] = at
    return True


@jit
def _units(data, indices, unit):
    """Put the one number of each column into `unit`; return whether there are no others."""
    for k in range(data.size):
        j = np.uint64(indices[k])
        if unit[j] != data[k]:
            if unit[j] != 0.0:
                return False
            unit[j] = data[k]
    return True


@jit
def _ordered(data, indices, indptr, order):
    """Return data, indices and indptr with the rows in that order."""
    total, at = indptr[-1], np.uint64(0)
    new_data = np.empty(0 if data is None else total)
    new_indices, new_indptr = np.empty(total, indices.dtype), indptr.copy()
    for i in range(order.size):
        for k in range(np.uint64(indptr[order[i]]), np.uint64(indptr[order[i] + 1])):
            new_indices[at] = indices[k]
            if data is not None:
                new_data[at] = data[k]
            at += np.uint64(1)
        new_indptr[i + 1] = at
    return new_data, new_indices, new_indptr
