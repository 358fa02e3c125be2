"""Newton's system of transport on a CUDA device: conjugate gradients of three launches a step.

A step is bound by the bytes of the plan: 16 for each entry of a sparse one, kept by rows and by columns, 2 for each of
a dense one, which is read once, or twice if it has many columns.
"""

from functools import lru_cache

import cupy
import numpy as np

from numopt._array import host, namespace
from numopt._kernels.cuda._launch import empty, launch, module, prepared, zeros
from numopt._kernels.portable._runs import once

_LOOK = 12  # steps between two looks from the host
_PARTS, _BOX = 32, 6  # as in the source
_BLOCKS = 132  # that share the rows of a plan
_SPARE = 1024  # bytes of shared memory that are declared
_MARKS = 2**24  # words of 32 entries that are turned at once
_HEIGHT = 256  # rows of a slab, for sums over columns
_WIDEST = 10 * 2048  # columns that the registers of a block hold beside two rows


@once
def by_columns(indices, indptr, m):
    """Return the order of the entries by columns, their rows in that order, and where each column starts."""
    compiled, n = module("ot_turned"), indptr.shape[0] - 1
    strips = -(-m // 32)
    height = max(1, min(n, _MARKS // strips))
    bits, place = empty((strips * height,), np.uint32), empty((strips * height,), np.int32)

    def slabs(again=False):
        for low in range(0, n, height):
            rows = min(height, n - low)
            if not again or height < n:
                launch(compiled, "marks", -(-rows // 32), 256, indices, indptr, low, rows, m, bits, place)
            yield low, rows

    counts = zeros((m,), np.int64)
    for _, rows in slabs():
        launch(compiled, "strip_counts", strips, 256, bits, rows, m, counts)
    start = namespace(counts).cumulative_sum(counts, include_initial=True)
    order, row, following = empty(indices.shape, np.int64), empty(indices.shape, np.int32), start[:-1] + 0
    for low, rows in slabs(again=True):
        launch(compiled, "strip_turned", strips, 256, bits, place, indptr, low, rows, m, following, order, row)
    return order, row, start


def sparse_point(K, a, b, w):
    """Return s, c and (sum b log w - sum a log s, sum |c - b|) of the plan diag(1/s) K diag(w)."""
    data, indices, indptr = K
    compiled, n, m = module("ot_newton"), a.shape[0], b.shape[0]
    order, row, start = by_columns(indices, indptr, m)
    rows, columns, out = -(-n // 8), -(-m // 8), empty((2,), np.float64)
    s, c, logs, sums = (empty((size,), np.float64) for size in (n, m, rows, 2 * columns))
    launch(compiled, "eval_rows", rows, 256, *K, a, w, n, s, logs)
    launch(compiled, "eval_columns", columns, 256, data, order, row, start, b, w, s, m, c, sums)
    launch(compiled, "eval_sums", 1, 512, logs, rows, sums, columns, out)
    return s, c, out


def sparse_direction(K, a, b, w, s, drop, rhs, regularization, rtol, max_iter):
    """Return (d, steps) for the entries K in CSR form."""
    data, indices, indptr = K
    compiled, n, m = module("ot_newton"), a.shape[0], b.shape[0]
    order, row, start = by_columns(indices, indptr, m)
    p, turned = empty(data.shape, np.float32), empty(data.shape, np.float32)
    scale, u, diagonal, jacobi = (empty((size,), np.float64) for size in (n, n, m, m))
    launch(compiled, "pattern_rows", -(-n // 8), 256, *K, a, b, w, s, drop, n, p, scale)
    rest = a, scale, b, regularization, m, turned, diagonal, jacobi
    launch(compiled, "pattern_columns", -(-m // 8), 256, p, order, row, start, *rest)
    bytes_held = 8 * max(n, m)
    held = bytes_held <= _most_shared(cupy.cuda.Device().id) - _SPARE
    compiled = module("ot_newton_entries", f"HELD={int(held)}", f"PLACE={'Short' if held else 'int'}")
    if held:
        indices, row = _short(indices), _short(row)
    most, threads, shared = (_BLOCKS, 1024, bytes_held) if held else (8 * _BLOCKS, 256, 0)
    blocks = min(most, -(-32 * max(n, m) // threads))

    def products(v, before, box):
        rest = a, scale, v["z"], v["sums"], v["parts"], before, rtol, n, m, box, u
        yield prepared(compiled, "cg_rows", blocks, threads, p, indices, indptr, *rest, shared=shared)
        rest = diagonal, u, v["z"], box, n, m, v["y"], v["product"], v["curvature"]
        yield prepared(compiled, "cg_columns", blocks, threads, turned, row, start, *rest, shared=shared)

    return _solved(products, jacobi, rhs, blocks, empty((0,), np.float32), max_iter)


@once
def _short(places):
    return namespace(places).astype(places, np.uint16)


@lru_cache
def _most_shared(device):
    """Return the shared memory that a block of a device can have."""
    return cupy.cuda.Device(device).attributes["MaxSharedMemoryPerBlockOptin"]


def density(P, a, b, theta):
    """Return the share of entries P_ij >= theta min(a_i, b_j), from 16 rows at most."""
    n, m = P.shape
    step = -(-n // 16)
    counts = empty((-(-n // step),), np.float64)
    launch(module("ot_newton"), "above", counts.shape[0], 256, P, a, b, theta, m, step, counts)
    return float(host(counts).mean()) / m


def dense_direction(P, b, rhs, regularization, rtol, max_iter):
    """Return (d, steps) for a plan in float32, rounded to 16 bits: the matrix differs by 2^-9 of itself."""
    n, m = P.shape
    width, shared = -(-m // 8) * 8, 8 * (-(-m // 8) * 8)  # four rows of whole bursts
    wider, per = width > _WIDEST or shared > _most_shared(cupy.cuda.Device().id) - _SPARE, 2 * -(-width // 4096)
    compiled = module("ot_newton_plan", f"PER={2 if wider else per}")
    columns, pairs, slabs = -(-m // 64), -(-width // 512), -(-n // _HEIGHT)
    blocks = slabs if wider else min(n, _BLOCKS)  # parts of a sum over the rows
    scale, u, diagonal, jacobi = (empty((size,), np.float64) for size in (n, n, m, m))
    near, own = empty((n, width // 2), np.uint32), empty((blocks, width), np.float32)
    sums = empty((2 * slabs, width), np.float64)
    launch(compiled, "plan_rows", n, 256, P, m, width, near, scale)
    launch(compiled, "plan_columns", (pairs, slabs), 256, near, scale, n, width, _HEIGHT, sums)
    launch(compiled, "plan_diagonal", columns, 64, sums, slabs, width, b, regularization, m, diagonal, jacobi)

    def products(v, before, box):
        rest = near, scale, v["rounded"], v["sums"], v["parts"], before, rtol
        if wider:
            yield prepared(compiled, "cg_plan_rows", n, 256, *rest, width, box, u)
            yield prepared(compiled, "cg_plan_columns", (pairs, blocks), 256, near, u, box, n, width, _HEIGHT, own)
        else:
            threads = 32 * -(-width // (64 * per))
            yield prepared(compiled, "cg_plan", blocks, threads, *rest, n, width, box, u, own, shared=shared)
        rest = diagonal, v["z"], box, m, v["y"], v["product"], v["curvature"]
        yield prepared(compiled, "cg_added", columns, 256, own, blocks, width, *rest)

    return _solved(products, jacobi, rhs, columns, zeros((width,), np.float32), max_iter)


def _solved(products, jacobi, rhs, curvatures, rounded, max_iter):
    """Return (d, steps); `products` yields the launches of a step up to the parts of the curvature."""
    compiled, m = module("ot_newton"), rhs.shape[0]
    blocks, threads = min(_PARTS, -(-m // 512)), 512
    d, r, y, z, product = empty((5, m), np.float64)
    sums, curvature, boxes = (empty(shape, np.float64) for shape in ((2 * _PARTS,), (curvatures,), (2, _BOX)))
    v = {"z": z, "y": y, "product": product, "rounded": rounded, "sums": sums, "parts": blocks, "curvature": curvature}
    launch(compiled, "cg_start", blocks, threads, rhs, jacobi, m, d, r, y, z, rounded, sums)

    def step(before, box):
        rest = jacobi, product, y, curvature, curvatures, m, box, d, r, z, rounded, sums
        return *products(v, before, box), prepared(compiled, "cg_vectors", blocks, threads, *rest)

    even, odd = boxes
    turns = step(empty((0,), np.float64), even), step(even, odd), step(odd, even)
    for taken in range(max_iter):
        for part in turns[0 if taken == 0 else 2 - taken % 2]:
            part()
        if (taken + 1) % _LOOK == 0 or taken + 1 == max_iter:
            _, _, _, running, moving, steps = host(boxes[taken % 2, :]).tolist()
            if not (running and moving):
                break
    return d, int(steps + moving)
