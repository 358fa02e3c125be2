"""Quasi-Newton matrices for Hessians that nobody wrote down."""

from numopt import _array


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
