"""A game on some of its rows and columns, for the first-order method.

Of a sparse game, few entries of a row may be left in the part, and with a step for the norm of the part the weight of
that row would take hundreds of steps to grow. So a sparse part is scaled: in u = x / s and v = y / r, with s and r one
over the roots of the absolute sums of columns and rows (Pock and Chambolle, ICCV 2011), steps are as long as each row
allows, and the simplex is {u >= 0, s.u = 1}.
"""

import numpy as np

from numopt._array import is_sparse
from numopt.monotone._pdhg import Bilinear

LEAST = 0.01  # of the mean of the absolute sums: what a row or a column counts for at least


def whole_game(g):
    """Return the game as a bilinear saddle problem."""
    return _saddle(g, g.A, g.A.vector(0), g.A.vector(0))


def game_part(g, rows, columns):
    """Return the game on rows and columns, masks on the host, and what takes a point (x, y, A x, A^T y) to it."""
    A, xp = g.A, g.A.xp
    M = A.part(*map(np.flatnonzero, (rows, columns)))
    (row, back_row), (column, back_column) = (_numbers(A, mask) for mask in (rows, columns))
    r = s = 1.0
    if is_sparse(A.A):
        M, r, s = _even(M)

    def restricted(x, y, Ax, ATy):
        return xp.take(x, column) / s, xp.take(y, row) / r, xp.take(Ax, row) * r, xp.take(ATy, column) * s

    def whole(u, v, *_):
        zero = A.vector(1)
        x, y = (xp.take(xp.concat((w, zero)), back) for w, back in ((u * s, back_column), (v * r, back_row)))
        return x, y, *A.products(x, y)

    def inside(u, v, Mu, MTv):
        return g.measure(u, v, Mu / r, MTv / s)

    weights = (s, r) if is_sparse(A.A) else (A.vector(0), A.vector(0))
    return _saddle(g, M, *weights, inside=inside, whole=whole), restricted


def _saddle(g, M, s, r, **of_a_part):
    none = M.vector(0)
    return Bilinear(M, M.vector(M.shape[1]), M.vector(M.shape[0]), (1.0, s, none), (1.0, r, none), g.measure,
                    **of_a_part)  # fmt: skip


def _numbers(A, mask):
    """Return the numbers in a mask, and for each number its place among them, on the device."""
    back = np.where(mask, np.cumsum(mask) - 1, np.count_nonzero(mask))
    return (A.xp.asarray(index, device=A.device) for index in (np.flatnonzero(mask), back))


def _even(M):
    """Return (r M s, r, s)."""
    xp, absolute = M.xp, M.absolute()
    sums = absolute.forward(M.vector(M.shape[1], 1.0)), absolute.adjoint(M.vector(M.shape[0], 1.0))
    r, s = (1 / xp.sqrt(xp.maximum(v, LEAST * xp.mean(v))) for v in sums)
    return M.scaled(r, s), r, s
