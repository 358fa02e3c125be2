"""Kernels of games and linear programs on a CUDA device; what a matrix and a set are: the portable room.

A step of the primal-dual method is five launches, none of which asks the host. Products with a dense matrix read it as
it is and add up in float64.
"""

import numpy as np

from numopt._kernels.cuda import _sparse
from numopt._kernels.cuda._launch import empty, launch, module, real, rows_first, wide

_ONE = 1024  # threads, at most, of what one block does alone
_MANY = 256
_BLOCKS = 384  # of a sum over rows: as many as a large device runs at once
_TALL = 1024  # rows from which blocks take four


def forward(matrix, x):
    """Return A x."""
    if len(matrix) > 1:
        return _sparse.times(*matrix[:3], x)
    (A,) = matrix
    return _along_rows(A, x) if _by_rows(A) else _down_columns(A.T, x)


def adjoint(matrix, y):
    """Return A^T y."""
    if len(matrix) > 1:
        return _sparse.times(*matrix[3:], y)
    (A,) = matrix
    return _down_columns(A, y) if _by_rows(A) else _along_rows(A.T, y)


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


def project_simplex(v, total):
    """Return the point of {x >= 0, sum x = total} nearest to v."""
    v, none = wide(v), empty((0,), np.float64)
    out = empty(v.shape, np.float64)
    _moved(_compiled((v,)), v, 0.0, (0.0, v), (0.0, none), (0.0, v), (total, none, none), out)
    return out


def pdhg_steps(matrix, c, b, X, Y, point, anchor, k, tau, sigma, steps):
    """Take `steps` Halpern steps of reflected PDHG."""
    compiled, point, anchor = _compiled(matrix), tuple(map(wide, point)), tuple(map(wide, anchor))
    (c, b), (X, Y) = map(wide, (c, b)), ((S[0], wide(S[1]), wide(S[2])) for S in (X, Y))
    n, m, none = point[0].shape[0], point[1].shape[0], empty((0,), np.float64)
    rooms = [tuple(empty((size,), np.float64) for size in (n, m, m, n)) for _ in range(2)]  # points take turns
    xh, yh, ATyh = (empty((size,), np.float64) for size in (n, m, n))
    x0, y0, Ax0, ATy0 = anchor
    for i in range(k, k + steps):
        x, y, Ax, ATy = point
        _moved(compiled, x, -tau, (1.0, ATy), (0.0, none), (1.0, c), X, xh)
        Axh = forward(matrix, xh)
        _moved(compiled, y, sigma, (2.0, Axh), (-1.0, Ax), (-1.0, b), Y, yh)
        parts, count = _parts(matrix, yh)
        point = rooms[i % 2]
        launch(compiled, "averaged", -(-max(n, m) // 32), _MANY, parts, count, (i + 1) / (i + 2), x, xh, x0, Ax, Axh,
               Ax0, y, yh, y0, ATy, ATy0, n, m, ATyh, *point)  # fmt: skip
    moved = empty((3,), np.float64)
    launch(compiled, "displacement", 1, _alone(max(n, m)), x, xh, y, yh, Ax, Axh, n, m, moved)
    return point, (xh, yh, Axh, ATyh), (moved[0, ...], moved[1, ...], moved[2, ...])


def _compiled(matrix):
    A = matrix[0]
    return module("monotone", real(A), f"ROWS={_rows(A)}")


def _rows(A):
    return 4 if A.shape[0] >= _TALL else 1


def _by_rows(A):
    """Say whether rows of A are contiguous, or neither rows nor columns are."""
    return A.flags.c_contiguous or not A.flags.f_contiguous


def _along_rows(A, x):
    """Return A x for contiguous rows."""
    (m, n), out = A.shape, empty((A.shape[0],), np.float64)
    launch(_compiled((A,)), "forward", -(-m // _rows(A)), _MANY, rows_first(A), wide(x), m, n, out)
    return out


def _down_columns(A, y):
    """Return A^T y for contiguous rows."""
    (parts, count), n = _parts((A,), y), A.shape[1]
    out = empty((n,), np.float64)
    launch(_compiled((A,)), "joined", -(-n // 32), _MANY, parts, count, n, out)
    return out


def _parts(matrix, y):
    """Return parts of A^T y, and how many there are."""
    A = matrix[0]
    if len(matrix) > 1 or not _by_rows(A):
        return adjoint(matrix, y), 1
    m, n = A.shape
    tiles = -(-n * A.dtype.itemsize // (_MANY * 16))
    count = max(1, min(m, _BLOCKS // tiles))
    parts = empty((count, n), np.float64)
    launch(_compiled(matrix), "adjoint", (count, tiles), _MANY, rows_first(A), wide(y), m, n, parts)
    return parts, count


def _alone(n):
    return min(_ONE, -(-n // 32) * 32)


def _moved(compiled, v, step, one, two, three, S, out):
    """Write to `out` the projection on the set S of v moved by `step` times a sum of (weight, vector)."""
    (total, lower, upper), n = S, v.shape[0]
    blocks, threads = (1, _alone(n)) if total > 0 else (-(-n // _MANY), _MANY)
    arguments = v, float(step), *one, *two, *three, float(total), lower, upper, n, out
    launch(compiled, "moved", blocks, threads, *arguments)
