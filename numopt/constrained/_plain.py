"""The common case, met often: one block of constraints, whose functions and f's return dense NumPy arrays.

What `Problem` does in general is done here in fewer calls, which are all that small problems cost. The functions of the
caller leave cold caches behind: they are called one right after the other, with nothing in between. Whatever answer is
not of the expected kind goes the general way.
"""

from math import isfinite
from time import perf_counter

from numpy import empty, ndarray

from numopt.constrained._operator import as_operator, plus, rows_scaled, stack, transposed_times
from numopt.constrained._point import Point, State


class Plain:
    """Evaluates f, c and their derivatives; `Problem` says what each method returns."""

    def __init__(self, p):
        objective, block = p.objective, p.blocks[0]
        self.xp, self.space, self.native, self.k = p.xp, p.space, p.space.native, p.k
        self.f, self.g, self.Hf = objective.value, objective.gradient, objective.hessian
        self.c, self.J, self.Hc = block.value, block.jacobian, block.hessian
        self.sf, self.sc, self.row_scales = p.sf, p.sc, p.row_scales
        self.target = p.layout.target  # of equalities, None for zeros; c has no other rows then
        self.vector, self.rows, self.matrix, self.square = (p.n,), (p.m,), (p.m, p.n), (p.n, p.n)
        self.f_square = self.c_square = None  # `square` once the first Hessian was seen to be symmetric

    @classmethod
    def of(cls, p):
        """Return the evaluation of a problem, None where it needs the general one."""
        layout, known = p.layout, p.space.numpy and len(p.blocks) == 1 and type(p.start.J) is ndarray
        if not known or layout.free is not None or layout.order is not None or p.secant is not None:
            return None
        mixed = layout.target is not None and p.m > p.n_eq
        return None if mixed or p.objective.hess is None or p.blocks[0].hess is None else cls(p)

    def point(self, x):
        space, native, counts, of_f, of_c = self.space, self.native, self.space.counts, self.f, self.c
        ask_f, ask_c, y, z = of_f.call, of_c.call, x.copy(), x.copy()
        counts[of_f.kind] += 1
        counts[of_c.kind] += 1
        before, began = space.seconds, perf_counter()
        f = ask_f(y)
        c = ask_c(z)
        space.seconds = before + perf_counter() - began
        f = f if type(f) is float else of_f.read(f, x)
        c = c.copy() if type(c) is ndarray and c.dtype is native and c.shape == self.rows else of_c.read(c, x)
        if self.target is not None:
            c -= self.target
        if self.sc is not None:
            c *= self.sc
        f *= self.sf
        return Point(x, f, c, isfinite(f) and isfinite(c.dot(c)))

    def derive(self, point):
        if point.g is not None:
            return point
        x, space, native, counts, of_g, of_J = point.x, self.space, self.native, self.space.counts, self.g, self.J
        ask_g, ask_J, y, z = of_g.call, of_J.call, x.copy(), x.copy()
        counts[of_g.kind] += 1
        counts[of_J.kind] += 1
        before, began = space.seconds, perf_counter()
        g = ask_g(y)
        J = ask_J(z)
        space.seconds = before + perf_counter() - began
        g = g.copy() if type(g) is ndarray and g.dtype is native and g.shape == self.vector else of_g.read(g, x)
        J = J.copy() if type(J) is ndarray and J.dtype is native and J.shape == self.matrix else self._read(of_J, J, x)
        point.g = g if self.sf == 1.0 else g * self.sf
        point.J = J if self.sc is None else rows_scaled(J, self.sc)
        return point

    def trial(self, x, lam):
        point = self.point(x)
        state = State(point, lam)
        if point.finite:
            self.derive(point)
            gL, J = point.g.copy(), point.J
            if type(J) is not ndarray:
                gL, J = gL + transposed_times(J, lam), empty((0, gL.size), gL.dtype)
            state.gL = gL
            state.lc, state.cc, state.gg, state.error = self.k.lagrangian_measures(
                gL, J, point.c, lam, self.row_scales, self.sf
            )
        return state

    def hessian(self, point, lam):
        x, H, space, native, counts = point.x, point.Hf, self.space, self.native, self.space.counts
        of_f, of_c, asked = self.Hf, self.Hc, H is None
        v = lam.copy() if self.sc is None else lam * self.sc
        ask_f, ask_c, y, z = of_f.call, of_c.call, x.copy(), x.copy()
        counts[of_f.kind] += asked
        counts[of_c.kind] += 1
        before, began = space.seconds, perf_counter()
        if asked:
            H = ask_f(y)
        part = ask_c(z, v)
        space.seconds = before + perf_counter() - began
        if asked:
            if type(H) is ndarray and H.dtype is native and H.shape == self.f_square:
                H = H.copy()
            else:
                self.f_square, H = self._first(of_f, H, x)
            point.Hf = H = H if self.sf == 1.0 else rows_scaled(H, self.sf)
        if not (type(part) is ndarray and part.dtype is native and part.shape == self.c_square):
            self.c_square, part = self._first(of_c, part, x)
        return H + part if type(H) is type(part) is ndarray else plus(self.xp, space, H, part)

    def _read(self, asked, answer, x):
        """Return a matrix, read in general: dense, CSR or an `Operator`."""
        A = asked.read(answer, x)
        if type(A) is ndarray:
            return A
        return stack(self.xp, self.space, [A], x.shape[0])

    def _first(self, asked, answer, x):
        """Return (`square` or None, a Hessian): whether later ones like this one need no look for symmetry."""
        H = asked.read(answer, x)
        known = asked.skew is False and asked.plain(answer, self.square)
        return self.square if known else None, as_operator(H) if hasattr(H, "matvec") else H
