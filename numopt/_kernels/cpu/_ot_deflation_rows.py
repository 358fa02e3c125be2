"""The rows' part of a step of deflated conjugate gradients: what threads share.

Each phase does all that a row needs while the row is at hand, so that a step launches threads twice, and what a chunk
of rows writes is read again by nobody else.
"""

import numba

from numopt._kernels.cpu._jit import jit
from numopt._kernels.cpu._ot_tile_rows import tile_axpy, tile_dot, tile_squares


@jit
def _diagonal_rows(values, places, start, lo, hi, x, x_squares, part, part_squares):
    part[:] = 0
    part_squares[:] = 0
    for i in range(lo, hi):
        tile_axpy(x[i], values, places, start[i], start[i + 1], part)
        tile_squares(x_squares[i], values, places, start[i], start[i + 1], part_squares)


@jit(parallel=True)
def _diagonals(values, places, start, x, x_squares, parts, parts_squares):
    n, k = x.size, parts.shape[0]
    if k == 1:  # no launch of threads
        _diagonal_rows(values, places, start, 0, n, x, x_squares, parts[0], parts_squares[0])
    else:
        for q in numba.prange(k):
            lo, hi = q * n // k, (q + 1) * n // k
            _diagonal_rows(values, places, start, lo, hi, x, x_squares, parts[q], parts_squares[q])


@jit
def diagonals(tiles, x, x_squares, parts, parts_squares):
    """Fill the chunks' sums of K^T x, and of (K * K)^T x_squares."""
    _diagonals(tiles[0], tiles[1], tiles[2], x, x_squares, parts, parts_squares)


@jit
def _down_rows(values, places, start, Y, groups, start_y, lo, hi, inverse, outer, wy, u, back):
    back[:] = 0
    for i in range(lo, hi):
        u[i] = inverse[i] * tile_dot(values, places, start[i], start[i + 1], wy)
        tile_axpy(outer[i] * u[i], Y, groups, start_y[i], start_y[i + 1], back)


@jit(parallel=True)
def _down(values, places, start, Y, groups, start_y, inverse, outer, wy, u, backs):
    n, k = u.size, backs.shape[0]
    if k == 1:
        _down_rows(values, places, start, Y, groups, start_y, 0, n, inverse, outer, wy, u, backs[0])
    else:
        for q in numba.prange(k):
            lo, hi = q * n // k, (q + 1) * n // k
            _down_rows(values, places, start, Y, groups, start_y, lo, hi, inverse, outer, wy, u, backs[q])


@jit
def down(tiles, by_group, inverse, outer, wy, u, backs):
    """Fill u = diag(inverse) K wy, that is P y, and the chunks' sums of Y^T diag(outer) u."""
    _down(
        tiles[0], tiles[1], tiles[2], by_group[0], by_group[1], by_group[2], inverse, outer, wy.reshape((-1, 4)), u,
        backs.reshape((backs.shape[0], -1, 4)),
    )  # fmt: skip


@jit(fastmath={"contract"})
def _up_rows(values, places, start, Y, groups, start_y, lo, hi, inner, lift, beta, u, Pp, part):
    part[:] = 0
    for i in range(lo, hi):
        Pp[i] = u[i] + tile_dot(Y, groups, start_y[i], start_y[i + 1], lift) + beta * Pp[i]
        tile_axpy(inner[i] * Pp[i], values, places, start[i], start[i + 1], part)


@jit(parallel=True)
def _up(values, places, start, Y, groups, start_y, inner, lift, beta, u, Pp, parts):
    n, k = u.size, parts.shape[0]
    if k == 1:
        _up_rows(values, places, start, Y, groups, start_y, 0, n, inner, lift, beta, u, Pp, parts[0])
    else:
        for q in numba.prange(k):
            lo, hi = q * n // k, (q + 1) * n // k
            _up_rows(values, places, start, Y, groups, start_y, lo, hi, inner, lift, beta, u, Pp, parts[q])


@jit
def up(tiles, by_group, inner, lift, beta, u, Pp, parts):
    """Fill Pp = u + Y lift + beta Pp, that is P times the new direction, and the chunks' sums of K^T diag(inner) Pp."""
    _up(
        tiles[0], tiles[1], tiles[2], by_group[0], by_group[1], by_group[2], inner, lift.reshape((-1, 4)), beta, u, Pp,
        parts,
    )  # fmt: skip
