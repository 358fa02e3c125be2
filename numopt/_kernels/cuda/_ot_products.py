"""Passes over squared distances of points in many dimensions on a CUDA device, with exponentials in float32."""

from functools import lru_cache

import cupy
import numpy as np

from numopt._kernels.cuda._launch import empty, launch, module, real, wide
from numopt._kernels.portable._runs import once

_TALL, _TILE, _STRIP, _STAGES = 128, 64, 512, 2  # as in ot_products.cu
_SLAB = 2**29  # powers that are held at a time, 2 GB; each slab more costs launches and the tails of kernels
_LARGEST = 128  # number of coordinates, of which a thread holds a quarter of two rows
_FAST = "80", "90", "100"  # devices whose tensor cores multiply float64 about as fast as others do float32


def serve(d):
    """Say whether the current device is one for points of d coordinates."""
    return d <= _LARGEST and _fits(_coordinates(d), cupy.cuda.runtime.getDevice())


def swept(cost, a, f, g, reg, P=None):
    """Return (f', c), where f is a guess of f', and write the plan to P if that is not None.

    Powers of all pairs go through memory: they are written while products keep the multiprocessors busy, and read when
    the sums of their rows are known. Tiles of rows of which one had a bad guess are done twice.
    """
    a, f, g = (cupy.ascontiguousarray(t, dtype=a.dtype) for t in (a, f, g))
    x, y, X, Y = _prepared(cost[1], cost[2])
    n, m, (tall, D), width = x.shape[0], y.shape[0], X.shape, Y.shape[0]
    strips, slabs = -(-m // _STRIP), -(-tall * width // _SLAB)
    height = min(tall, -(-n // (_STRIP * slabs)) * _STRIP)
    compiled = module("ot_products", real(a), f"D={D}", f"RESIDENT={_resident(D)}", "SINGLE=1")
    shift, u, v = (empty((size,), np.float64) for size in (n, tall, width))
    launch(compiled, "levels", -(-(tall + width) // 256), 256, n, m, tall, width, a, f, g, x, y, reg, shift, u, v)
    powers, sums = empty((height, width), np.float32), empty((strips, height), np.float64)
    tops, parts = empty((strips, height), np.float32), empty((-(-n // _STRIP), m), np.float64)
    scale, none, bad = 2.0 * np.log2(np.e) / reg, empty((0,), np.int32), empty((height // _TALL,), np.int32)
    weights, f, c = empty((height,), np.float32), empty((n,), a.dtype), empty((m,), a.dtype)
    for low in range(0, tall, height):
        count, rows = min(height, n - low), min(height, tall - low) // _TALL
        for again, only in enumerate((none, bad)):
            arguments = X[low:], Y, u[low:], v, scale, height, width, only, powers, sums, tops
            launch(compiled, "powers_of_products", (strips, rows), 2 * _TALL, *arguments, shared=_bytes(D))
            arguments = a[low:], reg, sums, tops, shift[low:], u[low:], bad, weights, f[low:]
            launch(compiled, "rows_of_powers", rows, _TALL, count, height, strips, again, *arguments)
        arguments = powers, weights, count, m, width, parts[low // _STRIP :], none if P is None else P[low:]
        launch(compiled, "columns_of_powers", (-(-m // 1024), -(-count // _STRIP)), 256, *arguments)
    launch(compiled, "columns", -(-m // 256), 256, parts, parts.shape[0], m, c)
    return f, c


@lru_cache
def _fits(D, number):
    device = cupy.cuda.Device(number)
    return device.compute_capability in _FAST and _bytes(D) <= device.attributes["MaxSharedMemoryPerBlockOptin"]


def _coordinates(d):
    return -(-d // 16) * 16


def _resident(D):
    """Return how many blocks share a multiprocessor."""
    return 1 if D > 64 else 2


def _bytes(D):
    """Return the shared memory of a block: the levels of its columns, and tiles of points."""
    return 8 * (_STRIP + _STAGES * _TILE * (D + 2))


@once
def _prepared(X, YT):
    """Return the squares of the centred points, and both sides in whole tiles, filled up with zeros."""
    X, YT = wide(X), wide(YT)
    middle = YT.mean(axis=1)
    X, Y = X - middle, (YT - middle[:, None]).T
    (n, d), m = X.shape, Y.shape[0]
    left = cupy.zeros((-(-n // _TALL) * _TALL, _coordinates(d)), dtype=np.float64)
    right = cupy.zeros((-(-m // _TILE) * _TILE, _coordinates(d) + 2), dtype=np.float64)
    left[:n, :d], right[:m, :d] = X, Y
    return (X * X).sum(axis=1), (Y * Y).sum(axis=1), left, right
