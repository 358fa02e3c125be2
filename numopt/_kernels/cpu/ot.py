"""Kernels of optimal transport: fused passes over the cost, the plan whole or by entries, Newton directions."""


import numpy as np

from numopt._kernels.cpu import _ot_cost, _ot_entries, _ot_extract, _ot_passes, _ot_tiles
from numopt._kernels.cpu._jit import direct
from numopt._kernels.cpu._ot_coarse import shifted
from numopt._kernels.cpu._ot_components import split
from numopt._kernels.cpu._ot_cost import chunks, over, shape
from numopt._kernels.cpu._ot_deflation import deflated_gradients
from numopt._kernels.cpu._ot_newton import conjugate_gradients, entry_system, plan_system
from numopt._kernels.cpu._ot_plan import above
from numopt._kernels.cpu._ot_search import centre, value_and_error

_minima, _transform, _nearest, _fill_cost = map(
    over, (_ot_cost.minima, _ot_cost.transform, _ot_cost.nearest, _ot_cost.fill_cost)
)
_half_step, _totals, _rounded = map(over, (_ot_passes.half_step, _ot_passes.totals, _ot_passes.rounded))
_formed = {dtype: over(_ot_passes.formed) for dtype in "fd"}  # of the plan
_split, _in_tiles, _tile_point, _shifted, _deflated, _value_and_error = map(
    direct, (split, _ot_tiles.in_tiles, _ot_tiles.tile_point, shifted, deflated_gradients, value_and_error)
)
_room, _select, _settle = map(over, (_ot_extract.room, _ot_extract.select, _ot_extract.settle))


def cost_minima(cost):
    """Return row minima r, column minima of C - r, and the largest finite and the smallest entry of C."""
    return _minima(cost, *shape(cost))


def row_pass(cost, a, f, g, reg, single):
    """Return (f', c): the rows' half step f' from g, so that P1 = a, and the column sums c of that plan.

    `f` is a guess of f' that saves the pass over the row maxima; `single` allows exp in float32.
    """
    return _pass(cost, a, f, g, reg, single, False)[:2]


def plan_pass(cost, a, f, g, reg, single):
    """Return (f', c, P) where P is the plan, kept as this room likes: here the upper halves of float32."""
    return _pass(cost, a, f, g, reg, single, True)


def cost_block(cost):
    """Return the matrix of a cost given by points."""
    block = np.empty(shape(cost), cost[1].dtype)
    _fill_cost(cost, block)
    return block


def plan_block(cost, f, g, reg):
    """Return the plan P = exp((f + g - C) / reg) in the dtype of f."""
    P = np.empty(shape(cost), f.dtype)
    _formed[P.dtype.char](cost, _wide(f), _wide(g), float(reg), P, chunks(*P.shape, P.size))
    return P


def plan_sums(cost, f, g, reg):
    """Return the row sums, the column sums and <C, P> of the plan P = exp((f + g - C) / reg), in float64."""
    rows, columns, paid = _totals(cost, _wide(f), _wide(g), float(reg))
    return rows, columns, np.float64(paid)


def c_transform(cost, g):
    """Return min_j (C_ij - g_j) for each row i."""
    n, m = shape(cost)
    rows = np.empty(n)
    _transform(cost, _wide(g), rows, chunks(n, m, n * m))
    return rows.astype(g.dtype)


def rounded_sums(cost, f, g, reg, u, v):
    """Return <C, R> and sum R (log R - 1) of R = exp((f + g - C) / reg) + u v^T, in float64."""
    k = chunks(*shape(cost), u.size * v.size)
    paid, entropy = np.empty(k), np.empty(k)
    _rounded(cost, _wide(f), _wide(g), float(reg), _wide(u), _wide(v), paid, entropy)
    return paid.sum(), entropy.sum()


def groups(cost, f):
    """Return for each column the landmark row, of at most 128, with the least reduced cost; and their number."""
    n, m = shape(cost)
    rows = np.linspace(0, n - 1, max(1, min(128, m // 16, n))).astype(np.int64)
    k = 4 if rows.size * m >= 2**15 else 1
    group = np.empty((k, m), np.int32)
    _nearest(cost, rows, _wide(f), np.empty((k, m)), group)
    return group[0], rows.size


def plan_direction(P, group, count, b, rhs, regularization, rtol, max_iter):
    """Solve (diag(c) - P^T diag(1/r) P + regularization diag(b)) d = rhs by two-level PCG; return (d, steps).

    r and c are the row and column sums of P as it is kept.
    """
    n, m = P.shape
    system = _system(n, m, count)
    k = max(1, chunks(n, m, n * m) // 2)  # a product is shorter than a pass
    plan_system(P, k, group, _wide(b), regularization, *system)
    return _solve(P, *_NO_ENTRIES, system, group, b, rhs, regularization, rtol, max_iter, np.empty((k, 0)))


def plan_density(P, a, b, theta):
    """Return the share of entries P_ij >= theta min(a_i, b_j), from 16 rows."""
    rows = np.linspace(0, P.shape[0] - 1, min(16, P.shape[0])).astype(np.int64)
    return above(P, rows, _wide(a), _wide(b), theta) / (rows.size * P.shape[1])


def extract(cost, f, g, reg, log_a, log_b, log_theta):
    """Return the entries P_ij >= theta min(a_i, b_j) of the plan in CSR form: (data, indices, indptr)."""
    n, m = shape(cost)
    arguments = cost, _wide(f), _wide(g), 1.0 / reg, _wide(log_a), _wide(log_b), float(log_theta)
    most, k = _room(*arguments), _ot_extract.chunks(n, m)
    places, values, indptr = np.empty((k, most), np.uint32), np.empty((k, most)), np.zeros(n + 1, np.int64)
    _select(*arguments, places, values, indptr[1:])
    np.cumsum(indptr, out=indptr)
    data, indices = np.empty(indptr[-1]), np.empty(indptr[-1], np.int32)
    _settle(*arguments, places, values, indptr, indices.view(np.uint32), data)
    return data, indices, indptr


def pattern_eval(data, indices, indptr, a, w):
    """Return s = (K w) / a and the column sums c = w * (K^T (1/s)) of the plan diag(1/s) K diag(w)."""
    n, m = a.size, w.size
    s, c = np.empty(n), np.empty(m)
    parts = np.empty((_entry_chunks(n, m, indices.size), m))
    _ot_entries.evaluate(data, indices.view(np.uint32), indptr, _wide(a), _wide(w), s, c, parts)
    return _narrow(s, a.dtype), _narrow(c, a.dtype)


def pattern_direction(data, indices, indptr, a, b, w, s, group, count, drop, rhs, regularization, rtol, max_iter):
    """Solve the Newton system of the plan P = diag(1/s) K diag(w) by two-level PCG; return (d, steps).

    Entries P_ij < drop min(a_i, b_j) are left out and the diagonal is built from what stays, so that the
    matrix is a graph Laplacian plus the regularisation.
    """
    n, m = a.size, b.size
    weight, column, start, rows, columns = _ot_entries.strong(
        data, indices.view(np.uint32), indptr, _wide(a), _wide(b), _wide(w), _wide(s), drop,
        np.empty((_entry_chunks(n, m, data.size), m)),
    )  # fmt: skip
    group, count = split(group, count, weight, column, start, _wide(a), _wide(b))
    system = _system(n, m, count)
    parts = np.empty((_entry_chunks(n, m, weight.size), m))
    entry_system(weight, column, start, rows, columns, group, _wide(b), regularization, *system, parts)
    return _solve(
        np.empty((0, 0), np.uint16), weight, column, start, system, group, b, rhs, regularization, rtol, max_iter, parts
    )


def pattern_kept(data, indices, indptr, a, b, group, count):
    """Return the entries as `kept_point` and `kept_direction` want them: here in tiles of four columns, by groups."""
    n, m = a.size, b.size
    indices, k = indices.view(np.uint32), _entry_chunks(n, m, indices.size)
    group, count = _split(group, count, data, indices, indptr, _wide(a), _wide(b))
    return *_in_tiles(data, indices, indptr, group, count, k), k


def kept_point(K, a, b, v, limit):
    """Return (v, s, c, value, error) of the plan diag(1/s) K diag(exp(v)), v clipped to [-limit, limit].

    s = (K exp(v)) / a and c are the column sums, value = <b, v> - <a, log s> and error = sum |c - b|.
    """
    tiles, (place, of_tile, _), _, k = K
    point = _tile_point(tiles, place, of_tile.size, _wide(a), _wide(b), limit, _wide(v), k)
    if a.dtype == np.float64:
        return point
    return *(_narrow(x, a.dtype) for x in point[:3]), *point[3:]


def kept_shift(K, a, b, v, s, c):
    """Return v with each group of columns moved so that it gets about its mass; v itself if they nearly do."""
    tiles, layout, by_group, k = K
    out, moved = _shifted(tiles, layout, by_group, _wide(a), _wide(b), _wide(v), _wide(s), _wide(c), k)
    return out.astype(v.dtype) if moved else v


def kept_direction(K, a, b, v, s, rhs, regularization, rtol, max_iter):
    """Solve the Newton system of the plan at v by two-level PCG; return (d, steps)."""
    tiles, layout, by_group, k = K
    a, v, s = _wide(a), _wide(v), _wide(s)
    if rhs.dtype != np.float64:  # the row sums must be a, or the matrix is no Laplacian
        s = np.empty(a.size)
        _ot_tiles.times(tiles, 1.0 / a, _ot_tiles.spread_exp(v, layout[0], 4 * layout[1].size), s, k)
    regularization, rtol = float(regularization), float(rtol)
    d, steps = _deflated(tiles, layout, by_group, a, _wide(b), v, s, _wide(rhs), regularization, rtol, max_iter, k)
    return d.astype(rhs.dtype), steps


def centred(d):
    """Return d with the median 0, of a sample, and its largest absolute entry: a constant changes no plan."""
    d = np.array(d)
    return d, centre(d)


def semidual(a, f, b, g, c):
    """Return <a, f> + <b, g> and sum |c - b|, in float64."""
    return _value_and_error(_wide(a), _wide(f), _wide(b), _wide(g), _wide(c))


def _wide(x):
    """Return x as a contiguous vector of float64, not to be written: itself if it is one."""
    return x if x.dtype.char == "d" and x.flags.c_contiguous else np.array(x, np.float64)


def _pass(cost, a, f, g, reg, single, keep):
    f, c, P = _half_step(cost, _wide(a), _wide(f), _wide(g), float(reg), single, keep)
    return (f, c, P) if a.dtype.char == "d" else (f.astype(a.dtype), c.astype(a.dtype), P)


_NO_ENTRIES = np.empty(0), np.empty(0, np.uint32), np.zeros(1, np.int64)


def _narrow(x, dtype):
    """Return x as `dtype`; a prediction may miss by more than float32 can say."""
    return x if dtype == np.float64 else np.minimum(x, np.finfo(dtype).max).astype(dtype)


def _system(n, m, count):
    """Return room for the inverse row sums, the diagonal, Jacobi's inverse and the coarse matrix."""
    return np.empty(n), np.empty(m), np.empty(m), np.zeros((count, count))


def _entry_chunks(n, m, count):
    """Count the chunks of rows for products with `count` entries; few of them are not worth a launch of threads.

    The column sums of a chunk go from the cache of its thread to another's: more than two chunks have sixteen times as
    many entries as sums.
    """
    if count < 3 * 2**14:
        return 1
    return max(min(2, chunks(n, m, count)), chunks(n, 2 * m, count))


def _solve(P, weight, column, start, system, group, b, rhs, regularization, rtol, max_iter, parts):
    d = np.empty(b.size)
    steps = conjugate_gradients(
        P, weight, column, start, *system, group, _wide(b), _wide(rhs), regularization, rtol, max_iter, d, parts
    )
    return d.astype(rhs.dtype), steps


def warmup(dtype):
    """Compile every kernel for `dtype` on a small problem."""
    rng = np.random.default_rng(1)
    n, m = 40, 48
    none = np.empty((0, 0), dtype)
    C = rng.random((n, m)).astype(dtype)
    a, b = np.full(n, 1 / n, dtype), np.full(m, 1 / m, dtype)
    f, g = np.zeros(n, dtype), np.zeros(m, dtype)
    cost = C, none, none, 0
    cost_minima(cost)
    for single in (True, False):
        f, _ = row_pass(cost, a, f, g, 1.0, single)
        _, c, P = plan_pass(cost, a, f, g, 1.0, single)
    group, count = groups(cost, f)
    plan_direction(P, group, count, b, b - c, 1e-3, 1e-2, 2)
    K = extract(cost, f, g, 1.0, np.log(a), np.log(b), -20.0)
    w = np.ones(m, dtype)
    s, c = pattern_eval(*K, a, w)
    pattern_direction(*K, a, b, w, s, group, count, 0.0, b - c, 1e-3, 1e-2, 2)
    K, v = pattern_kept(*K, a, b, group, count), np.linspace(0, 3, m).astype(dtype)
    _, s, c, _, _ = kept_point(K, a, b, v, 10.0)
    kept_shift(K, a, b, v, s, c)
    kept_direction(K, a, b, v, s, b - c, 1e-3, 1e-2, 2)
    centred(v), semidual(a, f, b, g, c)
    plan_block(cost, f, g, 1.0)
    plan_sums(cost, f, g, 1.0)
    c_transform(cost, g)
    rounded_sums(cost, f, g, 1.0, a, b)
    plan_density(P, a, b, 1e-3)
    points = none, rng.random((n, 2)).astype(dtype), rng.random((2, m)).astype(dtype), 1
    cost_block(points)
    row_pass(points, a, f, g, 1.0, True)
