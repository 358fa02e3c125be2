"""Kernels of constrained optimisation for the CPU: fused loops over bounds, and LAPACK's symmetric factorisation."""

import math

import numpy as np
from scipy.linalg import lapack

from numopt._kernels.cpu import _constrained_dense as _dense
from numopt._kernels.cpu import _constrained_sparse as _sparse
from numopt._kernels.cpu import _constrained_symbolic as _symbolic
from numopt._kernels.cpu._constrained_places import SETTLED, parts, places
from numopt._kernels.cpu._constrained_warmup import warmup  # noqa: F401 (the table looks for it here)
from numopt._kernels.cpu._jit import jit


def kkt_matrix(H, J, sigma, d):
    """Return [[H + diag(sigma), J^T], [J, -diag(d)]]; `sigma` and `d` are vectors or numbers."""
    A = np.empty((sum(J.shape),) * 2, H.dtype)
    _dense.assemble(A, *parts(H, J, sigma, d))
    return A


def kkt_factor(H, J, sigma, d, spare=None):
    """Factor that matrix; return (factor, negative, zero): the counts of its eigenvalues' signs."""
    m, n = J.shape
    if m + n <= _dense.SMALL:  # no direction is asked for: one compiled function for both cases is less to load
        none = np.zeros(m + n, H.dtype)
        H, J = np.ascontiguousarray(H), np.ascontiguousarray(J)
        return kkt_newton(H, J, sigma, d, none[:n], none[n:], spare)[:3]
    A, (scale, largest) = kkt_matrix(H, J, sigma, d), np.empty((2, m + n), H.dtype)
    _dense.equilibrate(A, scale, largest)
    if scale[0] != scale[0]:
        return None, 0, m + n
    sytrf = lapack.dsytrf if A.dtype == np.float64 else lapack.ssytrf
    lower, pivots, _ = sytrf(A.T, lower=1, overwrite_a=True, lwork=64 * (m + n))
    return ((lower.T, pivots, scale), None), *_dense.inertia(lower.T, pivots)


def kkt_solve(factor, rx, rc):
    """Return the solution for the right-hand side (rx, rc), in the same two parts."""
    step = np.empty(rx.size + rc.size, rx.dtype)
    _dense.solve(*factor[0], rx, rc, 1.0, step)
    return step[: rx.size], step[rx.size :]


def kkt_direction(factor, g, c):
    """Return (dx, dlam, g.dx, c.dlam, |dx|^2 + |dlam|^2), with (dx, dlam) the solution for -(g, c)."""
    step = np.empty(g.size + c.size, g.dtype)
    sums = SETTLED[g.dtype.char].direction(*factor[0], g, c, step)
    return step[: g.size], step[g.size :], *sums


def kkt_newton(H, J, sigma, d, g, c, spare=None):
    """Do what `kkt_factor` and `kkt_direction` do; return (factor, negative, zero, direction or None)."""
    n, m = g.size, c.size
    if spare is None or spare[1] != (n, m):
        if n + m > _dense.SMALL:
            factor, negative, zero = kkt_factor(H, J, sigma, d)
            right = negative == m and zero == 0
            return factor, negative, zero, kkt_direction(factor, g, c) if right else None
        spare = places(n, m, H.dtype)
    if type(sigma) is type(d) is float:
        negative, zero, gd, cd, size = spare[4](spare[5], spare[6], H, J, sigma, d, g, c)
    else:
        negative, zero, gd, cd, size = _dense.newton(spare[5], spare[6], *parts(H, J, sigma, d), g, c)
    if negative == m and zero == 0:
        return spare, negative, 0, (spare[2], spare[3], gd, cd, size)
    return (spare, negative, zero, None) if zero >= 0 else (None, 0, n + m, None)


def singular_range(J):
    """Return (largest, smallest) of the singular values of a matrix with no more rows than columns."""
    if J.size <= _dense.SMALL:
        return _dense.singular_range(J.copy())
    values = np.linalg.svd(J, compute_uv=False)
    return float(values[0]), float(values[-1])


@jit
def _larger(worst, value):
    """Return the larger of two numbers, NaN if one is."""
    return value if value > worst or value != value else worst


@jit
def lagrangian_measures(gL, J, c, lam, sc, sf):
    """Add J^T lam to the gradient `gL`, in place; return (lam.c, |c|^2, |gL|^2, KKT error and its two parts)."""
    lc = cc = gg = stationarity = violation = size = 0.0
    for i in range(c.size):
        lc += lam[i] * c[i]
        cc += c[i] * c[i]
        size += abs(lam[i]) * sc[i]
        off = abs(c[i]) / sc[i]
        violation = _larger(violation, off)
    for i in range(J.shape[0]):
        for j in range(gL.size):
            gL[j] += J[i, j] * lam[i]
    for j in range(gL.size):
        gg += gL[j] * gL[j]
        stationarity = _larger(stationarity, abs(gL[j]))
    mean = size / sf / (100.0 * max(1, c.size))
    stationarity /= sf
    return lc, cc, gg, _larger(violation, stationarity / (1.0 if mean <= 1.0 else mean)), stationarity, violation


@jit
def added_curvature(B, H, g, dx):
    """Return (g.(B - H) dx, |(B - H) dx|^2, |dx|^2)."""
    along = square = length = 0.0
    for i in range(dx.size):
        off = 0.0
        for j in range(dx.size):
            off += (B[i, j] - H[i, j]) * dx[j]
        along += g[i] * off
        square += off * off
        length += dx[i] * dx[i]
    return along, square, length


@jit
def slope_and_reach(g, dw, w):
    """Return (g.dw, largest |dw| / (1 + |w|))."""
    slope = reach = 0.0
    for i in range(dw.size):
        slope += g[i] * dw[i]
        reach = _larger(reach, abs(dw[i]) / (1.0 + abs(w[i])))
    return slope, reach


@jit
def sum_of_magnitudes(v):
    """Return the sum of |v_i| as a float."""
    total = 0.0
    for i in range(v.size):
        total += abs(v[i])
    return total


@jit
def sum_of_squares(v):
    """Return |v|^2 as a float."""
    total = 0.0
    for i in range(v.size):
        total += v[i] * v[i]
    return total


@jit
def kkt_errors(g, J, c, lam, low, high, sc, sf):
    """Return (stationarity, violation, complementarity, sum of |lam|) of rows low <= c <= high, unscaled."""
    stationarity = violation = product = size = 0.0
    for j in range(g.size):
        dual = 0.0 + g[j]
        for i in range(J.shape[0]):
            dual += J[i, j] * lam[i]
        stationarity = _larger(stationarity, abs(dual))
    for i in range(c.size):
        size += abs(lam[i]) * sc[i]
        off = max(low[i] - c[i], c[i] - high[i]) / sc[i]
        violation = _larger(violation, off)
        if low[i] != high[i]:
            distance = high[i] - c[i] if lam[i] > 0 else c[i] - low[i]
            paid = abs(lam[i]) * (max(distance, 0.0) if math.isfinite(distance) else 1.0)
            product = _larger(product, paid)
        elif not abs(lam[i]) < math.inf:
            product = math.nan
    return stationarity / sf, violation, product / sf, size / sf


@jit
def bound_errors(x, low, high, zl, zu):
    """Return (largest violation, largest product of a multiplier and its distance) of bounds."""
    violation = product = 0.0
    for i in range(x.size):
        for distance, z in ((x[i] - low[i], zl[i]), (high[i] - x[i], zu[i])):
            violation = _larger(violation, -distance)
            paid = abs(z) * (max(distance, 0.0) if math.isfinite(distance) else 1.0)
            product = _larger(product, paid)
    return violation, product


@jit
def pushed(x, low, high, part):
    """Return x moved inside its bounds, by `part` of max(1, |bound|) and of their distance at most."""
    out = x.copy()
    for i in range(x.size):
        width = part * (high[i] - low[i])
        if math.isfinite(low[i]):
            out[i] = max(out[i], low[i] + min(part * max(1.0, abs(low[i])), width))
        if math.isfinite(high[i]):
            out[i] = min(out[i], high[i] - min(part * max(1.0, abs(high[i])), width))
    return out


@jit
def barrier(x, low, high, mu):
    """Return (-mu sum of the logarithms of the distances to the bounds, its gradient)."""
    value, gradient = 0.0, np.zeros_like(x)
    for i in range(x.size):
        if math.isfinite(low[i]):
            value -= math.log(x[i] - low[i])
            gradient[i] -= mu / (x[i] - low[i])
        if math.isfinite(high[i]):
            value -= math.log(high[i] - x[i])
            gradient[i] += mu / (high[i] - x[i])
    return mu * value, gradient


@jit
def bound_curvature(x, low, high, zl, zu):
    """Return zl / (x - low) + zu / (high - x)."""
    out = np.empty_like(x)
    for i in range(x.size):
        out[i] = zl[i] / (x[i] - low[i]) + zu[i] / (high[i] - x[i])
    return out


@jit
def complementarity(x, low, high, zl, zu, mu):
    """Return the largest |z (distance to the bound) - mu|."""
    worst = 0.0
    for i in range(x.size):
        for distance, z in ((x[i] - low[i], zl[i]), (high[i] - x[i], zu[i])):
            if not math.isinf(distance):
                off = abs(z * distance - mu)
                worst = _larger(worst, off)
    return worst


@jit
def bound_steps(x, dx, low, high, zl, zu, mu, fraction):
    """Return (dzl, dzu, primal, dual): steps of the multipliers, and the largest step lengths <= 1."""
    dzl, dzu = np.zeros_like(x), np.zeros_like(x)
    primal = dual = 1.0
    for i in range(x.size):
        if math.isfinite(low[i]):
            a = x[i] - low[i]
            dzl[i] = (mu - zl[i] * dx[i]) / a - zl[i]
            if dx[i] < 0:
                primal = min(primal, -fraction * a / dx[i])
            if dzl[i] < 0:
                dual = min(dual, -fraction * zl[i] / dzl[i])
        if math.isfinite(high[i]):
            b = high[i] - x[i]
            dzu[i] = (mu + zu[i] * dx[i]) / b - zu[i]
            if dx[i] > 0:
                primal = min(primal, fraction * b / dx[i])
            if dzu[i] < 0:
                dual = min(dual, -fraction * zu[i] / dzu[i])
    return dzl, dzu, primal, dual


@jit
def bound_reset(x, low, high, zl, zu, mu):
    """Return multipliers within a factor 1e10 of mu / distance."""
    outl, outu = np.zeros_like(x), np.zeros_like(x)
    for i in range(x.size):
        if math.isfinite(low[i]):
            centre = mu / (x[i] - low[i])
            outl[i] = min(max(zl[i], centre / 1e10), centre * 1e10)
        if math.isfinite(high[i]):
            centre = mu / (high[i] - x[i])
            outu[i] = min(max(zu[i], centre / 1e10), centre * 1e10)
    return outl, outu


def sparse_ldl(rows, columns, data, n, known):
    """Factor a symmetric matrix of order n given by entries of its upper triangle; return (factor, D, known).

    `known` is what the last factorisation of this pattern returned as such, or None.
    """
    known = _symbolic.symbolic(rows, columns, n) if known is None else known
    values, D = _sparse.numeric(data, *known)
    return (values, D, *known[:5]), D, known


def sparse_ldl_solve(factor, b):
    """Return A^-1 b."""
    return _sparse.solve(*factor, b)


@jit(fastmath=("contract", "reassoc"))
def project_rows(W, t, d, rows):
    """Return d after projecting it, for each i of `rows` in turn, onto W_i . d = t_i; rows of zeros do nothing."""
    d = d.copy()
    squares = np.zeros(W.shape[0], W.dtype)
    for i in range(W.shape[0]):
        for j in range(W.shape[1]):
            squares[i] += W[i, j] * W[i, j]
    for i in rows:
        if squares[i] > 0:
            off = -t[i]
            for j in range(d.size):
                off += W[i, j] * d[j]
            off /= squares[i]
            for j in range(d.size):
                d[j] -= off * W[i, j]
    return d
