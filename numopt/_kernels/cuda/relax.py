"""Relaxation sweeps on a CUDA device: one launch for each level of uncoupled rows.

The host looks at the residuals of every eighth sweep only; sweeps that were launched after the last one that was
wanted do nothing.
"""

import numpy as np

from numopt._array import host
from numopt._kernels.cuda._launch import empty, launch, module, zeros

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


def _opened(s):
    """Return the module, (first row, row after, room for partial sums) of each level, and that room as a whole."""
    compiled = module("relax", f"INDEX={_C[s.lower.columns.dtype.name]}")
    rows = s.levels[:, 0]
    ends = np.r_[0, np.cumsum(-(-np.diff(rows) // _THREADS))]
    parts = empty((int(ends[-1]),), np.float64)
    levels = [(int(rows[k]), int(rows[k + 1]), parts[int(ends[k]) : int(ends[k + 1])]) for k in range(len(rows) - 1)]
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
