"""The constrained problem as the methods see it.

    min f(x)   subject to   c_i(x) = 0 (i < n_eq),   cl <= c_i(x) <= cu (i >= n_eq),   l <= x <= u

over the variables that are not fixed, with f and c scaled so that no gradient is larger than 100 at the start.
"""

import math
from functools import cached_property

import numpy as np

from numopt import _array
from numopt._kernels import kernels, use_kernels
from numopt.constrained._layout import Layout
from numopt.constrained._operator import Operator, as_operator, plus, rows_scaled, stack, transposed_times
from numopt.constrained._plain import Plain
from numopt.constrained._point import Point, State
from numopt.constrained._quasi_newton import secant
from numopt.constrained._scales import all_finite, chosen_scales, rescale
from numopt.exceptions import InvalidInputError


class Problem:
    """Checked functions, bounds and scales.

    Attributes
    ----------
    n, m, n_eq : int
        Variables that are not fixed, rows of c, equality rows, which come first.
    l, u : array of shape (n,)
        Bounds; infinite where there is none.
    low, high : array of shape (m,)
        Bounds on the rows of c, scaled; `cl` and `cu` are those of the rows that are no equalities.
    sf, sc : float, array of shape (m,) or None
        Scales of f and of the rows of c; None for ones.
    k, settled : object
        Kernels; the latter for arrays that are copies, C-contiguous, where all are.
    bounded : bool
        Whether there is any bound or inequality.
    whole : Hessian or None
        One function for the Hessian of the Lagrangian, of x and multipliers of the caller's rows.
    fallen : tuple or None
        A state far down and what is said of it, see `unbounded`.
    """

    fallen = None

    def __init__(self, space, objective, blocks, x0, lower, upper, scaled=True, whole=None):
        self.space, self.objective, self.blocks, self.xp, self.whole = space, objective, blocks, space.xp, whole
        self.layout, self._null, self.secant = Layout(space, x0, lower, upper), None, None
        self._values = [objective.value, *[block.value for block in blocks]]
        self._firsts = [objective.gradient, *[block.jacobian for block in blocks]]
        self.sf, self.sc, x0 = 1.0, None, self.layout.x0
        self.n = x0.shape[0]
        self.plain = plain = Plain.of(self)
        start, values = self._first(plain, x0)
        self.layout.read_rows(blocks)
        self.m, self.n_eq = self.layout.m, self.layout.n_eq
        self.bounded = self.layout.bounded or self.m > self.n_eq
        self.block_rows, end = [], 0
        for block in blocks:
            self.block_rows.append((block, slice(end, end := end + block.size)))
        start.c, plain = self._rows(values), plain and plain.suits(self.layout)
        (plain or self).derive(start)
        self._scale(start, scaled)
        if self.bounded:  # it may lie outside its bounds, which the certificate has to see
            start.zl = start.zu = self.space.zeros(self.n)
        if plain and type(start.J) is np.ndarray:
            self.settled = plain.scale(self)
            self.point, self.derive, self.hessian = plain.point, plain.derive, plain.hessian
            self.trial, self.measure = plain.trial, plain.measure
        else:
            self.secant, self.settled = secant(self), self.k

    @cached_property
    def l(self):  # noqa: E743
        lower = self.layout.lower
        return self.layout.move(np.full(self.n, -math.inf) if lower is None else lower)

    @cached_property
    def u(self):
        upper = self.layout.upper
        return self.layout.move(np.full(self.n, math.inf) if upper is None else upper)

    @cached_property
    def cl(self):
        return self.low[self.n_eq :]

    @cached_property
    def cu(self):
        return self.high[self.n_eq :]

    def _first(self, plain, x0):
        """Evaluate f and c at the start; return a state with f, and the answers of the blocks."""
        if plain:
            start = plain.start(x0)
            f, c = start.f, [start.c]
            if start.finite:
                return start, c
        else:
            f, *c = self.space.ask(self._values, self.layout.full(x0))
            start = State(Point(x0, f, None, True), None)
        if self.layout.lower is not None and not (math.isfinite(f) and all(map(self.space.finite, c))):
            inside = self.xp.minimum(self.xp.maximum(x0, self.l), self.u)
            if _array.host(self.xp.any(inside != x0)):  # functions need not exist beyond bounds
                return self._first(plain, inside)
        if not math.isfinite(f):
            raise InvalidInputError(f"fun(x0) is {f}: a finite number is expected; choose another x0")
        for block, values in zip(self.blocks, c, strict=True):
            if not self.space.finite(values):
                all_finite(f"{block.label}.fun(x0)", values)
        start.finite = True
        return start, c

    def _scale(self, start, scaled):
        """Choose the scales from the gradients at the start, and check these."""
        # a caller's preconditioner knows the problem as it is
        by_products = isinstance(start.J, Operator) or self.objective.products is not None
        scaled = scaled and not by_products
        if by_products:  # plain kernels do where nothing is factored: a compiler in memory would outweigh the vectors
            with use_kernels("portable"):
                self.k = kernels("constrained", self.xp)
        else:
            self.k = kernels("constrained", self.xp)
        self.sf, scales = chosen_scales(self.xp, start, scaled)
        if scales is not None:
            self.sc = self.layout.move(scales)
        start.lam = zeros = self.space.zeros(self.m)
        self.row_scales = 1.0 + zeros if scales is None else self.sc
        if self.n_eq == self.m:  # equality rows less their right-hand sides
            self.low = self.high = zeros
        else:
            self.low, self.high = self.layout.sides(scales)
        if self.sf != 1.0 or self.sc is not None:
            rescale(start, self.sf, self.sc)
        self.start = start

    # ---------------------------------------------------------------- evaluation

    def point(self, x):
        """Evaluate f and c."""
        full = self.layout.full(x)
        f, *c = self.space.ask(self._values, full)
        f, c = f * self.sf, self._rows(c)
        return Point(x, f, c, math.isfinite(f) and (self.m == 0 or self.space.finite(c)))

    def derive(self, point):
        """Add gradient and Jacobian to a point."""
        if point.g is None:
            full = self.layout.full(point.x)
            g, *J = self.space.ask(self._firsts, full)
            g = self.layout.reduced(g)
            point.g = g if self.sf == 1.0 else g * self.sf
            J = self.layout.jacobian(stack(self.xp, self.space, J, full.shape[0]))
            point.J = J if self.sc is None else rows_scaled(J, self.sc)
        return point

    def hessian(self, point, lam):
        """Return the Hessian of L = f + lam.c: dense, CSR or an `Operator`."""
        full, of_f = self.layout.full(point.x), self.objective
        if self.whole is not None:
            H = rows_scaled(self.whole(full, self.row_multipliers(lam)), self.sf)
            return self.layout.hessian(H)
        v = self.row_multipliers(lam, scaled=True)
        curved = [(block, rows) for block, rows in self.block_rows if block.hess is not None]
        asked, more = [block.hessian for block, _ in curved], [(v[rows],) for _, rows in curved]
        if of_f.hess is not None and point.Hf is None:
            H, *parts = self.space.ask([of_f.hessian, *asked], full, [(), *more])
            H = H if self.sf == 1.0 else rows_scaled(H, self.sf)
            point.Hf = as_operator(H) if hasattr(H, "matvec") else H
        else:
            parts = self.space.ask(asked, full, more)
        H = point.Hf
        if of_f.products is not None:
            H = Operator((full.shape[0],) * 2, lambda p: self.sf * of_f.product(full, p))
        for part in parts:
            H = plus(self.xp, self.space, H, part)
        if H is None:
            H = self.xp.zeros((full.shape[0],) * 2, dtype=self.space.dtype, device=self.space.device)
        H = self.layout.hessian(H)
        return H if self.secant is None else plus(self.xp, self.space, H, self.secant.matrix)

    def convexer(self, point, H):
        """Yield what may replace a Hessian H of L with the wrong curvature: that of f, and the one for -lam.

        Nothing where a quasi-Newton matrix stands for a part of H, and where there are bounds: a small curvature of
        the barrier then hides a singular Hessian, and steps become enormous.
        """
        if self.secant is None and not self.bounded and self.m:
            dense = type(point.Hf) is np.ndarray  # sparse matrices keep the pattern of H
            Hf = self.layout.hessian(point.Hf) if dense else self.hessian(point, 0.0 * point.c)
            yield Hf
            if not isinstance(Hf, Operator):
                yield Hf + (Hf - H)

    def null_hessian(self, J):
        """Return a Hessian of zeros, in the form that J has and with the pattern of the real one."""
        if self._null is None:
            if type(J) is np.ndarray:
                self._null = np.zeros((self.n, self.n), J.dtype)
            elif isinstance(J, Operator):
                self._null = Operator((self.n, self.n), lambda p: 0.0 * p)
            elif _array.is_sparse(J) and _array.is_sparse(H := self.hessian(self.start, 0.0 * self.start.c)):
                self._null = H * 0.0 if H.nnz else H
            else:
                self._null = self.space.zeros(self.n, self.n)
        return self._null

    def _rows(self, values):
        """Return the answers of the blocks as rows of c."""
        if not values:
            return self.layout.move(np.empty(0))
        c = self.layout.constraints(values[0] if len(values) == 1 else self.xp.concat(values))
        return c if self.sc is None else c * self.sc

    # ---------------------------------------------------------------- the Lagrangian

    def lagrangian_gradient(self, point, lam):
        """Return grad f + J^T lam."""
        return point.g + transposed_times(point.J, lam) if self.m else point.g

    def dual_parts(self, point, lam):
        """Return (g, J) of which kernels form g + J^T lam: where J is not dense, the sum and no rows."""
        if type(point.J) is np.ndarray or _array.is_array(point.J):
            return point.g, point.J
        none = self.xp.zeros((0, self.n), dtype=self.space.dtype, device=self.space.device)
        return self.lagrangian_gradient(point, lam), none

    def trial(self, x, lam):
        """Return the state at x, measured where f and c are finite."""
        state = State(self.point(x), lam)
        state.lc = state.cc = state.gg = math.inf
        return self.measure(state) if state.finite else state

    def measure(self, state):
        """Add what a method for equalities needs to a state, its KKT error among it; return the state."""
        point, lam = self.derive(state), state.lam
        g, J = self.dual_parts(point, lam)
        state.gL = self.space.copied(g)
        state.lc, state.cc, state.gg, state.error, *_ = self.settled.lagrangian_measures(
            state.gL, J, point.c, lam, self.row_scales, self.sf
        )
        return state

    # ---------------------------------------------------------------- to and from the caller

    def row_multipliers(self, lam, scaled=False):
        """Return multipliers of the caller's rows, of the scaled or the unscaled problem."""
        v = lam if self.sc is None else lam * self.sc
        return self.layout.outer_rows(v if scaled or self.sf == 1.0 else v / self.sf)

    def inner_multipliers(self, v):
        """Return what the caller's multipliers are inside: `row_multipliers` turned round."""
        return self.layout.inner_rows(v) * self.sf / self.row_scales

    def caller_view(self, state):
        """Return (x, multipliers) as the caller knows them."""
        return self.layout.full(state.x), self.row_multipliers(state.lam)
