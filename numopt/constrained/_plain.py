"""The common case, met often: one block of constraints, whose functions and f's return dense NumPy arrays.

What `Problem` does in general is done here in fewer calls, which are all that small problems cost. Whatever answer is
not of the expected kind goes the general way.
"""

import math
from time import perf_counter

import numpy as np

from numopt.constrained._operator import as_operator, plus, rows_scaled, stack
from numopt.constrained._point import Point


class Plain:
    """Evaluates f, c and their derivatives at x; `Problem` says what each method returns."""

    def __init__(self, p):
        self.xp, self.space, self.f, self.block = p.xp, p.space, p.objective, p.blocks[0]
        self.native, self.k, self.sf, self.sc = p.space.native, p.k, p.sf, p.sc
        self.of_f = self.of_rows = None  # the shape of Hessians whose first one was symmetric
        self.target = p.layout.target  # of equalities, None for zeros; c has no other rows then
        self.vector, self.rows, self.jacobian_shape, self.square = (p.n,), (p.m,), (p.m, p.n), (p.n, p.n)

    @classmethod
    def of(cls, p):
        """Return the evaluation of a problem, None where it needs the general one."""
        layout, known = p.layout, p.space.numpy and len(p.blocks) == 1 and type(p.start.J) is np.ndarray
        if not known or layout.free is not None or layout.order is not None or p.secant is not None:
            return None
        mixed = layout.target is not None and p.m > p.n_eq
        return None if mixed or p.objective.hess is None or p.blocks[0].hess is None else cls(p)

    def point(self, x):
        space, value, rows, began = self.space, self.f.value, self.block.value, perf_counter()
        before = space.seconds
        space.counts[value.kind] += 1
        f = value.call(x.copy())
        space.counts[rows.kind] += 1
        c = rows.call(x.copy())
        space.seconds = before + perf_counter() - began
        f = f if type(f) is float else value.read(f, x)
        c = c.copy() if self._known(c, self.rows) else rows.read(c, x)
        if self.target is not None:
            c -= self.target
        if self.sc is not None:
            c *= self.sc
        f *= self.sf
        return Point(x, f, c, math.isfinite(f) and math.isfinite(self.k.sum_of_squares(c)))

    def derive(self, point):
        x, space, gradient, jacobian, began = point.x, self.space, self.f.gradient, self.block.jacobian, perf_counter()
        before = space.seconds
        space.counts[gradient.kind] += 1
        g = gradient.call(x.copy())
        space.counts[jacobian.kind] += 1
        J = jacobian.call(x.copy())
        space.seconds = before + perf_counter() - began
        g = g.copy() if self._known(g, self.vector) else gradient.read(g, x)
        J = J.copy() if self._known(J, self.jacobian_shape) else jacobian.read(J, x)
        point.g = g if self.sf == 1.0 else g * self.sf
        if type(J) is not np.ndarray:
            J = stack(self.xp, space, [J], x.shape[0])
        point.J = J if self.sc is None else rows_scaled(J, self.sc)
        return point

    def hessian(self, point, lam):
        x, space, of_f, of_rows, began = point.x, self.space, self.f.hessian, self.block.hessian, perf_counter()
        v, H, before = lam.copy() if self.sc is None else lam * self.sc, point.Hf, space.seconds
        asked = H is None
        if asked:
            space.counts[of_f.kind] += 1
            H = of_f.call(x.copy())
        space.counts[of_rows.kind] += 1
        part = of_rows.call(x.copy(), v)
        space.seconds = before + perf_counter() - began
        if asked:
            if not self._known(H, self.of_f):
                H, answer = of_f.read(H, x), H
                self.of_f = self._symmetric(H, answer)
                H = as_operator(H) if hasattr(H, "matvec") else H
            point.Hf = H = H.copy() if self.sf == 1.0 and type(H) is np.ndarray else rows_scaled(H, self.sf)
        if not self._known(part, self.of_rows):
            part, answer = of_rows.read(part, x), part
            self.of_rows = self._symmetric(part, answer)
        return plus(self.xp, space, H, part)

    def _symmetric(self, H, answer):
        """Return the shape of an answer that was read without a change, else None."""
        return H.shape if self._known(answer, self.square) and (answer == H).all() else None

    def _known(self, answer, shape):
        """Say whether an answer needs no further look."""
        return type(answer) is np.ndarray and answer.dtype is self.native and answer.shape == shape
