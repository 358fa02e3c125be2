"""Relaxation sweeps and SSOR-preconditioned conjugate gradients in array-standard calls.

A pattern says where the entries of a matrix A go: its rows sorted by levels, so that rows of one level are not
coupled, and split into a lower and an upper triangle. A system holds the values, every row divided by its
diagonal entry: A = D (I + L + U), right-hand sides are D^{-1} b. Rows of a level are updated together.
"""

from itertools import pairwise

from numopt._array import device, host, namespace
from numopt._kernels.portable._pcg_scalars import Scalars
from numopt._kernels.portable._runs import adder, once

_GROWTH = 1e16  # of the squared residual, at which a sweep has diverged


def levels(indices, indptr):
    """Return the level of each row of a symmetric pattern on the host: 1 + the highest among earlier neighbours."""
    found = [0] * (len(indptr) - 1)
    for i in range(len(found)):
        earlier = [found[j] + 1 for j in indices[indptr[i] : indptr[i + 1]].tolist() if j < i]
        found[i] = max(earlier, default=0)
    return found


def colours(indices, indptr):
    """Return a colour for each row of a symmetric pattern on the host: the least that no earlier neighbour has."""
    found = [0] * (len(indptr) - 1)
    for i in range(len(found)):
        taken = {found[j] for j in indices[indptr[i] : indptr[i + 1]].tolist() if j < i}
        found[i] = next(c for c in range(len(taken) + 1) if c not in taken)
    return found


def same(x, y):
    """Say whether two arrays of integers are equal."""
    return x.shape == y.shape and bool(host(namespace(x).all(x == y)))


def assemble(pattern, data):
    """Return (values of L, values of U, D, facts).

    The facts: the largest (a_ij - a_ji)^2 / |a_ii a_jj|, the least |a_ii|, the least a_ii, and the sum of all
    values, which is not finite if one of them is not.
    """
    xp = namespace(data)
    padded = xp.concat((data, xp.zeros((1,), dtype=data.dtype, device=device(data))))
    d = xp.take(data, pattern.diagonal_at)
    below, mirrored = xp.take(padded, pattern.lower_at), xp.take(padded, pattern.mirror_at)
    row_of = xp.take(d, pattern.lower_rows)
    skew = (below - mirrored) ** 2 / xp.abs(row_of * xp.take(d, pattern.lower_columns))
    upper = xp.take(padded, pattern.upper_at) / xp.take(d, pattern.upper_rows)
    largest = xp.max(skew) if skew.shape[0] else xp.zeros_like(d[0])
    return below / row_of, upper, d, (largest, xp.min(xp.abs(d)), xp.min(d), xp.sum(data))


def right_side(order, d, b):
    """Return D^{-1} b in the order of the sweeps, and ||b||^2."""
    return namespace(b).take(b, order) / d, namespace(b).sum(b * b)


def residual(data, indices, indptr, x, b):
    """Return ||b - A x||^2."""
    xp = namespace(data)
    lengths = indptr[1:] - indptr[:-1]
    add = adder(xp.astype(indptr, xp.int64), int(host(xp.max(lengths))), data.shape[0])
    r = b - add(data * xp.take(x, indices))
    return xp.sum(r * r)


def products(s, x):
    """Return L x and U x."""
    xp = namespace(x)
    low, up = xp.zeros_like(x), xp.zeros_like(x)
    for level in _levels(s):
        low[level.rows] = level.lower(x)
        up[level.rows] = level.upper(x)
    return low, up


def sor(s, b, x, low, omega, target, budget, squares):
    """Sweep forward, x and low = L x in place, until a squared residual is at most `target`.

    squares[k] becomes ||b - A x||^2 before sweep k, for free: what a sweep reads before it updates a row is
    the upper half of the residual, and `low`, from the sweep before, the lower. Returns (sweeps, last square).
    """
    xp = namespace(x)
    groups = _levels(s)
    for k in range(budget):
        total = xp.zeros_like(x[0])
        for level in groups:
            i = level.rows
            rest = b[i] - x[i] - level.upper(x)
            r, new = s.diagonal[i] * (rest - low[i]), level.lower(x)
            total = total + xp.sum(r * r)
            low[i] = new
            x[i] = x[i] + omega * (rest - new)
        squares[k] = square = host(total)
        if not (square > target and square / _GROWTH <= squares[0]):
            break
    return k + 1, square


def ssor(s, b, x, half, low, up, omega, target, budget, squares):
    """Sweep forward and backward; up = U x comes in and goes out, `half` and `low` are work space.

    Each half sweep reads one triangle, since the sums over the other are unchanged (Conrad and Wallach). The
    forward one also forms L x of the old x: squares[k] is ||b - A x||^2 before double sweep k.
    """
    xp = namespace(x)
    groups = _levels(s)
    for k in range(budget):
        total = xp.zeros_like(x[0])
        for level in groups:
            i = level.rows
            rest = b[i] - x[i] - up[i]
            r = s.diagonal[i] * (rest - level.lower(x))
            total = total + xp.sum(r * r)
            low[i] = level.lower(half)
            half[i] = x[i] + omega * (rest - low[i])
        for level in reversed(groups):
            i = level.rows
            up[i] = level.upper(x)
            x[i] = half[i] + omega * (b[i] - low[i] - half[i] - up[i])
        squares[k] = square = host(total)
        if not (square > target and square / _GROWTH <= squares[0]):
            break
    return k + 1, square


def pcg_start(s, b, x, omega, g):
    """Write g = K^{-1} (b - A x), K = D/omega + L, and return ||b - A x||^2."""
    xp = namespace(x)
    total = xp.zeros_like(x[0])
    for level in _levels(s):
        i = level.rows
        r = b[i] - x[i] - level.lower(x) - level.upper(x)
        total = total + xp.sum((s.diagonal[i] * r) ** 2)
        g[i] = omega * (r - level.lower(g))
    return host(total)


def pcg(s, x, g, y, p, t, carry, omega, target, budget, squares, coefficients):
    """Conjugate gradients on K^{-1} A K^{-T} (Eisenstat), until a squared residual is at most `target`.

    With K = D/omega + L and c = (2 - omega)/omega, A = K + K^T - c D. ``g = K^{-1} r`` is the residual, p the
    direction over D, t = K^{-T} D p and y = K^{-1} D (p - c t), so that t + y is the product with p. Updates of x and
    g wait for the next pass; ``carry`` holds (alpha, beta, energy) between calls, zeros at the start.
    ``squares[k]`` is ||r||^2 = ||K g||^2 before step k and the last one that after the last step;
    ``coefficients[k]`` is (alpha, beta). The energy is the sum of alpha <g, c D g>, which is ||x - x_0||_A^2.
    Returns (steps, last square); alpha is NaN if the curvature was not positive.
    """
    xp = namespace(x)
    now, d, groups = Scalars(omega, carry, squares, coefficients), s.diagonal, _levels(s)
    for _ in range(budget):
        x[...], g[...] = x + now.alpha * t, g - now.alpha * (t + y)
        p[...] = now.c * g + now.beta * p
        for level in reversed(groups):
            i = level.rows
            t[i] = omega * (p[i] - level.upper(t))
        total = xp.zeros_like(x[0])
        for level in groups:
            i = level.rows
            y[i] = omega * (p[i] - now.c * t[i] - level.lower(y))
            r = d[i] * (g[i] / omega + level.lower(g))
            total = total + xp.sum(r * r)
        q = t + y
        sums = [xp.sum(d * u * v) for u, v in ((q, p), (q, g), (q, q), (g, g))]
        if not now.going_on(target, *host(total, *sums)):
            break
        if now.near(target, budget):
            x[...], g[...] = x + now.alpha * t, g - now.alpha * (t + y)
            now.formed(_norm_of_residual(s, groups, g, omega))
            if now.square <= target:
                break
    return now.closed()


def quotients(d, b, x, x0):
    """Return <x, D x>, <x, D b> and <x - x0, D (x - x0)>."""
    xp = namespace(x)
    return xp.sum(d * x * x), xp.sum(d * x * b), xp.sum(d * (x - x0) ** 2)


def _norm_of_residual(s, groups, g, omega):
    """Return ||K g||^2."""
    xp = namespace(g)
    total = xp.zeros_like(g[0])
    for level in groups:
        i = level.rows
        total = total + xp.sum((s.diagonal[i] * (g[i] / omega + level.lower(g))) ** 2)
    return host(total)


class _Level:
    """The rows of a level as a slice, and functions that multiply them by a vector, one for each triangle."""

    def __init__(self, lower, upper, first, after, below, above):
        self.rows = slice(first, after)
        self.lower, self.upper = _product(*lower, self.rows, below), _product(*upper, self.rows, above)


def _levels(s):
    return _arranged(*s.lower, *s.upper, s.levels)


@once
def _arranged(values, columns, starts, upper_values, upper_columns, upper_starts, levels):
    lower, upper = (values, columns, starts), (upper_values, upper_columns, upper_starts)
    return [_Level(lower, upper, this[0], after[0], *this[1:]) for this, after in pairwise(levels.tolist())]


def _product(values, columns, starts, rows, longest):
    """Return the function that multiplies some rows of a triangle by a vector, their entries side by side."""
    xp = namespace(starts)
    if longest == 0:
        return lambda x: xp.zeros_like(x[rows])
    first, after = starts[:-1][rows], starts[1:][rows]
    at = first[:, None] + xp.arange(longest, dtype=starts.dtype, device=device(starts))[None, :]
    inside = at < after[:, None]
    at = xp.reshape(xp.where(inside, at, 0), (-1,))
    values = xp.where(inside, xp.reshape(xp.take(values, at), inside.shape), 0.0)
    columns = xp.take(columns, at)
    return lambda x: xp.sum(values * xp.reshape(xp.take(x, columns), values.shape), axis=1)
