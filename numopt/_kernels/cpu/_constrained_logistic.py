"""Sums over samples of a logistic regression, in blocks of rows that stay in the cache between two passes."""

import math

import numpy as np
from scipy.linalg import blas

from numopt._kernels.cpu._jit import jit
from numopt._kernels.cpu._math import exp64

_BLOCK = 1 << 15  # entries of X at a time, a quarter of a megabyte


@jit
def terms(t, y, s):
    """Put y / (1 + exp(y t)) into `s`; return the sum of log(1 + exp(-y t))."""
    total = 0.0
    for i in range(t.size):
        margin = y[i] * t[i]
        e = exp64(-abs(margin))
        s[i] = y[i] * (e if margin > 0 else 1.0) / (1.0 + e)
        total += math.log1p(e) - min(margin, 0.0)
    return total


def blocks(X):
    """Yield slices of the rows."""
    rows = max(16, _BLOCK // max(1, X.shape[1]))
    for i in range(0, X.shape[0], rows):
        yield slice(i, i + rows)


def logistic(X, y, w):
    """See the portable kernel."""
    total, g, s = 0.0, np.zeros_like(w), np.empty_like(y)
    for these in blocks(X):
        B = X[these]
        total += terms(B @ w, y[these], s[these])
        g -= s[these] @ B
    return total, g, s


def weighted_gram(X, weights):
    """See the portable kernel: half of the matrix by BLAS, in place, and then the other half."""
    roots = np.sqrt(weights)[:, None]
    H = np.zeros((X.shape[1], X.shape[1]), order="F")
    scaled = None  # one buffer: memory that comes fresh from the system costs more than the product
    for these in blocks(X):
        B, size = X[these], X[these].shape[0]
        scaled = np.empty_like(B) if scaled is None else scaled
        B = np.multiply(B, roots[these], out=scaled[:size])
        H = blas.dsyrk(1.0, B.T, beta=1.0, c=H, overwrite_c=True)
    H += np.triu(H, 1).T
    return np.ascontiguousarray(H)
