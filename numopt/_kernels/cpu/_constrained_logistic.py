"""Sums over the samples of a logistic regression, in the layout of the data that costs least.

Columns that mostly hold one number, as indicators do, are that number plus a sparse rest: X = 1 shift^T + S. Then the
products X w and X^T s read the entries of S alone, and X^T D X costs half of the squares of its rows' counts:

    X^T D X = S^T D S + q shift^T + shift q^T + (1.d) shift shift^T,   q = S^T d.

Other data stay dense: blocks of rows that stay in the cache between two passes, and BLAS. Where all fit into the cache,
columns side by side and one compiled call cost half as much as BLAS.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.linalg import blas

from numopt._kernels.cpu._jit import jit
from numopt._kernels.cpu._math import exp64

_BLOCK = 1 << 15  # dense entries at a time, a quarter of a megabyte; who has no more is small
_TOGETHER = 512  # samples
_LOOK = 64  # rows that are looked at first
_SPARSE = 0.08  # of the squares of dense rows: BLAS does twelve multiplications while the sparse sum does one


class Columns(NamedTuple):
    """The columns of few samples, and one of ones for the intercept."""

    columns: np.ndarray
    y: np.ndarray


class Dense(NamedTuple):
    """The rows as they are, with a column of ones for the intercept."""

    X: np.ndarray
    y: np.ndarray


class Shifted(NamedTuple):
    """1 shift^T + S with S by rows."""

    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray
    shift: np.ndarray
    y: np.ndarray


def dense_samples(X, y, intercept):
    """Return the layout of a dense X."""
    N, d = X.shape
    if X.size <= _BLOCK:
        columns = np.ones((d + intercept, N))
        columns[:d] = X.T
        return Columns(columns, y)
    X = np.ascontiguousarray(X)
    look = X[:: max(1, N // _LOOK)]
    shift = _commonest(look)
    if ((look != shift).sum(1) ** 2.0).mean() <= _SPARSE * d * d:
        kind = np.uint16 if d < 1 << 16 else np.uint32
        most = int(N * d * math.sqrt(_SPARSE)) + d
        data, indices, indptr = np.empty(most), np.empty(most, kind), np.empty(N + 1, np.int64)
        if _compressed(X, shift, data, indices, indptr):
            return Shifted(data, indices, indptr, np.append(shift, 1.0) if intercept else shift, y)
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
    kind = np.uint16 if d < 1 << 16 else np.uint32
    return Shifted(data, indices.astype(kind), indptr.astype(np.int64), shift, y)


def logistic(samples, w):
    """See the portable kernel."""
    weights = np.empty(samples.y.size)
    if isinstance(samples, Columns):
        return *_small_sums(*samples, w, weights), weights
    if isinstance(samples, Shifted):
        return *_sparse_sums(*samples, w, weights), weights
    X, y = samples
    total, g = 0.0, np.zeros(w.size)
    for these in _blocks(X):
        B = X[these]
        t = B @ w
        total += _terms(t, y[these], weights[these])
        g += t @ B
    return total, g, weights


def weighted_gram(samples, weights):
    """See the portable kernel."""
    if isinstance(samples, Columns):
        return _small_gram(samples.columns, weights)
    if isinstance(samples, Shifted):
        return _sparse_gram(*samples[:4], weights)
    X = samples.X
    roots = np.sqrt(weights)[:, None]
    H = np.zeros((X.shape[1], X.shape[1]), order="F")
    scaled = None  # one buffer: memory that comes fresh from the system costs more than the product
    for these in _blocks(X):
        B, size = X[these], X[these].shape[0]
        scaled = np.empty_like(B) if scaled is None else scaled
        B = np.multiply(B, roots[these], out=scaled[:size])
        H = blas.dsyrk(1.0, B.T, beta=1.0, c=H, overwrite_c=True)
    _mirror(H.T)
    return H.T


def _blocks(X):
    """Yield slices of the rows."""
    rows = max(16, _BLOCK // max(1, X.shape[1]))
    for i in range(0, X.shape[0], rows):
        yield slice(i, i + rows)


@jit
def _mirror(H):
    """Copy the lower triangle to the upper one."""
    for i in range(H.shape[0]):
        for j in range(i):
            H[j, i] = H[i, j]


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
    at, one = np.uint64(0), np.uint64(1)
    indptr[0] = 0
    for i in range(N):
        if np.int64(at) + d > data.size:
            return False
        for j in range(d):
            rest = X[i, j] - shift[j]
            data[at] = rest
            indices[at] = j
            at += one if rest != 0.0 else np.uint64(0)
        indptr[i + 1] = at
    return True


@jit(fastmath={"contract"})
def _terms(t, y, weights):
    """Replace t by -y / (1 + exp(y t)) and put the weights into their place; return the sum of log(1 + exp(-y t)).

    One logarithm does for many samples: of the product of their 1 + exp(-|t|), each of which is at most 2.
    """
    linear, logs = 0.0, 0.0
    for start in range(0, t.size, _TOGETHER):
        product = 1.0
        for i in range(start, min(start + _TOGETHER, t.size)):
            margin = y[i] * t[i]
            e = exp64(-abs(margin))
            share = 1.0 / (1.0 + e)
            t[i] = -y[i] * ((e if margin > 0.0 else 1.0) * share)
            weights[i] = e * share * share
            linear -= min(margin, 0.0)
            product *= 1.0 + e
        logs += math.log(product)
    return linear + logs


@jit(fastmath={"contract", "reassoc"})
def _small_sums(columns, y, w, weights):
    """Return the sum of the losses and its gradient by w; put the weights into their place."""
    t, g = np.zeros(y.size), np.zeros(w.size)
    for j in range(w.size):
        for i in range(y.size):
            t[i] += w[j] * columns[j, i]
    total = _terms(t, y, weights)
    for j in range(w.size):
        along = 0.0
        for i in range(y.size):
            along += t[i] * columns[j, i]
        g[j] = along
    return total, g


@jit(fastmath={"contract", "reassoc"})
def _small_gram(columns, weights):
    """Return the weighted products of columns, two by two."""
    n, N = columns.shape
    H, p, q = np.empty((n, n)), np.empty(N), np.empty(N)
    for a in range(0, n, 2):
        b = min(a + 1, n - 1)
        for i in range(N):
            p[i], q[i] = weights[i] * columns[a, i], weights[i] * columns[b, i]
        for c in range(0, b + 1, 2):
            d = min(c + 1, n - 1)
            ac = ad = bc = bd = 0.0
            for i in range(N):
                ac += p[i] * columns[c, i]
                ad += p[i] * columns[d, i]
                bc += q[i] * columns[c, i]
                bd += q[i] * columns[d, i]
            H[a, c], H[a, d], H[b, c], H[b, d] = ac, ad, bc, bd
    _mirror(H)
    return H


@jit
def _sparse_sums(data, indices, indptr, shift, y, w, weights):
    """Return the sum of the losses and its gradient by w; put the weights into their place."""
    g, t = np.zeros(w.size), np.empty(_TOGETHER)
    common = total = pulled = 0.0
    for j in range(w.size):
        common += shift[j] * w[j]
    for start in range(0, y.size, _TOGETHER):
        stop = min(start + _TOGETHER, y.size)
        for i in range(start, stop):
            here = common
            for k in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
                here += data[k] * w[np.uint64(indices[k])]
            t[i - start] = here
        total += _terms(t[: stop - start], y[start:stop], weights[start:stop])
        for i in range(start, stop):
            part = t[i - start]
            for k in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
                g[np.uint64(indices[k])] += data[k] * part
            pulled += part
    for j in range(w.size):
        g[j] += pulled * shift[j]
    return total, g


@jit
def _sparse_gram(data, indices, indptr, shift, weights):
    """Return (1 shift^T + S)^T D (1 shift^T + S)."""
    n = np.uint64(shift.size)
    H, q, whole = np.zeros(n * n), np.zeros(n), 0.0
    for i in range(weights.size):
        whole += weights[i]
        begin = np.uint64(indptr[i])
        for a in range(begin, np.uint64(indptr[i + 1])):
            value, row = data[a] * weights[i], np.uint64(indices[a])
            q[row] += value
            row *= n
            for b in range(begin, a + np.uint64(1)):
                H[row + np.uint64(indices[b])] += value * data[b]
    H = H.reshape((shift.size, shift.size))
    for i in range(shift.size):
        for j in range(i + 1):
            H[i, j] += q[i] * shift[j] + shift[i] * q[j] + whole * shift[i] * shift[j]
            H[j, i] = H[i, j]
    return H
