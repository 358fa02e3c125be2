"""Completion of matrices whose entries lie in files: the same method and kernels, over some rows at a time."""

import math
from types import SimpleNamespace

import numpy as np

from numopt import _array
from numopt._check import integer
from numopt._given import unmasked
from numopt._kernels import kernels
from numopt._loop import Iterate, Status, run
from numopt._solver import solver
from numopt.completion._als import homotopy
from numopt.completion._build import expect_range
from numopt.completion._data import Side
from numopt.completion._finish import finish
from numopt.completion._gauss_newton import Counts
from numopt.completion._methods import guarded, resumed, stationary, unique
from numopt.completion._problem import Problem
from numopt.completion._result import CompletionResult
from numopt.completion._spectral import directions
from numopt.exceptions import InvalidInputError, InvalidTypeError

_SWEEPS = 4
_SEED = 210900713  # of the marks that tell whether two forms are of one matrix
_TINY = 1e-300  # numbers have lost digits there
# Kernels that pass over the entries, and which of their arguments behind `side` have a line for each of its rows.
_BY_ROWS = {
    "half_step": (3, 4), "gradient": (0,), "schur_rows": (0, 3), "schur_columns": (1, 2), "multiply": (),
}  # fmt: skip


@solver(family="completion")
def complete_files(rows, columns, rank=10, *, init=None, tol=1e-6, max_iter=100, max_time=None, rng=None,
                   callback=None, check_every=1, on_failure="warn", entries_at_once=4_000_000):  # fmt: skip
    """Complete a matrix whose observed entries need not fit into memory.

    Sweeps with a falling ridge, then Gauss-Newton, as :func:`matrix_completion` begins; rank continuation, ridge,
    biases, weights and robust losses are left to that function.

    Parameters
    ----------
    rows : tuple of ndarray
        ``(data, indices, indptr)`` of the matrix in CSR form, indices of a row rising: float32 or float64,
        int32, int64. Usually ``numpy.load(file, mmap_mode="r")``; only `indptr` is read into memory.
    columns : tuple of ndarray
        The same for the transposed matrix, that is of the CSC form.
    rank : int, default 10
        From 1 to the shorter side.
    init : CompletionResult, optional
        An earlier result to go on from, whose rank is then kept. None (default) starts anew.
    tol : float, default 1e-6
        For the relative residual on the observed entries, as in :func:`matrix_completion`.
    max_iter : int, default 100
        Sweeps and Gauss-Newton steps together.
    max_time : float, optional
        Seconds.
    rng : None, int, Generator or SeedSequence, optional
        For the random start of subspace iterations.
    callback : callable, optional
        Called with each ``intermediate_result``; stops the run by raising ``StopIteration``.
    check_every : int, default 1
        Iterations between two checks.
    on_failure : {"warn", "raise", "ignore"}, default "warn"
        What to do if `tol` is not met.
    entries_at_once : int, default 4000000
        How many entries are copied at a time; a row is never cut. Systems of Gauss-Newton read the places where they
        lie, in files that are mapped, whose pages the operating system may drop.

    Returns
    -------
    CompletionResult
        As of :func:`matrix_completion`. ``identifiable_rows`` and ``identifiable_cols`` are plain counts, and
        components are not counted: what a pattern leaves open shows in ``local_conditioning``.

    Raises
    ------
    InvalidInputError
        The two forms do not fit each other, an index or `rank` is out of range, an entry is not finite, the indices
        of a row do not rise, or `init` is for another shape.
    InvalidTypeError
        `init` is no result.
    SolverError
        `tol` was not met and ``on_failure="raise"``.

    Warns
    -----
    ConvergenceWarning
        `tol` was not met, or the completion is not unique.

    Notes
    -----
    Each half step reads one of the two forms once, in order. *Memory*: factors, and about ``4 r^2`` numbers for each
    row and column of systems; nothing that grows with the entries.

    *When not to use it*: for entries that fit into memory. :func:`matrix_completion` goes on
    by rank continuation where this one stalls, and knows ridges, biases, weights and outliers.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from numopt.completion import complete_files
    >>> rng = np.random.default_rng(0)
    >>> full = rng.standard_normal((60, 2)) @ rng.standard_normal((2, 50))
    >>> X = csr_array(np.where(rng.random(full.shape) < 0.3, full, 0.0))
    >>> Y = csr_array(X.T)
    >>> res = complete_files((X.data, X.indices, X.indptr), (Y.data, Y.indices, Y.indptr), rank=2, rng=0)
    >>> res.success, bool(abs(res.to_dense() - full).max() < 1e-4)
    (True, True)
    """
    if init is not None and not isinstance(init, CompletionResult):
        raise InvalidTypeError(f"init is {type(init).__name__}: a CompletionResult is expected; pass one, or None")
    rng = _array.default_rng(rng)
    sides = [_side(name, side) for name, side in (("rows", rows), ("columns", columns))]
    at_once = integer("entries_at_once", entries_at_once, low=1, remedy="pass how many entries fit into memory")
    at_once = min(at_once, sides[0].y.size)
    if sides[0].y.dtype != sides[1].y.dtype:
        raise InvalidInputError(f"data of rows is {sides[0].y.dtype} and of columns {sides[1].y.dtype}: convert one")
    shape = tuple(side.indptr.size - 1 for side in sides)
    rank = integer("rank", rank, low=1, high=min(shape), remedy="lower it") if init is None else init.rank
    draw = np.random.default_rng(_SEED).uniform
    marks = [draw(-1, 1, size) for size in shape]
    passes = _checked("rows", sides[0], at_once, *marks), _checked("columns", sides[1], at_once, *marks[::-1])
    norms, sums, counts = zip(*passes, strict=True)
    same = all(np.array_equal(count, np.diff(side.indptr)) for count, side in zip(counts, sides[::-1], strict=True))
    if not same or abs(norms[0] - norms[1]) > 1e-6 * norms[0] or abs(sums[0] - sums[1]) > 1e-9 * norms[0] + _TINY:
        raise InvalidInputError(
            f"rows has {sides[0].y.size} entries with a norm of {norms[0]:.6g}, columns {sides[1].y.size} with "
            f"{norms[1]:.6g}, or other places: two forms of one matrix are expected; write both from the same entries"
        )
    scale = norms[0] / math.sqrt(sides[0].y.size) or 1.0
    expect_range(scale, shape, np.finfo(sides[0].y.dtype))
    flipped = shape[0] > shape[1]
    (one, two), shape = (sides[::-1], shape[::-1]) if flipped else (sides, shape)
    xp = _array.namespace(np.empty(0))
    p = Problem(
        xp=xp, kernels=_in_parts(kernels("completion", xp), at_once, scale), device="cpu", rows=one, columns=two,
        shape=shape, flipped=flipped, rank=rank, ridge=0.0, counted=False, bias_ridge=None, robust=False, mean=0.0,
        scale=scale, norm=norms[0] / scale, density=one.y.size / math.prod(shape), tol=tol,
    )  # fmt: skip
    for r in range(rank + 1):
        p.kept["structure", r] = *(np.diff(side.indptr) >= r for side in (one, two)), 1
    return run(
        guarded(unique(p, _iterates(p, rank, init, rng))), certify=p.certificate, finish=lambda *args: finish(p, *args),
        start=p.zeros(), tol=tol, max_iter=max_iter, max_time=max_time, check_every=check_every, callback=callback,
        on_failure=on_failure,
    )  # fmt: skip


def _iterates(p, rank, init, rng):
    counts = Counts()
    if p.norm == 0:
        yield Iterate(p.zeros(), 0.0, counts.info(0))
        return Status.CONVERGED
    if init is None:
        _, V = directions(p, p.zeros(), rank, rng)
        V, _ = yield from homotopy(p, V, counts, sweeps=_SWEEPS)
    else:
        V = resumed(p, init).V
    return (yield from stationary(p, V, counts))


def _side(name, side):
    """Return the form as a `Side`; its entries stay where they are."""
    if not isinstance(side, tuple) or len(side) != 3:
        raise InvalidInputError(f"{name} is no tuple (data, indices, indptr): pass the three arrays of CSR")
    y, indices, indptr = (
        unmasked(f"{what} of {name}", x) for what, x in zip(("data", "indices", "indptr"), side, strict=True)
    )
    for what, x, kinds in (("data", y, ("float32", "float64")), ("indices", indices, ("int32",))):
        if not isinstance(x, np.ndarray) or x.ndim != 1 or str(x.dtype) not in kinds:
            raise InvalidInputError(f"{what} of {name} is no vector of {' or '.join(kinds)}: convert it once, on disk")
    indptr = np.asarray(indptr)
    if indptr.dtype.kind not in "iu":
        raise InvalidInputError(f"indptr of {name} has dtype {indptr.dtype}: integers are expected; convert it")
    indptr = indptr.astype(np.int64)
    rises = indptr.ndim == 1 and indptr.size > 1 and indptr[0] == 0 and (np.diff(indptr) >= 0).all()
    if not rises or not indptr[-1] == y.size == indices.size or y.size == 0:
        raise InvalidInputError(
            f"indptr of {name} must rise from 0 to the number of entries, at least 1, of which data has {y.size} and "
            f"indices {indices.size}; pass the arrays of one CSR matrix"
        )
    return Side(y, indices, indptr, np.empty(0, y.dtype))


def _checked(name, side, at_once, own, other):
    """Return the norm of the entries, a sum that tells them and their places, and how often each index comes.

    `own` and `other` mark the rows and the columns of the form, at random.
    """
    norm, total, high, before = 0.0, 0.0, other.size, -1
    counts = np.zeros(high, np.int64)
    for first in range(0, side.y.size, at_once):
        part = slice(first, first + at_once)
        y, indices = np.asarray(side.y[part]), np.asarray(side.indices[part])
        bad = ~np.isfinite(y) | (indices < 0) | (indices >= high)
        if bad.any():
            at = int(np.argmax(bad))
            raise InvalidInputError(
                f"entry {first + at} of {name} is {y[at]} at index {indices[at]}: a finite number at an index from 0 "
                f"to {high - 1} is expected; remove or replace it"
            )
        falls = first + np.flatnonzero(np.diff(indices, prepend=before) <= 0)
        falls = falls[side.indptr[np.searchsorted(side.indptr, falls)] != falls]  # a row may start anywhere
        if falls.size:
            at = int(falls[0])
            raise InvalidInputError(
                f"entry {at} of {name} is at index {indices[at - first]}, not behind the one before it: rising indices "
                f"are expected in each row, each once; sort them, and merge what is given twice"
            )
        most = float(np.max(np.abs(y))) or 1.0
        y = y.astype(float) / most
        norm = math.hypot(norm, most * float(np.linalg.norm(y)))
        sizes = np.diff(np.clip(side.indptr, first, first + y.size))
        total += most * float(np.sum(y * np.repeat(own, sizes) * other[indices]))
        counts += np.bincount(indices, minlength=high)
        before = indices[-1]
    return norm, total, counts


def _in_parts(k, at_once, scale):
    """Return the kernels for sides in files: they pass over whole rows, about so many entries at a time.

    Entries are divided by `scale`, lest their squares leave the range of numbers.
    """

    def in_parts(kernel, by_rows, name):
        def passes(side, *args):
            found, m, lo = [], side.indptr.size - 1, 0
            while lo < m:
                hi = max(lo + 1, int(np.searchsorted(side.indptr, side.indptr[lo] + at_once, side="right")) - 1)
                start, end = side.indptr[lo], side.indptr[hi]
                y, indices = np.asarray(side.y[start:end]) / scale, np.array(side.indices[start:end])
                part = Side(y, indices, side.indptr[lo : hi + 1] - start, side.weights)
                mine = [x[lo:hi] if at in by_rows and x.shape[0] else x for at, x in enumerate(args)]
                if name == "multiply":
                    mine[0] = y  # the values are those of the side, the only ones that are asked for
                found.append(kernel(part, *mine))
                lo = hi
            if isinstance(found[0], tuple):
                return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))
            return np.concatenate(found)

        return passes

    wrapped = {name: in_parts(getattr(k, name), by_rows, name) for name, by_rows in _BY_ROWS.items()}
    return SimpleNamespace(**vars(k) | wrapped)
