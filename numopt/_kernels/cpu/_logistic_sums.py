"""Sums over the samples of a logistic regression.

With X = 1 shift^T + S the products X w and X^T s read the entries of S alone, and X^T D X costs half of the squares of
its rows' counts: X^T D X = S^T D S + q shift^T + shift q^T + (1.d) shift shift^T with q = S^T d. Other data are summed
in blocks of rows that stay in the cache between two passes, by BLAS. Where all fit into the cache, columns side by side
and one compiled call cost half as much.
"""

import math

import numpy as np
from scipy.linalg import blas

from numopt._kernels.cpu._jit import jit
from numopt._kernels.cpu._logistic_samples import BLOCK, Columns, Shifted
from numopt._kernels.cpu._math import exp64

_TOGETHER = 512  # samples


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
        return _sparse_gram(*samples[:5], weights)
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
    rows = max(16, BLOCK // max(1, X.shape[1]))
    for i in range(0, X.shape[0], rows):
        yield slice(i, i + rows)


@jit
def _mirror(H):
    """Copy the lower triangle to the upper one."""
    for i in range(H.shape[0]):
        for j in range(i):
            H[j, i] = H[i, j]


@jit(fastmath={"contract", "reassoc"})
def _terms(t, y, weights):
    """Replace t by -y / (1 + exp(y t)) and put the weights into their place; return the sum of log(1 + exp(-y t)).

    One logarithm does for many samples: of the product of their 1 + exp(-|t|), each of which is at most 2.
    """
    linear, logs, e = 0.0, 0.0, np.empty(_TOGETHER)
    for start in range(0, t.size, _TOGETHER):
        size, product = min(_TOGETHER, t.size - start), 1.0
        for i in range(size):  # loops of their own are vectorised
            e[i] = exp64(-abs(t[start + i]))
        for i in range(size):
            margin, share = y[start + i] * t[start + i], 1.0 / (1.0 + e[i])
            t[start + i] = -y[start + i] * ((e[i] if margin > 0.0 else 1.0) * share)
            weights[start + i] = e[i] * share * share
            linear += min(margin, 0.0)
            product *= 1.0 + e[i]
        logs += math.log(product)
    return logs - linear


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
def _sparse_sums(data, indices, indptr, unit, shift, y, w, weights):
    """Return the sum of the losses and its gradient by w; put the weights into their place."""
    g, t = np.zeros(w.size), np.empty(_TOGETHER)
    common = total = pulled = 0.0
    for j in range(w.size):
        common += shift[j] * w[j]
    w = w * unit
    for start in range(0, y.size, _TOGETHER):
        stop = min(start + _TOGETHER, y.size)
        for i in range(start, stop):
            here = common
            for k in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
                here += w[np.uint64(indices[k])] if data is None else data[k] * w[np.uint64(indices[k])]
            t[i - start] = here
        total += _terms(t[: stop - start], y[start:stop], weights[start:stop])
        for i in range(start, stop):
            part = t[i - start]
            for k in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
                g[np.uint64(indices[k])] += part if data is None else data[k] * part
            pulled += part
    return total, g * unit + pulled * shift


@jit
def _sparse_gram(data, indices, indptr, unit, shift, weights):
    """Return X^T D X."""
    n = np.uint64(shift.size)
    H, q, whole = np.zeros(n * n), np.zeros(n), 0.0
    for i in range(weights.size):
        whole += weights[i]
        begin = np.uint64(indptr[i])
        for a in range(begin, np.uint64(indptr[i + 1])):
            value, row = weights[i] if data is None else data[a] * weights[i], np.uint64(indices[a])
            q[row] += value
            row *= n
            for b in range(begin, a + np.uint64(1)):
                H[row + np.uint64(indices[b])] += value if data is None else value * data[b]
    H, q = H.reshape((shift.size, shift.size)), q * unit
    for i in range(shift.size):
        for j in range(i + 1):
            moved = q[i] * shift[j] + shift[i] * q[j] + whole * shift[i] * shift[j]
            H[i, j] = H[i, j] * unit[i] * unit[j] + moved
            H[j, i] = H[i, j]
    return H


@jit
def errors(g, x, A, t, inverse, start, norm, on_sphere):
    """See the portable kernel."""
    (m, d), kappa, worst, off = A.shape, 0.0, 0.0, 0.0
    r, lam = g.copy(), np.zeros(m)
    along = square = length = 0.0
    for j in range(d):
        away = x[j] - start[j]
        along += g[j] * away
        square += away * away
        length += x[j] * x[j]
    if on_sphere and square != 0.0:
        kappa = -0.5 * along / square
    if norm != 0.0:
        off = abs(length - norm * norm)
        for j in range(d):
            r[j] += 2.0 * kappa * x[j]
    for i in range(m):
        held = -t[i]
        for j in range(d):
            lam[i] -= inverse[i, j] * r[j]
            held += A[i, j] * x[j]
        off = max(off, abs(held))
    size = abs(kappa)
    for i in range(m):
        size += abs(lam[i])
        for j in range(d):
            r[j] += lam[i] * A[i, j]
    for j in range(r.size):
        worst = abs(r[j]) if abs(r[j]) > worst or r[j] != r[j] else worst  # NaN stays
    return lam, kappa, worst, off, size
