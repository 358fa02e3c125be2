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

new = object.__new__  # without a call of __init__


class Pair:
    """Two functions that are asked together, counted by pairs and timed."""

    __slots__ = ("ask", "ask_next", "first", "second", "space", "tally")

    def __init__(self, space, first, second):
        self.space, self.first, self.second, self.tally = space, first, second, [0]
        self.ask, self.ask_next = first.call, second.call
        space.tallies.append((self.tally, first.kind, second.kind))

    def answers(self, x, *more):
        """Return the answers at x; the second function gets `more`."""
        space, y, z, ask, ask_next = self.space, x.copy(), x.copy(), self.ask, self.ask_next
        self.tally[0] += 1
        before, began = space.seconds, perf_counter()
        answer = ask(y)
        following = ask_next(z, *more)
        space.seconds = before + perf_counter() - began
        return answer, following


class Plain:
    """Evaluates f, c and their derivatives; `Problem` says what each method returns."""

    def __init__(self, space, objective, block, n):
        self.xp, self.space, self.native, self.n = space.xp, space, space.native, n
        self.values = Pair(space, objective.value, block.value)
        self.firsts = Pair(space, objective.gradient, block.jacobian)
        self.seconds = Pair(space, objective.hessian, block.hessian)
        self.sf, self.sc, self.target = 1.0, None, None
        self.vector, self.square, self.rows, self.matrix = (n,), (n, n), None, None
        self.f_square = self.c_square = None  # `square` once the first Hessian was seen to be symmetric

    @classmethod
    def of(cls, p):
        """Return the evaluation of a problem, None where it needs the general one."""
        if not p.space.numpy or len(p.blocks) != 1 or p.layout.free is not None:
            return None
        block = p.blocks[0]
        return None if p.objective.hess is None or block.hess is None else cls(p.space, p.objective, block, p.n)

    def suits(self, layout):
        """Take note of the rows, once they are known; return this, None if they need the general evaluation."""
        m, self.target = layout.m, layout.target  # of equalities, None for zeros; c has no other rows then
        self.rows, self.matrix = (m,), (m, self.n)
        mixed = layout.target is not None and m > layout.n_eq
        return None if mixed or layout.order is not None else self

    def scale(self, p):
        """Take over the scales of a problem."""
        self.k = settled("constrained", p.xp, self.native)  # of arrays that are copies, C-contiguous
        self.sf, self.sc, self.row_scales = p.sf, p.sc, p.row_scales

    def point(self, x):
        both = self.values
        f, c = both.answers(x)
        f = f if type(f) is float else both.first.read(f, x)
        c = self._read(both.second, c, self.rows, x)
        if self.target is not None:
            c -= self.target
        if self.sc is not None:
            c *= self.sc
        f *= self.sf
        point = new(Point)
        point.x, point.f, point.c, point.g, point.J, point.Hf = x, f, c, None, None, None
        point.finite = -INFINITE < f < INFINITE and c.dot(c) < INFINITE
        return point

    def derive(self, point):
        if point.g is None:
            x, sc, both = point.x, self.sc, self.firsts
            g, J = both.answers(x)
            g = self._read(both.first, g, self.vector, x)
            J = self._read(both.second, J, self.matrix, x)
            if type(J) is not ndarray:
                J = stack(self.xp, self.space, [J], x.shape[0])
            point.g = g if self.sf == 1.0 else g * self.sf
            point.J = J if sc is None else rows_scaled(J, sc)
        return point

    def trial(self, x, lam):
        point = self.point(x)
        state = new(State)
        state.point, state.lam, state.zl, state.zu = point, lam, None, None
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
        x, H, both = point.x, point.Hf, self.seconds
        v = lam.copy() if self.sc is None else lam * self.sc
        if H is None:
            H, part = both.answers(x, v)
            if type(H) is ndarray and H.dtype is self.native and H.shape == self.f_square:
                H = H.copy()
            else:
                self.f_square, H = self._first(both.first, H, x)
            point.Hf = H = H if self.sf == 1.0 else rows_scaled(H, self.sf)
        else:
            (part,) = self.space.ask((both.second,), x, ((v,),))
        if not (type(part) is ndarray and part.dtype is self.native and part.shape == self.c_square):
            self.c_square, part = self._first(both.second, part, x)
        return H + part if type(H) is type(part) is ndarray else plus(self.xp, self.space, H, part)

    def _read(self, asked, answer, shape, x):
        """Return a copy of an answer; what is not as expected is read in general."""
        if type(answer) is ndarray and answer.dtype is self.native and answer.shape == shape:
            return answer.copy()
        return asked.read(answer, x)

    def _first(self, asked, answer, x):
        """Return (`square` or None, a Hessian): whether later ones like this one need no look for symmetry."""
        H = asked.read(answer, x)
        if type(H) is not ndarray and hasattr(H, "matvec"):
            H = as_operator(H)
        return self.square if asked.skew is False else None, H
