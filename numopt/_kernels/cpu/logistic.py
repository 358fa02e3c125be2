"""Kernels of logistic regressions on a sphere: layouts of the samples, their sums, the model's least value."""

import numpy as np

from numopt._kernels.cpu import _logistic_samples as _samples
from numopt._kernels.cpu import _logistic_sphere as _sphere
from numopt._kernels.cpu import _logistic_sums as _sums
from numopt._kernels.portable import logistic as _portable


def samples(X, y, intercept):
    """Return the data of a logistic regression in the layout that costs least."""
    if isinstance(X, tuple):
        return _samples.sparse_samples(*X, y, intercept)
    return _samples.dense_samples(X, y, intercept)


def logistic(samples, w):
    """Return (sum of log(1 + exp(-y X w)), its gradient by w, the weights D of its Hessian X^T D X)."""
    return _sums.logistic(samples, w)


def weighted_gram(samples, weights):
    """Return X^T diag(weights) X for weights >= 0."""
    return _sums.weighted_gram(samples, weights)


def on_sphere(H, c, radius):
    """Return (v, shift): v minimises v.Hv / 2 - c.v on |v| = radius > 0, and (H + shift I) v = c."""
    v, shift, found = _sphere.on_sphere(H, c, radius)
    return (v, shift) if found else _portable.on_sphere(H, c, radius)


def regression_errors(g, x, A, t, inverse, start, norm, on_sphere):
    """Return the multipliers lam and kappa, stationarity, violation and the sum of the multipliers' sizes."""
    return _sums.errors(g, x, A, t, inverse, start, norm, on_sphere)


def warmup(dtype):
    """Compile; all is in double precision."""
    places = np.zeros(2, np.int32), np.arange(3, dtype=np.int32), 30
    for X, N, d in (
        (np.eye(2), 2, 2), ((np.ones(2), *places), 2, 30), ((np.arange(1.0, 3.0), *places), 2, 30),
        (np.zeros((300, 200)), 300, 200), (np.arange(6e4).reshape(300, 200), 300, 200),
    ):  # one for each layout  # fmt: skip
        data = samples(X, np.ones(N), True)
        weighted_gram(data, logistic(data, np.zeros(d + 1))[2])
    on_sphere(np.eye(2), np.ones(2), 1.0)
    regression_errors(np.ones(2), np.ones(2), np.eye(2), np.ones(2), np.eye(2), np.zeros(2), 1.0, True)
