"""Kernels of logistic regressions on a sphere in calls of the array standard; float64."""

import math

import numpy as np

from numopt import _array


def samples(X, y, intercept):
    """Return the data of a logistic regression in the form that the two kernels below take; y is -1 or 1.

    X is an array (N, d), or (data, indices, indptr, d) of a sparse one on the host; float64. `intercept` adds a column
    of ones behind the others.
    """
    xp = _array.namespace(y)
    if isinstance(X, tuple):
        data, indices, indptr, d = X
        rows = np.repeat(np.arange(indptr.size - 1), np.diff(indptr))
        host = np.zeros((indptr.size - 1, d))
        host[rows, indices] = data
        X = xp.asarray(host, device=_array.device(y))
    return (xp.concat([X, xp.ones_like(X[:, :1])], axis=1) if intercept else X), y


def logistic(samples, w):
    """Return (sum of log(1 + exp(-y X w)), its gradient by w, the weights D of its Hessian X^T D X).

    The weights may come in another order than the samples were given in.
    """
    (X, y), xp = samples, _array.namespace(w)
    margin = y * (X @ w)
    e = xp.exp(-xp.abs(margin))
    pulls = y * xp.where(margin > 0, e, xp.ones_like(e)) / (1.0 + e)
    total = xp.sum(xp.log1p(e) - xp.minimum(margin, xp.zeros_like(margin)))
    return _array.host(total), -(pulls @ X), e / (1.0 + e) ** 2


def weighted_gram(samples, weights):
    """Return X^T diag(weights) X for weights >= 0."""
    scaled = samples[0] * (weights**0.5)[:, None]
    return scaled.T @ scaled


def on_sphere(H, c, radius):
    """Return (v, shift): v minimises v.Hv / 2 - c.v on |v| = radius > 0, and (H + shift I) v = c.

    H + shift I is positive semidefinite. In the hard case, where c has no part along the lowest eigenvectors and the
    rest is too short, one of these makes up for it.
    """
    xp = _array.namespace(H)
    values, vectors = xp.linalg.eigh(H)
    spectrum, part = _array.host(values, vectors.T @ c)
    gaps = spectrum - spectrum[0]
    rounding = 1e-15 * max(abs(spectrum[0]), abs(spectrum[-1]), float(np.linalg.norm(part)) / radius, 1e-300)
    low, high = 0.0, float(np.linalg.norm(part)) / radius  # of shift + the lowest eigenvalue
    while high - low > 1e-16 * high and high > rounding:
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        low, high = (middle, high) if np.linalg.norm(part / (gaps + middle)) > radius else (low, middle)
    v = part / np.where(gaps + high > rounding, gaps + high, np.inf)
    missing = radius**2 - v @ v
    if missing > 0:
        v[0] = np.copysign(math.sqrt(v[0] ** 2 + missing), part[0])
    v *= radius / np.linalg.norm(v)
    return vectors @ xp.asarray(v, dtype=H.dtype, device=_array.device(H)), float(high - spectrum[0])


def regression_errors(g, x, A, t, inverse, start, norm, on_sphere):
    """Return the multipliers lam and kappa, and three numbers.

    These are the largest |g + (A^T lam + 2 kappa w, 0)|, the largest violation of A w = t and |w| = norm, and the sum
    of all |lam| and |kappa|.

    w are the first of x, as many as A has columns, and `start` those of the centre of the sphere. `inverse` A^T is the
    projector onto the rows of A. kappa is 0 unless `on_sphere`; there is no norm where it is 0.
    """
    xp, (m, d) = _array.namespace(g), A.shape
    w, away, kappa, off = x[:d], x[:d] - start[:d], 0.0, 0.0
    if on_sphere:
        along, square = _array.host(g[:d] @ away, away @ away)
        kappa = -0.5 * along / square if square else 0.0
    lam = -(inverse @ (g[:d] + 2 * kappa * w))
    r = xp.concat([g[:d] + lam @ A + (2 * kappa * w if norm else 0.0), g[d:]])
    if m:
        off = _array.host(xp.max(xp.abs(A @ w - t)))
    if norm:
        off = max(off, abs(_array.host(w @ w) - norm**2))
    return lam, kappa, _array.host(xp.max(xp.abs(r))), off, abs(kappa) + _array.host(xp.sum(xp.abs(lam)))
