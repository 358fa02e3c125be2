"""Factors as the kernels want them: rows of whole vectors, from the start of a line of the cache on.

A row that lies across one line more than it must costs one fetch more, and a vector across two lines two loads: where
NumPy put a factor by chance made a sixth of a half step, and up to a third of a pass in single precision.
"""

import numpy as np

from numopt._kernels.cpu import _completion_tall as tall
from numopt._kernels.cpu._completion_shares import share, tapered

_LINE = 64  # bytes


def whole(X, more=0):
    """Return the length of a row of X, with so many numbers more, in whole vectors, at least one."""
    lanes = 4 if X.dtype == np.float64 else 8
    return max(-(-(X.shape[1] + more) // lanes), 1) * lanes


def padded(X, K):
    """Return X with rows of K numbers."""
    there = X.shape[1] == K and X.flags.c_contiguous and X.ctypes.data % _LINE == 0
    return X if there else beside(X, X[:0], K)


def beside(X, Y, K, sign=1):
    """Return the rows of X and sign times those of Y side by side, each padded to K; those of X alone if Y is empty."""
    X, Y = np.ascontiguousarray(X), np.ascontiguousarray(Y)
    out = lined(X.shape[0], 2 * K if Y.size else K, X.dtype)
    share(tall.pad_rows, tall.pad_chunks, tapered(X.shape[0], 8192 // K + 1), X, Y, sign, K, out)
    return out


def lined(m, K, dtype):
    """Return a matrix without data that starts at a line of the cache."""
    size = m * K * dtype.itemsize
    raw = np.empty(size + _LINE, np.uint8)
    start = -raw.ctypes.data % _LINE
    return raw[start : start + size].view(dtype).reshape(m, K)


def small(X, C):
    """Return a small matrix with an even number of rows and whole vectors, in the precision of X."""
    C = np.asarray(C, X.dtype)
    out = np.zeros((-(-C.shape[0] // 2) * 2, whole(C)), X.dtype)
    out[: C.shape[0], : C.shape[1]] = C
    return out
