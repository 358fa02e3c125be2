"""Kernels of sparse transport plans on the CPU: no temporary of the size of C.

A pattern is ``(start, rows, cost, n)``: the entries of C that may carry mass, by columns (CSC). Passes over
C read its rows: in whole cache lines for tiles of columns, or one by one.
"""

import numba
import numpy as np

from numopt._kernels.cpu._jit import jit
from numopt._kernels.cpu._ot_sparse_pcg import pcg
from numopt._kernels.cpu._simplex import column_root, keep_largest, root

_SUM = {"contract", "reassoc", "nsz"}
_TILE = 16  # columns
_CHUNKS = 16  # of rows


def threshold(C, f, w):
    """Return t (m,) with sum_i [f_i - C_ij - t_j]_+ = w_j > 0."""
    D, by_column = _layout(C)
    return _threshold(D, by_column, f, w)


def screen(C, f, w, margin, t=None):
    """Return the pattern of the entries with f_i - C_ij >= t_j - margin; C is C-contiguous."""
    n, m = C.shape
    t, (C, _) = threshold(C, f, w) if t is None else t, _layout(C)
    free = np.zeros((min(_CHUNKS, n) + 1, m), np.int64)
    _count(C, f, t - margin, free)
    np.cumsum(free, axis=0, out=free)
    start = np.concatenate((np.zeros(1, np.int64), np.cumsum(free[-1])))
    rows, cost = np.empty(start[-1], np.int32), np.empty(start[-1], C.dtype)
    _fill(C, f, t - margin, free + start[:-1], rows, cost)
    return start, rows, cost, n


def restrict(pattern, p):
    """Return the pattern of the entries where the values p are positive."""
    start, rows, cost, n = pattern
    keep = p > 0
    inside = np.concatenate((np.zeros(1, np.int64), np.cumsum(keep)))
    return inside[start], rows[keep], cost[keep], n


def transpose(pattern):
    """Return the pattern with rows and columns exchanged."""
    start, rows, cost, n = pattern
    return (*_transpose(start, rows, cost, n), start.size - 1)


def project(pattern, f, w, reg, k):
    """Project the columns of f - C on simplices of size w = reg b, with at most k entries each."""
    start, rows, cost, _ = pattern
    return _project(start, rows, cost, f, w, reg, k)


def margins(pattern, p):
    """Return the sums (n,) of the rows and (m,) of the columns of the values p."""
    start, rows, _, n = pattern
    return _margins(start, rows, n, p)


def scaled(pattern, p, x, y):
    """Return the values x_i p_ij y_j."""
    start, rows, _, _ = pattern
    return x[rows] * p * np.repeat(y, np.diff(start))


def entries(pattern, p):
    """Return (rows, columns, values) of the positive values, by columns."""
    start, rows, _, _ = pattern
    keep = p > 0
    columns = np.repeat(np.arange(start.size - 1), np.diff(start))
    return rows[keep].astype(np.int64), columns[keep], p[keep]


def direction(pattern, p, rhs, least, shift, rtol, max_cg):
    """Solve (L + shift I) d = rhs by Jacobi-PCG, the whole loop in one kernel; return (d, steps)."""
    start, rows, _, _ = pattern
    return pcg(start, rows, p, rhs, least, shift, rtol, max_cg)


def warmup(dtype):
    """Compile for one dtype of C."""
    C = np.arange(6, dtype=dtype).reshape(2, 3) % 4
    f, w = np.zeros(2), np.full(3, 0.5)
    threshold(C.T, w, f + 1.0)
    pattern = screen(C, f, w, 1.0)
    p = project(pattern, f, w, 1.0, 2)[1]
    transpose(restrict(pattern, p))
    margins(pattern, p)
    direction(pattern, p, f + 1.0, 0.0, 1e-3, 0.1, 2)


def _layout(C):
    """Return a C-contiguous array, not to be written, and whether its rows are the columns of C."""
    D, by_column = (C, False) if C.flags.c_contiguous else (np.ascontiguousarray(C.T), True)
    D = D.view()
    D.flags.writeable = False  # one type for Numba, whatever the caller's flags
    return D, by_column


@jit(fastmath=_SUM)
def _shift(D, by_column, f, j, S):
    """Fill the rows of S with columns j, j+1, ... of f - C."""
    n = f.size
    if by_column:
        for c in range(S.shape[0]):
            for i in range(n):
                S[c, i] = f[i] - D[j + c, i]
    else:
        for i in range(n):
            for c in range(S.shape[0]):
                S[c, i] = f[i] - D[i, j + c]


@jit(fastmath=_SUM, parallel=True)
def _threshold(D, by_column, f, w):
    n, m = f.size, w.size
    t = np.empty(m)
    for tile in numba.prange((m + _TILE - 1) // _TILE):
        j = tile * _TILE
        S, room, excess = np.empty((min(_TILE, m - j), n)), np.empty(n + 1), np.inf
        _shift(D, by_column, f, j, S)
        for c in range(S.shape[0]):
            t[j + c], excess = column_root(S[c], w[j + c], excess, room)
    return t


# No fast-math here: both kernels must come to the same comparisons.
@jit(parallel=True)
def _count(C, f, cut, free):
    """Write to free[k + 1, j] how many entries of column j reach the cut in chunk k of the rows."""
    n, chunks = f.size, free.shape[0] - 1
    for k in numba.prange(chunks):
        count = free[k + 1]
        for i in range(k * n // chunks, (k + 1) * n // chunks):
            row = C[i]
            for j in range(cut.size):
                count[j] += f[i] - row[j] >= cut[j]


@jit(parallel=True)
def _fill(C, f, cut, free, rows, cost):
    """Write the entries that reach the cut; free[k, j] is the next place in column j for chunk k."""
    n, m, chunks = f.size, cut.size, free.shape[0] - 1
    for k in numba.prange(chunks):
        place, found = free[k], np.empty(m + 1, np.int32)
        for i in range(k * n // chunks, (k + 1) * n // chunks):
            row, size = C[i], 0
            for j in range(m):  # branch-free
                found[size] = j
                size += f[i] - row[j] >= cut[j]
            for j in found[:size]:
                rows[place[j]], cost[place[j]] = i, row[j]
                place[j] += 1


@jit
def _transpose(start, rows, cost, n):
    begin = np.zeros(n + 1, np.int64)
    for i in rows:
        begin[i + 1] += 1
    for i in range(n):
        begin[i + 1] += begin[i]
    free = begin[:-1].copy()
    columns, out = np.empty(rows.size, np.int32), np.empty_like(cost)
    for j in range(start.size - 1):
        for q in range(start[j], start[j + 1]):
            e = free[rows[q]]
            columns[e], out[e] = j, cost[q]
            free[rows[q]] += 1
    return begin, columns, out


@jit(fastmath=_SUM)
def _project(start, rows, cost, f, w, reg, k):
    m = w.size
    t, p, r = np.empty(m), np.empty(cost.size), np.zeros(f.size)
    square, peak = 0.0, 0.0
    for j in range(m):
        s = p[start[j] : start[j + 1]]
        row = rows[start[j] : start[j + 1]]
        top = -np.inf
        for q in range(s.size):
            s[q] = f[row[q]] - cost[start[j] + q]
            top = max(top, s[q])
        t[j] = min(root(s, w[j], top - w[j]), top) if top - w[j] < top else top
        if k < s.size:
            keep_largest(s, k, w[j], t, j)
        column = 0.0
        for q in range(s.size):
            v = max(0.0, (s[q] - t[j]) / reg)
            s[q] = v
            r[row[q]] += v
            square += v * v
            column = max(column, v)
        peak += reg * column
    return t, p, r, square, peak / m


@jit
def _margins(start, rows, n, p):
    r, c = np.zeros(n), np.zeros(start.size - 1)
    for j in range(c.size):
        for q in range(start[j], start[j + 1]):
            r[rows[q]] += p[q]
            c[j] += p[q]
    return r, c
