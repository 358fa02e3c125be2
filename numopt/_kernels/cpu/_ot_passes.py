"""Passes over every entry of the cost: half steps, sums of the plan, the rounded plan.

What bounds a pass is `exp` (0.6 ns an entry, 0.17 ns in float32) and, past the cache, the 8 bytes read.
"""

import math

import numba
import numpy as np

from numopt._kernels.cpu._jit import jit
from numopt._kernels.cpu._math import exp32, exp64
from numopt._kernels.cpu._ot_cost import SUM, cost_row, gather, scaled
from numopt._kernels.cpu._ot_plan import shorten

_f32 = np.float32
_TINY = _f32(1e-30)  # far from subnormal numbers, which would slow every product with the plan


@jit(fastmath=SUM)
def _rows64(C, X, YT, kind, lo, hi, a, f, gs, inv, P, f_new, part):
    """Half step of rows lo..hi and their share of the column sums, exp in float64."""
    m = gs.size
    row, buffer = np.empty(m, X.dtype), np.empty(m)
    part[:] = 0
    for i in range(lo, hi):
        ci = cost_row(C, X, YT, kind, i, row)
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
                P[i, j] = shorten(max(_f32(weight * buffer[j]), _TINY))


@jit(fastmath=SUM)
def _rows32(C, X, YT, kind, lo, hi, a, f, gs, inv, P, f_new, part):
    """Do the same with exp and the sums within a chunk in float32; exponents are formed in float64."""
    m = gs.size
    row, buffer, sums = np.empty(m, X.dtype), np.empty(m, _f32), np.zeros(m, _f32)
    for i in range(lo, hi):
        ci = cost_row(C, X, YT, kind, i, row)
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
                P[i, j] = shorten(max(buffer[j], _TINY))
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
def half_step(C, X, YT, kind, a, f, g, reg, single, P, f_new, c, parts):
    n, k, inv = a.size, parts.shape[0], 1.0 / reg
    gs = scaled(g, inv)
    if k == 1:  # no launch of threads
        _rows(C, X, YT, kind, 0, n, a, f, gs, inv, single, P, f_new, parts[0])
    else:
        for q in numba.prange(k):
            _rows(C, X, YT, kind, q * n // k, (q + 1) * n // k, a, f, gs, inv, single, P, f_new, parts[q])
    gather(parts, c)


@jit(fastmath=SUM)
def _total_rows(C, X, YT, kind, lo, hi, f, gs, inv, rows, part):
    m = gs.size
    row, buffer, paid = np.empty(m, X.dtype), np.empty(m), 0.0
    part[:] = 0
    for i in range(lo, hi):
        ci = cost_row(C, X, YT, kind, i, row)
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
def totals(C, X, YT, kind, f, g, reg, rows, columns, parts, paid):
    n, k, inv = f.size, paid.size, 1.0 / reg
    gs = scaled(g, inv)
    if k == 1:
        paid[0] = _total_rows(C, X, YT, kind, 0, n, f, gs, inv, rows, parts[0])
    else:
        for q in numba.prange(k):
            lo, hi = q * n // k, (q + 1) * n // k
            paid[q] = _total_rows(C, X, YT, kind, lo, hi, f, gs, inv, rows, parts[q])
    gather(parts, columns)


@jit(fastmath={"contract"})
def _rounded_rows(C, X, YT, kind, lo, hi, f, gs, inv, u, v):
    """Take the logarithm, six times as dear as exp here, only where P and u v^T are of like size."""
    m = gs.size
    row, paid, entropy = np.empty(m, X.dtype), 0.0, 0.0
    log_v = np.log(v)
    for i in range(lo, hi):
        ci = cost_row(C, X, YT, kind, i, row)
        log_u = math.log(u[i]) if u[i] > 0 else -np.inf
        for j in range(m):
            x = f[i] * inv + (gs[j] - ci[j] * inv)
            y = log_u + log_v[j]
            if x - y > 40:
                y, p = x, exp64(x)
            elif y - x > 40:
                p = exp64(y)
            else:
                p = exp64(x) + exp64(y)
                y = math.log(p)
            if not p <= 1e-300:
                paid += p * ci[j]
                entropy += p * (y - 1.0)
    return paid, entropy


@jit(parallel=True)
def rounded(C, X, YT, kind, f, g, reg, u, v, paid, entropy):
    n, k, inv = f.size, paid.size, 1.0 / reg
    gs = scaled(g, inv)
    if k == 1:
        paid[0], entropy[0] = _rounded_rows(C, X, YT, kind, 0, n, f, gs, inv, u, v)
        return
    for q in numba.prange(k):
        lo, hi = q * n // k, (q + 1) * n // k
        paid[q], entropy[q] = _rounded_rows(C, X, YT, kind, lo, hi, f, gs, inv, u, v)
