"""Kernels of optimal transport on a CUDA device: fused passes over the cost, sums over the entries that matter."""

import numpy as np

from numopt._array import clip, host, namespace
from numopt._kernels.cuda import _ot_newton, _ot_passes
from numopt._kernels.cuda._launch import empty, launch, module, real, rows_first, wide
from numopt._kernels.portable._ot_blocks import shape

_HEIGHT = 256  # rows of a slab, for minima of columns
_WORDS = 2**28  # of 32 bits, for which entries are large: where there are more, the cost is read once more instead


def cost_minima(cost):
    """Return row minima r, column minima of C - r, and the largest finite and the smallest entry of C."""
    xp = namespace(cost[1])
    compiled, arguments, (n, m) = _opened(cost)
    dtype = cost[1].dtype
    height = max(_HEIGHT, -(-n // 64))
    rows, highs, parts = empty((n,), dtype), empty((n,), dtype), empty((-(-n // height), m), dtype)
    launch(compiled, "row_minima", -(-n // 8), 256, *arguments, rows, highs)
    launch(compiled, "column_minima", (-(-m // 256), parts.shape[0]), 256, *arguments, rows, height, parts)
    extremes = xp.max(highs), xp.min(rows)
    return rows, xp.min(parts, axis=0), *(xp.astype(x, xp.float64) for x in extremes)


def row_pass(cost, a, f, g, reg, single):
    """Return (f', c): the rows' half step f' from g, so that P1 = a, and the column sums c of that plan.

    The cost is read from memory once if `f` is a good guess of f', else three times.
    """
    return _ot_passes.swept(cost, a, f, g, reg, single)


def plan_pass(cost, a, f, g, reg, single):
    """Return (f', c, P) where P is the plan in float32."""
    P = empty(shape(cost), np.float32)
    return (*_ot_passes.swept(cost, a, f, g, reg, single, P), P)


def plan_sums(cost, f, g, reg):
    """Return the row sums, the column sums and <C, P> of the plan P = exp((f + g - C) / reg), in float64."""
    return _ot_passes.sums(cost, f, g, reg)


def extract(cost, f, g, reg, log_a, log_b, log_theta):
    """Return the entries P_ij >= theta min(a_i, b_j) of the plan in CSR form: (data, indices, indptr)."""
    xp = namespace(f)
    compiled, arguments, (n, m) = _opened(cost)
    words, counts = -(-m // 1024) * 32, empty((n,), np.int64)
    bits = empty((n, words) if n * words <= _WORDS else (0,), np.uint32)
    arguments = *arguments, wide(f), wide(g), reg, wide(log_a), wide(log_b), log_theta
    launch(compiled, "count", -(-n // 8), 256, *arguments, counts, bits)
    indptr = xp.cumulative_sum(counts, include_initial=True)
    size = int(host(indptr[-1]))
    data, indices = empty((size,), np.float64), empty((size,), np.int32)
    if size:
        launch(compiled, "extract", -(-n // 8), 256, *arguments, bits, indptr, data, indices)
    return data, indices, indptr


def plan_density(P, a, b, theta):
    """Return the share of entries P_ij >= theta min(a_i, b_j), from 16 rows at most."""
    return _ot_newton.density(P, wide(a), wide(b), theta)


def pattern_eval(data, indices, indptr, a, w):
    """Return s = (K w) / a and the column sums c = w * (K^T (1/s)) of the plan diag(1/s) K diag(w)."""
    w = wide(w)
    s, c, _ = _ot_newton.sparse_point((wide(data), indices, indptr), wide(a), w, w)
    return _as(a, s), _as(a, c)


def pattern_direction(data, indices, indptr, a, b, w, s, group, count, drop, rhs, regularization, rtol, max_iter):
    """Solve the Newton system of the plan P = diag(1/s) K diag(w) by Jacobi-PCG; return (d, steps).

    P is kept by rows and by columns, so that both products of a step run along memory.
    """
    K, vectors = (wide(data), indices, indptr), map(wide, (a, b, w, s))
    d, steps = _ot_newton.sparse_direction(K, *vectors, drop, wide(rhs), regularization, rtol, max_iter)
    return _as(rhs, d), steps


def plan_direction(P, group, count, b, rhs, regularization, rtol, max_iter):
    """Solve the Newton system of the plan P by Jacobi-PCG; return (d, steps)."""
    d, steps = _ot_newton.dense_direction(P, wide(b), wide(rhs), regularization, rtol, max_iter)
    return _as(rhs, d), steps


def kept_point(K, a, b, v, limit):
    """Return (v, s, c, value, error) of the plan with w = exp(v), v clipped to [-limit, limit]."""
    xp = namespace(v)
    v = clip(v, -limit, limit)
    s, c, sums = _ot_newton.sparse_point((wide(K[0]), *K[1:]), wide(a), wide(b), xp.exp(wide(v)))
    return v, _as(a, s), _as(a, c), sums[0, ...], sums[1, ...]


def kept_direction(K, a, b, v, s, rhs, regularization, rtol, max_iter):
    """Solve the Newton system of the plan at v by Jacobi-PCG; return (d, steps)."""
    w = namespace(v).exp(v)
    return pattern_direction(*K, a, b, w, s, None, 0, 0.0, rhs, regularization, rtol, max_iter)


def centred(d):
    """Return d with the median 0, of a sample, and its largest absolute entry: a constant changes no plan."""
    m, out, size = d.shape[0], empty(d.shape, np.float64), empty((1,), np.float64)
    launch(module("ot_newton"), "centre", 1, 1024, wide(d), m, max(1, m // 128), out, size)
    return _as(d, out), size[0, ...]


def semidual(a, f, b, g, c):
    """Return <a, f> + <b, g> and sum |c - b|, in float64."""
    out, (a, f, b, g, c) = empty((2,), np.float64), map(wide, (a, f, b, g, c))
    launch(module("ot_newton"), "semidual", 1, 1024, a, f, a.shape[0], b, g, c, b.shape[0], out)
    return out[0, ...], out[1, ...]


def _as(like, x):
    return namespace(x).astype(x, like.dtype, copy=False)


def _opened(cost):
    """Return the module for a cost, the arguments that stand for it, and its shape."""
    C, X, YT, kind = cost
    n, m = shape(cost)
    compiled = module("ot", real(X if kind else C), f"KIND={kind}")
    if kind == 0 and m > 1 and C.strides[1] != C.itemsize:  # every so many rows of a matrix are taken as they are
        C = rows_first(C)
    stride = C.strides[0] // C.itemsize if kind == 0 else 0
    return compiled, (C, rows_first(X), rows_first(YT), n, m, stride, X.shape[1] if kind else 0), (n, m)
