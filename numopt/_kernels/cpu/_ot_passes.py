"""Passes over every entry of the cost: half steps, sums of the plan, the rounded plan.

Rows go in pairs, one from each half of a chunk: both halves are read from end to end, which memory is quicker at than
at two streams that leap over each other's rows (a cost out of the cache takes 1.2 times as long as one in it, not 1.8).

Exponents are formed in units of log 2: powers of two cost a third less than `exp`. They (0.4 ns an entry, 0.15 ns in
float32) and, past the cache, the 8 bytes read are what bounds a pass.
"""

import math

import numba
import numpy as np

from numopt._kernels.cpu._jit import jit
from numopt._kernels.cpu._math import exp2_32, exp2_64, exp64
from numopt._kernels.cpu._ot_cost import SUM, added, cost_row, gather, parts_of, scaled
from numopt._kernels.cpu._ot_plan import shorten

_f32 = np.float32
_LOG2E, _LN2 = math.log2(math.e), math.log(2)
_NOTHING = -1021.0  # powers of two below are 0 in a plan that is shown: no subnormal numbers
_TINY = _f32(1e-30)  # far from subnormal numbers, which would slow every product with the plan


@jit(fastmath={"contract"})
def _exponent(s, g, c, inv):
    """Return s + (g - c inv), rounded in the same way wherever it is inlined: sums may be reordered there.

    At a small reg the plan depends on its last bits, and what one pass rounds must have the sums that another found.
    """
    return s + (g - c * inv)


@jit(fastmath=SUM)
def _pair64(c0, c1, s0, s1, gs, inv, b0, b1):
    """Fill b0, b1 with 2**(s + gs - c inv) and return their sums: two rows at a time read the vectors once."""
    t0, t1 = 0.0, 0.0
    for j in range(gs.size):
        p = exp2_64(_exponent(s0, gs[j], c0[j], inv))
        q = exp2_64(_exponent(s1, gs[j], c1[j], inv))
        b0[j], b1[j] = p, q
        t0 += p
        t1 += q
    return t0, t1


@jit(fastmath=SUM)
def _pair32(c0, c1, s0, s1, gs, inv, b0, b1):
    """Do the same with powers and sums in float32; exponents are formed in float64, by a loop of narrower vectors."""
    t0, t1 = _f32(0), _f32(0)
    for j in range(gs.size):
        b0[j] = _f32(s0 + (gs[j] - c0[j] * inv))
        b1[j] = _f32(s1 + (gs[j] - c1[j] * inv))
    for j in range(gs.size):
        p, q = exp2_32(b0[j]), exp2_32(b1[j])
        b0[j], b1[j] = p, q
        t0 += p
        t1 += q
    return t0, t1


@jit(fastmath=SUM)
def _rows64(C, X, YT, kind, lo, hi, a, f, gs, inv, P, f_new, part):
    """Half step of rows lo..hi and their share of the column sums, exp in float64."""
    m = gs.size
    row0, row1, b0, b1 = np.empty(m, X.dtype), np.empty(m, X.dtype), np.empty(m), np.empty(m)
    part[:] = 0
    half = (hi - lo + 1) // 2
    for i in range(lo, lo + half):
        k = i + half if i + half < hi else i
        c0, c1 = cost_row(C, X, YT, kind, i, row0), cost_row(C, X, YT, kind, k, row1)
        s0, s1 = f[i] * inv, f[k] * inv
        t0, t1 = _pair64(c0, c1, s0, s1, gs, inv, b0, b1)
        if not (1e-200 < t0 / a[i] < 1e200 and 1e-200 < t1 / a[k] < 1e200):
            s0, s1 = -_largest(gs, c0, inv), -_largest(gs, c1, inv)
            t0, t1 = _pair64(c0, c1, s0, s1, gs, inv, b0, b1)
        w0, w1 = a[i] / t0, a[k] / t1
        f_new[i], f_new[k] = (s0 + math.log2(w0)) / inv, (s1 + math.log2(w1)) / inv
        if k == i:  # the last row has no partner
            w1 = 0.0
        for j in range(m):
            part[j] += w0 * b0[j] + w1 * b1[j]
        if P.size:
            for j in range(m):
                P[k, j] = shorten(max(_f32(w1 * b1[j]), _TINY))
            for j in range(m):
                P[i, j] = shorten(max(_f32(w0 * b0[j]), _TINY))


@jit(fastmath=SUM)
def _rows32(C, X, YT, kind, lo, hi, a, f, gs, inv, P, f_new, part):
    """Do the same with exp and the sums within a chunk in float32."""
    m = gs.size
    row0, row1, b0, b1 = np.empty(m, X.dtype), np.empty(m, X.dtype), np.empty(m, _f32), np.empty(m, _f32)
    sums = np.zeros(m, _f32)
    half = (hi - lo + 1) // 2
    for i in range(lo, lo + half):
        k = i + half if i + half < hi else i
        c0, c1 = cost_row(C, X, YT, kind, i, row0), cost_row(C, X, YT, kind, k, row1)
        s0, s1 = f[i] * inv, f[k] * inv
        t0, t1 = _pair32(c0, c1, s0, s1, gs, inv, b0, b1)
        if not (1e-25 < t0 < 1e30 and 1e-25 < t1 < 1e30):
            s0, s1 = -_largest(gs, c0, inv), -_largest(gs, c1, inv)
            t0, t1 = _pair32(c0, c1, s0, s1, gs, inv, b0, b1)
        f_new[i], f_new[k] = (s0 + math.log2(a[i] / t0)) / inv, (s1 + math.log2(a[k] / t1)) / inv
        w0, w1 = _f32(a[i] / t0), _f32(a[k] / t1)
        if k == i:
            w1 = _f32(0)
        for j in range(m):
            sums[j] += w0 * b0[j] + w1 * b1[j]
        if P.size:
            for j in range(m):
                P[k, j] = shorten(max(w1 * b1[j], _TINY))
            for j in range(m):
                P[i, j] = shorten(max(w0 * b0[j], _TINY))
    for j in range(m):
        part[j] = sums[j]


@jit
def _rows(C, X, YT, kind, lo, hi, a, f, gs, inv, single, P, f_new, part):
    if single:
        _rows32(C, X, YT, kind, lo, hi, a, f, gs, inv, P, f_new, part)
    else:
        _rows64(C, X, YT, kind, lo, hi, a, f, gs, inv, P, f_new, part)


@jit
def _largest(gs, ci, inv):
    top = -np.inf
    for j in range(gs.size):
        top = max(top, gs[j] - ci[j] * inv)
    return top


@jit(parallel=True)
def half_step(C, X, YT, kind, a, f, g, reg, single, keep):
    """Return (f', c, P): the rows' half step from g, its column sums and, if it is to be kept, the plan."""
    n, m, inv = f.size, g.size, _LOG2E / reg
    k = parts_of(n, m, n * m)
    single = single and n * m >= 2**15  # nothing is gained below
    gs = scaled(g, inv)
    f_new, c, parts = np.empty(n), np.empty(m), np.empty((k, m))
    P = np.empty((n, m) if keep else (0, 0), np.uint16)
    if k == 1:  # no launch of threads
        _rows(C, X, YT, kind, 0, n, a, f, gs, inv, single, P, f_new, parts[0])
    else:
        for q in numba.prange(k):
            _rows(C, X, YT, kind, q * n // k, (q + 1) * n // k, a, f, gs, inv, single, P, f_new, parts[q])
    gather(parts, c)
    return f_new, c, P


@jit(fastmath=SUM)
def _total_rows(C, X, YT, kind, lo, hi, f, gs, inv, rows, part):
    m = gs.size
    row0, row1, b0, b1 = np.empty(m, X.dtype), np.empty(m, X.dtype), np.empty(m), np.empty(m)
    paid, half = 0.0, (hi - lo + 1) // 2
    part[:] = 0
    for i in range(lo, lo + half):
        k = i + half if i + half < hi else i
        c0, c1 = cost_row(C, X, YT, kind, i, row0), cost_row(C, X, YT, kind, k, row1)
        rows[i], rows[k] = _pair64(c0, c1, f[i] * inv, f[k] * inv, gs, inv, b0, b1)
        if k == i:  # the last row has no partner
            b1[:] = 0
        for j in range(m):
            part[j] += b0[j] + b1[j]
            paid += b0[j] * (c0[j] if c0[j] < np.inf else 0.0) + b1[j] * (c1[j] if c1[j] < np.inf else 0.0)
    return paid


@jit(parallel=True)
def totals(C, X, YT, kind, f, g, reg):
    """Return the row sums, the column sums and <C, P> of the plan."""
    n, m, inv = f.size, g.size, _LOG2E / reg
    k = parts_of(n, m, n * m)
    gs = scaled(g, inv)
    rows, columns, parts, paid = np.empty(n), np.empty(m), np.empty((k, m)), np.empty(k)
    if k == 1:
        paid[0] = _total_rows(C, X, YT, kind, 0, n, f, gs, inv, rows, parts[0])
    else:
        for q in numba.prange(k):
            lo, hi = q * n // k, (q + 1) * n // k
            paid[q] = _total_rows(C, X, YT, kind, lo, hi, f, gs, inv, rows, parts[q])
    gather(parts, columns)
    return rows, columns, added(paid)


@jit
def _formed_rows(C, X, YT, kind, lo, hi, f, gs, inv, P):
    row = np.empty(gs.size, X.dtype)
    for i in range(lo, hi):
        ci, shift = cost_row(C, X, YT, kind, i, row), f[i] * inv
        for j in range(gs.size):
            x = _exponent(shift, gs[j], ci[j], inv)
            P[i, j] = 0.0 if x < _NOTHING else exp2_64(x)


@jit(parallel=True)
def formed(C, X, YT, kind, f, g, reg, P, k):
    n, inv = f.size, _LOG2E / reg
    gs = scaled(g, inv)
    if k == 1:
        _formed_rows(C, X, YT, kind, 0, n, f, gs, inv, P)
        return
    for q in numba.prange(k):
        _formed_rows(C, X, YT, kind, q * n // k, (q + 1) * n // k, f, gs, inv, P)


@jit(fastmath={"contract"})
def _rounded_rows(C, X, YT, kind, lo, hi, f, gs, inv, u, v):
    """Take the logarithm, six times as dear as exp here, only where P and u v^T are of like size."""
    m = gs.size
    row, paid, entropy = np.empty(m, X.dtype), 0.0, 0.0
    log_v = np.log(v)
    for i in range(lo, hi):
        ci, shift = cost_row(C, X, YT, kind, i, row), f[i] * inv
        log_u = math.log(u[i]) if u[i] > 0 else -np.inf
        for j in range(m):
            x = _exponent(shift, gs[j], ci[j], inv)
            p, x, y = exp2_64(x), _LN2 * x, log_u + log_v[j]
            if x - y > 40:
                y = x
            elif y - x > 40:
                p = exp64(y)
            else:
                p += exp64(y)
                y = math.log(p)
            if not p <= 1e-300:
                paid += p * ci[j]
                entropy += p * (y - 1.0)
    return paid, entropy


@jit(parallel=True)
def rounded(C, X, YT, kind, f, g, reg, u, v, paid, entropy):
    n, k, inv = f.size, paid.size, _LOG2E / reg
    gs = scaled(g, inv)
    if k == 1:
        paid[0], entropy[0] = _rounded_rows(C, X, YT, kind, 0, n, f, gs, inv, u, v)
        return
    for q in numba.prange(k):
        lo, hi = q * n // k, (q + 1) * n // k
        paid[q], entropy[q] = _rounded_rows(C, X, YT, kind, lo, hi, f, gs, inv, u, v)
