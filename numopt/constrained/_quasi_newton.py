"""Quasi-Newton matrices for Hessians that nobody wrote down."""

import numpy as np

from numopt import _array
from numopt.constrained._operator import transposed_times


class QuasiNewton:
    """A dense symmetric matrix B that learns from pairs (s, y) with B s = y.

    Parameters
    ----------
    kind : {"bfgs", "sr1"}
        "bfgs": Powell's damped update, positive definite for ever. "sr1": symmetric rank one, which may
        become indefinite, as Hessians of Lagrangians are.
    xp, device, dtype, n
        Of the variables.

    References
    ----------
    J. Nocedal, S. J. Wright, "Numerical optimization", 2nd ed., procedure 18.2 and section 6.2.
    """

    def __init__(self, kind, xp, device, dtype, n):
        self.kind, self.xp, self.fresh = kind, xp, True
        self.matrix = xp.eye(n, dtype=dtype, device=device)

    def learn(self, p, old, new, lam):
        """Learn from the step between two points of a problem."""
        y = transposed_times(new.J, lam * self.rows) - transposed_times(old.J, lam * self.rows)
        self.update(new.x - old.x, y + (new.g - old.g) if p.objective.learns else y)

    def update(self, s, y):
        """Learn that the gradient changed by `y` along the step `s`."""
        xp, B = self.xp, self.matrix
        ss, sy, yy = _array.host(s @ s, s @ y, y @ y)
        if not (ss > 0 and ss + abs(sy) + yy < float("inf")):
            return
        if self.fresh and abs(sy) > 1e-8 * (ss * yy) ** 0.5:
            B = B * (yy / sy if sy > 0 else abs(sy) / ss)  # the size of the curvature, before anything else is known
            self.fresh = False
        Bs = B @ s
        sBs = _array.host(s @ Bs)
        if self.kind == "sr1":
            v = y - Bs
            vs, vv = _array.host(v @ s, v @ v)
            if abs(vs) > 1e-8 * (ss * vv) ** 0.5:
                B = B + v[:, None] * (v[None, :] / vs)
        elif sBs > 0:
            if sy < 0.2 * sBs:
                theta = 0.8 * sBs / (sBs - sy)
                y, sy = theta * y + (1 - theta) * Bs, 0.2 * sBs
            B = B + y[:, None] * (y[None, :] / sy) - Bs[:, None] * (Bs[None, :] / sBs)
        self.matrix = B if B is self.matrix else (B + xp.matrix_transpose(B)) / 2


def secant(p):
    """Return the matrix for all parts of a problem without a Hessian, or None; `rows` marks those of constraints."""
    kinds = [part.learns for part in (p.objective, *p.blocks) if part.learns]
    if not kinds:
        return None
    kind = "sr1" if "sr1" in kinds else "bfgs"
    matrix = QuasiNewton(kind, p.xp, p.space.device, p.space.dtype, p.n)
    learns = [np.full(block.size, bool(block.learns)) for block in p.blocks]
    rows = np.concatenate(learns)[p.layout.rows] if learns else np.empty(0)
    matrix.rows = p.layout.move(rows.astype(float))
    return matrix
