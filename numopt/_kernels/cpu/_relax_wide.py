"""Sweeps over few, wide levels by several threads: the rows of a level are not coupled."""

import numba
import numpy as np

from numopt._kernels.cpu._jit import jit
from numopt._kernels.cpu._relax_rows import SUM, sweep
from numopt._kernels.portable._relax_system import Triangle

_CHUNK = 2048  # rows: sums over them are added in order, so that they are the same for any number of threads


@jit(fastmath=SUM)
def sor(s, b, x, low, omega, target, budget, squares, growth):
    """Sweep forward as the serial kernel does; only the order in which the residual is summed differs."""
    count, square, levels = 0, np.nan, s.levels
    longest = 0
    for k in range(levels.shape[0] - 1):
        longest = max(longest, levels[k + 1, 0] - levels[k, 0])
    parts = np.empty(longest // _CHUNK + 1)
    # A team of threads is handed arrays only.
    below, above, d = s.lower, s.upper, s.diagonal
    for count in range(1, budget + 1):
        square = 0.0
        for k in range(levels.shape[0] - 1):
            first, last = levels[k, 0], levels[k + 1, 0]
            chunks = (last - first + _CHUNK - 1) // _CHUNK
            _level(
                below.values, below.columns, below.starts, above.values, above.columns, above.starts,
                d, b, x, low, omega, first, last, parts[:chunks],
            )  # fmt: skip
            for c in range(chunks):
                square += parts[c]
        squares[count - 1] = square
        if not (square > target and square / growth <= squares[0]):
            break
    return count, square


@jit(fastmath=SUM, parallel=True)
def _level(l_values, l_columns, l_starts, u_values, u_columns, u_starts, d, b, x, low, omega, first, last, parts):
    for c in numba.prange(parts.size):
        at = first + c * _CHUNK
        parts[c] = _rows(
            l_values, l_columns, l_starts, u_values, u_columns, u_starts, d, b, x, low, omega,
            at, min(last, at + _CHUNK),
        )  # fmt: skip


@jit(fastmath=SUM)
def _rows(l_values, l_columns, l_starts, u_values, u_columns, u_starts, d, b, x, low, omega, first, last):
    """Sweep over some rows; they have starts, padded or not."""
    lower, upper = Triangle(l_values, l_columns, l_starts), Triangle(u_values, u_columns, u_starts)
    return sweep((), lower, upper, d, b, x, low, omega, first, last)
