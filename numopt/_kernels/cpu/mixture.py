"""EM for many starts at once: each start runs through its steps alone, in cache; sums run along the points.

About n k p^2 multiplications and n k exponentials a step.
"""

import math

import numba
import numpy as np

from numopt._kernels.cpu._jit import jit
from numopt._kernels.cpu._math import exp64
from numopt._kernels.cpu._sums import SUM as _SUM
from numopt._kernels.cpu._sums import dot as _dot

_LOG_2PI = math.log(2 * math.pi)


def em(X, R, steps, floor, kind, weighted):
    """Make `steps` EM steps from responsibilities R (b, n, k); see the portable room."""
    R = np.array(R.transpose(0, 2, 1), order="C")  # a copy, which is overwritten
    values, how = np.empty(R.shape[0]), (steps, floor, kind in ("oas", "tied"), kind == "tied", weighted)
    if R.shape[0] == 1:
        values[0] = _steps(np.ascontiguousarray(X.T), R[0], *how)
    else:
        _starts(np.ascontiguousarray(X.T), R, *how, values)
    return R.transpose(0, 2, 1), values


@jit(parallel=True)
def _starts(X, R, steps, floor, oas, tied, weighted, values):
    for b in numba.prange(R.shape[0]):
        values[b] = _steps(X, R[b], steps, floor, oas, tied, weighted)


@jit
def _steps(X, R, steps, floor, oas, tied, weighted):
    (p, n), k = X.shape, R.shape[0]
    S, off, z, value = np.empty((p, p)), np.empty((p, n)), np.empty(n), -np.inf
    pooled, half = np.empty((p, p)), 0.0
    for _ in range(steps):
        if tied:
            pooled[:] = 0
            for j in range(k):
                size = max(_sum(R[j]), 1e-12)
                _moments(X, R[j], size, off, z, S)
                pooled += size / n * S
            _shrink(pooled, n, floor, oas)
            half = _cholesky(pooled)
        for j in range(k):
            size = max(_sum(R[j]), 1e-12)
            _moments(X, R[j], size, off, z, S)
            if tied:
                _squares(pooled, off, z)
            else:
                _shrink(S, size, floor, oas)
                half = _cholesky(S)
                _squares(S, off, z)
            share = math.log(size / n) if weighted else 0.0
            _combine(R[j], z, share - half - 0.5 * p * _LOG_2PI)
        value = _normalise(R)
    least = np.inf
    for j in range(k):
        least = min(least, _sum(R[j]))
    return -np.inf if least < 2.0 else value


@jit(fastmath=_SUM)
def _sum(x):
    total = 0.0
    for i in range(x.size):
        total += x[i]
    return total


@jit(fastmath=_SUM)
def _moments(X, r, size, off, z, S):
    """Write the points less their weighted mean, and their covariance."""
    for q in range(X.shape[0]):
        mean = _dot(X[q], r) / size
        for i in range(z.size):
            off[q, i] = X[q, i] - mean
            z[i] = off[q, i] * r[i]
        for t in range(q + 1):
            S[q, t] = S[t, q] = _dot(z, off[t]) / size


@jit
def _shrink(S, size, floor, oas):
    p = S.shape[0]
    if oas:
        mu, a = np.trace(S) / p, np.sum(S * S) / p**2
        below = (size + 1.0) * (a - mu * mu / p)
        rho = min(max((a + mu * mu) / below, 0.0), 1.0) if below > 0 else 1.0
        S *= 1.0 - rho
        for q in range(p):
            S[q, q] += rho * mu
    for q in range(p):
        S[q, q] += floor


@jit(fastmath=_SUM)
def _cholesky(S):
    """Overwrite the lower triangle by the factor; return half the log of the determinant (NaN if there is none)."""
    half = 0.0
    for q in range(S.shape[0]):
        for t in range(q + 1):
            total = S[q, t]
            for u in range(t):
                total -= S[q, u] * S[t, u]
            S[q, t] = math.sqrt(total) if t == q and total > 0 else np.nan if t == q else total / S[t, t]
        half += math.log(S[q, q])
    return half


@jit(fastmath=_SUM)
def _squares(L, off, z):
    """Overwrite off by L^{-1} off; write the sums of squares of its columns."""
    z[:] = 0
    for q in range(L.shape[0]):
        for t in range(q):
            for i in range(z.size):
                off[q, i] -= L[q, t] * off[t, i]
        inverse = 1.0 / L[q, q]
        for i in range(z.size):
            off[q, i] *= inverse
            z[i] += off[q, i] * off[q, i]


@jit(fastmath={"contract"})
def _combine(r, z, shift):
    for i in range(z.size):
        r[i] = shift - 0.5 * z[i]


@jit(fastmath={"contract"})
def _normalise(R):
    """Turn log densities into responsibilities; return the log-likelihood."""
    k, n = R.shape
    top, total, value = R[0].copy(), np.zeros(n), 0.0
    for j in range(1, k):
        for i in range(n):
            top[i] = max(top[i], R[j, i])
    for j in range(k):
        for i in range(n):
            R[j, i] = exp64(R[j, i] - top[i])
            total[i] += R[j, i]
    for i in range(n):
        value += math.log(total[i]) + top[i]
        total[i] = 1.0 / total[i]
    for j in range(k):
        for i in range(n):
            R[j, i] *= total[i]
    return value


def warmup(dtype):
    """Compile; points are float64 always."""
    R = np.random.default_rng(0).random((2, 5, 2))
    for starts in (R, R[:1]):
        em(np.arange(10.0).reshape(5, 2), starts, 1, 1e-3, "oas", True)  # one signature for all kinds
