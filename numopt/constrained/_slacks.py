"""The variables and linear systems of the interior-point method: w = (x, s) between bounds, c(x) - s = 0."""

from numopt import _array
from numopt.constrained._certificate import errors
from numopt.constrained._point import State
from numopt.constrained._regular import INFINITE, finite

_LARGEST = 1e3  # larger multipliers are no good to start from


class Interior:
    """Variables w = (x, s) between bounds, and the linear systems over (x, s, lam)."""

    def __init__(self, p, kkt, relax=0.0):
        self.p, self.kkt, self.xp, self.bounded = p, kkt, p.xp, p.bounded
        self.k = p.k if p.bounded else p.settled
        self.n, self.e = p.n, p.n_eq
        self.slacks = p.m - p.n_eq
        rows = relax if p.sc is None else relax * p.sc[p.n_eq :]
        self.lo, self.hi = self.joined(p.l - relax, p.cl - rows), self.joined(p.u + relax, p.cu + rows)
        self.eps = p.space.eps
        if self.bounded:
            self.least, self.most = self._off(self.lo, 1.0), self._off(self.hi, -1.0)

    def _off(self, side, sign):
        """Return bounds moved inside by a rounding error, or by a quarter of their distance."""
        xp, finite = self.xp, self.xp.isfinite(side)
        known = xp.where(finite, side, xp.zeros_like(side))
        error = self.eps * xp.maximum(xp.abs(known), xp.ones_like(known))
        return xp.where(finite, known + sign * xp.minimum(error, (self.hi - self.lo) / 4), side)

    def joined(self, x, s):
        """Return the vector (x, s)."""
        return self.xp.concat([x, s]) if self.slacks else x

    def at(self, w):
        """Return (point, w) with w off its bounds by a rounding error at least."""
        if not self.bounded:
            return self.p.point(w), w
        w = self.xp.minimum(self.xp.maximum(w, self.least), self.most)
        return self.p.point(w[: self.n]), w

    def state(self, point, lam, zl, zu):
        """Return what the method yields, its KKT error known; without bounds measured as for equations."""
        if not self.bounded:
            return self.p.measure(State(point, lam))
        state = State(point, lam, zl[: self.n], zu[: self.n])
        state.error = errors(self.p, state)[0]
        return state

    def violation(self, point, w):
        """Return |c - s| in sum."""
        return self.k.sum_of_magnitudes(self.residual(point, w) if self.slacks else point.c)

    def residual(self, point, w):
        """Return (c_eq, c_ineq - s)."""
        c = point.c
        return self.xp.concat([c[: self.e], c[self.e :] - w[self.n :]]) if self.slacks else c

    def gradient(self, point, lam):
        """Return the gradient of f + lam.(c - s) by w."""
        return self.joined(self.p.lagrangian_gradient(point, lam), -lam[self.e :])

    def sees(self, point, lam):
        """Say whether the gradient and the Jacobian at a point are finite: NaN and infinity outlast the sums."""
        return self.k.sum_of_magnitudes(self.p.lagrangian_gradient(point, lam)) < INFINITE

    def factor_with(self, J, sigma, H, tau, delta):
        """Factor the system with H + Sigma + tau I, slacks eliminated."""
        self.kkt.factor(H, J, *self._diagonals(sigma, tau, delta))

    def direction(self, rw, rc):
        """Return (dw, dlam, |step|^2) for the residuals (rw, rc) of the gradient and of c - s: the Newton step."""
        return self._with_slacks(self.kkt.direction(*self._without_slacks(rw, rc)), rw)

    def newton(self, J, sigma, rw, rc, H, tau=0.0, delta=0.0):
        """Return `direction` for the system with H + Sigma + tau I, or None where its inertia is not a minimum's."""
        if not self.slacks:
            found = self.kkt.newton(H, J, rw, rc, sigma + tau, delta)
            return found and (found[0], found[1], found[4])
        diagonals = self._diagonals(sigma, tau, delta)
        found = self.kkt.newton(H, J, *self._without_slacks(rw, rc), *diagonals)
        return found and self._with_slacks(found, rw)

    def _diagonals(self, sigma, tau, delta):
        """Return what is added to H and taken from the lower right block."""
        if not self.slacks:
            return sigma + tau, delta
        self.sigma = sigma[self.n :] + tau
        zero = self.xp.zeros(self.e, dtype=sigma.dtype, device=self.p.space.device)
        return sigma[: self.n] + tau, self.xp.concat([zero, 1.0 / self.sigma]) + delta

    def _without_slacks(self, rw, rc):
        if not self.slacks:
            return rw, rc
        return rw[: self.n], self.xp.concat([rc[: self.e], rc[self.e :] + rw[self.n :] / self.sigma])

    def _with_slacks(self, found, rw):
        dx, dlam, *_, size = found
        if not self.slacks:
            return dx, dlam, size
        ds = (dlam[self.e :] - rw[self.n :]) / self.sigma
        return self.xp.concat([dx, ds]), dlam, size + _array.host(ds @ ds)


def least_squares_multipliers(p, kkt, point, z=None):
    """Return multipliers that make the gradient of the Lagrangian as small as they can; 0 if they are large.

    `z` is what bounds add to the gradient by (x, s), None where there are none.
    """
    xp, g, c, d = p.xp, point.g, p.space.zeros(p.m), 0.0
    if p.m == 0:
        return c
    if z is not None:
        g = g + z[: p.n]
        if p.m > p.n_eq:  # slacks are eliminated: those of size one turn into a block -I
            c = xp.concat([c[: p.n_eq], z[p.n :]])
            d = xp.concat([0.0 * c[: p.n_eq], 1.0 + 0.0 * z[p.n :]])
    H = p.null_hessian(point.J)
    found = kkt.newton(H, point.J, g, c, 1.0, d)
    if found is None:
        kkt.factor(H, point.J, 1.0, d + 1e-8)
        found = kkt.direction(g, c)
    lam, size = 1.0 * found[1], found[4]  # the step is lost with the next one
    if size <= _LARGEST**2:
        return lam
    largest = _array.host(xp.max(xp.abs(lam)))
    finite(largest + size, "the largest multiplier at the start")
    return lam if largest <= _LARGEST else 0.0 * lam
