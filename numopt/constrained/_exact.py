"""Newton's method on an exact augmented Lagrangian, for equality constraints.

M(x, lam) = f + lam.c + eta1/2 |c|^2 + eta2/2 |grad L|^2, of which Newton's direction for the KKT equations is a descent
direction once eta1 is large and eta2 small. Hong, Na, Mahoney, Kolar, arXiv:2305.18379, with an exact solve, inertia in
place of eigenvalues, and a second-order correction.
"""

import math
from functools import partial

import numpy as np

from numopt import _array
from numopt._loop import Iterate
from numopt.constrained._degenerate import rank_suspect, shortest_multipliers
from numopt.constrained._operator import times
from numopt.constrained._point import State
from numopt.constrained._regular import INFINITE, depth, finite, unbounded
from numopt.constrained._slacks import least_squares_multipliers

_NU, _BETA = 1.5, 1e-4
_NAMES = "fun", "alpha", "tau", "delta", "eta1", "eta2"
_SHORTEST = 0.05  # shorter steps say that the merit function is in the way: the filter goes on


def exact_newton(p, kkt, regular, lam, stuck):
    """Yield iterates; where no step is acceptable, go on with those of ``stuck(last one)``."""
    eta1, eta2, units, deep = 1.0, 0.1, 0, depth(p)
    if lam is None:
        lam = least_squares_multipliers(p, kkt, p.start)
    p.start.lam = lam
    eps, state, shown = p.space.eps, p.measure(p.start), Iterate(None, plain=True, names=_NAMES)
    kkt.look = lambda: p.caller_view(state)
    while True:
        begun = point = state
        B = H = p.hessian(point, state.lam)
        step, tau, delta = kkt.newton(H, point.J, state.gL, point.c), 0.0, 0.0
        if step is None:
            K, known = math.sqrt(state.gg + state.cc), True
            if rank_suspect(p, point.J):
                shorter = shortest_multipliers(p, point, state.gL, K)
                if shorter is not None:
                    state, known = p.measure(State(point, shorter[0])), False
                    K, H = math.sqrt(state.gg + state.cc), p.hessian(point, state.lam)
                delta = min(1e-2, 0.1 * K)
            solved = partial(_solved, kkt, point.J, state.gL, point.c)
            found = regular.correct(solved, H, partial(p.convexer, point), K, delta, known)
            if found is None:
                return (yield from stuck(begun))
            B, tau, delta, step = found
        gL, lam, c, gg, cc = state.gL, state.lam, point.c, state.gg, state.cc
        dx, dlam, gd, cd, size = step
        if not size < INFINITE:
            finite(size, "the size of the step")

        # The slope of M along (dx, dlam) is base + eta2 by2 + eta1 by1, since
        # H dx + J^T dlam = -gL - tau dx - (B - H) dx + r_x and J dx = -c + delta dlam + r_c, with r the residual of an
        # inexact solve. `bent` is the size of what was added to H: eta2 > 2 / bent is out of reach.
        base, by2, by1, bent = gd + cd, -gg - tau * gd, -cc + delta * cd, tau
        if B is not H:
            along, square, length = _added_curvature(p, B, H, gL, dx)
            by2, bent = by2 - along, math.sqrt(square / max(length, 1e-300))
        if (residual := kkt.inner.residual) is not None:
            rx, rc = _array.host(gL @ residual[0], c @ residual[1])
            by2, by1 = by2 + rx, by1 + rc
        while True:
            wanted = -0.5 * (min(eta2, 1.0 / bent) if bent else eta2) * (gg + cc)
            slope = base + eta2 * by2 + eta1 * by1
            if slope <= wanted:
                break
            eta1, eta2 = _NU * _NU * eta1, eta2 / _NU
            if eta1 > 1e8 or eta2 < 1e-8:
                return (yield from stuck(begun))

        half1, half2, alpha = 0.5 * eta1, 0.5 * eta2, 1.0
        here = state.f + state.lc + half1 * cc + half2 * gg
        if not -INFINITE < here < INFINITE:
            finite(here, "the merit function")
        slack = 10 * eps * (here if here > 1.0 else -here if here < -1.0 else 1.0)
        new = p.trial(point.x + dx, lam + dlam)
        while not -INFINITE < new.f + new.lc + half1 * new.cc + half2 * new.gg <= here + alpha * _BETA * slope + slack:
            value = merit(p, new, eta1, eta2)
            if alpha == 1.0 and new.finite and p.m:
                # second-order correction: the same factors, c at the trial point added
                sx, slam, *_, size = kkt.direction(gL, c + new.c)
                finite(size, "the size of the correction")
                corrected = p.trial(point.x + sx, lam + slam)
                if merit(p, corrected, eta1, eta2) <= here + _BETA * slope + slack:
                    new = corrected
                    break
            best = -0.5 * slope * alpha / ((value - here) / alpha - slope) if math.isfinite(value) else 0.0
            alpha *= min(max(best / alpha, 0.1), 0.5)
            if alpha < _SHORTEST:
                return (yield from stuck(begun))
            new = p.trial(point.x + dx * alpha, lam + dlam * alpha)
        if p.secant is not None:
            p.secant.learn(p, point, new, new.lam)
        units = units + 1 if alpha == 1.0 else 0
        if units >= 3:
            eta1, eta2 = max(1.0, eta1 / 4), min(0.1, 2 * eta2)
        state, step, dx, dlam = new, None, None, None  # the memory of this step serves the next one's solve
        shown.state, shown.measure = state, state.error
        shown.info = state.f / p.sf, alpha, tau, delta, eta1, eta2
        yield shown
        if state.f < deep and (end := unbounded(p, state, math.sqrt(state.cc), regular)):
            return end


def merit(p, state, eta1, eta2):
    """Return the merit function of a trial, infinite where it cannot be evaluated."""
    value = state.merit(eta1, eta2)
    if math.isfinite(value):
        return value
    if value != value:
        gL = p.lagrangian_gradient(state, state.lam)  # not that of the kernel, which may be what is wrong
        if math.isfinite(_array.host(p.xp.sum(state.g) + p.xp.sum(gL))):
            finite(value, "the merit function")  # no derivative of the caller's is to blame
    return math.inf


def _added_curvature(p, B, H, g, dx):
    """Return (g.(B - H) dx, |(B - H) dx|^2, |dx|^2)."""
    if type(B) is type(H) is np.ndarray:
        return p.settled.added_curvature(B, H, g, dx)
    if _array.is_array(B) and _array.is_array(H):
        return p.k.added_curvature(B, H, g, dx)
    off = times(B, dx) - times(H, dx)
    return _array.host(g @ off, off @ off, dx @ dx)


def _solved(kkt, J, g, c, B, tau, delta):
    return kkt.newton(B, J, g, c, tau, delta)
