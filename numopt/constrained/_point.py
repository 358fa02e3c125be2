"""What is known at a point: values, derivatives, and with multipliers the residuals of the KKT equations."""

import math


class Point:
    """What is known at x: f, c, and once asked for the gradient g, the Jacobian J, the Hessian `Hf` of f; scaled."""

    __slots__ = ("Hf", "J", "c", "f", "finite", "g", "x")

    def __init__(self, x, f, c, finite):
        self.x, self.f, self.c, self.finite = x, f, c, finite
        self.g = self.J = self.Hf = None


class State(Point):
    """A point with multipliers, as methods yield it; nothing that is known of it is ever written to.

    `Problem.measure` adds the gradient `gL` of the Lagrangian, the sums lc = lam.c, cc = |c|^2 and gg = |gL|^2 of a
    merit function, and the KKT error; the sums are infinite where f or c are not finite. Point and multipliers are one
    object, since each costs as much as some arithmetic.
    """

    __slots__ = ("cc", "error", "gL", "gg", "lam", "lc", "zl", "zu")

    def __init__(self, point, lam, zl=None, zu=None):
        self.x, self.f, self.c, self.finite = point.x, point.f, point.c, point.finite
        self.g, self.J, self.Hf = point.g, point.J, point.Hf
        self.lam, self.zl, self.zu = lam, zl, zu

    def copy(self):
        return self

    def merit(self, eta1, eta2):
        """Return the exact augmented Lagrangian f + lam.c + eta1/2 |c|^2 + eta2/2 |grad L|^2; infinite where f is."""
        if not self.finite:
            return math.inf
        return self.f + self.lc + 0.5 * eta1 * self.cc + 0.5 * eta2 * self.gg
