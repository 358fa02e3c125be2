"""Kernels of optimal transport on a CUDA device: fused passes over the cost, sums over the entries that matter."""

import numpy as np

from numopt._array import host, namespace
from numopt._kernels.cuda import _sparse
from numopt._kernels.cuda._launch import empty, launch, module, real, rows_first, wide
from numopt._kernels.portable import ot as portable
from numopt._kernels.portable._ot_blocks import shape
from numopt._kernels.portable._ot_gradients import conjugate_gradients

# A pass fills the multiprocessors of today; the order of sums must not follow the device. The rows of a matrix that are
# read twice, and the parts of the column sums, of 20 000 numbers each, fit in a cache of 50 MB together.
_BLOCKS = {"matrix": 132, "points": 264}
_MOST = {"matrix": 1024, "points": 512}  # threads of a block
_ROWS = 4  # of points, that a block takes at a time


def row_pass(cost, a, f, g, reg, single):
    """Return (f', c): the rows' half step f' from g, so that P1 = a, and the column sums c of that plan.

    The cost is read from memory once; `f` is not needed.
    """
    return _pass(cost, a, g, reg, single, empty((0,), np.float32))


def plan_pass(cost, a, f, g, reg, single):
    """Return (f', c, P) where P is the plan in float32."""
    P = empty(shape(cost), np.float32)
    return (*_pass(cost, a, g, reg, single, P), P)


def plan_sums(cost, f, g, reg):
    """Return the row sums, the column sums and <C, P> of the plan P = exp((f + g - C) / reg), in float64."""
    xp = namespace(f)
    compiled, arguments, (n, m) = _opened(cost)
    blocks, threads = _grid(cost, n)
    rows, parts, paid = empty((n,), np.float64), empty((blocks, m), np.float64), empty((blocks,), np.float64)
    launch(compiled, "plan_sums", blocks, threads, *arguments, wide(f), wide(g), reg, rows, parts, paid)
    return rows, xp.sum(parts, axis=0), xp.sum(paid)


def extract(cost, f, g, reg, log_a, log_b, log_theta):
    """Return the entries P_ij >= theta min(a_i, b_j) of the plan in CSR form: (data, indices, indptr)."""
    xp = namespace(f)
    compiled, arguments, (n, _) = _opened(cost)
    counts = empty((n,), np.int64)
    arguments = *arguments, wide(f), wide(g), reg, wide(log_a), wide(log_b), log_theta, counts
    blocks = -(-n // 8)
    launch(compiled, "extract", blocks, 256, *arguments, counts, empty((0,), np.float64), empty((0,), np.int32))
    indptr = xp.cumulative_sum(counts, include_initial=True)
    size = int(host(indptr[-1]))
    data, indices = empty((size,), np.float64), empty((size,), np.int32)
    if size:
        launch(compiled, "extract", blocks, 256, *arguments, indptr, data, indices)
    return data, indices, indptr


def pattern_eval(data, indices, indptr, a, w):
    """Return s = (K w) / a and the column sums c = w * (K^T (1/s)) of the plan diag(1/s) K diag(w)."""
    xp, w64 = namespace(data), wide(w)
    row, order, start = portable._layout(indices, indptr, w.shape[0])
    s = _sparse.times(data, indices, indptr, w64) / wide(a)
    c = w64 * _sparse.times(data, row, start, portable._inverse(s), order)
    return xp.astype(s, a.dtype), xp.astype(c, a.dtype)


def pattern_direction(data, indices, indptr, a, b, w, s, group, count, drop, rhs, regularization, rtol, max_iter):
    """Solve the Newton system of the plan P = diag(1/s) K diag(w) by Jacobi-PCG; return (d, steps).

    P is kept by rows and by columns, so that both products of a step run along memory.
    """
    xp = namespace(data)
    a, b, w, s, right = map(wide, (a, b, w, s, rhs))
    row, order, start = portable._layout(indices, indptr, b.shape[0])
    p = data * xp.take(w, indices) / xp.take(s, row)
    p = xp.where(p >= drop * xp.minimum(xp.take(a, row), xp.take(b, indices)), p, xp.zeros_like(p))
    turned, row = xp.take(p, order), xp.astype(xp.take(row, order), xp.int32)
    scale = portable._inverse(_sparse.times(p, indices, indptr, xp.ones_like(b)))
    diagonal = _sparse.times(turned, row, start, xp.ones_like(a)) + regularization * b
    squares = _sparse.times(turned * turned, row, start, scale)

    def product(y):
        u = scale * _sparse.times(p, indices, indptr, y)
        return diagonal * y - _sparse.times(turned, row, start, u)

    jacobi = 1.0 / xp.maximum(diagonal - squares, 1e-14 * b)
    d, steps = conjugate_gradients(product, jacobi, right, rtol, max_iter)
    return xp.astype(d, rhs.dtype), steps


def kept_direction(K, a, b, v, s, rhs, regularization, rtol, max_iter):
    """Solve the Newton system of the plan at v by Jacobi-PCG; return (d, steps)."""
    w = namespace(v).exp(v)
    return pattern_direction(*K, a, b, w, s, None, 0, 0.0, rhs, regularization, rtol, max_iter)


def _opened(cost, single=False):
    """Return the module for a cost, the arguments that stand for it, and its shape."""
    C, X, YT, kind = cost
    n, m = shape(cost)
    compiled = module("ot", real(X if kind else C), f"KIND={kind}", f"EXP={'expf' if single else 'exp'}")
    if kind == 0 and m > 1 and C.strides[1] != C.itemsize:  # every so many rows of a matrix are taken as they are
        C = rows_first(C)
    stride = C.strides[0] // C.itemsize if kind == 0 else 0
    return compiled, (C, rows_first(X), rows_first(YT), n, m, stride, X.shape[1] if kind else 0), (n, m)


def _grid(cost, groups):
    """Return the blocks of a pass over so many groups of rows, and their threads."""
    of = "points" if cost[3] else "matrix"
    return min(groups, _BLOCKS[of]), min(_MOST[of], -(-shape(cost)[1] // 32) * 32)


def _pass(cost, a, g, reg, single, P):
    xp = namespace(a)
    compiled, arguments, (n, m) = _opened(cost, single)
    blocks, threads = _grid(cost, -(-n // _ROWS) if cost[3] else n)
    f, parts = empty((n,), np.float64), empty((blocks, m), np.float64)
    launch(compiled, "row_pass", blocks, threads, *arguments, wide(a), wide(g), reg, f, parts, P)
    return xp.astype(f, a.dtype), xp.astype(xp.sum(parts, axis=0), a.dtype)
