"""Kernels of constrained optimisation for the CPU: fused loops over bounds, and LAPACK's symmetric factorisation."""

import math

import numpy as np
from scipy.linalg import lapack

from numopt._kernels.cpu import _constrained_sparse as _sparse
from numopt._kernels.cpu._jit import jit


def kkt_matrix(H, J, sigma, d):
    """Return [[H + diag(sigma), J^T], [J, -diag(d)]]; `sigma` and `d` are vectors or numbers."""
    m, n = J.shape
    sigma, d = (np.full(k, v, H.dtype) if np.ndim(v) == 0 else v for v, k in ((sigma, n), (d, m)))
    return _kkt_matrix(np.ascontiguousarray(H), np.ascontiguousarray(J), sigma, d)


@jit
def _kkt_matrix(H, J, sigma, d):
    m, n = J.shape
    A = np.zeros((n + m, n + m), H.dtype)
    for i in range(n):
        for j in range(n):
            A[i, j] = H[i, j]
        A[i, i] += sigma[i]
    for i in range(m):
        for j in range(n):
            A[n + i, j] = J[i, j]
            A[j, n + i] = J[i, j]
        A[n + i, n + i] = -d[i]
    return A


def ldl(A):
    """Factor a symmetric matrix; return (factor, negative, zero): the counts of its eigenvalues' signs."""
    scaled, scale = _equilibrated(A)
    sytrf = lapack.dsytrf if A.dtype == np.float64 else lapack.ssytrf
    if scale[0] != scale[0]:
        return None, 0, A.shape[0]
    factor, pivots, _ = sytrf(scaled.T, lower=1, overwrite_a=True, lwork=64 * A.shape[0])
    negative, zero = _inertia(factor, pivots)
    return (factor, pivots, scale), negative, zero


def ldl_solve(factor, b):
    """Return A^-1 b."""
    triangular, pivots, scale = factor
    sytrs = lapack.dsytrs if b.dtype == np.float64 else lapack.ssytrs
    return scale * sytrs(triangular, pivots, scale * b, lower=1)[0]


@jit
def _equilibrated(A):
    """Return A with rows and columns scaled to size 1, and the scale (NaN if A holds one)."""
    n = A.shape[0]
    scale = np.ones(n, A.dtype)
    largest = np.empty(n, A.dtype)
    for _ in range(3):
        for j in range(n):
            top = 0.0
            for i in range(n):
                size = abs(A[i, j]) * scale[i]
                if not size <= top:
                    top = size
            largest[j] = top * scale[j]
        for j in range(n):
            if not math.isfinite(largest[j]):
                scale[:] = np.nan
                return A.copy(), scale
            if largest[j] > 0:
                scale[j] /= math.sqrt(largest[j])
    out = np.empty((n, n), A.dtype)
    for j in range(n):
        for i in range(n):
            out[j, i] = A[i, j] * scale[i] * scale[j]
    return out, scale


@jit
def _inertia(factor, pivots):
    """Count negative and zero eigenvalues of the block diagonal that LAPACK's sytrf (lower) leaves."""
    n = factor.shape[0]
    zero = 4 * np.finfo(factor.dtype).eps * n
    negative = none = k = 0
    while k < n:
        if pivots[k] > 0:
            if abs(factor[k, k]) <= zero:
                none += 1
            elif not factor[k, k] > 0:
                negative += 1
            k += 1
        else:  # a block of order two has one eigenvalue of each sign
            negative += 1
            k += 2
    return negative, none


@jit
def kkt_errors(dual, c, lam, low, high, sc, sf):
    """Return (stationarity, violation, complementarity) of rows low <= c <= high, unscaled."""
    stationarity = violation = product = 0.0
    for j in range(dual.size):
        if not abs(dual[j]) <= stationarity:
            stationarity = abs(dual[j])
    for i in range(c.size):
        off = max(low[i] - c[i], c[i] - high[i]) / sc[i]
        if not off <= violation:
            violation = off
        if low[i] != high[i]:
            distance = high[i] - c[i] if lam[i] > 0 else c[i] - low[i]
            paid = abs(lam[i]) * (max(distance, 0.0) if math.isfinite(distance) else 1.0)
            if not paid <= product:
                product = paid
        elif not abs(lam[i]) < math.inf:
            product = math.nan
    return stationarity / sf, violation, product / sf


@jit(fastmath=("contract",))
def merit(f, g, J, c, lam, eta1, eta2):
    """Return f + lam.c + eta1/2 |c|^2 + eta2/2 |g + J^T lam|^2."""
    gL = g.astype(np.float64)
    value, cc, gg = f, 0.0, 0.0
    for i in range(c.size):
        value += lam[i] * c[i]
        cc += c[i] * c[i]
        for j in range(g.size):
            gL[j] += lam[i] * J[i, j]
    for j in range(g.size):
        gg += gL[j] * gL[j]
    return value + 0.5 * eta1 * cc + 0.5 * eta2 * gg


@jit
def bound_errors(x, low, high, zl, zu):
    """Return (largest violation, largest product of a multiplier and its distance) of bounds."""
    violation = product = 0.0
    for i in range(x.size):
        for distance, z in ((x[i] - low[i], zl[i]), (high[i] - x[i], zu[i])):
            if not -distance <= violation:
                violation = -distance
            paid = abs(z) * (max(distance, 0.0) if math.isfinite(distance) else 1.0)
            if not paid <= product:
                product = paid
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
            if math.isfinite(distance):
                off = abs(z * distance - mu)
                if not off <= worst:
                    worst = off
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


def sparse_ldl(indptr, indices, data, known):
    """Factor a symmetric matrix given by its upper triangle in CSC; return (factor, D, known).

    `known` is what the last factorisation of this pattern returned as such, or None.
    """
    known = _sparse.symbolic(indptr, indices) if known is None else known
    rows, values, D = _sparse.numeric(indptr, indices, data, *known)
    return (known[1], rows, values, D), D, known


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


def warmup(dtype):
    """Compile for one dtype."""
    one = np.ones(2, dtype)
    eye = np.eye(2, dtype=dtype)
    mu = float(one[0])
    factor, *_ = ldl(kkt_matrix(eye, eye[:1], 0.0, 0.0))
    kkt_errors(one, one, one, one, one, one, mu)
    merit(mu, one, eye, one, one, mu, mu)
    ldl_solve(factor, np.ones(3, dtype))
    for function in (bound_errors, bound_curvature):
        function(one, 0 * one, 2 * one, one, one)
    pushed(one, 0 * one, 2 * one, 0.01)
    barrier(one, 0 * one, 2 * one, mu)
    complementarity(one, 0 * one, 2 * one, one, one, mu)
    bound_steps(one, one, 0 * one, 2 * one, one, one, mu, 0.99)
    bound_reset(one, 0 * one, 2 * one, one, one, mu)
    project_rows(eye, one, one, np.arange(2))
    parts, *_ = sparse_ldl(np.arange(3, dtype=np.int32), np.arange(2, dtype=np.int32), one, None)
    sparse_ldl_solve(parts, one)
