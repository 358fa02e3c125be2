"""Dense L D L^T of KKT matrices: J. R. Bunch, L. Kaufman, Math. Comp. 31 (1977), in the layout of LAPACK's sytrf.

Below `SMALL` unknowns a call of LAPACK costs more than its arithmetic: there the whole factorisation is compiled here.
A factor is (triangle, pivots, scale). Row k of the triangle is column k of L, so that it is read in the order of
memory; matrices of LAPACK, whose columns are contiguous, have that form when they are transposed.
"""

import math

import numpy as np

from numopt._kernels.cpu._jit import jit

SMALL = 48
_ALPHA = (1 + math.sqrt(17)) / 8


@jit
def assemble(A, H, J, sigma, d, tau, delta):
    """Set A to [[H + diag(sigma) + tau I, J^T], [J, -diag(d) - delta I]]; an empty `sigma` or `d` counts as zeros."""
    m, n = J.shape
    for i in range(n):
        for j in range(n):
            A[i, j] = H[i, j]
        A[i, i] += tau if sigma.size == 0 else sigma[i] + tau
    for i in range(m):
        for j in range(n):
            A[n + i, j] = J[i, j]
            A[j, n + i] = J[i, j]
        for j in range(m):
            A[n + i, n + j] = 0.0
        A[n + i, n + i] = -delta if d.size == 0 else -d[i] - delta


@jit
def equilibrate(A, scale, largest):
    """Scale rows and columns of A to size 1, in place, and set the scale (NaN if A holds one); `largest` is scratch."""
    n = A.shape[0]
    scale[:] = 1.0
    for _ in range(3):
        for j in range(n):
            top = 0.0
            for i in range(n):
                size = abs(A[j, i]) * scale[i]
                if size > top or size != size:
                    top = size
            largest[j] = top * scale[j]
        for j in range(n):
            if not math.isfinite(largest[j]):
                scale[:] = np.nan
                return
            if largest[j] > 0:
                scale[j] /= math.sqrt(largest[j])
    for j in range(n):
        for i in range(n):
            A[j, i] *= scale[i] * scale[j]


@jit
def direction(A, pivots, scale, g, c, step):
    """Set `step` to the solution for -(g, c); return (g.dx, c.dlam, |step|^2)."""
    solve(A, pivots, scale, g, c, -1.0, step)
    n, gd, cd, size = g.size, 0.0, 0.0, 0.0
    for i in range(n):
        gd += g[i] * step[i]
    for i in range(c.size):
        cd += c[i] * step[n + i]
    for i in range(step.size):
        size += step[i] * step[i]
    return gd, cd, size


@jit
def newton(work, pivots, H, J, sigma, d, tau, delta, g, c):
    """Factor the KKT matrix, then find the direction; return (negative, zero, g.dx, c.dlam, |step|^2).

    `work` has the triangle in all rows but two, then the scale, then the step. The first two are the counts of
    eigenvalues, the second of them -1 where the matrix holds NaN or infinity.
    """
    N = work.shape[1]
    A, scale, step = work[:N], work[N], work[N + 1]
    assemble(A, H, J, sigma, d, tau, delta)
    equilibrate(A, scale, step)
    if scale[0] != scale[0]:
        return 0, -1, 0.0, 0.0, 0.0
    factor(A, pivots)
    negative, zero = inertia(A, pivots)
    gd, cd, size = direction(A, pivots, scale, g, c, step)
    return negative, zero, gd, cd, size


@jit
def plain_newton(work, pivots, H, J, tau, delta, g, c):
    """Do both for multiples of I alone: fewer arguments are a faster call."""
    none = g[:0]
    return newton(work, pivots, H, J, none, none, tau, delta, g, c)


@jit
def factor(A, pivots):
    """Factor a symmetric matrix in place; the pivots count from 1 and are negative for blocks of two."""
    n = A.shape[0]
    k = 0
    while k < n:
        step, p = 1, k
        own, top, i_top = abs(A[k, k]), 0.0, k
        for i in range(k + 1, n):
            if abs(A[k, i]) > top:
                top, i_top = abs(A[k, i]), i
        if own < _ALPHA * top:
            row = 0.0
            for j in range(k, i_top):
                row = max(row, abs(A[j, i_top]))
            for i in range(i_top + 1, n):
                row = max(row, abs(A[i_top, i]))
            if own * row >= _ALPHA * top * top:
                p = k
            elif abs(A[i_top, i_top]) >= _ALPHA * row:
                p = i_top
            else:
                p, step = i_top, 2
        second = k + step - 1
        if p != second:
            for i in range(p + 1, n):
                A[second, i], A[p, i] = A[p, i], A[second, i]
            for i in range(second + 1, p):
                A[second, i], A[i, p] = A[i, p], A[second, i]
            A[second, second], A[p, p] = A[p, p], A[second, second]
            if step == 2:
                A[k, k + 1], A[k, p] = A[k, p], A[k, k + 1]
        if step == 1:
            if A[k, k] != 0:
                for j in range(k + 1, n):
                    ratio = A[k, j] / A[k, k]
                    for i in range(j, n):
                        A[j, i] -= ratio * A[k, i]
                for i in range(k + 1, n):
                    A[k, i] /= A[k, k]
            pivots[k] = p + 1
        else:
            off = A[k, k + 1]
            a, b = A[k + 1, k + 1] / off, A[k, k] / off
            t = 1 / (a * b - 1) / off
            for j in range(k + 2, n):
                y = t * (a * A[k, j] - A[k + 1, j])
                z = t * (b * A[k + 1, j] - A[k, j])
                for i in range(j, n):
                    A[j, i] -= A[k, i] * y + A[k + 1, i] * z
                A[k, j], A[k + 1, j] = y, z
            pivots[k] = pivots[k + 1] = -(p + 1)
        k += step


@jit
def inertia(A, pivots):
    """Return the counts of negative and zero eigenvalues of the block diagonal."""
    n = A.shape[0]
    small = 4 * np.finfo(A.dtype).eps * n
    negative = zero = k = 0
    while k < n:
        if pivots[k] > 0:
            if abs(A[k, k]) <= small:
                zero += 1
            elif not A[k, k] > 0:
                negative += 1
            k += 1
        else:  # a block of order two has one eigenvalue of each sign
            negative += 1
            k += 2
    return negative, zero


@jit
def solve(A, pivots, scale, top, low, sign, b):
    """Set b to the solution for the right-hand side `sign` (top, low)."""
    n = top.size
    for i in range(n):
        b[i] = sign * top[i] * scale[i]
    for i in range(low.size):
        b[n + i] = sign * low[i] * scale[n + i]
    n, k = b.size, 0
    while k < n:
        step = 1 if pivots[k] > 0 else 2
        p, last = abs(pivots[k]) - 1, k + step - 1
        b[last], b[p] = b[p], b[last]
        for j in range(k, k + step):
            for i in range(k + step, n):
                b[i] -= A[j, i] * b[j]
        if step == 1:
            b[k] /= A[k, k]
        else:
            off = A[k, k + 1]
            a, c = A[k, k] / off, A[k + 1, k + 1] / off
            x, y = b[k] / off, b[k + 1] / off
            b[k], b[k + 1] = (c * x - y) / (a * c - 1), (a * y - x) / (a * c - 1)
        k += step
    k = n - 1
    while k >= 0:
        step = 1 if pivots[k] > 0 else 2
        for j in range(k - step + 1, k + 1):
            for i in range(k + 1, n):
                b[j] -= A[j, i] * b[i]
        p = abs(pivots[k]) - 1
        b[k], b[p] = b[p], b[k]
        k -= step
    b *= scale


@jit
def singular_range(A):
    """Return (largest, smallest) of the singular values of A, whose rows are turned until they are orthogonal.

    One-sided Jacobi rotations: M. R. Hestenes, J. SIAM 6 (1958).
    """
    m, n = A.shape
    turned, sweeps, eps = True, 0, np.finfo(A.dtype).eps
    while turned and sweeps < 30:
        turned, sweeps = False, sweeps + 1
        for p in range(m):
            for q in range(p + 1, m):
                a = b = c = 0.0
                for j in range(n):
                    a += A[p, j] * A[p, j]
                    b += A[q, j] * A[q, j]
                    c += A[p, j] * A[q, j]
                if abs(c) > eps * math.sqrt(a * b):
                    turned, half = True, (b - a) / (2 * c)
                    t = math.copysign(1.0, half) / (abs(half) + math.sqrt(1 + half * half))
                    cosine = 1 / math.sqrt(1 + t * t)
                    for j in range(n):
                        A[p, j], A[q, j] = cosine * (A[p, j] - t * A[q, j]), cosine * (t * A[p, j] + A[q, j])
    largest, smallest = 0.0, math.inf
    for p in range(m):
        square = 0.0
        for j in range(n):
            square += A[p, j] * A[p, j]
        largest, smallest = max(largest, square), min(smallest, square)
    return math.sqrt(largest), math.sqrt(smallest)
