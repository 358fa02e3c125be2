"""A logistic regression under linear equations and a norm, in coordinates in which both hold.

v = (u, b) with w = w0 + Z u: see `_logistic`.
"""

import math

import numpy as np
from scipy.linalg import lapack

from numopt import _array
from numopt._kernels import kernels
from numopt.exceptions import NumoptWarning, warn

_SHIFTS = 60  # each ten times the one before


class Point:
    """f, its gradient g by x = (w, b), its gradient by v = (u, b) and the weights of the Hessian, at v."""

    __slots__ = ("certificate", "f", "g", "gv", "multipliers", "v", "weights", "x")

    def __init__(self, v, x, f, g, gv, weights):
        self.v, self.x, self.f, self.g, self.gv, self.weights = v, x, f, g, gv, weights
        self.multipliers = self.certificate = None

    def copy(self):
        return self  # nothing in it is ever written to


class Regression:
    """The problem in the coordinates v; `radius` is None without a norm, negative where no w has that norm."""

    def __init__(self, X, y, intercept, ridge, A, t, norm):
        xp = _array.namespace(y)
        self.k, self.kkt = kernels("logistic", xp), kernels("constrained", xp)
        self.samples, self.N = self.k.samples(X, y, intercept), y.size
        self.d = X[3] if isinstance(X, tuple) else X.shape[1]
        self.n, self.A, self.t, self.norm = self.d + intercept, A, t, norm
        self.ridge = ridge * (np.arange(self.n) < self.d) if ridge else None
        self.start, self.basis, self.inverse, self.consistent = np.zeros(self.n), None, A, True
        if A.shape[0]:
            self._eliminate()
        w0 = self.start[: self.d]
        self.radius = None
        if norm is not None:
            square = norm * norm - w0 @ w0
            self.radius = 0.0 if abs(square) <= 1e-14 * norm * norm else math.copysign(math.sqrt(abs(square)), square)
            if self.radius > 0 and self.size == intercept:
                self.radius = -self.radius
            if self.radius == 0:  # one w alone
                self.basis, self.radius = np.eye(self.n)[:, self.d :], None
        self.n_points = self.n_hessians = self.n_factor = 0

    def _eliminate(self):
        """Find w0, Z, and what multipliers need: A^T = Q R with columns exchanged."""
        (m, d), most = self.A.shape, min(self.A.shape)
        R, order, scales, *_ = lapack.dgeqp3(self.A.T)
        sizes = np.abs(R.diagonal())
        rank = int((sizes > 1e-14 * max(m, d) * sizes[0]).sum())
        reflectors = np.zeros((d, d), order="F")
        reflectors[:, :most] = R[:, :most]
        Q = lapack.dorgqr(reflectors, scales[:most], lwork=32 * d, overwrite_a=True)[0]
        self.inverse = np.zeros((m, d))  # least squares: A^T inverse is the projector onto the rows of A
        if rank:
            self.inverse[order[:rank] - 1] = lapack.dtrtrs(R[:rank, :rank], Q[:, :rank].T)[0]
        w0 = self.t @ self.inverse
        off = np.abs(self.A @ w0 - self.t).max()
        if off > 1e-9 * max(1.0, np.abs(self.t).max()):
            self.consistent, w0 = False, np.linalg.lstsq(self.A, self.t)[0]
        elif rank < self.A.shape[0]:
            warn(
                "dependent constraints: rows of A_eq follow from others, so that multipliers are not unique; leave out "
                "what follows from the others",
                NumoptWarning,
            )
        self.start[: self.d] = w0
        self.basis = np.zeros((self.n, self.n - rank))
        self.basis[: self.d, : self.d - rank] = Q[:, rank:]
        self.basis[self.d :, self.d - rank :] = 1.0

    @property
    def size(self):
        """How many numbers are free."""
        return self.n if self.basis is None else self.basis.shape[1]

    def point(self, v):
        """Return what is known at v: one pass over the samples."""
        x = self.start + (v if self.basis is None else self.basis @ v)
        total, g, weights = self.k.logistic(self.samples, x)
        self.n_points += 1
        f, g = total / self.N, g / self.N
        if self.ridge is not None:
            bent = self.ridge * x
            f, g = f + 0.5 * float(bent @ x), g + bent
        return Point(v, x, f, g, g if self.basis is None else g @ self.basis, weights)

    def hessian(self, point):
        """Return the Hessian by v: one pass over the samples."""
        H = self.k.weighted_gram(self.samples, point.weights)
        H /= self.N
        self.n_hessians += 1
        if self.ridge is not None:
            H.flat[:: self.n + 1] += self.ridge
        return H if self.basis is None else self.basis.T @ (H @ self.basis)

    def least(self, H, point):
        """Return where the model has its least value on the sphere; None where no intercept minimises it."""
        self.n_factor += 1
        c, m = H @ point.v - point.gv, H.shape[0] - (self.n - self.d)
        if m == H.shape[0]:
            return self.k.on_sphere(H, c, self.radius)[0]
        last, pivot = H[:m, m], H[m, m]  # the intercept that belongs to u is linear in it
        if not pivot > 1e-15 * np.abs(last).max():
            return None
        u = self.k.on_sphere(H[:m, :m] - np.outer(last / pivot, last), c[:m] - c[m] / pivot * last, self.radius)[0]
        return np.append(u, (c[m] - last @ u) / pivot)

    def direction(self, H, point, kappa):
        """Return Newton's direction on the tangent space, along which f falls, or None."""
        m, mu = self.size - (self.n - self.d), 0.0
        normal, curved = np.zeros((int(self.radius is not None), self.size)), np.zeros(self.size)
        if self.radius is not None:
            normal[0, :m] = point.v[:m] / self.radius
            curved[:m] = 2 * kappa
        for _ in range(_SHIFTS):
            self.n_factor += 1
            factor, negative, zero = self.kkt.kkt_factor(H, normal, curved + mu, 0.0)
            if negative == normal.shape[0] and not zero:
                return self.kkt.kkt_solve(factor, -point.gv, np.zeros(normal.shape[0]))[0]
            mu = max(10 * mu, 1e-10 * H.trace() / self.size, 1e-10 * abs(kappa), 1e-300)
        return None

    def pulled(self, v):
        """Return v with its u scaled onto the sphere."""
        if self.radius is None:
            return v
        m = self.size - (self.n - self.d)
        return np.append(v[:m] * (self.radius / math.sqrt(v[:m] @ v[:m])), v[m:])

    def multipliers(self, point):
        """Return those of the equations and of the norm, best by least squares: g + A^T lam + 2 kappa w = 0 at best."""
        self.certificate(point)
        return point.multipliers

    def certificate(self, point):
        """Compute the KKT error from the equations and the norm as they were given."""
        if point.certificate is None:
            lam, kappa, stationarity, off, size = self.k.regression_errors(
                point.g, point.x, self.A, self.t, self.inverse, self.start, self.norm or 0.0, self.radius is not None
            )
            rows = max(1, lam.size + (self.norm is not None))
            point.multipliers = lam, kappa
            point.certificate = {
                "kkt_error": max(stationarity / max(1.0, size / (100 * rows)), off),
                "kkt_stationarity": stationarity, "constr_violation": off, "complementarity": 0.0,
            }  # fmt: skip
        return point.certificate

    def second_order(self, point):
        """Say what is proved: where the multiplier of the norm is positive the Lagrangian is convex, and x its minimum.

        Otherwise the Hessian on the tangent space decides.
        """
        kappa = self.multipliers(point)[1]
        sure = kappa * (self.radius or 0.0) > self.certificate(point)["kkt_stationarity"]
        if sure or (self.norm is None and self.n == self.d and self.ridge is not None):
            return "min"
        H, m = self.hessian(point), self.size - (self.n - self.d)
        normal, curved = np.zeros((int(self.radius is not None), self.size)), np.zeros(self.size)
        normal[:, :m], curved[:m] = point.v[:m], 2 * kappa
        _, negative, zero = self.kkt.kkt_factor(H, normal, curved, 0.0)
        if zero:
            return "not verified"
        return "min" if negative == normal.shape[0] else "saddle"
