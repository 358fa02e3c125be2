"""Kernels of optimal transport in array-standard calls. Sums are float64."""

import math

from numopt._array import clip, device, host, namespace
from numopt._kernels.portable._ot_blocks import blocks, exponents, shape, slices, wide
from numopt._kernels.portable._ot_gradients import conjugate_gradients
from numopt._kernels.portable._runs import adder, once

_CLAMP = -708.0, 709.0  # of exponents: no subnormal number, no overflow


def cost_minima(cost):
    """Return row minima r, column minima of C - r, and the largest finite and the smallest entry of C.

    Infinite row minima count as 0. The last two are float64 scalars on the device; NaN anywhere in C shows
    in the smallest entry.
    """
    xp = namespace(cost[1])
    rows, columns, high, low = [], [], [], []
    for _, D in blocks(cost):
        least = xp.min(D, axis=1)
        finite = xp.where(xp.isfinite(least), least, 0.0)
        rows.append(least)
        columns.append(xp.min(D - finite[:, None], axis=0))
        high.append(xp.max(xp.where(xp.isfinite(D), D, -math.inf)))
        low.append(xp.min(least))
    return (
        xp.concat(rows),
        xp.min(xp.stack(columns), axis=0),
        xp.astype(xp.max(xp.stack(high)), xp.float64),
        xp.astype(xp.min(xp.stack(low)), xp.float64),
    )


def cost_block(cost):
    """Return the matrix of a cost given by points."""
    return namespace(cost[1]).concat([D for _, D in blocks(cost)])


def row_pass(cost, a, f, g, reg, single):
    """Return (f', c): the rows' half step f' from g, so that P1 = a, and the column sums c of that plan.

    `f` is a guess of f' that this room does not need; `single` allows exp in float32. Weights are positive.
    A row of nothing but forbidden pairs has f' = +inf and adds nothing to c.
    """
    return _pass(cost, a, g, reg, single, None)


def plan_pass(cost, a, f, g, reg, single):
    """Return (f', c, P) where P is the plan in float32."""
    xp = namespace(a)
    P = xp.empty(shape(cost), dtype=xp.float32, device=device(a))
    return (*_pass(cost, a, g, reg, single, P), P)


def plan_block(cost, f, g, reg):
    """Return the plan P = exp((f + g - C) / reg) in the dtype of f."""
    xp = namespace(f)
    return xp.concat([xp.astype(xp.exp(E), f.dtype) for _, _, E in exponents(cost, f, g, reg)])


def plan_sums(cost, f, g, reg):
    """Return the row sums, the column sums and <C, P> of the plan P = exp((f + g - C) / reg), in float64.

    Forbidden pairs cost nothing; <C, P> is a scalar on the device.
    """
    xp = namespace(f)
    rows, columns, paid = [], 0.0, 0.0
    for _, D, E in exponents(cost, f, g, reg):
        P = xp.exp(clip(E, *_CLAMP))
        rows.append(xp.sum(P, axis=1))
        columns = columns + xp.sum(P, axis=0)
        paid = paid + xp.sum(P * xp.where(xp.isfinite(D), D, 0.0))
    return xp.concat(rows), columns, paid


def c_transform(cost, g):
    """Return min_j (C_ij - g_j) for each row i."""
    xp = namespace(g)
    return xp.astype(xp.concat([xp.min(D - wide(g), axis=1) for _, D in blocks(cost)]), g.dtype)


def rounded_sums(cost, f, g, reg, u, v):
    """Return <C, R> and sum R (log R - 1) of R = exp((f + g - C) / reg) + u v^T, in float64.

    Both are scalars on the device.
    """
    xp = namespace(f)
    u, v = wide(u), wide(v)
    paid, entropy = 0.0, 0.0
    for rows, D, E in exponents(cost, f, g, reg):
        R = xp.exp(clip(E, *_CLAMP)) + u[rows, None] * v
        some = R > 1e-300
        mass = xp.where(some, R, 0.0)
        paid = paid + xp.sum(mass * xp.where(some, D, 0.0))
        entropy = entropy + xp.sum(mass * (xp.log(xp.where(some, R, 1.0)) - 1.0))
    return paid, entropy


def groups(cost, f):
    """Return a group for each column and the number of groups: all of them in one.

    Other rooms precondition by groups; this one needs none.
    """
    xp, m = namespace(f), shape(cost)[1]
    return xp.zeros((m,), dtype=xp.int32, device=device(f)), 1


def plan_density(P, a, b, theta):
    """Return the share of entries P_ij >= theta min(a_i, b_j), from 16 rows at most."""
    xp, n = namespace(P), P.shape[0]
    step = -(-n // 16)
    large = P[::step, :] >= theta * xp.minimum(a[::step, None], b)
    return host(xp.mean(xp.astype(large, xp.float64)))


def plan_direction(P, group, count, b, rhs, regularization, rtol, max_iter):
    """Solve the Newton system of the plan P by Jacobi-PCG; return (d, steps).

    That is diag(P^T 1) - P^T diag(1 / P 1) P + regularization diag(b), where the first part is a graph
    Laplacian however P was rounded.
    """
    xp = namespace(P)
    b, right = wide(b), wide(rhs)
    rows, columns = xp.sum(P, axis=1, dtype=xp.float64), xp.sum(P, axis=0, dtype=xp.float64)
    scale = xp.astype(_inverse(rows), xp.float32)
    squares = xp.zeros_like(columns)
    for part in slices(*P.shape):
        squares = squares + xp.sum(P[part, :] ** 2 * scale[part, None], axis=0, dtype=xp.float64)
    diagonal = columns + regularization * b

    def product(p):
        Lp = (scale * (P @ xp.astype(p, xp.float32))) @ P
        return diagonal * p - xp.astype(Lp, xp.float64)

    jacobi = _inverse(xp.maximum(diagonal - squares, 1e-7 * diagonal))
    d, steps = conjugate_gradients(product, jacobi, right, rtol, max_iter)
    return xp.astype(d, rhs.dtype), steps


def extract(cost, f, g, reg, log_a, log_b, log_theta):
    """Return the entries P_ij >= theta min(a_i, b_j) of the plan in CSR form: (data, indices, indptr).

    These are float64, int32 and int64. Exponents are clamped to [-708, 709].
    """
    xp = namespace(f)
    log_a, log_b = wide(log_a), wide(log_b)
    data, indices, counts = [], [], []
    for rows, _, E in exponents(cost, f, g, reg):
        keep = E - log_theta >= xp.minimum(log_a[rows, None], log_b[None, :])
        data.append(xp.exp(clip(E[keep], *_CLAMP)))
        indices.append(xp.astype(xp.nonzero(keep)[1], xp.int32))
        counts.append(xp.sum(xp.astype(keep, xp.int64), axis=1))
    return xp.concat(data), xp.concat(indices), xp.cumulative_sum(xp.concat(counts), include_initial=True)


def pattern_eval(data, indices, indptr, a, w):
    """Return s = (K w) / a and the column sums c = w * (K^T (1/s)) of the plan diag(1/s) K diag(w)."""
    xp = namespace(data)
    row, add_rows, add_columns = _adders(indices, indptr, w.shape[0])
    w64 = wide(w)
    s = add_rows(data * xp.take(w64, indices)) / wide(a)
    c = w64 * add_columns(data * xp.take(_inverse(s), row))
    return xp.astype(s, a.dtype), xp.astype(c, a.dtype)


def pattern_direction(
    data, indices, indptr, a, b, w, s, group, count, drop, rhs, regularization, rtol, max_iter
):
    """Solve the Newton system of the plan P = diag(1/s) K diag(w) by Jacobi-PCG; return (d, steps).

    Entries P_ij < drop min(a_i, b_j) are left out and the diagonal is built from what stays, so that the
    matrix is a graph Laplacian plus regularization diag(b).
    """
    xp = namespace(data)
    a, b, w, s, right = map(wide, (a, b, w, s, rhs))
    row, add_rows, add_columns = _adders(indices, indptr, b.shape[0])
    p = data * xp.take(w, indices) / xp.take(s, row)
    p = xp.where(p >= drop * xp.minimum(xp.take(a, row), xp.take(b, indices)), p, xp.zeros_like(p))
    scale = _inverse(add_rows(p))
    diagonal = add_columns(p) + regularization * b
    squares = add_columns(p * p * xp.take(scale, row))

    def product(y):
        u = scale * add_rows(p * xp.take(y, indices))
        return diagonal * y - add_columns(p * xp.take(u, row))

    jacobi = 1.0 / xp.maximum(diagonal - squares, 1e-14 * b)
    d, steps = conjugate_gradients(product, jacobi, right, rtol, max_iter)
    return xp.astype(d, rhs.dtype), steps


def pattern_kept(data, indices, indptr, a, b, group, count):
    """Return the entries as `kept_point` and `kept_direction` want them: here as they are."""
    return data, indices, indptr


def kept_point(K, a, b, v, limit):
    """Return (v, s, c, value, error) of the plan with w = exp(v), v clipped to [-limit, limit].

    s and c are those of `pattern_eval`, value = <b, v> - <a, log s> and error = sum |c - b|.
    """
    xp = namespace(v)
    v = clip(v, -limit, limit)
    s, c = pattern_eval(*K, a, xp.exp(v))
    value = xp.sum(wide(b) * wide(v)) - xp.sum(wide(a) * wide(xp.log(s)))
    return v, s, c, value, xp.sum(wide(xp.abs(c - b)))


def kept_shift(K, a, b, v, s, c):
    """Return v with each group of columns moved so that it gets about its mass: here there are no groups."""
    return v


def kept_direction(K, a, b, v, s, rhs, regularization, rtol, max_iter):
    """Solve the Newton system of the plan at v by Jacobi-PCG; return (d, steps)."""
    w = namespace(v).exp(v)
    return pattern_direction(*K, a, b, w, s, None, 0, 0.0, rhs, regularization, rtol, max_iter)


def centred(d):
    """Return d with the median 0, of a sample, and its largest absolute entry: a constant changes no plan."""
    xp = namespace(d)
    some = d[:: max(1, d.shape[0] // 128)]
    d = d - xp.sort(some)[some.shape[0] // 2]
    return d, xp.max(xp.abs(d))


def semidual(a, f, b, g, c):
    """Return <a, f> + <b, g> and sum |c - b|, in float64."""
    xp = namespace(c)
    a, f, b, g, c = map(wide, (a, f, b, g, c))
    return xp.sum(a * f) + xp.sum(b * g), xp.sum(xp.abs(c - b))


def _inverse(x):
    """Return 1 / x, and 0 where x is 0."""
    xp = namespace(x)
    zero = x == 0
    return xp.where(zero, 0.0, 1.0 / xp.where(zero, 1.0, x))


def _pass(cost, a, g, reg, single, P):
    """Return (f', c) and write the plan to P, if that is not None."""
    xp = namespace(a)
    a64, g = wide(a), wide(g)
    f, c = [], xp.zeros_like(g)
    for rows, D in blocks(cost):
        E = (g - D) / reg
        top = xp.max(E, axis=1)
        E = E - xp.where(top == -math.inf, 0.0, top)[:, None]
        T = xp.exp(xp.astype(E, xp.float32) if single else E)
        total = xp.sum(T, axis=1, dtype=xp.float64)
        weight = a64[rows] * _inverse(total)
        f.append(reg * (xp.log(xp.where(total == 0, 1.0, weight)) - top))
        T = T * xp.astype(weight, T.dtype)[:, None]
        c = c + xp.sum(T, axis=0, dtype=xp.float64)
        if P is not None:
            P[rows, :] = xp.astype(T, xp.float32)
    return xp.astype(xp.concat(f), a.dtype), xp.astype(c, a.dtype)


@once
def _layout(indices, indptr, m):
    """Return the row of each entry, the order of the entries by columns, and where in it each column starts."""
    xp, where = namespace(indices), device(indices)
    place = xp.arange(indices.shape[0], dtype=indptr.dtype, device=where)
    row = xp.searchsorted(indptr, place, side="right") - 1
    order = xp.argsort(indices)
    columns = xp.arange(m + 1, dtype=indices.dtype, device=where)
    return row, order, xp.astype(xp.searchsorted(xp.take(indices, order), columns), xp.int64)


@once
def _adders(indices, indptr, m):
    """Return the row of each entry and the functions that add up values of the entries by row, by column."""
    row, order, start = _layout(indices, indptr, m)
    n, size = indptr.shape[0] - 1, indices.shape[0]
    return row, adder(indptr, m, size), adder(start, n, size, order)
