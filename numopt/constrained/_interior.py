"""A primal-dual interior-point method with a filter, for bounds and inequalities, and as a second chance.

Rows of c that are inequalities get slacks: c_i(x) - s_i = 0, cl <= s <= cu. A. Wächter, L. T. Biegler, Math. Program.
106 (2006).
"""

import math
from functools import partial

from numopt import _array
from numopt._loop import Iterate
from numopt._status import Status
from numopt.constrained._certificate import errors
from numopt.constrained._degenerate import rank_suspect, shortest_multipliers
from numopt.constrained._filter import Filter
from numopt.constrained._point import State
from numopt.constrained._regular import INFINITE, depth, finite, unbounded
from numopt.constrained._restore import is_least, restored
from numopt.constrained._search import Search
from numopt.constrained._slacks import Interior, least_squares_multipliers

_DIVERGED, _RESTORATIONS, _STILL = 1e8, 10, 3
_SUSPECT = "the derivatives may be wrong, see check_derivatives"
_ROUGH = "differences may be too rough for tol, raise it or pass derivatives"


def interior(p, kkt, regular, start, tol, mu=0.1, push=1e-2, lam=None, z=None, relax=0.0, insist=False):
    """Yield iterates; return why no further one can be found.

    Bounds are loosened by `relax`. Where the filter blocks all steps from a feasible point, `insist` clears it.
    """
    xp, k, n, ip = p.xp, p.k, p.n, Interior(p, kkt, relax)
    deep = depth(p)
    tol *= p.sf  # in units of the scaled problem, where complementarity is sf times the caller's
    w = k.pushed(ip.joined(start.x, start.c[p.n_eq :]), ip.lo, ip.hi, push)
    point = p.derive(start if not p.bounded else p.point(w[:n]))
    if not point.finite:
        return Status.EVALUATION_ERROR, "fun or a constraint is not finite where x0 was moved inside its bounds"
    one = xp.ones_like(w)
    zl, zu = z or tuple(xp.where(xp.isfinite(side), one, 0.0 * one) for side in (ip.lo, ip.hi))
    if lam is None:
        lam = least_squares_multipliers(p, kkt, point, zu - zl)
    mu = mu if p.bounded else 0.0
    if z is not None and p.bounded:  # warm: where the multipliers say that the barrier was
        mu = max(tol / 10, min(mu, _array.host(xp.sum(_products(xp, ip, w, zl, zu))) / max(1, 2 * w.shape[0])))
    theta, shown = ip.violation(point, w), Iterate(None, plain=True, names=("fun", "mu", "alpha", "tau", "delta"))
    filter_, restorations, still = Filter(theta), 0, 0
    kkt.look = lambda: p.caller_view(State(point, lam))
    while True:
        logs, pull, sigma, g, c, rw = 0.0, 0.0, 0.0, point.g, point.c, ip.gradient(point, lam)
        if p.bounded:
            c = ip.residual(point, w)
            reduced = _next_barrier(ip, point, w, c, rw, lam, zl, zu, mu, tol)
            if reduced != mu:
                mu, still = reduced, 0
                filter_.clear()
            logs, pull = k.barrier(w, ip.lo, ip.hi, mu)
            g, rw = ip.joined(g, xp.zeros_like(w[n:])) + pull, rw + pull
            sigma = k.bound_curvature(w, ip.lo, ip.hi, zl, zu)
        phi = logs + point.f
        if not -INFINITE < phi < INFINITE:
            if logs == INFINITE:  # rounding has put a variable on its bound
                return Status.BREAKDOWN, "the bounds and constraints leave no interior"
            finite(phi, "the barrier function")
        H = p.hessian(point, lam)
        direction, tau, delta = ip.newton(point.J, sigma, rw, c, H), 0.0, 0.0
        if direction is None:
            known, K = True, math.sqrt(finite(k.sum_of_squares(rw) + k.sum_of_squares(c), "the gradient"))
            if rank_suspect(p, point.J):
                shorter = None if ip.slacks else shortest_multipliers(p, point, rw, K, pull)
                if shorter is not None:
                    (lam, rw), known = shorter, False
                    H = p.hessian(point, lam)
                delta = min(1e-2, 0.1 * K)
            solved = partial(ip.newton, point.J, sigma, rw, c)
            found = regular.correct(solved, H, partial(p.convexer, point), mu if p.bounded else K, delta, known)
            _, tau, delta, direction = found or (H, math.inf, 0.0, None)
        search = Search(ip, point, w, c, g, rw, lam, zl, zu, mu, (theta, phi), filter_)
        if direction and search.step(*direction):
            (point, w, lam, zl, zu), theta = search.taken, search.theta
            if p.secant is not None:
                p.secant.learn(p, search.point, point, lam)
            alpha, still = search.alpha, still + 1 if search.tiny else 0
            if still > _STILL:
                return Status.STALLED, "steps are lost in rounding"
        else:
            if theta <= tol / 100 and filter_.pairs and insist:
                filter_.clear()  # what no step gets past is the memory of points as feasible as this one
                continue
            if theta <= tol / 100 and search.blind:
                return Status.NONFINITE, "the gradient or a Jacobian is, wherever a step leads; mend it there"
            if theta <= tol / 100 or restorations >= _RESTORATIONS:
                return Status.BREAKDOWN, f"no step is acceptable: {_suspect(p)}"
            restorations += 1
            filter_.add(theta, phi)
            point, w, stuck = restored(ip, point, w, theta, filter_, search.measured)
            zl, zu = k.bound_reset(w, ip.lo, ip.hi, zl, zu, mu)
            lam = least_squares_multipliers(p, kkt, p.derive(point), zu - zl)
            alpha, theta = 0.0, ip.violation(point, w)
            if stuck and theta > tol:
                shown.state = state = ip.state(point, lam, zl, zu)
                shown.measure, shown.info = state.error, (point.f / p.sf, mu, alpha, tau, delta)
                yield shown
                if not (errors(p, state)[2] > tol / p.sf and is_least(ip, point, w)):
                    why = f"the violation, {stuck:.3g} in sum, does not fall, but might; {_suspect(p)}"
                    return Status.BREAKDOWN, why
                why = f"a local minimum of the violation, {stuck:.3g} in sum; try another x0, and see check_derivatives"
                return Status.INFEASIBLE, why
        shown.state = state = ip.state(point, lam, zl, zu)
        shown.measure, shown.info = state.error, (point.f / p.sf, mu, alpha, tau, delta)
        yield shown
        if p.bounded and not relax and p.m and _array.host(xp.max(xp.abs(lam))) > _DIVERGED:
            return Status.BREAKDOWN, "multipliers diverge: the bounds and constraints may leave no interior"
        if point.f < deep and (end := unbounded(p, state, theta, regular)):
            return end


def _suspect(p):
    """Return what may be to blame where there is no way on."""
    return _ROUGH if any(part.jac in ("2-point", "3-point") for part in (p.objective, *p.blocks)) else _SUSPECT


def _products(xp, ip, w, zl, zu):
    """Return the products of multipliers and distances."""
    zero = 0.0 * w
    lower = xp.where(xp.isfinite(ip.lo), w - ip.lo, zero) * zl
    return lower + xp.where(xp.isfinite(ip.hi), ip.hi - w, zero) * zu


def _next_barrier(ip, point, w, c, gL, lam, zl, zu, mu, tol):
    """Return mu, reduced for as long as the barrier problem is solved to 10 mu."""
    xp, m = ip.xp, ip.p.m
    zero = xp.zeros_like(gL[0])
    stationarity, off, bounds, rows = _array.host(
        xp.max(xp.abs(gL - zl + zu)), xp.max(xp.abs(c)) if m else zero, xp.sum(zl) + xp.sum(zu),
        xp.sum(xp.abs(lam)) if m else zero,
    )  # fmt: skip
    s_d = max(100.0, (rows + bounds) / (m + w.shape[0])) / 100
    s_c = max(100.0, bounds / w.shape[0]) / 100
    while mu > tol / 10:
        paid = finite(_array.host(ip.k.complementarity(w, ip.lo, ip.hi, zl, zu, mu)), "the complementarity")
        if max(stationarity / s_d, off, paid / s_c) > 10 * mu:
            break
        mu = max(tol / 10, min(0.2 * mu, mu**1.5))
    return mu
