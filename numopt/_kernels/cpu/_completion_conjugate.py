"""Conjugate gradients on the Schur complement, all steps in one launch.

A step has four phases. Launched one by one, with their vector updates, they would wait for Python and for one another
some thirty times a step; here threads go from phase to phase together.
"""

import math

import numba
import numpy as np

from numopt._kernels.cpu._completion_layout import lined, small, whole
from numopt._kernels.cpu._completion_passes import most_chunks, schur_column_rows, schur_row_rows, solve_rows
from numopt._kernels.cpu._completion_shares import (
    SOLVED,
    by_work,
    gates,
    last_done,
    next_chunk,
    opened,
    passed,
    tapered,
)
from numopt._kernels.cpu._completion_tall import add_rows, dot_rows, pad_block, product_rows, turn_rows
from numopt._kernels.cpu._jit import jit

_PHASES = 4
_ALPHA, _BETA, _SIZE, _FIRST, STEPS, _ENDED = range(6)
_KNOWN = 6  # numbers that all threads share


@jit
def _projector(parts, count, k, C):
    """Write minus the sum of the first partial products to C: what V C takes away."""
    for a in range(k):
        for b in range(k):
            total = 0.0
            for c in range(count):
                total += parts[c, a, b]
            C[a, b] = -total


@jit
def _sum(parts, count):
    total = 0.0
    for c in range(count):
        total += parts[c]
    return total


@jit
def _sums(lo, hi, V, X, x, y, part, total):
    """Write V^T X of rows lo to hi to `part` and <X, Y> to total[0]; x and y are X and Y, flat."""
    part[:] = 0.0
    product_rows(lo, hi, V, X, part)
    dot_rows(lo * V.shape[1], hi * V.shape[1], x, y, total)


@jit
def _clear(lo, hi, x):
    for a in range(lo, hi):
        x[a] = 0.0


@jit
def _solved(step, lo, hi, V, blocks, into, back, C, alpha, state, flat, part, size):
    """Do D + alpha d, r - alpha (s + V C), z = G^{-1} r of rows lo to hi; sum V^T z and <r, z>. D and d start as 0."""
    (s, z, r), (d, s_, z_, D, r_) = state, flat
    at, end = lo * V.shape[1], hi * V.shape[1]
    if step == 0:
        _clear(at, end, D)
        _clear(at, end, d)
    else:
        turn_rows(lo, hi, V, C, s, s)
        add_rows(at, end, D, alpha, d, D)
        add_rows(at, end, r_, -alpha, s_, r_)
    if back.shape[0] > 0:
        turn_rows(lo, hi, r, into, z[:0], z)
        solve_rows(lo, hi, blocks, z, z)
        turn_rows(lo, hi, z, back, z[:0], z)
    else:
        solve_rows(lo, hi, blocks, r, z)
    _sums(lo, hi, V, z, z_, r_, part, size)


@jit
def _judged(known, size, step, most, forcing):
    """Set beta, and the end if the residual is small enough; NaN goes on until it has come to D."""
    if step == 0:
        known[_FIRST] = size
        ended = size <= 0.0
    else:
        known[_BETA] = size / known[_SIZE]
        ended = size <= forcing**2 * known[_FIRST] or step == most or not math.isfinite(known[_ALPHA])
    known[_SIZE], known[STEPS], known[_ENDED] = size, step, ended


@jit
def conjugate_work(from_end, doors, bounds, row_side, column_side, given, state, known, parts, sums, C, most):
    """Take part in all steps, as one of the threads that were given the same arguments but for `from_end`."""
    (idx, ptr, w), (c_idx, c_ptr, c_w) = row_side, column_side
    U, V, kept, blocks, into, back, mu, forcing = given
    d, s, z, r, W, wide, ahead, own, across, flat_d, flat_s, flat_z, flat_D, flat_r, flat_W, flat_E = state
    lines, rows, columns = bounds
    k, K = V.shape[1], wide.shape[1]
    spread, updated = rows.size - 1, (flat_d, flat_s, flat_z, flat_D, flat_r)
    for step in range(most + 1):
        gate, count = doors[_PHASES * step], lines.size - 1
        c = next_chunk(gate[0], count, from_end)
        while c < count:
            alpha, (lo, hi) = known[_ALPHA], (lines[c], lines[c + 1])
            if step == 0:
                pad_block(lo, hi, V, 1, 0, K, ahead)
                pad_block(lo, hi, V, -1, K, K, own)
            _solved(step, lo, hi, V, blocks, into, back, C, alpha, (s, z, r), updated, parts[c], sums[c:])
            if last_done(gate, count):
                _projector(parts, count, k, C)
                _judged(known, _sum(sums, count), step, most, forcing)
                opened(gate)
            c = next_chunk(gate[0], count, from_end)
        passed(gate, count)
        gate, count = doors[_PHASES * step + 1], lines.size - 1 + spread
        c = next_chunk(gate[0], count, from_end)
        while c < count:
            if c < spread:
                lo, hi = rows[c], rows[c + 1]
                if step == 0:
                    _clear(lo * k, hi * k, flat_E)
                    pad_block(lo, hi, U, 1, 0, K, wide)
                    pad_block(lo, hi, U, 1, 0, K, across)
                else:
                    add_rows(lo * k, hi * k, flat_E, known[_ALPHA], flat_W, flat_E)
            else:
                lo, hi = lines[c - spread], lines[c - spread + 1]
                turn_rows(lo, hi, V, C, z, z)
                add_rows(lo * k, hi * k, flat_z, known[_BETA], flat_d, flat_d)
                pad_block(lo, hi, d, 1, K, K, ahead)
                pad_block(lo, hi, d, 1, 0, K, own)
            if last_done(gate, count):
                opened(gate)
            c = next_chunk(gate[0], count, from_end)
        passed(gate, count)
        if known[_ENDED] != 0.0:
            break
        gate, count = doors[_PHASES * step + 2], rows.size - 1
        c = next_chunk(gate[0], count, from_end)
        while c < count:
            lo, hi = rows[c], rows[c + 1]
            schur_row_rows(lo, hi, idx, ptr, w, ahead, wide, kept, W)
            pad_block(lo, hi, W, 1, K, K, across)
            if last_done(gate, count):
                opened(gate)
            c = next_chunk(gate[0], count, from_end)
        passed(gate, count)
        gate, count = doors[_PHASES * step + 3], columns.size - 1
        c = next_chunk(gate[0], count, from_end)
        while c < count:
            lo, hi = columns[c], columns[c + 1]
            schur_column_rows(lo, hi, c_idx, c_ptr, c_w, across, own, s)
            add_rows(lo * k, hi * k, flat_s, mu, flat_d, flat_s)
            _sums(lo, hi, V, s, flat_s, flat_d, parts[c], sums[c:])
            if last_done(gate, count):
                _projector(parts, count, k, C)
                curvature = _sum(sums, count)
                known[_ALPHA] = known[_SIZE] / curvature
                if curvature <= 0.0:
                    known[_ENDED], known[STEPS] = 1.0, step + 1
                opened(gate)
            c = next_chunk(gate[0], count, from_end)
        passed(gate, count)
        if known[_ENDED] != 0.0:
            break


@jit(parallel=True)
def conjugate_steps(workers, doors, bounds, rows, columns, given, state, known, parts, sums, C, most):
    """Do all steps by so many threads."""
    for worker in numba.prange(workers):
        from_end = 2 * worker >= workers
        conjugate_work(from_end, doors, bounds, rows, columns, given, state, known, parts, sums, C, most)


def prepared(rows, columns, U, V, systems, blocks, back, g, mu, forcing, most):
    """Return (the arguments of `conjugate_work`, what it finds, whether there are single chunks only)."""
    U, V, r = np.ascontiguousarray(U), np.ascontiguousarray(V), np.array(g, order="C")
    k, K = V.shape[1], whole(V)
    into, back = (small(V, x) for x in ((V[:0],) * 2 if back is None else (back.T, back)))
    known, C = np.zeros(_KNOWN), small(V, np.zeros((k, k)))
    lines = tapered(V.shape[0], SOLVED // (k * k + 1) + 1)
    row_bounds = by_work(rows[2], 4 * K, 2 * k * k, most_chunks(V, V))
    bounds = lines, row_bounds, by_work(columns[2], 6 * K, K, most_chunks(U, U))
    count = max(lines.size, bounds[2].size) - 1
    parts, sums = np.empty((count, -(-k // 4) * 4, K)), np.empty(count)
    sides = [(x[1].view(np.uint32), x[2], x[3]) for x in (rows, columns)]
    given = U, V, systems, blocks, into, back, float(mu), float(forcing)
    d, s, z, D, W, E = (np.empty(x.shape, x.dtype) for x in (V, V, V, V, U, U))  # set by all threads, as what follows
    wide, ahead, own, across = (lined(x.shape[0], q * K, x.dtype) for x, q in ((U, 1), (V, 2), (V, 2), (U, 2)))
    state = d, s, z, r, W, wide, ahead, own, across, *(x.reshape(-1) for x in (d, s, z, D, r, W, E))
    doors = gates(_PHASES * (most + 1))
    work = doors, bounds, *sides, given, state, known, parts, sums, C, most
    return work, (D, E, r, known), max(count, bounds[1].size - 1) == 1
