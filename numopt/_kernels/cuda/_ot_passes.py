"""Passes over the cost of transport on a CUDA device: which kernel serves which cost, and how it is laid out."""

from functools import lru_cache

import cupy
import numpy as np

from numopt._array import namespace
from numopt._kernels.cuda import _ot_products
from numopt._kernels.cuda._launch import empty, launch, module, real, rows_first, wide
from numopt._kernels.portable._ot_blocks import shape
from numopt._kernels.portable._runs import once

# Rows of a matrix: as many columns a thread as registers hold exponentials and sums of, so that enough of them remain
# to work on eight exponentials at once. Blocks that share a row are a cluster, and clusters fill the multiprocessors
# of today; the order of sums must not follow the device.
_THREADS, _COLUMNS = 256, (2, 4, 8, 16, 24, 32, 40)
_CLUSTERS = {1: 132, 2: 66, 4: 30, 8: 14}  # blocks of a cluster, and clusters: of large ones fewer run at a time
_RESIDENT = {2: 4, 4: 3, 8: 2, 16: 2}  # blocks of a multiprocessor by columns of a thread, else 1
_DIRECT = 8  # coordinates of points up to which a pass computes their distances itself
_LENGTH, _PARTS = 1024, 32  # of the sum over a row: points of a part, and the most parts
_SLAB = 2**26  # products of points that are held at a time


def swept(cost, a, f, g, reg, single, P=None):
    """Return (f', c), where f is a guess of f', and write the plan to P if that is not None."""
    if single and cost[3] == 1 and cost[1].shape[1] > _DIRECT and _ot_products.serve(cost[1].shape[1]):
        return _ot_products.swept(cost, a, f, g, reg, P)
    xp, dtype = namespace(a), a.dtype
    a, f, g = map(wide, (a, f, g))
    if _in_rows(cost):
        levels, slabs, number = _as_matrix(cost, single)
        rows = _Rows(shape(cost), number, reg, single)
        rows.add(slabs, a, *_below(f, g, levels), P)
        f, c = rows.settled(a)
        f = f + levels[0] if levels else f
    else:
        pairs = _Pairs(cost, reg, single)
        f = pairs.half_step(a, f, g)
        c = xp.sum(pairs.sums(1, g, xp.where(f == np.inf, -np.inf, f), P)[0], axis=0)
    return xp.astype(f, dtype, copy=False), xp.astype(c, dtype, copy=False)


def sums(cost, f, g, reg):
    """Return the row sums, the column sums and <C, P> of the plan P = exp((f + g - C) / reg), in float64."""
    xp, f, g = namespace(f), wide(f), wide(g)
    if _in_rows(cost):
        levels, slabs, number = _as_matrix(cost, False)
        rows = _Rows(shape(cost), number, reg, False, sums=True)
        rows.add(slabs, f, *_below(f, g, levels))
        r, (_, c), paid = rows.sums, rows.settled(f), xp.sum(rows.paid)
        return r, c, paid + sum(xp.sum(u * level) for u, level in zip((r, c), levels, strict=False))
    pairs = _Pairs(cost, reg, False, sums=True)
    (r, paid), (c, _) = pairs.sums(0, f, g), pairs.sums(1, g, f)
    return xp.sum(r, axis=0), xp.sum(c, axis=0), xp.sum(paid)


def _in_rows(cost):
    """Say whether a pass takes whole rows of a matrix: of the cost itself, or of products of points."""
    _, X, _, kind = cost
    return (kind == 0 or (kind == 1 and X.shape[1] > _DIRECT)) and _fits(shape(cost)[1])


def _as_matrix(cost, single):
    """Return (x, y), slabs of rows of a matrix S, and its dtype, where C_ij = x_i + y_j + S_ij; () if these are zero.

    Squared distances are |x|^2 + |y|^2 - 2 <x, y>, of centred points, with products of cuBLAS, in float32 if the points
    and the exponentials are. Their error is then that of points which are rounded: about 1e-7 |x| |y|, also for points
    that are close to each other.
    """
    C, X, YT, kind = cost
    if kind == 0:
        return (), [_strided(C)], C.dtype
    number = np.dtype(np.float32 if single and X.dtype == np.float32 else np.float64)
    x, y, left, right = _centred(X, YT)[number.itemsize == 4]
    return (x, y), _products(left, right), number


def _below(f, g, levels):
    """Return the potentials of S, given those of C."""
    return (f - levels[0], g - levels[1]) if levels else (f, g)


def _products(left, right):
    """Yield slabs of rows of a product, all in the same memory."""
    n, m = left.shape[0], right.shape[1]
    height = max(1, min(n, _SLAB // m))
    height -= height % 132 if height > 1320 else 0  # the same number of rows for every cluster
    slab = empty((height, m), left.dtype)
    for low in range(0, n, height):
        yield cupy.matmul(left[low : low + height], right, out=slab[: min(height, n - low)])


@once
def _centred(X, YT):
    """Return for float64 and for float32 the squares of the points, of the centred ones, -2 X and Y^T."""
    X, YT = wide(X), wide(YT)
    middle = YT.mean(axis=1)
    X, YT = X - middle, YT - middle[:, None]
    squares = (X * X).sum(axis=1), (YT * YT).sum(axis=0)
    return [(*squares, (-2.0 * X).astype(dtype), YT.astype(dtype)) for dtype in (np.float64, np.float32)]


class _Rows:
    """A pass over a matrix, in one call or a slab of rows at a time."""

    def __init__(self, shape, dtype, reg, single, sums=False):
        self.shape, self.reg = shape, reg
        n, m = shape
        cluster, threads, columns = _layout(m)
        resident = _RESIDENT.get(columns, 1)
        self.groups = min(n, _CLUSTERS[cluster] * resident)
        self.blocks, self.threads = cluster * self.groups, threads
        self.bytes = _bytes(cluster, threads, columns, dtype.itemsize)
        self.module = module(
            "ot_rows", "REAL=float" if dtype == np.float32 else "REAL=double", f"SINGLE={int(single)}",
            f"SUMS={int(sums)}", f"CLUSTER={cluster}", f"THREADS={threads}", f"PER={columns}", f"RESIDENT={resident}",
        )  # fmt: skip
        self.shift, self.sums = empty((n,), np.float64), empty((n,), np.float64)
        self.parts, self.paid = empty((self.groups, m), np.float64), empty((self.groups,), np.float64)

    def add(self, slabs, a, f, g, P=None):
        """Pass over slabs of rows, one after the other."""
        low = 0
        for C in slabs:
            n, m = C.shape
            stride = C.strides[0] // C.itemsize if n > 1 else m
            plan = empty((0,), np.float32) if P is None else P[low:]
            results = self.shift[low:], self.sums[low:], self.parts, self.paid, plan
            arguments = C, n, m, stride, a[low:], f[low:], g, self.reg, *results, int(low > 0)
            launch(self.module, "row_pass", self.blocks, self.threads, *arguments, shared=self.bytes)
            low += n

    def settled(self, a):
        """Return the half step of the rows and the column sums."""
        n, m = self.shape
        f, c = empty((n,), np.float64), empty((m,), np.float64)
        results = self.shift, self.sums, self.parts, f, c
        launch(self.module, "settle", -(-(n + m) // 256), 256, n, m, self.groups, a, self.reg, *results)
        return f, c


class _Pairs:
    """Sweeps over all pairs of points, or of a row and a column of a matrix."""

    def __init__(self, cost, reg, single, sums=False):
        C, X, YT, kind = cost
        n, m = shape(cost)
        self.reg, self.shape, self.matrix, self.summed = reg, (n, m), kind == 0, sums
        d = X.shape[1] if kind else 0
        self.module = module(
            "ot_points", real(X if kind else C), f"SINGLE={int(single)}", f"SUMS={int(sums)}", f"KIND={kind}",
            f"DIM={d if d <= _DIRECT else 0}",
        )  # fmt: skip
        if kind == 0:
            C = _strided(C)
            stride = C.strides[0] // C.itemsize if n > 1 else m
            self.sides = (C, C, n, m, stride, 1, 0, 0, 0), (C, C, m, n, 1, stride, 0, 0, 0)
        else:
            X, YT = rows_first(X), rows_first(YT)
            self.sides = (X, YT, n, m, d, 1, 1, m, d), (YT, X, m, n, 1, m, d, 1, d)

    def sums(self, side, u, v, P=None, exact=True):
        """Return parts of sum_j exp((u_i + v_j - C_ij) / reg), and of <C, P>, for rows i (side 0) or columns (1)."""
        n, m = self.shape[::-1] if side else self.shape
        length = max(_LENGTH, -(-m // _PARTS))
        chunks = -(-m // length)
        sums, paid = empty((chunks, n), np.float64), empty((chunks * self.summed, n), np.float64)
        P = empty((0,), np.float32) if P is None else P
        arguments = *self.sides[side], u, v, self.reg, length, int(exact), sums, paid, P
        launch(self.module, "pair_sums", (-(-n // (2 * 128)), chunks), 128, *arguments)
        return sums, paid

    def half_step(self, a, f, g):
        """Return f'."""
        n, _ = self.shape
        shift, new = empty((n,), np.float64), empty((n,), np.float64)
        launch(self.module, "shifts", -(-n // 256), 256, n, a, f, self.reg, shift)
        parts = empty((0, n), np.float64)  # a thread a row would read a matrix across
        if not self.matrix:
            parts, _ = self.sums(0, shift, g, exact=False)
        arguments = *self.sides[0], a, shift, g, self.reg, parts.shape[0], parts, new
        launch(self.module, "half_step", -(-n // 8), 256, *arguments)
        return new


def _fits(m):
    """Say whether the device has the clusters and the shared memory for rows of m columns."""
    if m > max(_CLUSTERS) * _THREADS * _COLUMNS[-1]:
        return False
    room, clusters = _device(cupy.cuda.Device().id)
    layout = _layout(m)
    return _bytes(*layout, 8) <= room and (clusters or layout[0] == 1)


@lru_cache
def _device(number):
    """Return the shared memory that a block of a device can have, and whether there are clusters."""
    device = cupy.cuda.Device(number)
    return device.attributes["MaxSharedMemoryPerBlockOptin"], int(device.compute_capability) >= 90


def _bytes(cluster, threads, columns, size):
    """Return the shared memory of a block: what the cluster finds, and the potentials and entries of its columns."""
    return 8 * (64 * cluster + 2) + (8 + size) * columns * threads


def _layout(m):
    """Return for rows of m columns the blocks of a cluster, their threads, and the columns of a thread.

    There are few kinds of them, since each is compiled.
    """
    cluster = next(k for k in _CLUSTERS if m <= k * _THREADS * _COLUMNS[-1])
    width = (m + 32 * cluster - 1) // (32 * cluster) * 32
    threads = _THREADS if width > 128 else 64
    return cluster, threads, next(c for c in _COLUMNS if width <= c * threads)


def _strided(C):
    """Return C, or a copy of it whose rows are contiguous; they may lie apart."""
    return C if C.shape[1] <= 1 or C.strides[1] == C.itemsize else rows_first(C)
