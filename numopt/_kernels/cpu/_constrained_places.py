"""Memory of a small KKT system, and its diagonals, as the compiled kernels take them."""

import numpy as np

from numopt._kernels._settled import Settled
from numopt._kernels.cpu import _constrained_dense as _dense

_NONE = {dtype: np.empty(0, dtype) for dtype in "fd"}
SETTLED = {dtype: Settled(_dense) for dtype in "fd"}  # for steps, whose arrays are the method's own


def places(n, m, dtype):
    """Return a small factor to be filled: (triangle, pivots, scale), sizes, a step in two parts, what fills them."""
    N = n + m
    work, pivots = np.empty((N + 2, N), dtype), np.empty(N, np.int32)
    step, newton = work[N + 1], SETTLED[dtype.char].plain_newton
    return (work[:N], pivots, work[N]), (n, m), step[:n], step[n:], newton, work, pivots


def parts(H, J, sigma, d):
    """Return the arguments of the compiled kernels: every diagonal as a vector, perhaps empty, and a number."""
    none, tau, delta = _NONE[H.dtype.char], 0.0, 0.0
    if type(sigma) is not np.ndarray:
        sigma, tau = none, float(sigma)
    if type(d) is not np.ndarray:
        d, delta = none, float(d)
    return np.ascontiguousarray(H), np.ascontiguousarray(J), sigma, d, tau, delta
