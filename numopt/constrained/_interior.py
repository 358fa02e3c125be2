"""A primal-dual interior-point method with a filter, for bounds and inequalities, and as a second chance.

Rows of c that are inequalities get slacks: c_i(x) - s_i = 0, cl <= s <= cu. Slacks are eliminated from every linear
system, which keeps the size n + m. A. Wächter, L. T. Biegler, Math. Program. 106 (2006).
"""

import math
from functools import partial

from numopt import _array
from numopt._loop import Iterate
from numopt._status import Status
from numopt.constrained._degenerate import rank_suspect, shortest_multipliers
from numopt.constrained._filter import Filter
from numopt.constrained._operator import times, transposed_times
from numopt.constrained._problem import State
from numopt.constrained._regular import finite
from numopt.constrained._restore import restored

_UNBOUNDED = -1e20


class Interior:
    """Variables w = (x, s) between bounds, and the linear systems over (x, s, lam)."""

    def __init__(self, p, kkt):
        self.p, self.kkt, self.xp, self.k = p, kkt, p.xp, p.k
        self.n, self.e = p.n, p.n_eq
        self.slacks = p.m - p.n_eq
        self.lo, self.hi = self.joined(p.l, p.cl), self.joined(p.u, p.cu)

    def joined(self, x, s):
        """Return the vector (x, s)."""
        return self.xp.concat([x, s]) if self.slacks else x

    def residual(self, point, w):
        """Return (c_eq, c_ineq - s)."""
        c = point.c
        return self.xp.concat([c[: self.e], c[self.e :] - w[self.n :]]) if self.slacks else c

    def gradient(self, point, lam):
        """Return the gradient of f + lam.(c - s) by w."""
        return self.joined(self.p.lagrangian_gradient(point, lam), -lam[self.e :])

    def factor(self, H, J, sigma, tau, delta):
        """Factor the system with H + Sigma + tau I, slacks eliminated."""
        self.sigma = sigma[self.n :] + tau
        d = delta
        if self.slacks:
            zero = self.xp.zeros(self.e, dtype=sigma.dtype, device=self.p.space.device)
            d = self.xp.concat([zero, 1.0 / self.sigma]) + delta
        self.kkt.factor(H, J, sigma[: self.n] + tau, d)

    def solve(self, rw, rc):
        """Return (dw, dlam) for the residuals (rw, rc) of the gradient and of c - s: the Newton step."""
        if not self.slacks:
            return self.kkt.solve(-rw, -rc)
        rx, share = rw[: self.n], rw[self.n :] / self.sigma
        dx, dlam = self.kkt.solve(-rx, -self.xp.concat([rc[: self.e], rc[self.e :] + share]))
        return self.xp.concat([dx, dlam[self.e :] / self.sigma - share]), dlam


def interior(p, kkt, regular, start, tol, mu=0.1, push=1e-2, lam=None, z=None):
    """Yield iterates; return why no further one can be found."""
    xp, k, n, e = p.xp, p.k, p.n, p.n_eq
    eps = float(xp.finfo(p.space.dtype).eps)
    ip = Interior(p, kkt)
    w = k.pushed(ip.joined(start.x, start.c[e:]), ip.lo, ip.hi, push)
    point = p.derive(start if not p.bounded else p.point(w[:n]))
    if not point.finite:
        return Status.EVALUATION_ERROR, "fun or a constraint is not finite where x0 was moved inside its bounds"
    one = xp.ones_like(w)
    zl, zu = z or tuple(xp.where(xp.isfinite(side), one, 0.0 * one) for side in (ip.lo, ip.hi))
    if lam is None:
        lam = least_squares_multipliers(p, ip, point, zl, zu)
    mu = mu if p.bounded else 0.0
    theta = _host_sum(xp, ip.residual(point, w)) if p.m else 0.0
    filter_, restorations, info = Filter(theta), 0, None
    while True:
        c, gL = ip.residual(point, w), ip.gradient(point, lam)
        if info is not None:
            state = State(point, lam, zl[:n], zu[:n]) if p.bounded else State(point, lam)
            yield Iterate(state, p.errors(state)[0], info)
        if point.f < _UNBOUNDED:
            return Status.UNBOUNDED, f"fun fell to {point.f / p.sf:.3g}"

        dual = gL - zl + zu
        zero = xp.zeros_like(gL[0])
        stationarity, off, sums, multipliers = _array.host(
            xp.max(xp.abs(dual)), xp.max(xp.abs(c)) if p.m else zero, xp.sum(zl) + xp.sum(zu), xp.sum(xp.abs(lam)) if p.m else zero
        )
        s_d = max(100.0, (multipliers + sums) / (p.m + w.shape[0])) / 100
        s_c = max(100.0, sums / w.shape[0]) / 100
        changed = False
        while p.bounded and mu > tol / 10:
            paid = finite(_array.host(k.complementarity(w, ip.lo, ip.hi, zl, zu, mu)), "the complementarity")
            if max(stationarity / s_d, off, paid / s_c) > 10 * mu:
                break
            mu, changed = max(tol / 10, min(0.2 * mu, mu**1.5)), True
        if changed:
            filter_.clear()

        logs, pull = k.barrier(w, ip.lo, ip.hi, mu)
        g = ip.joined(point.g, xp.zeros_like(w[n:])) + pull
        rw = gL + pull
        theta, phi, gg, cc = _array.host(xp.sum(xp.abs(c)) if p.m else zero, logs, rw @ rw, c @ c if p.m else zero)
        phi, K = finite(phi + point.f, "the barrier function"), math.sqrt(finite(gg + cc, "the gradient"))
        sigma = k.bound_curvature(w, ip.lo, ip.hi, zl, zu)
        kkt.at, H = p.caller_view(State(point, lam)), p.hessian(point, lam)
        ip.factor(H, point.J, sigma, 0.0, 0.0)
        tau, delta = 0.0, 0.0
        if not regular.right():
            if rank_suspect(p, point.J):
                shorter = None if ip.slacks else shortest_multipliers(p, point, rw, K, pull)
                if shorter is not None:
                    lam, rw = shorter
                    H = p.hessian(point, lam)
                delta = min(1e-2, 0.1 * K)
            found = regular.correct(
                lambda B, tau, delta: ip.factor(B, point.J, sigma, tau, delta), H, partial(p.objective_hessian, point),
                mu if p.bounded else K, delta,
            )  # fmt: skip
            if found is None:
                return Status.BREAKDOWN, "no regularisation gives the KKT matrix the inertia of a minimum"
            _, tau, delta = found
        dw, dlam = ip.solve(rw, c)
        slope, size, reach = _array.host(g @ dw, dw @ dw, xp.max(xp.abs(dw) / (1.0 + xp.abs(w))))
        finite(size, "the size of the step")
        dzl, dzu, longest, longest_z = k.bound_steps(w, dw, ip.lo, ip.hi, zl, zu, mu, max(0.99, 1.0 - mu))
        finite(longest + longest_z, "the length of the step")

        def measured(trial, w):
            """Return (theta, phi) at a trial point, infinite where it cannot be evaluated."""
            if not trial.finite:
                return math.inf, math.inf
            r = ip.residual(trial, w)
            theta, logs = _array.host(xp.sum(xp.abs(r)) if p.m else zero, k.barrier(w, ip.lo, ip.hi, mu)[0])
            return theta, trial.f + finite(logs, "the barrier function")

        slack = 10 * eps * max(1.0, abs(phi))
        alpha, shortest = longest, filter_.shortest(theta, slope)
        tiny, accepted = reach < 10 * eps, None
        while alpha >= shortest or alpha == longest:
            new_w = w + dw * alpha
            trial = p.point(new_w[:n])
            pair = measured(trial, new_w)
            if tiny or filter_.accepts((theta, phi), pair, slope, alpha, slack):
                accepted = trial, new_w
                break
            if alpha == longest and pair[0] >= theta and trial.finite and p.m:
                accepted = _corrected(p, ip, w, c, rw, trial, new_w, alpha, (theta, phi), pair, slope, filter_, slack, measured, mu)
                if accepted is not None:
                    break
            alpha *= 0.5
        if accepted is None:
            if theta <= tol * 1e-2 or restorations >= 5:
                return Status.BREAKDOWN, "no step is acceptable: the derivatives may be wrong, see check_derivatives"
            restorations += 1
            filter_.add(theta, phi)
            better = restored(p, ip, point, w, theta, tol, filter_, measured)
            if better is None:
                return Status.BREAKDOWN, "feasibility could not be restored"
            point, w, now = better
            if now > 0.9 * theta and now > tol:
                state = State(point, lam, zl[:n], zu[:n]) if p.bounded else State(point, lam)
                yield Iterate(state, p.errors(state)[0], info)
                return Status.INFEASIBLE, f"a local minimum of the violation, {now:.3g} in sum; try another x0"
            p.derive(point)
            zl, zu = k.bound_reset(w, ip.lo, ip.hi, zl, zu, mu)
            lam = least_squares_multipliers(p, ip, point, zl, zu)
            info = {"mu": mu, "alpha": 0.0, "tau": tau}
            continue
        if not (theta <= filter_.least and filter_.switching(theta, slope, alpha)):
            filter_.add(theta, phi)
        trial, new_w = accepted
        p.derive(trial)
        lam = lam + dlam * alpha
        p.learn(point, trial, lam)
        point, w = trial, new_w
        if p.bounded:
            zl, zu = k.bound_reset(w, ip.lo, ip.hi, zl + dzl * longest_z, zu + dzu * longest_z, mu)
        info = {"mu": mu, "alpha": alpha, "tau": tau, "delta": delta}


def _corrected(p, ip, w, c, rw, trial, new_w, alpha, old, pair, slope, filter_, slack, measured, mu):
    """Try second-order corrections: up to four solves with the same factors; return (point, w) or None."""
    c_soc, theta = c, old[0]
    for _ in range(4):
        c_soc = alpha * c_soc + ip.residual(trial, new_w)
        dw, _ = ip.solve(rw, c_soc)
        *_, alpha, _ = ip.k.bound_steps(w, dw, ip.lo, ip.hi, w * 0.0, w * 0.0, mu, max(0.99, 1.0 - mu))
        new_w = w + dw * alpha
        trial = p.point(new_w[: ip.n])
        pair = measured(trial, new_w)
        if filter_.accepts(old, pair, slope, alpha, slack):
            return trial, new_w
        if not pair[0] <= 0.99 * theta:
            return None
        theta = pair[0]
    return None


def least_squares_multipliers(p, ip, point, zl, zu):
    """Return multipliers that make the gradient of the Lagrangian as small as they can; 0 if they are large."""
    xp = p.xp
    lam = xp.zeros_like(point.c)
    if p.m == 0:
        return lam
    one = xp.ones_like(zl)
    rw = ip.joined(point.g, xp.zeros_like(zl[p.n :])) - zl + zu
    ip.factor(identity(p, point.J), point.J, one * 0.0, 1.0, 0.0)
    if ip.kkt.zero:
        ip.factor(identity(p, point.J), point.J, one * 0.0, 1.0, 1e-8)
    _, lam = ip.solve(rw, lam)
    largest = finite(_array.host(xp.max(xp.abs(lam))), "the largest multiplier at the start")
    return lam if largest <= 1e3 else xp.zeros_like(lam)


def identity(p, J):
    """Return a zero Hessian of the same kind as J: the identity comes from tau."""
    from numopt.constrained._operator import Operator

    if _array.is_array(J):
        return p.xp.zeros((p.n, p.n), dtype=p.space.dtype, device=p.space.device)
    if isinstance(J, Operator):
        return Operator((p.n, p.n), lambda v: 0.0 * v)
    import scipy.sparse

    return scipy.sparse.csr_array((p.n, p.n), dtype=p.space.dtype)


def _host_sum(xp, r):
    return _array.host(xp.sum(xp.abs(r)))


__all__ = ["Interior", "identity", "interior", "least_squares_multipliers", "times", "transposed_times"]
