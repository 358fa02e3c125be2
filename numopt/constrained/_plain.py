"""The common case, met often: one block of constraints, whose functions and f's return dense NumPy arrays.

What `Problem` does in general is done here in fewer calls, which are all that small problems cost. The functions of the
caller leave cold caches behind: they are called one right after the other, each with a copy of x that it may write to,
with nothing in between. Whatever answer is not of the expected kind goes the general way.
"""

from time import perf_counter

from numpy import empty, ndarray

from numopt._kernels import settled
from numopt.constrained._operator import as_operator, plus, rows_scaled, stack, transposed_times
from numopt.constrained._point import Point, State
from numopt.constrained._regular import INFINITE

new = object.__new__  # without a call of __init__


class Plain:
    """Evaluates f, c and their derivatives; `Problem` says what each method returns.

    Attributes
    ----------
    n_values, n_firsts, n_seconds : int
        How often f and c were asked together, their first and their second derivatives.
    """

    __slots__ = (
        *("block", "objective", "space", "xp", "native", "k", "sf", "sc", "column", "target", "row_scales", "scaled"),
        *("fun", "grad", "hess", "cons", "jac", "hess_c", "n_values", "n_firsts", "n_seconds"),
        *("vector", "square", "rows", "matrix", "f_square", "c_square"),
    )

    def __init__(self, space, objective, block, n):
        self.xp, self.space, self.native, self.objective, self.block = space.xp, space, space.native, objective, block
        self.fun, self.grad, self.hess = objective.value.call, objective.gradient.call, objective.hessian.call
        self.cons, self.jac, self.hess_c = block.value.call, block.jacobian.call, block.hessian.call
        self.n_values = self.n_firsts = self.n_seconds = 0
        self.sf, self.sc, self.target, self.scaled = 1.0, None, None, False
        self.vector, self.square, self.rows, self.matrix = (n,), (n, n), None, None
        self.f_square = self.c_square = None  # `square` once the first Hessian was seen to be symmetric

    @classmethod
    def of(cls, p):
        """Return the evaluation of a problem, None where it needs the general one."""
        if not p.space.numpy or len(p.blocks) != 1 or p.layout.free is not None:
            return None
        block = p.blocks[0]
        if p.objective.hess is None or block.hess is None:
            return None
        return cls(p.space, p.objective, block, p.n)

    def suits(self, layout):
        """Take note of the rows, once they are known; return this, None if they need the general evaluation."""
        m, self.target = layout.m, layout.target  # of equalities, None for zeros; c has no other rows then
        self.rows, self.matrix = (m,), (m, self.vector[0])
        mixed = layout.target is not None and m > layout.n_eq
        return None if mixed or layout.order is not None else self

    def scale(self, p):
        """Take over the scales of a problem; return the kernels for its arrays, all of them copies."""
        self.k = settled("constrained", p.xp, self.native)
        self.sf, self.sc, self.row_scales = p.sf, p.sc, p.row_scales
        self.scaled = self.sf != 1.0 or self.sc is not None
        self.column = self.sc if self.sc is None else self.sc[:, None]
        return self.k

    def count(self, counts):
        """Add the calls, once and for all, to a dict by kind."""
        f, c = self.objective, self.block
        counts[f.value.kind] += self.n_values
        counts[c.value.kind] += self.n_values
        counts[f.gradient.kind] += self.n_firsts
        counts[c.jacobian.kind] += self.n_firsts
        counts[f.hessian.kind] += self.n_seconds
        counts[c.hessian.kind] += self.n_seconds

    def start(self, x):
        """Return a state without multipliers."""
        state = self._values(x, new(State))
        state.lam = state.zl = state.zu = None
        return state

    def point(self, x):
        return self._values(x, new(Point))

    def _values(self, x, point):
        """Evaluate f and c at x; return the point with these."""
        space, y, z, fun, cons = self.space, x.copy(), x.copy(), self.fun, self.cons
        self.n_values += 1
        before, began = space.seconds, perf_counter()
        f = fun(y)
        c = cons(z)
        space.seconds = before + perf_counter() - began
        if type(f) is not float:
            f = self.objective.value.read(f, x)
        if type(c) is ndarray and c.dtype is self.native and c.shape == self.rows:
            c = c.copy()
        else:
            c = self.block.value.read(c, x)
        if self.target is not None:
            c -= self.target
        if self.scaled:
            f *= self.sf
            if self.sc is not None:
                c *= self.sc
        point.x, point.f, point.c, point.g, point.J, point.Hf = x, f, c, None, None, None
        point.finite = -INFINITE < f < INFINITE and c.dot(c) < INFINITE
        return point

    def derive(self, point):
        if point.g is not None:
            return point
        x, space, grad, jac = point.x, self.space, self.grad, self.jac
        y, z = x.copy(), x.copy()
        self.n_firsts += 1
        before, began = space.seconds, perf_counter()
        g = grad(y)
        J = jac(z)
        space.seconds = before + perf_counter() - began
        if type(g) is ndarray and g.dtype is self.native and g.shape == self.vector:
            g = g.copy()
        else:
            g = self.objective.gradient.read(g, x)
        if type(J) is ndarray and J.dtype is self.native and J.shape == self.matrix:
            J = J.copy()
        else:
            J = stack(self.xp, self.space, [self.block.jacobian.read(J, x)], x.shape[0])
        if self.scaled:
            g = g * self.sf
            if self.sc is not None:
                J = J * self.column if type(J) is ndarray else rows_scaled(J, self.sc)
        point.g, point.J = g, J
        return point

    def trial(self, x, lam):
        state = self._values(x, new(State))
        state.lam, state.zl, state.zu = lam, None, None
        if not state.finite:
            state.lc = state.cc = state.gg = INFINITE
            return state
        return self.measure(self.derive(state))

    def measure(self, state):
        gL, J, lam = state.g.copy(), state.J, state.lam
        if type(J) is not ndarray:
            gL, J = gL + transposed_times(J, lam), empty((0, gL.size), gL.dtype)
        state.gL = gL
        state.lc, state.cc, state.gg, state.error, _, _ = self.k.lagrangian_measures(
            gL, J, state.c, lam, self.row_scales, self.sf
        )
        return state

    def hessian(self, point, lam):
        x, space, hess, hess_c = point.x, self.space, self.hess, self.hess_c
        v = lam.copy() if self.sc is None else lam * self.sc
        if point.Hf is not None:
            H, (part,) = point.Hf, space.ask((self.block.hessian,), x, ((v,),))
        else:
            y, z = x.copy(), x.copy()
            self.n_seconds += 1
            before, began = space.seconds, perf_counter()
            H = hess(y)
            part = hess_c(z, v)
            space.seconds = before + perf_counter() - began
            if type(H) is ndarray and H.dtype is self.native and H.shape == self.f_square:
                H = H.copy()
            else:
                self.f_square, H = self._first(self.objective.hessian, H, x)
            if self.scaled:
                H = H * self.sf if type(H) is ndarray else rows_scaled(H, self.sf)
            point.Hf = H
        if not (type(part) is ndarray and part.dtype is self.native and part.shape == self.c_square):
            self.c_square, part = self._first(self.block.hessian, part, x)
        return H + part if type(H) is type(part) is ndarray else plus(self.xp, self.space, H, part)

    def _first(self, asked, answer, x):
        """Return (`square` or None, a Hessian): whether later ones like this one need no look for symmetry."""
        H = asked.read(answer, x)
        if type(H) is not ndarray and hasattr(H, "matvec"):
            H = as_operator(H)
        return self.square if asked.skew is False else None, H
