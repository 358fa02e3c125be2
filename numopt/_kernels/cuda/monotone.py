"""Kernels of games and linear programs on a CUDA device; what a matrix and a set are: the portable room.

A step of the primal-dual method is five launches, none of which asks the host; with a sparse matrix on boxes all steps
are one. Products with a dense matrix read it as it is and add up in float64.
"""

from functools import partial

import numpy as np

from numopt._kernels.cuda import _sparse
from numopt._kernels.cuda._launch import empty, launch, module, prepared, real, rows_first, wide
from numopt._kernels.cuda._monotone_steps import steps_on_boxes
from numopt._kernels.portable import monotone as portable

_ONE = 1024  # threads, at most, of what one block does alone
_PROJECTED = 512  # of them where it projects: each holds more
_MANY = 256
_BLOCKS = 256  # of a sum over rows: as many as fill a large device
_TALL = 1024  # rows from which blocks take four
_SUMS = 12  # that the errors of a linear program are made of


def forward(matrix, x):
    """Return A x."""
    out = empty((_height(matrix),), np.float64)
    for call in _product(matrix, wide(x), out):
        call()
    return out


def adjoint(matrix, y):
    """Return A^T y."""
    return forward(_transposed(matrix), y)


def products(matrix, x, y):
    """Return (A x, A^T y)."""
    return forward(matrix, x), adjoint(matrix, y)


def bidiagonal(matrix, x, normal_x, normal_y, steps):
    """Return the diagonal and upper entries, in turn, of the bidiagonal matrix of Golub, Kahan and Lanczos."""
    compiled, band, none = _compiled(matrix), empty((2 * steps + 1,), np.float64), empty((0,), np.float64)
    normal_x, normal_y, y, at = wide(normal_x), wide(normal_y), none, 0

    def across(v, other, normal):
        nonlocal at
        out, n = empty(v.shape, np.float64), v.shape[0]
        before = band[at - 1 : at] if other.size else none
        launch(compiled, "across", 1, _alone(n), v, before, other, normal, n, out, band[at : at + 1])
        at += 1
        return out

    x = across(wide(x), none, normal_x)
    for _ in range(steps):
        y = across(forward(matrix, x), y, normal_y)
        x = across(adjoint(matrix, y), x, normal_x)
    return band[1:]


def largest(matrix, rows, columns):
    """Return the largest entries of the rows and of the columns of diag(rows) A diag(columns), for A >= 0."""
    if len(matrix) == 1:
        return portable.largest(matrix, rows, columns)
    return rows * _sparse.maxima(*matrix[:3], columns), columns * _sparse.maxima(*matrix[3:], rows)


def program_errors(c, b, low, high, m_ub, rows, columns, sizes, least, x, y, Ax, ATy):
    """Return (largest, primal, dual, gap, value, dual value) of a pair with its products."""
    compiled, n, m = module("monotone_errors"), c.shape[0], b.shape[0]
    blocks = min(-(-max(n, m) // _MANY), _BLOCKS)
    parts, out = _vectors(_SUMS * blocks, 6)
    vectors = map(wide, (c, b, low, high, rows, columns, x, y, Ax, ATy))
    launch(compiled, "error_parts", blocks, _MANY, *vectors, n, m, m_ub, parts)
    launch(compiled, "errors", 1, 32 * _SUMS, parts, blocks, *map(float, sizes), least, out)
    return tuple(out[k, ...] for k in range(6))


def project_simplex(v, total):
    """Return the point of {x >= 0, sum x = total} nearest to v."""
    v, none = wide(v), empty((0,), np.float64)
    out = empty(v.shape, np.float64)
    _moved(_compiled((v,)), v, 0.0, (0.0, v), (0.0, v), (0.0, v), (total, none, none), out)()
    return out


def pdhg_steps(matrix, c, b, X, Y, point, anchor, k, tau, sigma, steps):
    """Take `steps` Halpern steps of reflected PDHG."""
    compiled = _compiled(matrix)
    (c, b), (X, Y) = map(wide, (c, b)), ((S[0], wide(S[1]), wide(S[2])) for S in (X, Y))
    point, anchor = (tuple(map(wide, at)) for at in (point, anchor))
    if len(matrix) > 1 and max(X[0], Y[0]) <= 0:
        point, before, hat = steps_on_boxes(matrix, c, b, X, Y, point, anchor, k, tau, sigma, steps)
        return point, hat, _displacement(compiled, before, hat)
    x0, y0, Ax0, ATy0 = anchor
    n, m = x0.shape[0], y0.shape[0]
    xh, Axh = _vectors(n, m)
    forwards = _product(matrix, xh, Axh)

    def ahead(x, ATy):
        """Return the launches that move x and form A xh."""
        return [_moved(compiled, x, -tau, (1.0, ATy), (0.0, c), (1.0, c), X, xh), *forwards]

    first = ahead(point[0], point[3])
    for call in first:  # the device works while the rest is prepared
        call()
    yh, ATyh = _vectors(m, n)
    adjoints, parts, count = _parts(matrix, yh)
    rooms, made = (_vectors(n, m, m, n), _vectors(n, m, m, n)), []  # points take turns

    def back(before, after):
        """Return the launches that move y and form parts of A^T yh, and the one that ends the step."""
        x, y, Ax, ATy = before
        in_y = _moved(compiled, y, sigma, (2.0, Axh), (-1.0, Ax), (-1.0, b), Y, yh)
        mean = prepared(compiled, "averaged", -(-max(n, m) // 32), _MANY, parts, count, x, xh, x0, Ax, Axh, Ax0, y, yh,
                        y0, ATy, ATy0, n, m, ATyh, *after)  # fmt: skip
        return [in_y, *adjoints], mean

    for i in range(steps):
        before, point = point, rooms[i % 2]
        if i < 3:  # from then on the launches of the last two steps alternate
            made.append((ahead(before[0], before[3]) if i else [], *back(before, point)))
        moves, returns, mean = made[i if i < 3 else 2 - i % 2]
        for call in (*moves, *returns):
            call()
        mean((k + i + 1) / (k + i + 2))
    hat = xh, yh, Axh, ATyh
    return point, hat, _displacement(compiled, before, hat)


def _displacement(compiled, before, hat):
    """Return |xh - x|^2, |yh - y|^2 and <yh - y, A (xh - x)>."""
    moved, (x, y, Ax, _), (xh, yh, Axh, _) = empty((3,), np.float64), before, hat
    n, m = x.shape[0], y.shape[0]
    launch(compiled, "displacement", 1, _alone(max(n, m)), x, xh, y, yh, Ax, Axh, n, m, moved)
    return moved[0, ...], moved[1, ...], moved[2, ...]


def _compiled(matrix):
    A = matrix[0]
    return module("monotone", real(A), f"ROWS={_rows(A)}")


def _rows(A):
    return 4 if A.shape[0] >= _TALL else 1


def _by_rows(A):
    """Say whether rows of A are contiguous, or neither rows nor columns are."""
    return A.flags.c_contiguous or not A.flags.f_contiguous


def _transposed(matrix):
    return (*matrix[3:], *matrix[:3]) if len(matrix) > 1 else (matrix[0].T,)


def _height(matrix):
    return matrix[2].shape[0] - 1 if len(matrix) > 1 else matrix[0].shape[0]


def _product(matrix, x, out):
    """Return the launches that write A x to `out`."""
    A, m, n = matrix[0], _height(matrix), x.shape[0]
    if len(matrix) > 1:
        return [partial(_sparse.times, *matrix[:3], x, out=out)]
    if _by_rows(A):
        return [prepared(_compiled(matrix), "forward", -(-m // _rows(A)), _MANY, rows_first(A), x, m, n, out)]
    calls, parts, count = _parts((A.T,), x)
    return [*calls, prepared(_compiled((A.T,)), "joined", -(-m // 32), _MANY, parts, count, m, out)]


def _parts(matrix, y):
    """Return (launches that write parts of A^T y, the parts, how many there are)."""
    A, m, n = matrix[0], y.shape[0], _height(_transposed(matrix))
    if len(matrix) > 1 or not _by_rows(A):
        out = empty((n,), np.float64)
        return _product(_transposed(matrix), y, out), out, 1
    tiles = -(-n * A.dtype.itemsize // (_MANY * 16))
    count = max(1, min(m, _BLOCKS // tiles))
    parts = empty((count, n), np.float64)
    call = prepared(_compiled(matrix), "adjoint", (count, tiles), _MANY, rows_first(A), y, m, n, parts)
    return [call], parts, count


def _vectors(*sizes):
    return tuple(empty((size,), np.float64) for size in sizes)


def _alone(n):
    return min(_ONE, -(-n // 32) * 32)


def _moved(compiled, v, step, one, two, three, S, out):
    """Return the launch that projects v, moved by `step` times a sum of (weight, vector), on S."""
    (total, lower, upper), n = S, v.shape[0]
    blocks, threads = (1, min(_PROJECTED, _alone(n))) if total > 0 else (-(-n // _MANY), _MANY)
    arguments = v, float(step), *one, *two, *three, float(total), lower, upper, n, out
    return prepared(compiled, "moved", blocks, threads, *arguments)
