"""Relaxation sweeps and SSOR-PCG on a CUDA device: one launch for each level of uncoupled rows.

The host looks at the residuals of every eighth sweep only; sweeps that were launched after the last one that was
wanted do nothing. A step of conjugate gradients brings its five sums to the host together.
"""

import numpy as np

from numopt._array import host
from numopt._kernels.cuda._launch import empty, launch, module, zeros
from numopt._kernels.portable._pcg_scalars import Scalars

_GROWTH = 1e16  # of the squared residual, at which a sweep has diverged
_THREADS = 128
_LOOK = 8  # sweeps between two looks from the host
_C = {"int32": "int", "int64": "Int", "uint32": "unsigned"}


def sor(s, b, x, low, omega, target, budget, squares):
    """Sweep forward, x and low = L x in place, until a squared residual is at most `target`.

    squares[k] becomes ||b - A x||^2 before sweep k. Returns (sweeps, last square).
    """
    compiled, levels, parts = _opened(s)

    def sweep(done):
        for first, after, part in levels:
            rest = s.diagonal, b, x, low, omega, first, after, done, part
            launch(compiled, "sor", part.shape[0], _THREADS, *s.lower, *s.upper, *rest)

    return _swept(compiled, sweep, parts, target, budget, squares)


def ssor(s, b, x, half, low, up, omega, target, budget, squares):
    """Sweep forward and backward; up = U x comes in and goes out, `half` and `low` are work space."""
    compiled, levels, parts = _opened(s)

    def sweep(done):
        for first, after, part in levels:
            rest = s.diagonal, b, x, half, low, up, omega, first, after, done, part
            launch(compiled, "ssor_forward", part.shape[0], _THREADS, *s.lower, *rest)
        for first, after, part in reversed(levels):
            rest = b, x, half, low, up, omega, first, after, done
            launch(compiled, "ssor_backward", part.shape[0], _THREADS, *s.upper, *rest)

    return _swept(compiled, sweep, parts, target, budget, squares)


def products(s, x):
    """Return L x and U x."""
    n = x.shape[0]
    low, up = empty((n,), np.float64), empty((n,), np.float64)
    launch(_opened(s)[0], "products", -(-n // _THREADS), _THREADS, *s.lower, *s.upper, x, n, low, up)
    return low, up


def pcg_start(s, b, x, omega, g):
    """Write g = K^{-1} (b - A x), K = D/omega + L, and return ||b - A x||^2."""
    compiled, levels, parts = _opened(s)
    for first, after, part in levels:
        rest = s.diagonal, b, x, g, omega, first, after, part
        launch(compiled, "pcg_start", part.shape[0], _THREADS, *s.lower, *s.upper, *rest)
    return _added(compiled, parts, 1)[0]


def pcg(s, x, g, y, p, t, carry, omega, target, budget, squares, coefficients):
    """Conjugate gradients on K^{-1} A K^{-T} (Eisenstat), until a squared residual is at most `target`.

    Returns (steps, last square); alpha is NaN if the curvature was not positive.
    """
    compiled, levels, parts = _opened(s, 5)
    now, d, n = Scalars(omega, carry, squares, coefficients), s.diagonal, x.shape[0]
    blocks = -(-n // _THREADS)
    for _ in range(budget):
        launch(compiled, "pcg_update", blocks, _THREADS, x, g, p, t, y, now.alpha, now.beta, now.c, 0, n)
        for first, after, part in reversed(levels):
            launch(compiled, "pcg_backward", part.shape[0] // 5, _THREADS, *s.upper, p, t, omega, first, after)
        for first, after, part in levels:
            rest = d, g, p, t, y, omega, now.c, first, after, part
            launch(compiled, "pcg_forward", part.shape[0] // 5, _THREADS, *s.lower, *rest)
        if not now.going_on(target, *_added(compiled, parts, 5)):
            break
        if now.near(target, budget):
            launch(compiled, "pcg_update", blocks, _THREADS, x, g, p, t, y, now.alpha, now.beta, now.c, 1, n)
            norms = empty((blocks,), np.float64)
            launch(compiled, "pcg_norm", blocks, _THREADS, *s.lower, d, g, omega, n, norms)
            now.formed(_added(compiled, norms, 1)[0])
            if now.square <= target:
                break
    return now.closed()


def _added(compiled, parts, width):
    """Return the sums of the parts as Python floats."""
    out = empty((width,), np.float64)
    launch(compiled, "add_up", width, 1024, parts, parts.shape[0] // width, width, out)
    return host(out).tolist()


def _opened(s, width=1):
    """Return the module, (first row, row after, room for partial sums) of each level, and that room as a whole."""
    compiled = module("relax", f"INDEX={_C[s.lower.columns.dtype.name]}")
    rows = s.levels[:, 0]
    ends = np.r_[0, np.cumsum(-(-np.diff(rows) // _THREADS))]
    parts, ends = empty((int(ends[-1]) * width,), np.float64), (width * ends).tolist()
    levels = [(int(rows[k]), int(rows[k + 1]), parts[ends[k] : ends[k + 1]]) for k in range(len(rows) - 1)]
    return compiled, levels, parts


def _swept(compiled, sweep, parts, target, budget, squares):
    done, kept, taken = zeros((1,), np.int64), empty((budget,), np.float64), 0
    while taken < budget:
        ahead = min(budget, taken + _LOOK)
        for k in range(taken, ahead):
            sweep(done)
            launch(compiled, "settle", 1, 1024, parts, parts.shape[0], float(target), _GROWTH, k, kept, done)
        taken, enough = ahead, int(host(done)[0])
        if enough:
            taken = enough
            break
    squares[:taken] = host(kept[:taken])
    return taken, float(squares[taken - 1])
