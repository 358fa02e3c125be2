"""The common case, met often: one block of constraints, whose functions and f's return dense NumPy arrays.

What `Problem` does in general is done here in fewer calls, which are all that small problems cost. The functions of the
caller leave cold caches behind: they are called one right after the other, with nothing in between. Whatever answer is
not of the expected kind goes the general way.
"""

from time import perf_counter

from numpy import empty, ndarray

from numopt._kernels import settled
from numopt.constrained._operator import as_operator, plus, rows_scaled, stack, transposed_times
from numopt.constrained._point import Point, State
from numopt.constrained._regular import INFINITE


class Plain:
    """Evaluates f, c and their derivatives; `Problem` says what each method returns."""

    def __init__(self, p):
        objective, block = p.objective, p.blocks[0]
        self.xp, self.space, self.native = p.xp, p.space, p.space.native
        self.k = p.k = settled("constrained", p.xp, self.native)  # all arrays are copies, C-contiguous
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
        f, c = self._ask(self.f, self.c, x)
        f = f if type(f) is float else self.f.read(f, x)
        c = self._read(self.c, c, self.rows, x)
        if self.target is not None:
            c -= self.target
        if self.sc is not None:
            c *= self.sc
        f *= self.sf
        return Point(x, f, c, -INFINITE < f < INFINITE and c.dot(c) < INFINITE)

    def derive(self, point):
        if point.g is None:
            x, sc = point.x, self.sc
            g, J = self._ask(self.g, self.J, x)
            g = self._read(self.g, g, self.vector, x)
            J = self._read(self.J, J, self.matrix, x)
            if type(J) is not ndarray:
                J = stack(self.xp, self.space, [J], x.shape[0])
            point.g = g if self.sf == 1.0 else g * self.sf
            point.J = J if sc is None else rows_scaled(J, sc)
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
        x, H, of_f, of_c = point.x, point.Hf, self.Hf, self.Hc
        v = lam.copy() if self.sc is None else lam * self.sc
        if H is None:
            H, part = self._ask(of_f, of_c, x, v)
            if type(H) is ndarray and H.dtype is self.native and H.shape == self.f_square:
                H = H.copy()
            else:
                self.f_square, H = self._first(of_f, H, x)
            point.Hf = H = H if self.sf == 1.0 else rows_scaled(H, self.sf)
        else:
            (part,) = self.space.ask((of_c,), x, ((v,),))
        if not (type(part) is ndarray and part.dtype is self.native and part.shape == self.c_square):
            self.c_square, part = self._first(of_c, part, x)
        return H + part if type(H) is type(part) is ndarray else plus(self.xp, self.space, H, part)

    def _ask(self, first, second, x, *more):
        """Return the answers of two functions at x, counted and timed; the second gets `more`."""
        space, y, z, ask, ask_next = self.space, x.copy(), x.copy(), first.call, second.call
        counts = space.counts
        counts[first.kind] += 1
        counts[second.kind] += 1
        before, began = space.seconds, perf_counter()
        answer = ask(y)
        following = ask_next(z, *more)
        space.seconds = before + perf_counter() - began
        return answer, following

    def _read(self, asked, answer, shape, x):
        """Return a copy of an answer; what is not as expected is read in general."""
        if type(answer) is ndarray and answer.dtype is self.native and answer.shape == shape:
            return answer.copy()
        return asked.read(answer, x)

    def _first(self, asked, answer, x):
        """Return (`square` or None, a Hessian): whether later ones like this one need no look for symmetry."""
        H = asked.read(answer, x)
        known = asked.skew is False and asked.plain(answer, self.square)
        return self.square if known else None, as_operator(H) if hasattr(H, "matvec") else H
