"""Projection of one vector on a simplex with weights: Newton's method for the threshold, from its left."""

import numpy as np

from numopt._kernels.cpu._jit import jit

_SUM = {"contract", "reassoc", "nsz"}


@jit(fastmath=_SUM)
def _excess(v, t):
    """Return the sum of [v - t]_+ and how many entries lie above t."""
    total, count = 0.0, 0
    for i in range(v.size):  # in this form LLVM vectorises it: 0.2 ns an entry instead of 5
        d = v[i] - t
        total += max(d, 0.0)
        count += d > 0.0
    return total, count


@jit(fastmath=_SUM)
def _sum(v):
    total = 0.0
    for i in range(v.size):
        total += v[i]
    return total


@jit
def plain(v, total):
    """Return the point of {x >= 0, sum x = total} nearest to v."""
    t, last = (_sum(v) - total) / v.size, v.size + 1
    while True:
        excess, count = _excess(v, t)
        if not 0 < count < last:
            return np.maximum(v - t, 0.0)
        t, last = t + (excess - total) / count, count


@jit(fastmath=_SUM)
def _weighted_excess(v, w, t):
    """Return the sum of w [v - t w]_+ and that of w^2 where v lies above t w."""
    total, square = 0.0, 0.0
    for i in range(v.size):
        d = v[i] - t * w[i]
        total += w[i] * max(d, 0.0)
        square += w[i] * w[i] * (d > 0.0)
    return total, square


@jit(fastmath=_SUM)
def _weighted_sums(v, w):
    total, square = 0.0, 0.0
    for i in range(v.size):
        total += w[i] * v[i]
        square += w[i] * w[i]
    return total, square


@jit
def weighted(v, total, w):
    """Return the point of {x >= 0, w.x = total} nearest to v, for w > 0; no w stands for ones."""
    if w.size == 0:
        return plain(v, total)
    share, square = _weighted_sums(v, w)
    t, last = (share - total) / square, np.inf
    while True:
        excess, square = _weighted_excess(v, w, t)
        if not 0 < square < last:
            return np.maximum(v - t * w, 0.0)
        t, last = t + (excess - total) / square, square
