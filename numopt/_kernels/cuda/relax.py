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
_THREADS = 1024  # of a block, at most
_WORKERS = 528  # at most, that share a level: a multiple of the multiprocessors of most devices
_ALONE = 4096  # rows of a level up to which one block is faster than several that wait for one another
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
    levels: tuple  # first row and first part of each level, their number, the room for parts, and the flags

    def run(self, kernel, *arguments):
        launch(self.compiled, kernel, self.blocks, self.threads, *self.lower, *self.upper, *arguments)


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
    _opened(s).run("products", x, n, low, up)
    return low, up


def pcg_start(s, b, x, omega, g):
    """Write g = K^{-1} (b - A x), K = D/omega + L, and return ||b - A x||^2."""
    opened, out = _opened(s), empty((1,), np.float64)
    opened.run("pcg_start", *opened.levels, *_flags(), s.diagonal, b, x, g, omega, out)
    return float(host(out)[0])


def pcg(s, x, g, y, p, t, carry, omega, target, budget, squares, coefficients):
    """Conjugate gradients on K^{-1} A K^{-T} (Eisenstat), until a squared residual is at most `target`.

    Returns (steps, last square); alpha is NaN if the curvature was not positive.
    """
    opened, out = _opened(s), empty((3 * budget + 6,), np.float64)
    rest = s.diagonal, x, g, y, p, t, omega, *carry.tolist(), float(target), budget, out
    opened.run("pcg", *opened.levels, *_flags(), *rest)
    found = host(out)
    steps, square = int(found[0]), float(found[1])
    carry[:], squares[: steps + 1] = found[2:5], found[5 : 6 + steps]
    coefficients[:steps] = found[6 + budget :].reshape(-1, 2)[:steps]
    return steps, square


def _swept(kernel, s, vectors, omega, target, budget, squares):
    opened, out = _opened(s), empty((budget + 1,), np.float64)
    rest = s.diagonal, *vectors, omega, float(target), _GROWTH, budget, out
    opened.run(kernel, *opened.levels, *_flags(), *rest)
    found = host(out)
    taken = int(found[budget])
    squares[:taken] = found[:taken]
    return taken, float(found[taken - 1])


def _flags():
    return (zeros((multiprocessors(),), np.int64),)


def _opened(s):
    return _laid_out(*s.lower, *s.upper, s.levels)


@once
def _laid_out(values, columns, starts, upper_values, upper_columns, upper_starts, levels):
    lower, upper = (values, columns, starts), (upper_values, upper_columns, upper_starts)
    begins, index = [_begins(t[2]) for t in (lower, upper)], _C[columns.dtype.name]
    sizes = host(*(begin[-1] for begin in begins))
    sliced = sum(sizes) <= _WASTE * (values.shape[0] + upper_values.shape[0])
    kinds = f"INDEX={index}", f"START={'Int' if sliced else index}", f"SLICED={int(sliced)}"
    compiled = module("relax", *kinds, together=True)
    if sliced:
        lower, upper = (_sliced(compiled, t, b, int(n)) for t, b, n in zip((lower, upper), begins, sizes, strict=True))
    xp, rows = namespace(values), levels[:, 0]
    widest = int(np.diff(rows).max())
    threads = min(_THREADS, -(-widest // 32) * 32)
    blocks = 1 if widest <= _ALONE else min(-(-widest // threads), multiprocessors())
    units = -(-(rows[1:] - rows[:-1] // 32 * 32) // threads)
    places = np.r_[0, np.cumsum(np.minimum(units, _WORKERS))]
    first, after = (xp.asarray(x.astype(np.int64), device=device(values)) for x in (rows, places))
    parts = empty((2 * _SUMS * int(places[-1]),), np.float64)
    return _Opened(compiled, blocks, threads, lower, upper, (first, after, len(rows) - 1, parts))


def _begins(starts):
    """Return where the entries of each 32 rows begin if all of these rows are as long as the longest."""
    xp = namespace(starts)
    lengths = xp.astype(starts[1:], xp.int64) - xp.astype(starts[:-1], xp.int64)
    missing = xp.zeros((-lengths.shape[0] % 32,), dtype=xp.int64, device=device(starts))
    longest = xp.max(xp.reshape(xp.concat((lengths, missing)), (-1, 32)), axis=1)
    return xp.cumulative_sum(32 * longest, include_initial=True)


def _sliced(compiled, triangle, begin, size):
    n = triangle[2].shape[0] - 1
    new = empty((size,), np.float64), empty((size,), triangle[1].dtype)
    launch(compiled, "slice", min(-(-n // 256), multiprocessors()), 256, *triangle, begin, n, *new)
    return *new, begin
