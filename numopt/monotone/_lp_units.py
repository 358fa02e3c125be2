"""Units for linear programs: powers of two for extreme data, then a factor for each row and each column."""

import math
import sys

import numpy as np

from numopt._array import host
from numopt.exceptions import InvalidInputError

EXTREMES = 1e-100, 1e100  # data are rescaled beyond
RUIZ = 10  # rounds of scaling by the roots of the largest entries
POWERS = -1000, 1023  # of two, that a float holds with some digits to spare below
TINY = 1e-290  # smaller numbers lose digits
SQUARE = 1e150  # what may be squared


def powers(extents, low, high):
    """Return the powers of two in whose units A, x and c are near 1; zeros where nothing is extreme."""

    def size(*names):
        return max(max(-extents[name].low, extents[name].high, 0.0) if name in extents else 0.0 for name in names)

    def power(v):
        return max(math.frexp(v)[1] - 1, POWERS[0])

    ends = np.abs(np.concatenate((low, high)))
    A, b, c = size("A_ub", "A_eq"), size("b_ub", "b_eq"), size("c")
    bound = float(np.max(ends, where=ends < np.inf, initial=0.0))
    if all(v == 0 or EXTREMES[0] < v < EXTREMES[1] for v in (A, b, c, bound)):
        return 0, 0, 0
    a = power(A or b or 1.0)
    x, g = power(b) - a if b else power(bound or 1.0), power(c or 1.0)
    for what, reached in (("x", x), ("A x", a + x), ("c.x", g + x), ("the multipliers", g - a)):
        if not POWERS[0] <= reached <= POWERS[1]:
            raise InvalidInputError(
                f"entries of A, b, c and bounds reach {A:.3g}, {b:.3g}, {c:.3g} and {bound:.3g}: {what} would not be "
                f"in the range of float64; choose other units"
            )
    if not bound / 2.0**x < SQUARE:
        raise InvalidInputError(
            f"bounds reach {bound:.3g}, where A and b say that x is of size {2.0**x:.3g}: give no bound where there "
            f"is none, or choose other units"
        )
    return a, x, g


def divided(xp, name, v, power):
    """Return v / 2^power; what is not 0 must not become 0."""
    small = v / 2.0**power
    if power and host(xp.any((v != 0) & (xp.abs(small) < TINY))):
        raise InvalidInputError(f"{name} has entries that are not 0, but too small beside the others: choose other "
                                f"units of rows or columns, or replace them by 0")  # fmt: skip
    return small


def within(xp, v, power):
    """Return v, but for what is not in the range of floats times 2^power."""
    if power <= 0:
        return v
    most = xp.full_like(v, sys.float_info.max / 2.0**power)
    return xp.minimum(xp.maximum(v, -most), most)


def scaled(p):
    """Return (rows A columns, rows, columns): Ruiz's scaling, then Pock and Chambolle's."""
    xp, A = p.xp, p.A
    absolute = A.absolute()
    rows, columns = A.vector(A.shape[0], 1.0), A.vector(A.shape[1], 1.0)
    for _ in range(RUIZ):
        row, column = A.kernels.largest(absolute.parts, rows, columns)
        rows, columns = rows / _root(xp, row), columns / _root(xp, column)
    rows, columns = (
        rows / _root(xp, rows * absolute.forward(columns)),
        columns / _root(xp, columns * absolute.adjoint(rows)),
    )
    _representable(xp, "A", xp.sqrt(rows), xp.sqrt(columns))  # they are not squared
    _representable(xp, "A, b and c", p.b * rows, p.c * columns)
    ends = [xp.where(xp.isfinite(end), end / columns, xp.zeros_like(end)) for end in (p.low, p.high)]
    _representable(xp, "bounds, beside those of A and b,", *ends, remedy="give no bound where there is none, ")
    return A.scaled(rows, columns), rows, columns


def _root(xp, v):
    return xp.sqrt(xp.where(v == 0, xp.ones_like(v), v))


def _representable(xp, names, *arrays, remedy=""):
    """Refuse data that would overflow when squared."""
    if not all(value < SQUARE for value in host(*(xp.max(xp.abs(v)) for v in arrays), 0.0)):
        raise InvalidInputError(
            f"the entries of {names} are too far apart to be scaled: {remedy}rescale rows or columns"
        )
