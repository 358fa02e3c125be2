"""The passes of Eisenstat's conjugate gradients: one triangle each, all updates and sums on the way."""

import numpy as np

from numopt._kernels.cpu._jit import jit
from numopt._kernels.cpu._relax_rows import SUM, times, times_two


@jit(fastmath=SUM)
def backward(width, upper, x, g, y, p, t, alpha, beta, omega):
    """Update x and g by the step before, and p; solve for t."""
    n, c = np.uint64(x.size), (2 - omega) / omega
    for k in range(n):
        i = n - np.uint64(1) - np.uint64(k)
        old = t[i]
        x[i] += alpha * old
        residual = g[i] - alpha * (old + y[i])
        g[i] = residual
        direction = c * residual + beta * p[i]
        p[i] = direction
        t[i] = omega * (direction - times(width, upper, i, t))


@jit(fastmath=SUM)
def forward(width, lower, d, g, y, p, t, omega):
    """Solve for y; return ||K g||^2 and <q, D p>, <q, D g>, <q, D q>, <g, D g> of q = t + y."""
    c, inverse, square = (2 - omega) / omega, 1 / omega, 0.0
    qp = qg = qq = gg = 0.0
    for k in range(y.size):
        i = np.uint64(k)
        of_y, of_g = times_two(width, lower, i, y, g)
        here, weight = g[i], d[i]
        y[i] = new = omega * (p[i] - c * t[i] - of_y)
        r = weight * (here * inverse + of_g)
        q = t[i] + new
        weighted = weight * q
        square += r * r
        qp += weighted * p[i]
        qg += weighted * here
        qq += weighted * q
        gg += weight * here * here
    return square, qp, qg, qq, gg


@jit(fastmath=SUM)
def forward_light(width, lower, d, y, p, t, omega):
    """Solve for y; return <q, D p> and <q, D q>."""
    c, qp, qq = (2 - omega) / omega, 0.0, 0.0
    for k in range(y.size):
        i = np.uint64(k)
        y[i] = new = omega * (p[i] - c * t[i] - times(width, lower, i, y))
        q = t[i] + new
        weighted = d[i] * q
        qp += weighted * p[i]
        qq += weighted * q
    return qp, qq


@jit(fastmath=SUM)
def finish(width, lower, d, x, g, y, t, alpha, omega):
    """Update x and g and return ||K g||^2."""
    inverse, square = 1 / omega, 0.0
    for k in range(x.size):
        i = np.uint64(k)
        x[i] += alpha * t[i]
        g[i] -= alpha * (t[i] + y[i])
        r = d[i] * (g[i] * inverse + times(width, lower, i, g))
        square += r * r
    return square
