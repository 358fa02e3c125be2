"""Relaxation sweeps and SSOR-PCG on a CUDA device: all sweeps or steps of a call in one launch.

The blocks of a launch are all resident and wait for one another between levels, and between steps: no launch and no
look from the host in between, however many levels there are. Entries are laid out for warps first, once for each
system, unless rows of very different length would make that too large.
"""

from typing import NamedTuple

import numpy as np

from numopt._array import device, host, namespace
from numopt._kernels.cuda._launch import empty, launch, module, multiprocessors, zeros
from numopt._kernels.portable._runs import once

_GROWTH = 1e16  # of the squared residual, at which a sweep has diverged
_THREADS = 640  # of a block, at most
_WORKERS = 264  # at most, that share a level: a multiple of the multiprocessors of most devices
_ALONE = 2048  # rows of a level up to which one block is faster than several that wait for one another
_WASTE = 1.5  # how much larger the entries may become
_SUMS = 5
_C = {"int32": "int", "int64": "Int", "uint32": "unsigned"}


class _Opened(NamedTuple):
    """A system as the kernels read it."""

    compiled: object
    blocks: int
    threads: int  # of a block
    lower: tuple
    upper: tuple
    levels: tuple  # what there is to know of them, their number, and the room for parts of sums

    def run(self, kernel, *arguments):
        """Launch a kernel that takes levels."""
        every = *self.lower, *self.upper, *self.levels, zeros((1,), np.int64), *arguments
        launch(self.compiled, kernel, self.blocks, self.threads, *every)


def sor(s, b, x, low, omega, target, budget, squares):
    """Sweep forward, x and low = L x in place, until a squared residual is at most `target`.

    squares[k] becomes ||b - A x||^2 before sweep k. Returns (sweeps, last square).
    """
    return _swept("sor", s, (b, x, low), omega, target, budget, squares)


def ssor(s, b, x, half, low, up, omega, target, budget, squares):
    """Sweep forward and backward; up = U x comes in and goes out, `half` and `low` are work space."""
    return _swept("ssor", s, (b, x, half, low, up), omega, target, budget, squares)


def products(s, x):
    """Return L x and U x."""
    n = x.shape[0]
    low, up = empty((n,), np.float64), empty((n,), np.float64)
    _opened(s).run("products", x, low, up)
    return low, up


def pcg_start(s, b, x, omega, g):
    """Write g = K^{-1} (b - A x), K = D/omega + L, and return ||b - A x||^2."""
    opened, out = _opened(s), empty((1,), np.float64)
    opened.run("pcg_start", s.diagonal, b, x, g, omega, out)
    return float(host(out)[0])


def pcg(s, x, g, y, p, t, carry, omega, target, budget, squares, coefficients):
    """Conjugate gradients on K^{-1} A K^{-T} (Eisenstat), until a squared residual is at most `target`.

    Returns (steps, last square); alpha is NaN if the curvature was not positive.
    """
    opened, out = _opened(s), empty((3 * budget + 6,), np.float64)
    rest = s.diagonal, x, g, y, p, t, omega, *carry.tolist(), float(target), budget, out
    opened.run("pcg", *rest)
    found = host(out)
    steps, square = int(found[0]), float(found[1])
    carry[:], squares[: steps + 1] = found[2:5], found[5 : 6 + steps]
    coefficients[:steps] = found[6 + budget :].reshape(-1, 2)[:steps]
    return steps, square


def _swept(kernel, s, vectors, omega, target, budget, squares):
    opened, out = _opened(s), empty((budget + 1,), np.float64)
    rest = s.diagonal, *vectors, omega, float(target), _GROWTH, budget, out
    opened.run(kernel, *rest)
    found = host(out)
    taken = int(found[budget])
    squares[:taken] = found[:taken]
    return taken, float(found[taken - 1])


def _opened(s):
    return _laid_out(*s.lower, *s.upper, s.levels)


@once
def _laid_out(values, columns, starts, upper_values, upper_columns, upper_starts, levels):
    lower, upper = (values, columns, starts), (upper_values, upper_columns, upper_starts)
    index, rows = _C[columns.dtype.name], levels[:, 0]
    first_slice, row = _slices(rows)
    widths = [_widths(t[2], row) for t in (lower, upper)]
    sizes = [32 * int(width.sum()) for width in widths]
    sliced = sum(sizes) <= _WASTE * (values.shape[0] + upper_values.shape[0])
    kinds = f"INDEX={index}", f"START={'Int' if sliced else index}", f"SLICED={int(sliced)}"
    compiled = module("relax", *kinds, together=True)
    widest = int(np.diff(rows).max())
    threads = min(_THREADS, -(-widest // 32) * 32)
    blocks = 1 if widest <= _ALONE else min(-(-widest // threads), multiprocessors())
    workers = np.minimum(-(-np.diff(rows) // threads), _WORKERS)
    table = _moved(np.stack([rows, np.r_[0, np.cumsum(workers)], first_slice], axis=1), values)
    if sliced:
        lower, upper = (_sliced(compiled, t, row, width) for t, width in zip((lower, upper), widths, strict=True))
    parts = empty((2 * _SUMS * int(workers.sum()),), np.float64)
    return _Opened(compiled, blocks, threads, lower, upper, (table, len(rows) - 1, parts))


def _slices(rows):
    """Return the first slice of each level, slices being up to 32 of its rows, and the first row of each slice."""
    counts = -(-np.diff(rows) // 32)
    first = np.r_[0, np.cumsum(counts)]
    within = np.arange(first[-1]) - np.repeat(first[:-1], counts)
    return first, np.r_[np.repeat(rows[:-1], counts) + 32 * within, rows[-1]]


def _widths(starts, row):
    """Return the length of the longest row of each slice."""
    xp = namespace(starts)
    begin, starts = _moved(row, starts), xp.astype(starts, xp.int64)
    at = xp.minimum(begin[:-1, None] + _moved(np.arange(32), starts)[None, :], begin[1:, None] - 1)
    at = xp.reshape(at, (-1,))
    lengths = xp.take(starts, at + 1) - xp.take(starts, at)
    return host(xp.max(xp.reshape(lengths, (-1, 32)), axis=1))


def _sliced(compiled, triangle, row, width):
    slices, size = width.size, 32 * int(width.sum())
    new = empty((size,), np.float64), empty((size,), triangle[1].dtype)
    row, begin = _moved(row, triangle[0]), _moved(32 * np.r_[0, np.cumsum(width)], triangle[0])
    launch(compiled, "slice", min(-(-slices // 8), multiprocessors()), 256, *triangle, row, begin, slices, *new)
    return *new, begin


def _moved(x, like):
    """Return integers on the device of an array."""
    return namespace(like).asarray(x.astype(np.int64), device=device(like))
