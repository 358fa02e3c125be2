"""Relaxation sweeps and SSOR-preconditioned conjugate gradients on the CPU: a whole solve is one call.

What bounds a sweep is the matrix: 12 bytes an entry off the diagonal and 48 to 56 bytes a row. Levels of the
pattern lie one after the other, so that neighbours in memory do not wait for each other.
"""

import numpy as np

from numopt._kernels.cpu._jit import jit
from numopt._kernels.cpu._relax_pcg import backward, finish, forward, forward_light
from numopt._kernels.cpu._relax_rows import SUM, sweep, times
from numopt._kernels.portable._relax_system import Pattern, System, Triangle

_GROWTH = 1e16  # of the squared residual, at which a sweep has diverged
_WIDE = 8192  # rows of a level on average, from which on threads share it
_FULL = 4  # steps of conjugate gradients between two residuals
_DROP = 1e-3  # of <g, D g> in a step, beyond which a difference no longer tells it


@jit
def levels(indices, indptr):
    """Return the level of each row of a symmetric pattern: 1 + the highest among earlier neighbours."""
    n = indptr.size - 1
    found = np.zeros(n, np.int64)
    for i in range(n):
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k]
            if j < i:
                found[i] = max(found[i], found[j] + 1)
    return found


@jit
def colours(indices, indptr):
    """Return a colour for each row of a symmetric pattern: the least that no earlier neighbour has."""
    n = indptr.size - 1
    found, taken_by = np.zeros(n, np.int64), np.full(n + 1, -1)
    for i in range(n):
        for k in range(indptr[i], indptr[i + 1]):
            if indices[k] < i:
                taken_by[found[indices[k]]] = i
        while taken_by[found[i]] == i:
            found[i] += 1
    return found


@jit
def same(x, y):
    """Say whether two arrays of integers are equal."""
    if x.size != y.size:
        return False
    for i in range(x.size):  # noqa: SIM110 compiled
        if x[i] != y[i]:
            return False
    return True


def assemble(pattern, data):
    """Return (values of L, values of U, D, facts); see the portable room."""
    p = pattern
    return _assemble(
        data, p.diagonal_at, p.lower_at, p.mirror_at, p.lower_columns, p.lower_starts, p.upper_at, p.upper_starts
    )


@jit
def _assemble(data, diagonal_at, lower_at, mirror_at, lower_columns, lower_starts, upper_at, upper_starts):
    n, nnz, skew, least, lowest, total = diagonal_at.size, data.size, 0.0, np.inf, np.inf, 0.0
    lower, upper, d = np.empty(lower_at.size), np.empty(upper_at.size), np.empty(n)
    for k in range(nnz):
        total += data[k]
    for i in range(n):
        d[i] = data[diagonal_at[i]]
        least, lowest = min(least, abs(d[i])), min(lowest, d[i])
    for i in range(n):
        scale = 1.0 / d[i]
        for k in range(lower_starts[i], lower_starts[i + 1]):
            at, mirror = lower_at[k], mirror_at[k]
            value = data[at] if at < nnz else 0.0
            off = value - (data[mirror] if mirror < nnz else 0.0)
            if off != 0.0:
                skew = max(skew, off * off / abs(d[i] * d[lower_columns[k]]))
            lower[k] = value * scale
        for k in range(upper_starts[i], upper_starts[i + 1]):
            at = upper_at[k]
            upper[k] = (data[at] if at < nnz else 0.0) * scale
    return lower, upper, d, (skew, least, lowest, total)


@jit
def right_side(order, d, b):
    """Return D^{-1} b in the order of the sweeps, and ||b||^2."""
    rhs, square = np.empty(b.size), 0.0
    for i in range(b.size):
        value = b[order[i]]
        rhs[i] = value / d[i]
        square += value * value
    return rhs, square


@jit(fastmath=SUM)
def residual(data, indices, indptr, x, b):
    """Return ||b - A x||^2."""
    total = 0.0
    for i in range(b.size):
        r = b[i]
        for k in range(indptr[i], indptr[i + 1]):
            r -= data[k] * x[np.uint32(indices[k])]
        total += r * r
    return total


@jit(fastmath=SUM)
def products(s, x):
    """Return L x and U x."""
    low, up = np.empty_like(x), np.empty_like(x)
    for k in range(x.size):
        i = np.uint64(k)
        low[i], up[i] = times(s.width, s.lower, i, x), times(s.width, s.upper, i, x)
    return low, up


def sor(s, b, x, low, omega, target, budget, squares):
    """Sweep forward, x and low = L x in place, until a squared residual is at most `target`.

    squares[k] becomes ||b - A x||^2 before sweep k, for free: what a sweep reads before it updates a row is
    the upper half of the residual, and `low`, from the sweep before, the lower. Returns (sweeps, last square).
    Wide levels are shared by threads; the pattern alone decides, so that their number changes no bit.
    """
    if x.size >= _WIDE * (s.levels.shape[0] - 1):
        from numopt._kernels.cpu import _relax_wide  # to load it starts the threads

        return _relax_wide.sor(s, b, x, low, omega, target, budget, squares, _GROWTH)
    return _sor(s, b, x, low, omega, target, budget, squares)


@jit(fastmath=SUM)
def _sor(s, b, x, low, omega, target, budget, squares):
    count, square = 0, np.nan
    for count in range(1, budget + 1):
        square = sweep(s.width, s.lower, s.upper, s.diagonal, b, x, low, omega, 0, x.size)
        squares[count - 1] = square
        if not (square > target and square / _GROWTH <= squares[0]):
            break
    return count, square


@jit(fastmath=SUM)
def ssor(s, b, x, half, low, up, omega, target, budget, squares):
    """Sweep forward and backward; up = U x comes in and goes out, `half` and `low` are work space.

    Each half sweep reads one triangle, since the sums over the other are unchanged (Conrad and Wallach). The
    forward one also forms L x of the old x: squares[k] is ||b - A x||^2 before double sweep k.
    """
    width, lower, upper, d = s.width, s.lower, s.upper, s.diagonal
    n, count, square = np.uint64(x.size), 0, np.nan
    for count in range(1, budget + 1):
        square = 0.0
        for k in range(n):
            i = np.uint64(k)
            rest = b[i] - x[i] - up[i]
            r = d[i] * (rest - times(width, lower, i, x))
            square += r * r
            low[i] = times(width, lower, i, half)
            half[i] = x[i] + omega * (rest - low[i])
        for k in range(n):
            i = n - np.uint64(1) - np.uint64(k)
            up[i] = times(width, upper, i, x)
            x[i] = half[i] + omega * (b[i] - low[i] - half[i] - up[i])
        squares[count - 1] = square
        if not (square > target and square / _GROWTH <= squares[0]):
            break
    return count, square


@jit(fastmath=SUM)
def pcg_start(s, b, x, omega, g):
    """Write g = K^{-1} (b - A x), K = D/omega + L, and return ||b - A x||^2."""
    total = 0.0
    for k in range(x.size):
        i = np.uint64(k)
        r = b[i] - x[i] - times(s.width, s.lower, i, x) - times(s.width, s.upper, i, x)
        total += (s.diagonal[i] * r) ** 2
        g[i] = omega * (r - times(s.width, s.lower, i, g))
    return total


@jit(fastmath=SUM)
def pcg(s, x, g, y, p, t, carry, omega, target, budget, squares, coefficients):
    """Conjugate gradients on K^{-1} A K^{-T} (Eisenstat), until a squared residual is at most `target`.

    As in the portable room, where the symbols are explained. The residual is formed in every fourth step, and
    in all of them near the target; in the others its square is an estimate.
    """
    width, lower, upper, d = s.width, s.lower, s.upper, s.diagonal
    alpha, beta, energy = carry
    c, estimate, rho, square, k, full = (2 - omega) / omega, np.inf, 0.0, np.nan, 0, True
    for k in range(budget):
        backward(width, upper, x, g, y, p, t, alpha, beta, omega)
        if full or k % _FULL == 0 or estimate <= 16 * target:
            square, curvature, mixed, size, rho = forward(width, lower, d, g, y, p, t, omega)
            if not square > target:
                squares[k] = square
                carry[0], carry[1], carry[2] = 0.0, 0.0, energy
                return k, square
            rho *= c
        else:
            square = estimate
            curvature, size = forward_light(width, lower, d, y, p, t, omega)
            mixed = curvature / c  # <g, c D q> = <p, D q>, since directions are conjugate
        squares[k] = square
        alpha = rho / curvature if curvature > 0 else np.nan
        following = max(0.0, rho - 2 * alpha * c * mixed + alpha * alpha * c * size)
        beta, energy = following / rho, energy + alpha * rho
        full = beta < _DROP
        coefficients[k, 0], coefficients[k, 1] = alpha, beta
        if not alpha > 0:
            break
        estimate, rho = square * beta, following
        if estimate <= target or k == budget - 1:
            square = finish(width, lower, d, x, g, y, t, alpha, omega)
            alpha, full = 0.0, True
            if square <= target:
                break
    squares[k + 1] = square
    carry[0], carry[1], carry[2] = alpha, beta, energy
    return k + 1, square


@jit(fastmath=SUM)
def quotients(d, b, x, x0):
    """Return <x, D x>, <x, D b> and <x - x0, D (x - x0)>."""
    xx = xb = vv = 0.0
    for i in range(x.size):
        v = x[i] - x0[i]
        xx += d[i] * x[i] * x[i]
        xb += d[i] * x[i] * b[i]
        vv += d[i] * v * v
    return xx, xb, vv



def warmup(dtype):
    """Compile all of the above for padded rows and for others; float32 is computed in float64."""
    from numopt._kernels.cpu import _relax_wide

    grid = np.array([1, 0], np.int32), np.array([0, 1, 2], np.int32)
    levels(*grid)
    colours(*grid)
    n, none = 2, np.zeros((2, 3), np.int64)
    residual(np.ones(n), *grid, np.ones(n), np.ones(n))
    right_side(np.arange(n), np.ones(n), np.ones(n))
    same(grid[0], grid[0])
    quotients(*np.ones((4, n)))
    for width in (), (0, 0), (0, 0, 0), (0, 0, 0, 0):
        size = n * len(width)
        at, starts = np.zeros(size, np.uint32), np.arange(n + 1, dtype=np.uint32) * np.uint32(len(width))
        diagonal = np.zeros(n, np.uint32)
        assemble(Pattern(width, diagonal, at, at, at, starts, at, at, at, at, starts, none), np.ones(1))
        triangle = Triangle(np.zeros(size), at, starts)
        s = System(width, triangle, triangle, np.ones(n), none)
        one, two, three, four, five, six = np.ones((6, n))
        products(s, one)
        _sor(s, one, two, three, 1.0, 0.0, 1, np.empty(1))
        _relax_wide.sor(s, one, two, three, 1.0, 0.0, 1, np.empty(1), _GROWTH)
        ssor(s, one, two, three, four, five, 1.0, 0.0, 1, np.empty(1))
        pcg_start(s, one, two, 1.0, three)
        pcg(s, two, three, four, five, six, np.zeros(3), 1.0, 0.0, 1, np.empty(2), np.empty((1, 2)))
