"""The constrained problem as the methods see it, and the certificate that judges them all.

    min f(x)   subject to   c_i(x) = 0 (i < n_eq),   cl <= c_i(x) <= cu (i >= n_eq),   l <= x <= u

over the variables that are not fixed, with f and c scaled so that no gradient is larger than 100 at the start.
"""

import math
from contextlib import nullcontext

import numpy as np

from numopt import _array
from numopt._kernels import kernels, use_kernels
from numopt.constrained._operator import Operator, rows_scaled, stack, times, total, transposed_times
from numopt.constrained._quasi_newton import QuasiNewton
from numopt.constrained._regular import finite
from numopt.exceptions import InvalidInputError, NumoptWarning, warn

_LARGEST_GRADIENT = 100.0  # at the start, after scaling


class Point:
    """What is known at x: f, c, and once asked for the gradient g, the Jacobian J, the Hessian `Hf` of f; scaled."""

    __slots__ = ("Hf", "J", "c", "f", "finite", "g", "x")

    def __init__(self, x, f, c, finite):
        self.x, self.f, self.c, self.finite = x, f, c, finite
        self.g = self.J = self.Hf = None


class State:
    """A point with multipliers, as methods yield it; nothing in it is ever written to."""

    __slots__ = ("lam", "point", "zl", "zu")

    def __init__(self, point, lam, zl=None, zu=None):
        self.point, self.lam, self.zl, self.zu = point, lam, zl, zu

    @property
    def x(self):
        return self.point.x

    def copy(self):
        return self


class Problem:
    """Checked functions, bounds and scales.

    Attributes
    ----------
    n, m, n_eq : int
        Variables that are not fixed, rows of c, equality rows, which come first.
    l, u : array of shape (n,)
        Bounds; infinite where there is none.
    cl, cu : array of shape (m - n_eq,)
        Bounds on the rows of c that are no equalities, scaled.
    sf, sc : float, array of shape (m,) or None
        Scales of f and of the rows of c; None for ones.
    bounded : bool
        Whether there is any bound or inequality.
    """

    def __init__(self, space, objective, blocks, x0, lower, upper, scaled=True):
        self.space, self.objective, self.blocks = space, objective, blocks
        self.xp = space.xp
        self.whole, self.free = x0, None
        fixed = lower == upper
        if fixed.any():
            if fixed.all():
                raise InvalidInputError(
                    "bounds fix every variable: at least one free one is expected; nothing to solve"
                )
            self.free = self._move(np.flatnonzero(~fixed), self.xp.int64)
            self.whole = self.xp.where(self._move(fixed, self.xp.bool), self._move(lower), x0)
            x0, lower, upper = self._reduced(x0), lower[~fixed], upper[~fixed]
        self.l, self.u, self.n = self._move(lower), self._move(upper), x0.shape[0]
        self._read_rows(x0)
        self.bounded = bool(np.isfinite(lower).any() or np.isfinite(upper).any() or self.m > self.n_eq)
        self._scale(x0, scaled)
        self.secant, self._null = self._secant(), None

    def _read_rows(self, x0):
        """Evaluate all at the start; put equalities first."""
        low, high, c, full = [], [], [], self._full(x0)
        f = self.objective.value(full)
        if not math.isfinite(f):
            raise InvalidInputError(f"fun(x0) is {f}: a finite number is expected; choose another x0")
        for block in self.blocks:
            c.append(block.value(full))
            _finite(f"{block.label}.fun(x0)", c[-1])
            for name, side, sides in (("lb", block.low, low), ("ub", block.high, high)):
                sides.append(_spread(f"{block.label}.{name}", side, block.size))
        low, high = (np.concatenate(side) if side else np.empty(0) for side in (low, high))
        if (crossed := np.flatnonzero(low > high)).size:
            i = crossed[0]
            raise InvalidInputError(
                f"constraint row {i} has lower bound {low[i]} and upper bound {high[i]}: lower <= upper is expected; "
                f"swap or loosen them"
            )
        rows = np.concatenate([np.flatnonzero(low == high), np.flatnonzero((low != high) & np.isfinite(high - low)),
                               np.flatnonzero((low != high) & ~np.isfinite(high - low))])  # fmt: skip
        self.m_user, self.n_eq = low.size, int((low == high).sum())
        kept = np.isfinite(low[rows]) | np.isfinite(high[rows])
        rows = rows[kept]  # rows without any bound are no constraints
        self.m, self._rows = rows.size, rows
        in_order = rows.size == low.size and bool((rows == np.arange(rows.size)).all())
        self.order = None if in_order else self._move(rows, self.xp.int64)
        self.target = self._move(low[rows[: self.n_eq]]) if np.any(low[rows[: self.n_eq]]) else None
        self._sides = low[rows[self.n_eq :]], high[rows[self.n_eq :]]
        self.f0 = f

    def _scale(self, x0, scaled):
        """Choose the scales from the gradients at the start, and check these."""
        self.sf, self.sc = 1.0, None
        self.cl, self.cu = map(self._move, self._sides)
        start = self.derive(self.point(x0))
        _finite("the gradient of fun at x0", start.g)
        # a caller's preconditioner knows the problem as it is
        by_products = isinstance(start.J, Operator) or self.objective.products is not None
        scaled = scaled and not by_products
        # plain kernels do where nothing is factored: a compiler in memory would outweigh the vectors
        with use_kernels("portable") if by_products else nullcontext():
            self.k = kernels("constrained", self.xp)
        largest = _array.host(self.xp.max(self.xp.abs(start.g))) if scaled else 0.0
        self.sf = max(min(1.0, _LARGEST_GRADIENT / max(largest, 1e-300)), 1e-8)
        if self.m and not isinstance(start.J, Operator):
            sizes = _row_sizes(self.xp, start.J)
            _finite("the Jacobian of the constraints at x0", sizes)
            if scaled and sizes.max() > _LARGEST_GRADIENT:
                scales = np.maximum(np.minimum(1.0, _LARGEST_GRADIENT / np.maximum(sizes, 1e-300)), 1e-8)
                self.sc = self._move(scales)
                self.cl, self.cu = (self._move(side * scales[self.n_eq :]) for side in self._sides)
        none = self._move(np.zeros(self.n_eq))
        self.low, self.high = self.xp.concat([none, self.cl]), self.xp.concat([none, self.cu])
        self.row_scales = self.xp.ones_like(self.low) if self.sc is None else self.sc
        self.start = start if self.sf == 1.0 and self.sc is None else self._rescaled(start)

    def _rescaled(self, start):
        point = Point(start.x, start.f * self.sf, start.c, True)
        point.g, point.J = start.g * self.sf, start.J
        if self.sc is not None:
            point.c, point.J = start.c * self.sc, rows_scaled(start.J, self.sc)
        return point

    def _secant(self):
        """Return the quasi-Newton matrix for all parts without a Hessian, or None."""
        kinds = [part.learns for part in (self.objective, *self.blocks) if part.learns]
        if not kinds:
            return None
        learns = [np.full(block.size, bool(block.learns)) for block in self.blocks]
        rows = np.concatenate(learns)[self._rows] if learns else np.empty(0)
        self._learning = self._move(rows.astype(float))
        kind = "sr1" if "sr1" in kinds else "bfgs"
        return QuasiNewton(kind, self.xp, self.space.device, self.space.dtype, self.n)

    # ---------------------------------------------------------------- evaluation

    def point(self, x):
        """Evaluate f and c."""
        full = self._full(x)
        f = self.objective.value(full) * self.sf
        c = self._constraints(full)
        return Point(x, f, c, math.isfinite(f) and (self.m == 0 or math.isfinite(_array.host(c @ c))))

    def derive(self, point):
        """Add gradient and Jacobian to a point."""
        if point.g is None:
            full = self._full(point.x)
            g = self.objective.gradient(full)
            g = g if self.free is None else self._reduced(g)
            point.g = g if self.sf == 1.0 else g * self.sf
            J = stack(self.xp, self.space, [block.jacobian(full) for block in self.blocks], full.shape[0])
            point.J = self._picked(J)
        return point

    def hessian(self, point, lam):
        """Return the Hessian of L = f + lam.c: dense, CSR or an `Operator`."""
        full, parts = self._full(point.x), []
        if point.Hf is None and (H := self.objective.hessian(full)) is not None:
            point.Hf = H if self.sf == 1.0 else rows_scaled(H, self.sf)
        if point.Hf is not None:
            parts.append(point.Hf)
        if self.objective.products is not None:
            parts.append(Operator((full.shape[0],) * 2, lambda p: self.sf * self.objective.product(full, p)))
        at, v = 0, self.row_multipliers(lam, scaled=True)
        for block in self.blocks:
            if block.hess is not None:
                parts.append(block.hessian(full, v[at : at + block.size]))
            at += block.size
        H = total(self.xp, self.space, parts, full.shape[0])
        if self.free is not None:
            H = _submatrix(self.xp, H, self.free, self.whole)
        return H if self.secant is None else H + self.secant.matrix

    def objective_hessian(self, point):
        """Return the Hessian of f alone, or None where it is of no use.

        That is where a quasi-Newton matrix stands for a part of H, and where there are bounds: a small curvature of
        the barrier then hides a singular Hessian, and steps become enormous.
        """
        return None if self.secant is not None or self.bounded or self.m == 0 else self.hessian(point, 0.0 * point.c)

    def null_hessian(self, J):
        """Return a Hessian of zeros, in the form that J has and with the pattern of the real one."""
        if self._null is None:
            if isinstance(J, Operator):
                self._null = Operator((self.n, self.n), lambda p: 0.0 * p)
            elif _array.is_sparse(J) and _array.is_sparse(H := self.hessian(self.start, 0.0 * self.start.c)):
                self._null = H * 0.0 if H.nnz else H
            else:
                self._null = self.xp.zeros((self.n, self.n), dtype=self.space.dtype, device=self.space.device)
        return self._null

    def learn(self, old, new, lam):
        """Show the quasi-Newton matrix the step from one point to another."""
        if self.secant is not None:
            y = transposed_times(new.J, lam * self._learning) - transposed_times(old.J, lam * self._learning)
            self.secant.update(new.x - old.x, y + (new.g - old.g) if self.objective.learns else y)

    def _constraints(self, full):
        values = [block.value(full) for block in self.blocks]
        if not values:
            return self._move(np.empty(0))
        c = values[0] if len(values) == 1 else self.xp.concat(values)
        if self.order is not None:
            c = self.xp.take(c, self.order)
        if self.target is not None:
            c = self.xp.concat([c[: self.n_eq] - self.target, c[self.n_eq :]])
        return c if self.sc is None else c * self.sc

    def _picked(self, J):
        """Return the rows of J that count, in order, without fixed columns, scaled."""
        if self.order is not None:
            J = _taken(self.xp, J, self.order, 0)
        if self.free is not None:
            J = _taken(self.xp, J, self.free, 1)
        return J if self.sc is None else rows_scaled(J, self.sc)

    # ---------------------------------------------------------------- judging

    def lagrangian_gradient(self, point, lam):
        """Return grad f + J^T lam."""
        return point.g + transposed_times(point.J, lam) if self.m else point.g

    def merit(self, point, lam, eta1, eta2):
        """Return f + lam.c + eta1/2 |c|^2 + eta2/2 |grad L|^2 at a point with derivatives."""
        if _array.is_array(point.J):
            value = self.k.merit(point.f, point.g, point.J, point.c, lam, eta1, eta2)
            if value != value and math.isfinite(_array.host(self.xp.sum(point.g) + self.xp.sum(point.J))):
                finite(value, "the merit function")
            return value
        gL = self.lagrangian_gradient(point, lam)
        lc, cc, gg = _array.host(lam @ point.c, point.c @ point.c, gL @ gL)
        return point.f + lc + 0.5 * eta1 * cc + 0.5 * eta2 * gg

    def errors(self, state, gL=None):
        """Return (kkt_error, stationarity, violation, complementarity), unscaled, as floats."""
        point, lam = self.derive(state.point), state.lam
        gL = self.lagrangian_gradient(point, lam) if gL is None else gL
        if state.zl is not None:
            gL = gL - state.zl + state.zu
        errors = self.k.kkt_errors(gL, point.c, lam, self.low, self.high, self.row_scales, self.sf)
        stationarity, violation, complementarity = errors
        if state.zl is not None:
            off, product = self.k.bound_errors(point.x, self.l, self.u, state.zl, state.zu)
            violation, complementarity = _largest(violation, off), _largest(complementarity, product / self.sf)
        size = 1.0
        if self.m:
            v = lam if self.sc is None else lam * self.sc
            size = max(1.0, _array.host(self.xp.sum(self.xp.abs(v))) / (100.0 * self.sf * self.m))
        return _largest(stationarity / size, violation, complementarity), stationarity, violation, complementarity

    def certificate(self, state):
        """Recompute the KKT error from the caller's functions at the point; evaluations at it are not repeated."""
        named = "kkt_error", "kkt_stationarity", "constr_violation", "complementarity"
        return dict(zip(named, self.errors(state), strict=True))

    # ---------------------------------------------------------------- to and from the caller

    def row_multipliers(self, lam, scaled=False):
        """Return multipliers of the caller's rows, of the scaled or the unscaled problem."""
        v = lam if self.sc is None else lam * self.sc
        v = v if scaled or self.sf == 1.0 else v / self.sf
        if self.order is None:
            return v
        back = np.full(self.m_user, self.m)
        back[self._rows] = np.arange(self.m)
        padded = self.xp.concat([v, self.xp.zeros_like(v[:1]) if self.m else self._move(np.zeros(1))])
        return self.xp.take(padded, self._move(back, self.xp.int64))

    def inner_multipliers(self, v):
        """Return what the caller's multipliers are inside: `row_multipliers` turned round."""
        v = v if self.order is None else self.xp.take(v, self.order)
        return v * self.sf if self.sc is None else v * self.sf / self.sc

    def inner_bound_multipliers(self, z0, lam):
        """Return multipliers of the bounds on (x, slacks) from a caller's pair and the multipliers of the rows."""
        pair = [self.space.vector("options['z0']", z, self.whole.shape[0]) for z in z0]
        pair = [z if self.free is None else self._reduced(z) for z in pair]
        rows = (self.xp.clip(sign * lam[self.n_eq :], 0.0, None) for sign in (-1.0, 1.0))
        return tuple(self.xp.concat([z * self.sf, side]) for z, side in zip(pair, rows, strict=True))

    def caller_view(self, state):
        """Return (x, multipliers) as the caller knows them."""
        return self._full(state.x), self.row_multipliers(state.lam)

    def full(self, x):
        """Return all variables, fixed ones included."""
        return self._full(x)

    def bound_multipliers(self, state):
        """Return z_lower, z_upper of all variables; those of fixed ones balance the gradient."""
        xp, zero = self.xp, self.xp.zeros_like(state.x)
        zl, zu = (zero if z is None else z / self.sf for z in (state.zl, state.zu))
        if self.free is None:
            return zl, zu
        full = self._full(state.x)
        v, at, g = self.row_multipliers(state.lam), 0, self.objective.gradient(full)
        for block in self.blocks:
            g = g + transposed_times(block.jacobian(full), v[at : at + block.size])
            at += block.size
        spread = xp.zeros_like(full)
        mask = self._is_free()
        inner = [_scatter(xp, spread, self.free, z) for z in (zl, zu)]
        return (xp.where(mask, inner[0], xp.clip(g, 0.0, None)), xp.where(mask, inner[1], xp.clip(-g, 0.0, None)))

    def _full(self, x):
        return x if self.free is None else _scatter(self.xp, self.whole, self.free, x)

    def _reduced(self, x):
        return self.xp.take(x, self.free)

    def _is_free(self):
        mask = np.zeros(self.whole.shape[0], bool)
        mask[_array.host(self.free).astype(int)] = True
        return self._move(mask, self.xp.bool)

    def _move(self, values, dtype=None):
        return _array.like(self.xp, values, self.space.device, dtype or self.space.dtype)


def _largest(*values):
    """Return the largest of floats, NaN if one is."""
    return max(values) if sum(values) == sum(values) else math.nan


def read_bounds(n, bounds, x0):
    """Return NumPy vectors of lower and upper bounds."""
    if bounds is None:
        return np.full(n, -math.inf), np.full(n, math.inf)
    if hasattr(bounds, "lb"):
        lower, upper = _spread("bounds.lb", bounds.lb, n), _spread("bounds.ub", bounds.ub, n)
    else:
        pairs = list(bounds)
        if len(pairs) != n or any(np.size(pair) != 2 for pair in pairs):
            raise InvalidInputError(
                f"bounds has {len(pairs)} entries: {n} pairs (low, high) are expected, one for each entry of x0"
            )
        lower = np.array([-math.inf if low is None else low for low, _ in pairs], float)
        upper = np.array([math.inf if high is None else high for _, high in pairs], float)
    if (bad := np.flatnonzero(~(lower <= upper))).size:
        i = bad[0]
        raise InvalidInputError(
            f"bounds[{i}] is ({lower[i]}, {upper[i]}): lower <= upper is expected; swap or loosen them"
        )
    outside = np.flatnonzero(((x0 < lower) | (x0 > upper)) & (lower < upper))
    if outside.size:
        i = outside[0]
        warn(f"x0[{i}] is {x0[i]}, outside its bounds [{lower[i]}, {upper[i]}]: it is moved inside", NumoptWarning)
    return lower, upper


def _spread(name, side, size):
    side = np.asarray(_array.host(side) if _array.is_array(side) else side, float)
    if side.size not in (1, size):
        raise InvalidInputError(f"{name} has {side.size} entries: 1 or {size} are expected; give one for each row")
    if np.isnan(side).any():
        raise InvalidInputError(f"{name} holds NaN: numbers or infinities are expected; use inf for no bound")
    return np.broadcast_to(side.ravel(), (size,)).astype(float)


def _finite(name, values):
    values = np.asarray(_array.host(values) if _array.is_array(values) else values)
    if (bad := np.flatnonzero(~np.isfinite(values))).size:
        raise InvalidInputError(
            f"{name} has entry [{bad[0]}] = {values.ravel()[bad[0]]}: finite numbers are expected; choose another x0 "
            f"or mend the function"
        )


def _row_sizes(xp, J):
    """Return the largest magnitude in each row, on the host."""
    if _array.is_sparse(J):
        return abs(J).max(axis=1).toarray().ravel()
    return np.asarray(_array.host(xp.max(xp.abs(J), axis=1)))


def _taken(xp, A, index, axis):
    if isinstance(A, Operator):
        raise InvalidInputError(
            "constraints hold an operator together with fixed variables or rows out of order: equalities first and no "
            "fixed variables are expected in operator mode; substitute or reorder them"
        )
    if _array.is_sparse(A):
        return (A[index] if axis == 0 else A[:, index]).tocsr()
    return xp.take(A, index, axis=axis)


def _submatrix(xp, H, free, whole):
    return _taken(xp, _taken(xp, H, free, 0), free, 1)


def _scatter(xp, whole, index, values):
    """Return `whole` with `values` at `index`."""
    if type(whole) is np.ndarray:
        out = whole.copy()
        out[index] = values
        return out
    positions = xp.arange(whole.shape[0], device=_array.device(whole))
    place = xp.searchsorted(index, positions)
    place = xp.clip(place, None, index.shape[0] - 1)
    return xp.where(xp.take(index, place) == positions, xp.take(values, place), whole)


__all__ = ["Point", "Problem", "State", "read_bounds", "times"]
