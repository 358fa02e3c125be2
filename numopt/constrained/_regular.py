"""Regularisation until a step is one: the inertia says whether the curvature is right and the rows independent.

A. Wächter, L. T. Biegler, "On the implementation of an interior-point filter line-search algorithm", Math. Program. 106
(2006), section 3.1.
"""

import numpy as np

from numopt import _array
from numopt._loop import Breakdown
from numopt._status import Status

_FIRST, _LARGEST, _STEEPEST = 1e-4, 1e10, 1e30  # the last where f falls without end, and bends as it falls
_FALL, _FAR, _ABYSS = 1e15, 1e10, 1e25  # of fun, of x, and of fun where x stays near
_LOW, _OFF = 1e8, 1e4  # of fun and of x: enough where a run fails for no other reason
INFINITE = float("inf")


def finite(value, what):
    """Return a number of the host, or end the method where it is NaN or infinite."""
    if not -INFINITE < value < INFINITE:
        raise Breakdown(Status.NONFINITE, f"{what} is {value}")
    return value


def depth(p):
    """Return the value of f, scaled, below which a run may be `unbounded`."""
    return p.start.f - _LOW * max(1.0, abs(p.start.f))


def unbounded(p, state, violation, regular):
    """Return how a run ends that looks unbounded, f being far down: x far away, constraints met but for rounding.

    `fallen` of the problem, a state and what is said of it, shows it, also where it is too early to say so.
    """
    regular.largest = _STEEPEST
    x, x0, lower, upper = (np.asarray(_array.host(one)) for one in (state.x, p.start.x, p.l, p.u))
    unheld, far = np.isinf(np.where(x > 0, upper, lower)), abs(x)
    i = int(np.where(unheld, far, -1.0).argmax())
    off, fall = far[i] / max(1.0, abs(x0).max()), (p.start.f - state.f) / max(1.0, abs(p.start.f))
    if not (unheld[i] and (off > _OFF or fall > _ABYSS) and violation <= 1e-6 * max(1.0, far.max())):
        return None
    i, at = i if p.layout.free is None else int(_array.host(p.layout.free[i])), x[i]
    why = (
        f"as it seems: fun fell to {state.f / p.sf:.3g} where x[{i}] is {at:.3g} and constraints hold but for "
        f"rounding; bound what may grow, or check the sign of fun"
    )
    p.fallen = state, why
    return (Status.UNBOUNDED, why) if (off > _FAR and fall > _FALL) or fall > _ABYSS else None


class Regulariser:
    """Finds tau and delta such that [[H + tau I, J^T], [J, -delta I]] has n positive, m negative eigenvalues."""

    __slots__ = ("kkt", "largest", "last", "m")

    def __init__(self, kkt, m):
        self.kkt, self.m, self.last, self.largest = kkt, m, 0.0, _LARGEST

    def correct(self, solved, H, plain, size, stabiliser=0.0, known=False):
        """Factor until the inertia is right; return (B, tau, delta, direction) or None.

        ``solved(B, tau, delta)`` factors, and returns the direction or None where the inertia is not that of a minimum;
        `known` says that it has just done so with H itself.
        `stabiliser` > 0 is tried as delta first: where rows are dependent it alone should do, and where the
        curvature is wrong it would only slow the steps down; after that delta is 1e-8 size^(1/4) at most.
        Next comes the Hessian of f alone, the first of ``plain(H)``: often the multipliers, far from
        their limits, are what bends H the wrong way, and no multiple of I has as good a scale. Where that is singular,
        what the multipliers add is turned round. Then tau grows.
        """
        kkt, delta = self.kkt, 0.0
        dependent = known and (kkt.zero or kkt.negative < self.m)
        if stabiliser and (step := solved(H, 0.0, stabiliser)):
            return H, 0.0, stabiliser, step
        for B in plain(H):
            if step := solved(B, 0.0, 0.0):
                return B, 0.0, 0.0, step
        if not known:
            solved(H, 0.0, 0.0)
            dependent = kkt.zero or kkt.negative < self.m
        if dependent:
            delta = 1e-8 * min(size, 1.0) ** 0.25
            if step := solved(H, 0.0, delta):
                return H, 0.0, delta, step
        tau = _FIRST if self.last == 0 else max(1e-20, self.last / 3)
        growth = 100.0 if self.last == 0 else 8.0
        while tau <= self.largest:
            if step := solved(H, tau, delta):
                self.last = tau
                return H, tau, delta, step
            if delta == 0.0 and kkt.negative < self.m:
                delta = 1e-8 * min(size, 1.0) ** 0.25
            tau *= growth
        return None
