"""The variables and linear systems of the interior-point method: w = (x, s) between bounds, c(x) - s = 0."""

from numopt import _array
from numopt.constrained._point import State
from numopt.constrained._regular import finite


class Interior:
    """Variables w = (x, s) between bounds, and the linear systems over (x, s, lam)."""

    def __init__(self, p, kkt, relax=0.0):
        self.p, self.kkt, self.xp, self.k = p, kkt, p.xp, p.k
        self.n, self.e = p.n, p.n_eq
        self.slacks = p.m - p.n_eq
        rows = relax if p.sc is None else relax * p.sc[p.n_eq :]
        self.lo, self.hi = self.joined(p.l - relax, p.cl - rows), self.joined(p.u + relax, p.cu + rows)
        self.eps = float(p.xp.finfo(p.space.dtype).eps)

    def joined(self, x, s):
        """Return the vector (x, s)."""
        return self.xp.concat([x, s]) if self.slacks else x

    def at(self, w):
        """Return (point, w) with w off its bounds by a rounding error at least."""
        if self.p.bounded:
            w = self.k.pushed(w, self.lo, self.hi, self.eps)
        return self.p.point(w[: self.n]), w

    def state(self, point, lam, zl, zu):
        """Return what the method yields."""
        return State(point, lam, zl[: self.n], zu[: self.n]) if self.p.bounded else State(point, lam)

    def violation(self, point, w):
        """Return |c - s| in sum."""
        return _array.host(self.xp.sum(self.xp.abs(self.residual(point, w)))) if self.p.m else 0.0

    def residual(self, point, w):
        """Return (c_eq, c_ineq - s)."""
        c = point.c
        return self.xp.concat([c[: self.e], c[self.e :] - w[self.n :]]) if self.slacks else c

    def gradient(self, point, lam):
        """Return the gradient of f + lam.(c - s) by w."""
        return self.joined(self.p.lagrangian_gradient(point, lam), -lam[self.e :])

    def factor_with(self, J, sigma, H, tau, delta):
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


def least_squares_multipliers(p, ip, point, zl, zu):
    """Return multipliers that make the gradient of the Lagrangian as small as they can; 0 if they are large."""
    xp = p.xp
    lam = xp.zeros_like(point.c)
    if p.m == 0:
        return lam
    one = xp.ones_like(zl)
    rw = ip.joined(point.g, xp.zeros_like(zl[p.n :])) - zl + zu
    ip.factor_with(point.J, one * 0.0, p.null_hessian(point.J), 1.0, 0.0)
    if ip.kkt.zero:
        ip.factor_with(point.J, one * 0.0, p.null_hessian(point.J), 1.0, 1e-8)
    left, lam = ip.solve(rw, lam)
    largest, size = _array.host(xp.max(xp.abs(lam)), left @ left)
    finite(largest + size, "the largest multiplier at the start")
    return lam if largest <= 1e3 else xp.zeros_like(lam)
