"""Regularisation until a step is one: the inertia says whether the curvature is right and the rows independent.

A. Wächter, L. T. Biegler, "On the implementation of an interior-point filter line-search algorithm", Math. Program. 106
(2006), section 3.1.
"""

from numopt._status import Status
from numopt.exceptions import NumoptError

_FIRST, _LARGEST = 1e-4, 1e10
UNBOUNDED = -1e20
INFINITE = float("inf")


class Breakdown(NumoptError):
    """A method cannot go on; its arguments are a status and a reason."""


def finite(value, what):
    """Return a number of the host, or end the method where it is NaN or infinite."""
    if not -INFINITE < value < INFINITE:
        raise Breakdown(Status.NONFINITE, f"{what} is {value}")
    return value


def unbounded(p, point):
    """Return how a run ends whose objective has fallen below -1e20, None before that."""
    return (Status.UNBOUNDED, f"fun fell to {point.f / p.sf:.3g}") if point.f < UNBOUNDED * p.sf else None


class Regulariser:
    """Finds tau and delta such that [[H + tau I, J^T], [J, -delta I]] has n positive, m negative eigenvalues."""

    def __init__(self, kkt, n, m):
        self.kkt, self.n, self.m, self.last = kkt, n, m, 0.0

    def right(self):
        """Say whether the last factorisation has the inertia that a minimum needs."""
        last = self.kkt.inner
        return last.zero == 0 and last.negative == self.m

    def correct(self, factor, H, plain, size, stabiliser=0.0):
        """Factor by ``factor(B, tau, delta)`` until the inertia is right; return (B, tau, delta) or None.

        `stabiliser` > 0 is tried as delta first: where rows are dependent it alone should do, and where the
        curvature is wrong it would only slow the steps down; after that delta is 1e-8 size^(1/4) at most.
        Next comes the Hessian of f alone, the first of ``plain(H)``: often the multipliers, far from
        their limits, are what bends H the wrong way, and no multiple of I has as good a scale. Where that is singular,
        what the multipliers add is turned round. Then tau grows.
        """
        if stabiliser:
            factor(H, 0.0, stabiliser)
            if self.right():
                return H, 0.0, stabiliser
        for B in plain(H):
            factor(B, 0.0, 0.0)
            if self.right():
                return B, 0.0, 0.0
        factor(H, 0.0, 0.0)
        delta = 0.0
        if self.kkt.zero or self.kkt.negative < self.m:
            delta = 1e-8 * min(size, 1.0) ** 0.25
            factor(H, 0.0, delta)
            if self.right():
                return H, 0.0, delta
        tau = _FIRST if self.last == 0 else max(1e-20, self.last / 3)
        growth = 100.0 if self.last == 0 else 8.0
        while tau <= _LARGEST:
            factor(H, tau, delta)
            if self.right():
                self.last = tau
                return H, tau, delta
            if delta == 0.0 and self.kkt.negative < self.m:
                delta = 1e-8 * min(size, 1.0) ** 0.25
            tau *= growth
        return None
