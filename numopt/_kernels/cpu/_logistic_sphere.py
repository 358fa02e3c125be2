"""The least value of a quadratic function on a sphere: one tridiagonal form, and then steps of O(n) for the multiplier.

J. J. Moré, D. C. Sorensen, SIAM J. Sci. Stat. Comput. 4 (1983), with a tridiagonal matrix in place of a dense one.
"""

import math

import numpy as np
from scipy.linalg import lapack

from numopt._kernels.cpu._jit import jit

_SMALL = 32  # numbers


def on_sphere(H, c, radius):
    """Return (v, shift, whether it was found); see the portable kernel. It is not found in the hard case."""
    if c.size <= _SMALL:
        return _small(H, c, radius)
    A, diagonal, off, scales, _ = lapack.dsytrd(H.T, lower=1, lwork=32 * c.size)
    return _solved(A.T, diagonal, off, scales, c, radius)


@jit
def _small(H, c, radius):
    """Do it in one call, which leaves out what LAPACK's costs when it has not been called for a while."""
    A = H.copy()
    return _solved(A, *_tridiagonal(A), c, radius)


@jit(fastmath={"contract", "reassoc"})
def _tridiagonal(A):
    """Return (diagonal, off, scales) of the tridiagonal form of A; A keeps the reflectors as `_reflect` reads them."""
    n = A.shape[0]
    diagonal, off, scales, p = np.empty(n), np.zeros(n - 1), np.zeros(n - 1), np.empty(n)
    for i in range(n - 1):
        diagonal[i], first, rest = A[i, i], A[i, i + 1], 0.0
        for j in range(i + 2, n):
            rest += A[i, j] * A[i, j]
        off[i] = first
        if rest == 0.0:
            continue
        off[i] = -math.copysign(math.sqrt(first * first + rest), first)
        scales[i] = scale = (off[i] - first) / off[i]
        A[i, i + 1] = 1.0
        for j in range(i + 2, n):
            A[i, j] /= first - off[i]
        along = 0.0
        for j in range(i + 1, n):
            p[j] = 0.0
            for k in range(i + 1, n):
                p[j] += scale * A[j, k] * A[i, k]
            along += p[j] * A[i, j]
        for j in range(i + 1, n):
            p[j] -= 0.5 * scale * along * A[i, j]
        for j in range(i + 1, n):
            for k in range(i + 1, n):
                A[j, k] -= A[i, j] * p[k] + p[j] * A[i, k]
    diagonal[n - 1] = A[n - 1, n - 1]
    return diagonal, off, scales


@jit(fastmath={"contract", "reassoc"})
def _reflect(A, scales, x, forward):
    """Replace x by Q^T x (forward) or Q x; row i of A holds the i-th reflector from column i + 2 on."""
    n = x.size
    for step in range(n - 1):
        i = step if forward else n - 2 - step
        along = x[i + 1]
        for j in range(i + 2, n):
            along += A[i, j] * x[j]
        along *= scales[i]
        x[i + 1] -= along
        for j in range(i + 2, n):
            x[j] -= along * A[i, j]


@jit
def _solved(A, diagonal, off, scales, c, radius):
    n, c = c.size, c.copy()
    _reflect(A, scales, c, True)
    bottom, top, least = math.inf, -math.inf, math.inf
    for i in range(n):
        beside = (abs(off[i - 1]) if i else 0.0) + (abs(off[i]) if i + 1 < n else 0.0)
        bottom, top = min(bottom, diagonal[i] - beside), max(top, diagonal[i] + beside)
        least = min(least, diagonal[i])
    push = math.sqrt((c * c).sum()) / radius
    low, high = max(push - top, -least), push - bottom  # the eigenvalues lie between bottom and top
    rounding = 4e-16 * max(abs(bottom), abs(top), push)
    low, high = low - rounding, high + rounding
    shift = min(max(0.0, low), high)
    pivots, v, half = np.empty(n), np.empty(n), np.empty(n)
    for _ in range(200):
        # L D L^T of T + shift I; half = L^-1 c, of which v^T (T + shift)^-1 v needs another one
        positive = True
        for i in range(n):
            pivots[i] = diagonal[i] + shift - (off[i - 1] * off[i - 1] / pivots[i - 1] if i else 0.0)
            if not pivots[i] > 0.0:
                positive = False
                break
        if not positive:
            low = shift
        else:
            for i in range(n):
                half[i] = c[i] - (off[i - 1] / pivots[i - 1] * half[i - 1] if i else 0.0)
            square = 0.0
            for i in range(n - 1, -1, -1):
                v[i] = (half[i] - (off[i] * v[i + 1] if i + 1 < n else 0.0)) / pivots[i]
                square += v[i] * v[i]
            size = math.sqrt(square)
            if abs(size - radius) <= 4e-16 * n * radius:
                break
            if size > radius:
                low = shift
            else:
                high = shift
        if high - low <= rounding:
            break
        wanted = math.nan
        if positive:
            slope = 0.0
            for i in range(n):
                half[i] = v[i] - (off[i - 1] / pivots[i - 1] * half[i - 1] if i else 0.0)
                slope += half[i] * half[i] / pivots[i]
            wanted = shift + square / slope * (size - radius) / radius  # Newton's step for 1 / radius - 1 / size
        shift = wanted if low < wanted < high else 0.5 * (low + high)
    size = math.sqrt((v * v).sum())
    found = positive and abs(size - radius) <= 1e-6 * radius
    if found:
        v *= radius / size
        _reflect(A, scales, v, False)
    return v, shift, found
