"""Rows of entries in batches, padded to the longest of each."""

import numpy as np

from numopt._array import device, is_cupy, namespace

_BATCH, _ON_DEVICE = 2**21, 2**28  # numbers in a gathered batch: what a cache likes, what fills a device


def blocks(ptr, width, batch):
    """Yield (lo, hi): rows whose entries, each `width` numbers, fit a batch when padded."""
    count, lo, most = np.diff(ptr), 0, max(1, batch // max(width, 1))
    while lo < count.size:
        longest = np.maximum.accumulate(np.maximum(count[lo : lo + most], 1))
        padded = longest * np.arange(1, longest.size + 1) * width
        hi = lo + max(1, int(np.searchsorted(padded, batch, side="right")))
        yield lo, hi
        lo = hi


def batch_of(like):
    """Return how many numbers a batch may have where `like` lives."""
    return _ON_DEVICE if is_cupy(namespace(like)) else _BATCH


def batches(ptr, width, like):
    """Yield (lo, hi, flat positions of the padded entries, which of them are there), made where `like` lives."""
    xp, where, size = namespace(like), device(like), int(ptr[-1])
    starts, count = xp.asarray(ptr, device=where), np.diff(ptr)
    for lo, hi in blocks(ptr, width, batch_of(like)):
        lanes = xp.arange(max(1, int(count[lo:hi].max())), dtype=starts.dtype, device=where)
        at = starts[lo:hi, None] + lanes
        there = at < starts[lo + 1 : hi + 1, None]
        at = xp.where(there, at, 0) if size else xp.zeros_like(at)
        yield lo, hi, xp.reshape(at, (-1,)), there


def gathered(side, V, offset, at, there):
    """Return float64 rows of V, targets and weights of a batch, zero where nothing is."""
    y, idx, _, w = side
    xp = namespace(V)
    mask = xp.astype(there, xp.float64)
    j = xp.take(idx, at)
    A = xp.reshape(xp.astype(xp.take(V, j, axis=0), xp.float64), (*there.shape, V.shape[1])) * mask[:, :, None]
    b = xp.astype(xp.take(y, at), xp.float64)
    if offset.shape[0]:
        b = b - xp.take(offset, j)
    weights = xp.reshape(xp.astype(xp.take(w, at), xp.float64), there.shape) * mask if w.shape[0] else mask
    return A, xp.reshape(b, there.shape) * mask, weights
