"""From the arguments of `sparse_plan` to its problem: what is checked, what is held out."""

import math

import numpy as np

from numopt import _array
from numopt._check import Checks, integer, positive_scalar
from numopt._kernels import kernels
from numopt.exceptions import InvalidInputError
from numopt.ot._limits import LEAST, check_rounding, check_values
from numopt.ot._sparse_problem import Problem, Whole

_EPS = 2.0**-52
_SAMPLE = 64  # rows that the median is taken from
_NEGLIGIBLE = 1e-3  # share of the tolerance that the weights held out may have


def checked(a, b, C, reg, max_nonzeros, tol):
    """Check the input; return the problem on the rows and columns whose weight can be told from rounding.

    A weight far below the tolerance asks for an entry that the rounding of potentials hides. Its row would follow
    every move of a threshold, and the row that should fill the column would not get to.
    """
    checks = Checks({"a": a, "b": b, "C": C})
    xp, dtype = checks.xp, checks.dtype
    a, b = checks.weights("a"), checks.weights("b")
    C = checks.matrix("C", shape=(*a.shape, *b.shape), posinf=True, remedy="only +inf marks a forbidden pair")
    found = checks.settle()
    mass, other = found["a"].total, found["b"].total
    if abs(mass - other) > 1e-6 * mass:
        raise InvalidInputError(
            f"a sums to {mass} and b to {other}: equal masses are expected; normalise both to the same sum"
        )
    a, b, forbids = xp.astype(a, xp.float64) / mass, xp.astype(b, xp.float64) / other, found["C"].high == math.inf
    whole = Whole(xp, C, a, b, _NEGLIGIBLE * min(tol, 1e-6) / (a.shape[0] + b.shape[0]))
    if forbids and _stranded(xp, whole):
        whole = Whole(xp, C, a, b, 0.0)
        if stranded := _stranded(xp, whole):
            raise InvalidInputError(stranded)
    C, a, b = whole.kept(C), xp.take(a, whole.rows), xp.take(b, whole.columns)
    low, high = found["C"].low, found["C"].high
    if forbids or C is not whole.C:
        low, high = _array.host(xp.min(C), xp.max(xp.where(xp.isfinite(C), C, low)))
    if not high - low < math.inf:
        raise InvalidInputError(f"C ranges from {low} to {high}: a finite range is expected; rescale C")
    k = C.shape[0] if max_nonzeros is None else integer("max_nonzeros", max_nonzeros, low=1)
    top_a, top_b = _array.host(xp.max(a), xp.max(b))
    reg = positive_scalar("reg", reg) * mass
    if not reg >= LEAST:
        raise InvalidInputError(
            f"reg is {reg / mass:.3g} and the mass {mass:.3g}: a product of at least {LEAST:.3g} is expected, lest its "
            f"inverse overflow; multiply C and reg by one factor"
        )
    if reg * top_b < 64 * _EPS * (high - low):
        raise InvalidInputError(
            f"reg is {reg / mass}: at least {64 * _EPS * (high - low) / (top_b * mass):.3g} is expected, or "
            f"the plan drowns in the rounding of C; raise it, or use an exact solver"
        )
    problem = Problem(
        xp=xp, kernels=kernels("ot_sparse", xp), C=C, a=a / xp.sum(a), b=b / xp.sum(b), reg=reg, k=min(k, C.shape[0]),
        mass=mass, low=low, high=high, forbids=forbids, median=_median(xp, C), top_b=top_b,
        heaviest=min(top_a, top_b), dtype=dtype, whole=whole,
    )  # fmt: skip
    check_values(xp.finfo(dtype), (low, high), reg / mass, mass)
    check_rounding(problem.floor, (low, high), reg / mass)
    return problem


def check_limit(problem, tol):
    """Raise if no plan within `tol` of the marginals has so few entries in its columns."""
    p, k, (n, m) = problem, problem.k, problem.C.shape
    if k == n:
        return
    a, b = np.sort(_array.host(p.a))[::-1], _array.host(p.b)
    reach, j = np.concatenate([[0.0], np.cumsum(a)]), int(np.argmax(b))
    counts = np.arange(1, n + 1)
    fills = 2 * (b[j] - reach[1:]) <= tol  # the heaviest column, from the heaviest rows
    reaches = 2 * (1 - reach[np.minimum(counts * m, n)]) <= tol
    least = int(counts[np.argmax(fills & reaches)])
    if least <= k and k == 1 and n == m and np.sum(np.abs(a - np.sort(b)[::-1])) > tol:
        raise InvalidInputError(
            "max_nonzeros is 1: as many columns as rows, with one entry each, need weights a and b that are the same "
            "up to their order; raise it"
        )
    if least > k:
        column = int(_array.host(p.whole.columns[j : j + 1])[0])
        why = (
            f"b[{column}] is {p.mass * b[j]:.3g} and the {k} largest weights of a sum to {p.mass * reach[k]:.3g}"
            if not fills[k - 1]
            else f"{m} columns of {k} entries cannot reach {n} rows"
        )
        raise InvalidInputError(f"max_nonzeros is {k}: at least {least} is expected, since {why}; raise it")


def _stranded(xp, whole):
    """Return a message if a row or column is kept that has nowhere to go."""
    C = whole.kept(whole.C)
    for axis, name, kept in ((1, "a", whole.rows), (0, "b", whole.columns)):
        least = xp.min(C, axis=axis)
        if _array.host(xp.max(least)) == math.inf:
            index = int(_array.host(kept[xp.argmax(least)]))
            line, other = ("row", "b") if name == "a" else ("column", "a")
            return (
                f"{name}[{index}] is positive and C has +inf in all of {line} {index} where {other} is: at least one "
                f"finite cost is expected; allow a pair or set {name}[{index}] to 0"
            )
    return None


def _median(xp, C):
    """Return the median of the finite entries in a sample of rows."""
    rows = xp.sort(xp.reshape(C[:: max(1, C.shape[0] // _SAMPLE), :], (-1,)))
    finite = int(_array.host(xp.sum(xp.astype(xp.isfinite(rows), xp.float64))))
    return _array.host(rows[finite // 2]) if finite else math.nan
