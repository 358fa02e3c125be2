"""Which variables and rows take part, and in which order: the way between the caller's problem and the inner one.

Fixed variables are left out. Rows without any bound are none; equalities come first, then rows with two bounds, then
the others.
"""

import math

import numpy as np

from numopt import _array
from numopt._given import as_array
from numopt.constrained._functions import is_real
from numopt.constrained._operator import Operator
from numopt.exceptions import InvalidInputError, InvalidTypeError, NumoptWarning, warn

_ORDERED = "lower <= upper and a number between them are expected; swap or loosen them"


class Layout:
    """The free variables and the rows of c.

    Attributes
    ----------
    x0 : array of shape (n,)
        The start, of free variables alone.
    lower, upper : ndarray of shape (n,) or None
        Their bounds, on the host; None without any.
    low, high : ndarray of shape (m,)
        Bounds of the rows, in the inner order, on the host.
    m_user, m, n_eq : int
        Rows of the caller, rows that count, equalities among them.
    """

    __slots__ = (
        *("bounded", "free", "high", "is_free", "low", "lower", "m", "m_user", "n_eq", "order", "rows", "space"),
        *("target", "upper", "whole", "x0", "xp"),
    )

    def __init__(self, space, x0, lower, upper):
        self.space, self.xp, self.whole, self.free = space, space.xp, x0, None
        if lower is not None and (fixed := lower == upper).any():
            if fixed.all():
                raise InvalidInputError(
                    "bounds fix every variable: at least one free one is expected; nothing to solve"
                )
            self.free = self.move(np.flatnonzero(~fixed), self.xp.int64)
            self.is_free = self.move(~fixed, self.xp.bool)
            self.whole = self.xp.where(self.is_free, x0, self.move(lower))
            x0, lower, upper = self.reduced(x0), lower[~fixed], upper[~fixed]
        self.x0, self.lower, self.upper = x0, lower, upper
        self.bounded = lower is not None and bool(np.isfinite(lower).any() or np.isfinite(upper).any())

    def read_rows(self, blocks):
        """Order the rows by their bounds; the sizes of the blocks are known by now."""
        low = _joined([spread(f"{block.label}.lb", block.low, block.size) for block in blocks])
        high = _joined([spread(f"{block.label}.ub", block.high, block.size) for block in blocks])
        self.m_user, self.order, self.target = low.size, None, None
        if (low.tobytes() == high.tobytes() or (low == high).all()) and low.dot(low) < math.inf:  # bytes: soon compared
            self.rows, self.n_eq, self.m = slice(None), low.size, low.size
            self.low, self.high = low, high
        else:
            if (i := _crossed(low, high)) is not None:
                raise InvalidInputError(
                    f"constraint row {i} has lower bound {low[i]} and upper bound {high[i]}: {_ORDERED}"
                )
            equal, sides = low == high, np.isfinite(low).astype(int) + np.isfinite(high)
            kind = np.where(equal, 0, 3 - sides)
            self.rows = np.argsort(kind, kind="stable")[: int((kind < 3).sum())]
            self.n_eq, self.m = int(equal.sum()), self.rows.size
            self.low, self.high = low[self.rows], high[self.rows]
            if self.m < self.m_user or (self.rows[1:] < self.rows[:-1]).any():
                self.order = self.move(self.rows, self.xp.int64)
        if low.tobytes().strip(b"\0"):  # some are not zero, of equalities or others
            target = self.low[: self.n_eq]
            self.target = self.move(target) if target.any() else None

    def sides(self, scales):
        """Return the lower and the upper bounds of the rows, scaled, where the variables live."""
        zeros, found = None if self.target is None else np.zeros(self.n_eq), []
        for side in (self.low, self.high):
            side = side if scales is None else side * scales
            found.append(self.move(side if zeros is None else np.concatenate([zeros, side[self.n_eq :]])))
        return found

    def move(self, values, dtype=None):
        """Bring host data to where the variables live."""
        if dtype is None and values.dtype is self.space.native:
            return values
        return _array.like(self.xp, values, self.space.device, dtype or self.space.dtype)

    # ---------------------------------------------------------------- variables

    def full(self, x):
        """Return all variables, fixed ones included."""
        return x if self.free is None else scattered(self.xp, self.whole, self.free, x)

    def reduced(self, x):
        """Return what belongs to free variables."""
        return x if self.free is None else self.xp.take(x, self.free)

    # ---------------------------------------------------------------- rows and matrices

    def constraints(self, c):
        """Return the rows that count, equalities less their right-hand sides."""
        if self.order is not None:
            c = self.xp.take(c, self.order)
        if self.target is not None:
            c = self.xp.concat([c[: self.n_eq] - self.target, c[self.n_eq :]])
        return c

    def jacobian(self, J):
        """Return the rows and columns of J that count."""
        if self.order is not None:
            J = _taken(self.xp, J, self.order, 0)
        return J if self.free is None else _taken(self.xp, J, self.free, 1)

    def hessian(self, H):
        """Return the rows and columns of free variables."""
        return H if self.free is None else _taken(self.xp, _taken(self.xp, H, self.free, 0), self.free, 1)

    def outer_rows(self, v):
        """Return multipliers of the caller's rows: zero for those that do not count."""
        if self.order is None:
            return v
        back = np.full(self.m_user, self.m)
        back[self.rows] = np.arange(self.m)
        padded = self.xp.concat([v, self.xp.zeros_like(v[:1]) if self.m else self.move(np.zeros(1))])
        return self.xp.take(padded, self.move(back, self.xp.int64))

    def inner_rows(self, v):
        """Return what the caller's multipliers are inside: `outer_rows` turned round."""
        return v if self.order is None else self.xp.take(v, self.order)


def read_bounds(x0, bounds):
    """Return NumPy vectors of lower and upper bounds, or None twice where there are none."""
    if bounds is None:
        return None, None
    x0 = _array.host(x0)
    n = x0.size
    if hasattr(bounds, "lb"):
        lower, upper = spread("bounds.lb", bounds.lb, n), spread("bounds.ub", bounds.ub, n)
    else:
        pairs = list(bounds) if np.iterable(bounds) else [bounds]
        if len(pairs) != n or any(np.size(pair) != 2 for pair in pairs):
            raise InvalidInputError(
                f"bounds has {len(pairs)} entries: {n} pairs (low, high) are expected, one for each entry of x0"
            )
        lower = _side([-math.inf if low is None else low for low, _ in pairs], 0)
        upper = _side([math.inf if high is None else high for _, high in pairs], 1)
    if (i := _crossed(lower, upper)) is not None:
        raise InvalidInputError(f"bounds[{i}] is ({lower[i]}, {upper[i]}): {_ORDERED}")
    outside = np.flatnonzero(((x0 < lower) | (x0 > upper)) & (lower < upper))
    if outside.size:
        i = outside[0]
        warn(f"x0[{i}] is {x0[i]}, outside its bounds [{lower[i]}, {upper[i]}]: it is moved inside", NumoptWarning)
    return lower, upper


def _side(values, at):
    """Return lower or upper bounds, given in pairs, as floats."""
    side = np.empty(len(values))
    for i, value in enumerate(values):
        try:
            side[i] = float(value)
        except (TypeError, ValueError):
            raise InvalidTypeError(
                f"bounds[{i}][{at}] is {value!r}: a number or None is expected; replace it"
            ) from None
    return side


def _crossed(lower, upper):
    """Return the first index where no number lies between the bounds, None if there is none."""
    bad = np.flatnonzero(~((lower <= upper) & (lower < math.inf) & (upper > -math.inf)))
    return bad[0] if bad.size else None


def spread(name, side, size):
    """Return one side of bounds as a NumPy vector; a number stands for all rows."""
    side = as_array(name, side)
    if not is_real(side.dtype):
        raise InvalidTypeError(f"{name} has dtype {side.dtype}: real numbers are expected; replace them")
    side = np.asarray(side if type(side) is np.ndarray else _array.host(side), float)
    if side.shape == (size,) and not math.isnan(side.dot(side)):
        return side
    if side.size not in (1, size):
        raise InvalidInputError(f"{name} has {side.size} entries: 1 or {size} are expected; give one for each row")
    if np.isnan(side).any():
        raise InvalidInputError(f"{name} holds NaN: numbers or infinities are expected; use inf for no bound")
    return np.full(size, side.ravel()) if side.size != size else side.ravel()


def _joined(parts):
    """Return vectors as one."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else np.empty(0)


def scattered(xp, whole, index, values):
    """Return `whole` with `values` at `index`."""
    if type(whole) is np.ndarray:
        out = whole.copy()
        out[index] = values
        return out
    positions = xp.arange(whole.shape[0], device=_array.device(whole))
    place = xp.searchsorted(index, positions)
    place = xp.clip(place, None, index.shape[0] - 1)
    return xp.where(xp.take(index, place) == positions, xp.take(values, place), whole)


def _taken(xp, A, index, axis):
    if isinstance(A, Operator):
        raise InvalidInputError(
            "constraints hold an operator together with fixed variables or rows out of order: equalities first and no "
            "fixed variables are expected in operator mode; substitute or reorder them"
        )
    if _array.is_sparse(A):
        return (A[index] if axis == 0 else A[:, index]).tocsr()
    return xp.take(A, index, axis=axis)
