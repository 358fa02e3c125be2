"""EM on a CUDA device: an E step and an M step read the points once each, for all starts; nothing waits for the host.

Points of more than 32 coordinates, and mixtures of more than 32 groups, go through the portable room, whose matrix
products are large enough then.
"""

import math
from functools import lru_cache

import numpy as np

from numopt._array import namespace
from numopt._kernels.cuda._fold import folded
from numopt._kernels.cuda._launch import empty, kept, launch, module, rows_first
from numopt._kernels.portable import mixture as portable

_MOST = 32  # coordinates, and groups
_THREADS = 128


def em(X, R, steps, floor, kind, weighted):
    """Make `steps` EM steps from responsibilities R (b, n, k); see the portable room."""
    if not _small(X, R.shape[2]):
        return portable.em(X, R, steps, floor, kind, weighted)
    X, R, xp = rows_first(X), rows_first(R), namespace(X)
    means = _m_step(X, R, None, floor, kind, weighted)[1]  # about which the first squares are summed up
    for _ in range(steps):
        _, means, _, forms = _m_step(X, R, means, floor, kind, weighted)
        R, values = _e_step(X, forms, False)
    value, sizes = xp.sum(values, axis=1), xp.matrix_transpose(R) @ xp.ones_like(X[:, :1])
    alive = xp.min(sizes, axis=(1, 2)) >= 2.0
    return R, xp.where(alive | (value != value), value, -float("inf"))


def m_step(X, R, floor, kind):
    """Weights (b, k), means (b, k, p) and safe covariances (b, k, p, p) of responsibilities R (b, n, k)."""
    if not _small(X, R.shape[2]):
        return portable.m_step(X, R, floor, kind)
    X, R = rows_first(X), rows_first(R)
    means = _m_step(X, R, None, floor, kind, False)[1]
    return _m_step(X, R, means, floor, kind, False)[:3]


def log_densities(X, means, covariances):
    """-|x - m|^2_{S^-1} / 2 - log|S| / 2 - p log(2 pi) / 2 for points X (n, p): (b, n, k)."""
    b, k, p = means.shape
    if not _small(X, k):
        return portable.log_densities(X, means, covariances)
    xp = namespace(X)
    L = xp.linalg.cholesky(covariances)
    flat, (lower, diagonal) = xp.reshape(xp.linalg.inv(L), (b, k, p * p)), map(kept, _places(p))
    factor = xp.sum(xp.log(xp.take(flat, diagonal, axis=2)), axis=2) - 0.5 * p * math.log(2 * math.pi)
    parts = [xp.take(flat, lower, axis=2), means, factor[..., None]]
    if _form(p) > lower.shape[0] + p + 1:
        parts.append(xp.zeros_like(factor[..., None]))
    return _e_step(rows_first(X), xp.concat(parts, axis=2), True)[0]


def _small(X, k):
    return X.shape[1] <= _MOST and k <= _MOST


def _compiled(p, k):
    return module("mixture", f"P={p}", f"K={next(most for most in (4, 8, 16, 32) if k <= most)}")


def _form(p):
    """Return how many numbers make a log density: even, for reads of two."""
    return 2 * ((p * (p + 1) // 2 + p + 2) // 2)


@lru_cache
def _places(p):
    """Return the places of the lower triangle, and of the diagonal, in a p x p matrix by rows."""
    rows, columns = np.tril_indices(p)
    return (rows * p + columns).astype(np.int64), np.arange(p, dtype=np.int64) * (p + 1)


def _e_step(X, forms, raw):
    """Return responsibilities (b, n, k), or `raw` log terms, and parts of the log-likelihoods (b, parts)."""
    (n, p), (b, k, _) = X.shape, forms.shape
    blocks = -(-n // _THREADS)
    R, values = empty((b, n, k), np.float64), empty((b, blocks), np.float64)
    launch(_compiled(p, k), "responsibilities", (blocks, b), _THREADS, X, forms, n, k, raw, R, values)
    return R, values


def _m_step(X, R, shift, floor, kind, weighted):
    """Return weights, means, covariances and the forms of log densities; squares are summed up about `shift`."""
    (n, p), (b, _, k) = X.shape, R.shape
    compiled, width = _compiled(p, k), k * (1 + p + p * (p + 1) // 2)
    rows = -(-n // min(256, 3072 // (4 * (-(-p // 4)))))
    shift = empty((0,), np.float64) if shift is None else shift
    parts = empty((b, rows, width), np.float64)
    launch(compiled, "moments", (rows, b), _THREADS, X, R, shift, n, k, parts)
    found = [empty(shape, np.float64) for shape in ((b, k), (b, k, p), (b, k, p, p), (b, k, _form(p)))]
    how = float(floor), kind in ("oas", "tied"), kind == "tied", weighted
    launch(compiled, "settle", (k, b), 32, folded(parts), n, k, *how, shift, *found)
    return tuple(found)
