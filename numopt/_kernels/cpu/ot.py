"""Kernels of optimal transport: fused passes over the cost, sparse plans, Newton directions.

A cost is the tuple ``(C, X, YT, kind)``: kind 0 is the matrix C; kinds 1, 2, 3 are the squared Euclidean,
Euclidean and l1 distances between the rows of X and the columns of YT, computed on the fly. What bounds
a pass is `exp` (0.6 ns an entry, 0.17 ns in float32) and, past the cache, the 8 bytes read.
"""

import math

import numba
import numpy as np

from numopt._kernels.cpu._jit import jit
from numopt._kernels.cpu._math import exp32, exp64

_SUM = {"contract", "reassoc", "nsz"}
_f32 = np.float32


def cost_minima(cost):
    """Return row minima r, column minima of C - r, and the largest finite and the smallest entry of C."""
    C, X, YT, kind = cost
    n, m = _shape(cost)
    k = _chunks(n, m, n * m)
    low, high = np.empty(k), np.empty(k)
    rows, columns = np.empty(n), np.empty((k, m))
    _cost_minima(C, X, YT, kind, rows, columns, low, high)
    return rows.astype(X.dtype), columns.min(axis=0).astype(X.dtype), high.max(), low.min()


def row_pass(cost, a, f, g, reg, single):
    """Return (f', c): the rows' half step f' from g, so that P1 = a, and the column sums c of that plan.

    `f` is a guess of f' that saves the pass over the row maxima; `single` allows exp in float32.
    """
    return _pass(cost, a, f, g, reg, single, np.empty((0, 0), np.uint16))


def plan_pass(cost, a, f, g, reg, single):
    """Return (f', c, P) where P is the plan in float32."""
    P = np.empty(_shape(cost), np.uint16)
    return (*_pass(cost, a, f, g, reg, single, P), P)


def cost_block(cost):
    """Return the matrix of a cost given by points."""
    C, X, YT, kind = cost
    block = np.empty(_shape(cost), X.dtype)
    _fill_cost(C, X, YT, kind, block)
    return block


def plan_sums(cost, f, g, reg):
    """Return the row sums, the column sums and <C, P> of the plan P = exp((f + g - C) / reg), in float64."""
    C, X, YT, kind = cost
    n, m = _shape(cost)
    k = _chunks(n, m, n * m)
    rows, columns, parts, paid = np.empty(n), np.empty(m), np.empty((k, m)), np.empty(k)
    _plan_totals(C, X, YT, kind, _wide(f), _wide(g), reg, rows, columns, parts, paid)
    return rows, columns, paid.sum()


def c_transform(cost, g):
    """Return min_j (C_ij - g_j) for each row i."""
    C, X, YT, kind = cost
    n, m = _shape(cost)
    rows = np.empty(n)
    _c_transform(C, X, YT, kind, _wide(g), rows, _chunks(n, m, n * m))
    return rows.astype(g.dtype)


def rounded_sums(cost, f, g, reg, u, v):
    """Return <C, R> and sum R (log R - 1) of R = exp((f + g - C) / reg) + u v^T, in float64."""
    C, X, YT, kind = cost
    k = _chunks(*_shape(cost), u.size * v.size)
    paid, entropy = np.empty(k), np.empty(k)
    _rounded_sums(C, X, YT, kind, _wide(f), _wide(g), reg, _wide(u), _wide(v), paid, entropy)
    return paid.sum(), entropy.sum()


def groups(cost, f):
    """Return a group for each column, the row among at most 128 landmarks whose reduced cost is least, and their number."""
    C, X, YT, kind = cost
    n, m = _shape(cost)
    rows = np.linspace(0, n - 1, max(1, min(128, m // 16, n))).astype(np.int64)
    group = np.zeros(m, np.int32)
    _nearest(C, X, YT, kind, rows, _wide(f), group)
    return group, rows.size


def plan_direction(P, group, count, b, rhs, regularization, rtol, max_iter):
    """Solve the Newton system of the plan P by two-level PCG; return (d, steps)."""
    n, m = P.shape
    d = np.empty(m)
    args = P, _chunks(n, m, n * m), group, count, _wide(b), _wide(rhs), regularization, rtol, max_iter, d
    steps = _plan_cg(*args)
    return d.astype(rhs.dtype), steps


def plan_density(P, a, b, theta):
    """Return the share of entries P_ij >= theta min(a_i, b_j), from 16 rows."""
    rows = np.linspace(0, P.shape[0] - 1, min(16, P.shape[0])).astype(np.int64)
    sample = (P[rows].astype(np.uint32) << 16).view(_f32)
    return float(np.mean(sample >= theta * np.minimum(a[rows, None], b)))


def extract(cost, f, g, reg, log_a, log_b, log_theta):
    """Return the entries P_ij >= theta min(a_i, b_j) of the plan in CSR form: (data, indices, indptr)."""
    C, X, YT, kind = cost
    n, m = _shape(cost)
    bits = np.zeros((n, (m + 63) // 64 * 8), np.uint8)
    indptr = np.zeros(n + 1, np.int64)
    arguments = C, X, YT, kind, _wide(f), _wide(g), 1.0 / reg
    _mark(*arguments, _wide(log_a), _wide(log_b), log_theta, bits, indptr)
    np.cumsum(indptr, out=indptr)
    data, indices = np.empty(indptr[-1]), np.empty(indptr[-1], np.int32)
    _fill(*arguments, bits, indptr, indices.view(np.uint32), data)
    return data, indices, indptr


def pattern_eval(data, indices, indptr, a, w):
    """Return s = (K w) / a and the column sums c = w * (K^T (1/s)) of the plan diag(1/s) K diag(w)."""
    n, m = a.size, w.size
    s, c = np.empty(n), np.empty(m)
    parts = np.empty((_chunks(n, m, 4 * indices.size), m))
    _pattern_eval(data, indices.view(np.uint32), indptr, _wide(a), _wide(w), s, c, parts)
    return s.astype(a.dtype), c.astype(a.dtype)


def pattern_direction(data, indices, indptr, a, b, w, s, group, count, drop, rhs, regularization, rtol, max_iter):
    """Solve the Newton system of the plan P = diag(1/s) K diag(w) by two-level PCG; return (d, steps).

    Entries P_ij < drop min(a_i, b_j) are left out and the diagonal is built from what stays, so that the
    matrix is a graph Laplacian plus the regularisation.
    """
    n, m = a.size, b.size
    graph = _strong(data, indices.view(np.uint32), indptr, _wide(a), _wide(b), _wide(w), _wide(s), drop)
    d, parts = np.empty(m), np.empty((_chunks(n, m, 4 * graph[0].size), m))
    steps = _pattern_cg(*graph, group, count, _wide(b), _wide(rhs), regularization, rtol, max_iter, d, parts)
    return d.astype(rhs.dtype), steps


def _wide(x):
    return np.ascontiguousarray(x, np.float64)


def _shape(cost):
    return cost[0].shape if cost[3] == 0 else (cost[1].shape[0], cost[2].shape[1])


def _chunks(n, m, work):
    """Count the chunks of rows: by sizes alone, so that results do not depend on the threads.

    Adding up the chunks' column sums costs m a chunk: at most an eighth of `work`.
    """
    return int(max(1, min(32, n // 16, work // (8 * m))))


def _pass(cost, a, f, g, reg, single, P):
    C, X, YT, kind = cost
    n, m = _shape(cost)
    f_new, c = np.empty(n), np.empty(m)
    parts = np.empty((_chunks(n, m, n * m), m))
    _row_pass(C, X, YT, kind, _wide(a), _wide(f), _wide(g), reg, single, P, f_new, c, parts)
    return f_new.astype(a.dtype), c.astype(a.dtype)


@jit
def _cost_row(C, X, YT, kind, i, row):
    """Return row i of the cost: a view of C, or `row` filled from the points."""
    if kind == 0:
        return C[i]
    row[:] = 0
    for k in range(X.shape[1]):
        x, y = X[i, k], YT[k]
        if kind == 3:
            for j in range(row.size):
                row[j] += abs(x - y[j])
        else:
            for j in range(row.size):
                row[j] += (x - y[j]) * (x - y[j])
    if kind == 2:
        for j in range(row.size):
            row[j] = math.sqrt(row[j])
    return row


@jit
def _fill_cost(C, X, YT, kind, block):
    for i in range(block.shape[0]):
        _cost_row(C, X, YT, kind, i, block[i])


@jit
def _least(x, lanes):
    """Minimum of x, 64 lanes at a time: a plain reduction vectorises only with flags that hide NaN."""
    lanes[:] = np.inf
    whole = x.size // 64 * 64
    for start in range(0, whole, 64):
        part = x[start : start + 64]
        for j in range(64):
            lanes[j] = min(lanes[j], part[j])
    least = np.inf
    for j in range(64):
        least = min(least, lanes[j])
    for j in range(whole, x.size):
        least = min(least, x[j])
    return least


@jit
def _minima_rows(C, X, YT, kind, lo, hi, rows, columns):
    m = columns.size
    row, lanes, high = np.empty(m, X.dtype), np.empty(64), np.full(m, -np.inf)
    columns[:] = np.inf
    unordered = 0
    for i in range(lo, hi):
        ci = _cost_row(C, X, YT, kind, i, row)
        for j in range(m):
            unordered += ci[j] != ci[j]
        rows[i] = least = _least(ci, lanes)
        for j in range(m):
            columns[j] = min(columns[j], ci[j] - least)
        for j in range(m):
            high[j] = max(high[j], ci[j] if ci[j] < np.inf else -np.inf)
    return np.nan if unordered else rows[lo:hi].min(), high.max()


@jit(parallel=True)
def _cost_minima(C, X, YT, kind, rows, columns, low, high):
    n, k = rows.size, low.size
    for q in numba.prange(k):
        low[q], high[q] = _minima_rows(C, X, YT, kind, q * n // k, (q + 1) * n // k, rows, columns[q])


@jit(fastmath=_SUM)
def _rows64(C, X, YT, kind, lo, hi, a, f, gs, inv, P, f_new, part):
    """Half step of rows lo..hi and their share of the column sums, exp in float64."""
    m = gs.size
    row, buffer = np.empty(m, X.dtype), np.empty(m)
    part[:] = 0
    for i in range(lo, hi):
        ci = _cost_row(C, X, YT, kind, i, row)
        shift, total = f[i] * inv, 0.0
        for guess in range(2):
            for j in range(m):
                p = exp64(shift + (gs[j] - ci[j] * inv))
                buffer[j] = p
                total += p
            if guess == 1 or 1e-200 < total / a[i] < 1e200:
                break
            shift, total = -_largest(gs, ci, inv), 0.0
        weight = a[i] / total
        f_new[i] = (shift + math.log(weight)) / inv
        for j in range(m):
            part[j] += weight * buffer[j]
        if P.size:
            for j in range(m):
                P[i, j] = _shorten(_f32(weight * buffer[j]))


@jit(fastmath=_SUM)
def _rows32(C, X, YT, kind, lo, hi, a, f, gs, inv, P, f_new, part):
    """The same with exp and the sums within a chunk in float32; exponents are formed in float64."""
    m = gs.size
    row, buffer, sums = np.empty(m, X.dtype), np.empty(m, _f32), np.zeros(m, _f32)
    for i in range(lo, hi):
        ci = _cost_row(C, X, YT, kind, i, row)
        shift, total = f[i] * inv, _f32(0)
        for guess in range(2):
            for j in range(m):
                p = exp32(_f32(shift + (gs[j] - ci[j] * inv)))
                buffer[j] = p
                total += p
            if guess == 1 or 1e-25 < total < 1e30:
                break
            shift, total = -_largest(gs, ci, inv), _f32(0)
        f_new[i] = (shift + math.log(a[i] / total)) / inv
        weight = _f32(a[i] / total)
        for j in range(m):
            buffer[j] *= weight
            sums[j] += buffer[j]
        if P.size:
            for j in range(m):
                P[i, j] = _shorten(buffer[j])
    for j in range(m):
        part[j] = sums[j]


@jit
def _largest(gs, ci, inv):
    top = -np.inf
    for j in range(gs.size):
        top = max(top, gs[j] - ci[j] * inv)
    return top


@jit
def _gather(parts, out):
    """Add the chunks' sums in order."""
    out[:] = 0
    for q in range(parts.shape[0]):
        for j in range(out.size):
            out[j] += parts[q, j]


@jit
def _scaled(x, factor):
    return x * factor


@jit(parallel=True)
def _row_pass(C, X, YT, kind, a, f, g, reg, single, P, f_new, c, parts):
    n, k, inv = a.size, parts.shape[0], 1.0 / reg
    gs = _scaled(g, inv)
    for q in numba.prange(k):
        lo, hi = q * n // k, (q + 1) * n // k
        if single:
            _rows32(C, X, YT, kind, lo, hi, a, f, gs, inv, P, f_new, parts[q])
        else:
            _rows64(C, X, YT, kind, lo, hi, a, f, gs, inv, P, f_new, parts[q])
    _gather(parts, c)


@jit(fastmath=_SUM)
def _total_rows(C, X, YT, kind, lo, hi, f, gs, inv, rows, part):
    m = gs.size
    row, buffer, paid = np.empty(m, X.dtype), np.empty(m), 0.0
    part[:] = 0
    for i in range(lo, hi):
        ci = _cost_row(C, X, YT, kind, i, row)
        shift, total = f[i] * inv, 0.0
        for j in range(m):
            buffer[j] = exp64(shift + (gs[j] - ci[j] * inv))
        for j in range(m):
            total += buffer[j]
            part[j] += buffer[j]
            paid += buffer[j] * (ci[j] if ci[j] < np.inf else 0.0)
        rows[i] = total
    return paid


@jit(parallel=True)
def _plan_totals(C, X, YT, kind, f, g, reg, rows, columns, parts, paid):
    n, k, inv = f.size, paid.size, 1.0 / reg
    gs = _scaled(g, inv)
    for q in numba.prange(k):
        lo, hi = q * n // k, (q + 1) * n // k
        paid[q] = _total_rows(C, X, YT, kind, lo, hi, f, gs, inv, rows, parts[q])
    _gather(parts, columns)


@jit
def _transform_rows(C, X, YT, kind, lo, hi, g, rows):
    m = g.size
    row, lanes, reduced = np.empty(m, X.dtype), np.empty(64), np.empty(m)
    for i in range(lo, hi):
        ci = _cost_row(C, X, YT, kind, i, row)
        for j in range(m):
            reduced[j] = ci[j] - g[j]
        rows[i] = _least(reduced, lanes)


@jit(parallel=True)
def _c_transform(C, X, YT, kind, g, rows, k):
    n = rows.size
    for q in numba.prange(k):
        _transform_rows(C, X, YT, kind, q * n // k, (q + 1) * n // k, g, rows)


@jit(fastmath={"contract"})
def _rounded_rows(C, X, YT, kind, lo, hi, f, gs, inv, u, v):
    m = gs.size
    row, paid, entropy = np.empty(m, X.dtype), 0.0, 0.0
    for i in range(lo, hi):
        ci = _cost_row(C, X, YT, kind, i, row)
        for j in range(m):
            p = exp64(f[i] * inv + (gs[j] - ci[j] * inv)) + u[i] * v[j]
            if p > 1e-300:
                paid += p * ci[j]
                entropy += p * (math.log(p) - 1.0)
    return paid, entropy


@jit(parallel=True)
def _rounded_sums(C, X, YT, kind, f, g, reg, u, v, paid, entropy):
    n, k, inv = f.size, paid.size, 1.0 / reg
    gs = _scaled(g, inv)
    for q in numba.prange(k):
        lo, hi = q * n // k, (q + 1) * n // k
        paid[q], entropy[q] = _rounded_rows(C, X, YT, kind, lo, hi, f, gs, inv, u, v)


@jit
def _short(bits):
    """Return the number of which `bits` are the upper half: bfloat16, eight bits of mantissa."""
    return np.uint32(np.uint32(bits) << np.uint32(16)).view(_f32)


@jit
def _shorten(x):
    """Round a positive float32 to its upper 16 bits."""
    return np.uint16((_f32(x).view(np.uint32) + np.uint32(0x8000)) >> np.uint32(16))


@jit(fastmath=_SUM)
def _plan_rows(P, lo, hi, scale, y, part):
    """Add rows lo..hi of P^T diag(scale) P y to `part`, two rows at a time: the vectors are read less often."""
    m = y.size
    part[:] = 0
    for i in range(lo, hi - 1, 2):
        p, q, dp, dq = P[i], P[i + 1], _f32(0), _f32(0)
        for j in range(m):
            dp += _short(p[j]) * y[j]
            dq += _short(q[j]) * y[j]
        dp *= scale[i]
        dq *= scale[i + 1]
        for j in range(m):
            part[j] += dp * _short(p[j]) + dq * _short(q[j])
    if (hi - lo) % 2:
        p, dp = P[hi - 1], _f32(0)
        for j in range(m):
            dp += _short(p[j]) * y[j]
        dp *= scale[hi - 1]
        for j in range(m):
            part[j] += dp * _short(p[j])


@jit(fastmath=_SUM)
def _plan_sums(P, lo, hi, scale, columns, squares):
    """Inverse row sums, column sums and sum_i P_ij^2 / r_i: with them the short plan is an exact Laplacian."""
    m = columns.size
    columns[:] = 0
    squares[:] = 0
    for i in range(lo, hi):
        p, total = P[i], _f32(0)
        for j in range(m):
            total += _short(p[j])
        inverse = _f32(1) / total
        for j in range(m):
            v = _short(p[j])
            columns[j] += v
            squares[j] += v * v * inverse
        scale[i] = inverse


@jit(parallel=True)
def _plan_diagonal(P, k, scale, columns, squares):
    n = P.shape[0]
    for q in numba.prange(k):
        _plan_sums(P, q * n // k, (q + 1) * n // k, scale, columns[q], squares[q])


@jit(parallel=True)
def _plan_product(P, k, scale, y, parts):
    n = P.shape[0]
    for q in numba.prange(k):
        _plan_rows(P, q * n // k, (q + 1) * n // k, scale, y, parts[q])


@jit
def _nearest(C, X, YT, kind, rows, f, group):
    m = group.size
    row, best = np.empty(m, X.dtype), np.full(m, -np.inf)
    for q in range(rows.size):
        ci = _cost_row(C, X, YT, kind, rows[q], row)
        for j in range(m):
            v = f[rows[q]] - ci[j]
            if v > best[j]:
                best[j], group[j] = v, q


@jit(fastmath=_SUM)
def _coarse_inverse(A, group, b, regularization):
    """Complete the coarse matrix by its regularisation and invert it in place, by Gauss-Jordan."""
    k = A.shape[0]
    for j in range(group.size):
        A[group[j], group[j]] += (regularization + 1e-12) * b[j]
    for p in range(k):
        if not A[p, p] > 0:
            A[p, p] = 1.0  # a group without columns
    for p in range(k):
        pivot = 1.0 / A[p, p]
        A[p, p] = 1.0
        for j in range(k):
            A[p, j] *= pivot
        for i in range(k):
            if i != p:
                ratio = A[i, p]
                A[i, p] = 0.0
                for j in range(k):
                    A[i, j] -= ratio * A[p, j]


@jit(fastmath=_SUM)
def _precondition(jacobi, inverse, group, r, z):
    """z = D^-1 r + Z A_c^-1 Z^T r: Jacobi for what is local, groups for what is slow."""
    k = inverse.shape[0]
    coarse = np.zeros(k)
    for j in range(r.size):
        coarse[group[j]] += r[j]
    lift = np.zeros(k)
    for p in range(k):
        total = 0.0
        for q in range(k):
            total += inverse[p, q] * coarse[q]
        lift[p] = total
    for j in range(r.size):
        z[j] = jacobi[j] * r[j] + lift[group[j]]


@jit(fastmath=_SUM)
def _plan_coarse(P, scale, group, A):
    """Add sum_i (diag(y_i) - y_i y_i^T / r_i) to A, y_i the mass of row i by group, from every eighth row."""
    n, m = P.shape
    k = A.shape[0]
    y = np.empty(k)
    for i in range(0, n, 8):
        y[:] = 0
        for j in range(m):
            y[group[j]] += _short(P[i, j])
        for p in range(k):
            ratio = 8.0 * y[p] * scale[i]
            A[p, p] += 8.0 * y[p]
            for q in range(k):
                A[p, q] -= ratio * y[q]


@jit(fastmath=_SUM)
def _plan_cg(P, k, group, count, b, rhs, regularization, rtol, max_iter, x):
    n, m = P.shape
    parts, squares, weights = np.empty((k, m), _f32), np.empty((k, m), _f32), np.empty(n, _f32)
    diagonal, jacobi, coarse = np.empty(m), np.empty(m), np.zeros((count, count))
    _plan_diagonal(P, k, weights, parts, squares)
    _gather(parts, diagonal)
    _gather(squares, jacobi)
    for j in range(m):
        d = diagonal[j] + regularization * b[j]
        jacobi[j] = 1.0 / max(d - jacobi[j], 1e-7 * d)
        diagonal[j] = d
    _plan_coarse(P, weights, group, coarse)
    _coarse_inverse(coarse, group, b, regularization)
    r, z, Ap = rhs.copy(), np.empty(m), np.empty(m)
    _precondition(jacobi, coarse, group, r, z)
    p, rz = z.copy(), np.dot(z, r)
    goal = rtol * rtol * rz
    x[:] = 0
    for step in range(max_iter):
        _plan_product(P, k, weights, p.astype(_f32), parts)
        _gather(parts, Ap)
        for j in range(m):
            Ap[j] = diagonal[j] * p[j] - Ap[j]
        curvature = np.dot(p, Ap)
        if not curvature > 0:
            return step
        alpha, before = rz / curvature, rz
        for j in range(m):
            x[j] += alpha * p[j]
            r[j] -= alpha * Ap[j]
        _precondition(jacobi, coarse, group, r, z)
        rz = np.dot(z, r)
        if not rz > goal:
            return step + 1
        for j in range(m):
            p[j] = z[j] + rz / before * p[j]
    return max_iter


@jit
def _mark_rows(C, X, YT, kind, lo, hi, f, g, inv, log_a, log_b, log_theta, bits, counts):
    """Set a bit for each entry that stays. One byte an entry, then eight bytes to one: both vectorise."""
    m = g.size
    row, hit = np.empty(m, X.dtype), np.zeros(bits.shape[1] * 8, np.uint8)
    words, gs = hit.view(np.uint64), g * inv - log_theta
    for i in range(lo, hi):
        ci = _cost_row(C, X, YT, kind, i, row)
        fi, la, count = f[i] * inv, log_a[i], 0
        for j in range(m):
            hit[j] = fi + (gs[j] - ci[j] * inv) >= min(la, log_b[j])
        for q in range(words.size):
            word = words[q]
            if word:
                packed = np.uint8((word * np.uint64(0x0102040810204080)) >> np.uint64(56))
                bits[i, q] = packed
                while packed:
                    packed &= np.uint8(packed - np.uint8(1))
                    count += 1
        counts[i + 1] = count


@jit(parallel=True)
def _mark(C, X, YT, kind, f, g, inv, log_a, log_b, log_theta, bits, counts):
    n = f.size
    k = max(1, min(64, n // 8))
    for q in numba.prange(k):
        lo, hi = q * n // k, (q + 1) * n // k
        _mark_rows(C, X, YT, kind, lo, hi, f, g, inv, log_a, log_b, log_theta, bits, counts)


@jit
def _fill_rows(C, X, YT, kind, lo, hi, f, g, inv, bits, indptr, indices, data):
    gs, row = g * inv, np.empty(g.size, X.dtype)
    for i in range(lo, hi):
        ci = _cost_row(C, X, YT, kind, i, row)
        fi, t = f[i] * inv, indptr[i]
        for q in range(bits.shape[1]):
            packed = bits[i, q]
            if packed:
                for bit in range(8):
                    if packed >> np.uint8(bit) & np.uint8(1):
                        j = 8 * q + bit
                        indices[t] = j
                        data[t] = fi + (gs[j] - ci[j] * inv)
                        t += 1
        for t in range(indptr[i], indptr[i + 1]):
            data[t] = exp64(data[t])


@jit(parallel=True)
def _fill(C, X, YT, kind, f, g, inv, bits, indptr, indices, data):
    n = f.size
    k = max(1, min(64, n // 8))
    for q in numba.prange(k):
        _fill_rows(C, X, YT, kind, q * n // k, (q + 1) * n // k, f, g, inv, bits, indptr, indices, data)


@jit(fastmath={"contract"})
def _dot_row(data, indices, lo, hi, y):
    """Sparse dot product with four independent sums, to hide the latency of the gathers."""
    s0, s1, s2, s3, t = 0.0, 0.0, 0.0, 0.0, lo
    while t + 4 <= hi:
        s0 += data[t] * y[indices[t]]
        s1 += data[t + 1] * y[indices[t + 1]]
        s2 += data[t + 2] * y[indices[t + 2]]
        s3 += data[t + 3] * y[indices[t + 3]]
        t += 4
    while t < hi:
        s0 += data[t] * y[indices[t]]
        t += 1
    return (s0 + s1) + (s2 + s3)


@jit(fastmath={"contract"})
def _pattern_rows(data, indices, indptr, lo, hi, scale, y, u, part, inverse):
    """u = scale * (K y), or its inverse; add K^T u to `part`."""
    part[:] = 0
    for i in range(lo, hi):
        first, last = indptr[i], indptr[i + 1]
        value = scale[i] * _dot_row(data, indices, first, last, y)
        u[i] = value
        if inverse:
            value = 1.0 / value
        for t in range(first, last):
            part[indices[t]] += data[t] * value


@jit(parallel=True)
def _pattern_product(data, indices, indptr, scale, y, u, parts, inverse):
    n, k = u.size, parts.shape[0]
    for q in numba.prange(k):
        lo, hi = q * n // k, (q + 1) * n // k
        _pattern_rows(data, indices, indptr, lo, hi, scale, y, u, parts[q], inverse)


@jit
def _pattern_eval(data, indices, indptr, a, w, s, c, parts):
    if parts.shape[0] == 1:  # no launch of threads
        _pattern_rows(data, indices, indptr, 0, a.size, 1.0 / a, w, s, parts[0], True)
    else:
        _pattern_product(data, indices, indptr, 1.0 / a, w, s, parts, True)
    _gather(parts, c)
    c *= w


@jit(fastmath={"contract"})
def _strong(data, indices, indptr, a, b, w, s, threshold):
    """Return the entries P_ij >= threshold min(a_i, b_j) of the plan in CSR form, and their row and column sums."""
    n, m = a.size, b.size
    start, count = np.zeros(n + 1, np.int64), 0
    column, weight = np.empty(data.size, np.uint32), np.empty(data.size)
    rows, columns = np.zeros(n), np.zeros(m)
    for i in range(n):
        scale = 1.0 / s[i]
        for t in range(indptr[i], indptr[i + 1]):
            j = indices[t]
            p = data[t] * w[j] * scale
            if p >= threshold * min(a[i], b[j]):
                column[count], weight[count] = j, p
                rows[i] += p
                columns[j] += p
                count += 1
        start[i + 1] = count
    return weight[:count].copy(), column[:count].copy(), start, rows, columns


@jit(fastmath={"contract"})
def _pattern_coarse(weight, column, start, scale, group, A):
    """Add sum_i (diag(y_i) - y_i y_i^T / r_i) to A, y_i the mass of row i by group."""
    k = A.shape[0]
    y, touched = np.zeros(k), np.empty(k, np.int64)
    for i in range(scale.size):
        count = 0
        for t in range(start[i], start[i + 1]):
            p = group[column[t]]
            if y[p] == 0.0:
                touched[count] = p
                count += 1
            y[p] += weight[t]
        for u in range(count):
            p = touched[u]
            A[p, p] += y[p]
            ratio = y[p] * scale[i]
            for v in range(count):
                A[p, touched[v]] -= ratio * y[touched[v]]
        for u in range(count):
            y[touched[u]] = 0.0


@jit(fastmath={"contract"})
def _pattern_diagonal(weight, column, start, scale, columns, b, regularization, diagonal, jacobi):
    jacobi[:] = 0
    for i in range(scale.size):
        for t in range(start[i], start[i + 1]):
            jacobi[column[t]] += weight[t] * weight[t] * scale[i]
    for j in range(b.size):
        d = columns[j] + regularization * b[j]
        jacobi[j] = 1.0 / max(d - jacobi[j], 1e-14 * b[j])
        diagonal[j] = d


@jit(fastmath=_SUM)
def _pattern_cg(
    weight, column, start, rows, columns, group, count, b, rhs, regularization, rtol, max_iter, x, parts
):
    n, m = rows.size, b.size
    scale = np.empty(n)
    for i in range(n):
        scale[i] = 1.0 / rows[i] if rows[i] > 0 else 0.0
    diagonal, jacobi, coarse, u = np.empty(m), np.empty(m), np.zeros((count, count)), np.empty(n)
    _pattern_diagonal(weight, column, start, scale, columns, b, regularization, diagonal, jacobi)
    _pattern_coarse(weight, column, start, scale, group, coarse)
    _coarse_inverse(coarse, group, b, regularization)
    r, z, Ap = rhs.copy(), np.empty(m), np.empty(m)
    _precondition(jacobi, coarse, group, r, z)
    p, rz = z.copy(), np.dot(z, r)
    goal = rtol * rtol * rz
    x[:] = 0
    for step in range(max_iter):
        if parts.shape[0] == 1:  # no launch of threads
            _pattern_rows(weight, column, start, 0, n, scale, p, u, parts[0], False)
        else:
            _pattern_product(weight, column, start, scale, p, u, parts, False)
        _gather(parts, Ap)
        for j in range(m):
            Ap[j] = diagonal[j] * p[j] - Ap[j]
        curvature = np.dot(p, Ap)
        if not curvature > 0:
            return step
        alpha, before = rz / curvature, rz
        for j in range(m):
            x[j] += alpha * p[j]
            r[j] -= alpha * Ap[j]
        _precondition(jacobi, coarse, group, r, z)
        rz = np.dot(z, r)
        if not rz > goal:
            return step + 1
        for j in range(m):
            p[j] = z[j] + rz / before * p[j]
    return max_iter


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
    plan_sums(cost, f, g, 1.0)
    c_transform(cost, g)
    rounded_sums(cost, f, g, 1.0, a, b)
