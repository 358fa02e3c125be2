"""Douglas-Rachford splitting of the relaxation between {Z 1 = 1, 0 <= Z psd <= I, tr Z = K} and {Z >= 0}.

One n x n matrix T holds both sides: max(T, 0) is the primal point, max(-T, 0) the multiplier of Z >= 0
in units of |X|_2^2 rho.
"""

import itertools
import math

import numpy as np

from numopt._array import device, host, like
from numopt._loop import Iterate
from numopt.clustering._dense import Split, primal, warm_matrix
from numopt.clustering._problem import finite

_RELAXATION = 1.8
_CHECK = 10  # iterations between looks at the residuals
_CHANGES = 14  # of rho: the theory wants it constant in the end
_SINGLE, _LONG = 5e-6, 600  # gap, and iterations, up to which float32 serves


def splitting(p, found, bound, rng):
    """Yield `Split` with an estimate of the gap (or None), from a partition and its bound.

    In float32 at first, which halves the time of a step, and in float64 near the end or if it takes long.
    """
    xp, changes, rho = p.xp, 0, 1.0
    unit = host(xp.linalg.matrix_norm(p.X.T @ p.X, ord=2))
    T = xp.astype(warm_matrix(p, found, bound, unit * rho), xp.float32)
    spectrum = _Spectrum(p, unit, rng, xp.float32)
    for n in itertools.count(1):
        V, weights = spectrum.project(T, rho)
        T, moved = p.kernels.split_step(T, V, weights, _RELAXATION)
        info = {"rho": rho, "rank": 1 + weights.shape[0]}
        split = Split(T, V, weights, unit * rho)
        if n % _CHECK:
            yield Iterate(split, None, info)
            continue
        split = split._replace(V=_orthonormal(xp, V), weights=xp.astype(weights, xp.float64))
        kept, held, up, down = (math.sqrt(x) for x in host(*(moved[i] for i in range(4))))
        r_primal, r_dual = down / kept, up / max(held, 1e-300)
        value, residual, bound = host(*primal(p, split)[:2], _ritz_bound(p, split))
        gap = max(abs(value - bound) / value, residual)
        yield Iterate(split, gap, info | {"r_primal": r_primal, "r_dual": r_dual, "sdp_gap": gap})
        factor = 2.0 if r_primal > 2 * r_dual else 0.5 if r_dual > 2 * r_primal else 1.0
        if factor != 1.0 and changes < _CHANGES:
            T = xp.where(T < 0, T / factor, T)
            rho, changes = rho * factor, changes + 1
        if (gap < _SINGLE or n >= _LONG) and T.dtype != xp.float64:
            T = xp.astype(T, xp.float64)
            spectrum.widen()


def _orthonormal(xp, V):
    """Return V in float64, orthonormal and orthogonal to 1 to its precision."""
    V = xp.astype(V, xp.float64)
    return xp.linalg.qr(V - xp.mean(V, axis=0))[0]


def _ritz_bound(p, split):
    """Return an estimate of `dual_bound`, rather too high: with Ritz values on the span of V for eigenvalues."""
    xp, V = p.xp, split.V
    ones = xp.ones((p.size, 1), dtype=V.dtype, device=device(V))
    V1 = xp.astype(xp.concat([V, ones], axis=1), split.T.dtype)
    NV = split.unit * xp.astype(p.kernels.negative_times(split.T, V1), xp.float64)
    XV = p.X.T @ V
    small = XV.T @ XV + V.T @ NV[:, :-1]
    theta = xp.linalg.eigvalsh(0.5 * (small + small.T))
    return p.total - xp.sum(NV[:, -1]) / p.size - xp.sum(theta[-(p.k - 1) :])


class _Spectrum:
    """Projects |T| + XX' / (unit rho) onto the spectral set, by subspace iteration from the last subspace."""

    def __init__(self, p, unit, rng, dtype):
        self.p, self.unit, self.rng = p, unit, rng
        self.X = p.xp.astype(p.X, dtype)
        self.Y = p.xp.concat([self._random(2 * p.k + 8), self.X], axis=1)
        self.settled = False

    def widen(self):
        """Go on in float64."""
        self.X, self.Y = self.p.X, self.p.xp.astype(self.Y, self.p.xp.float64)

    def project(self, T, rho):
        """Return V and weights with 11' / n + V diag(weights) V' the nearest point of the set."""
        p, xp = self.p, self.p.xp
        while 2 * self.Y.shape[1] < p.size - 1:
            for _ in range(1 if self.settled else 5):
                self.Y = self._times(T, xp.linalg.qr(self.Y)[0], rho)
            V = xp.linalg.qr(self.Y)[0]
            self.Y = self._times(T, V, rho)
            small = V.T @ self.Y
            theta, Q = xp.linalg.eigh(0.5 * (small + small.T))
            weights = capped_simplex(host(theta), p.k - 1)
            if weights[0] == 0:
                self._narrow(Q, weights)
                return self._active(V @ Q, weights)
            more = self._random(max(4, self.Y.shape[1] // 2))
            self.Y, self.settled = xp.concat([self.Y, more], axis=1), False
        theta, V = self._whole(T, rho)
        return self._active(V, capped_simplex(host(theta), p.k - 1))

    def _narrow(self, Q, weights):
        """Keep the leading Ritz vectors: those that are active, and enough more for the next ones to come up."""
        active = int((weights > 0).sum())
        keep = min(weights.size, active + max(20, 6 * self.p.k))
        self.Y, self.settled = self.Y @ Q[:, -keep:], True

    def _active(self, V, weights):
        xp = self.p.xp
        active = int((weights > 0).sum())  # weights ascend
        return V[:, -active:], like(xp, weights[-active:], device(V), V.dtype)

    def _times(self, T, V, rho):
        Y = self.p.kernels.abs_times(T, V) + self.X @ (self.X.T @ V) / (self.unit * rho)
        return Y - self.p.xp.mean(Y, axis=0)

    def _whole(self, T, rho):
        """Return all eigenpairs but that of the vector 1."""
        xp, n = self.p.xp, self.p.size
        M = xp.abs(T) + self.X @ self.X.T / (self.unit * rho)
        row = xp.mean(M, axis=0)
        M = M - row - row[:, None] + xp.mean(row)
        floor = 1.0 + xp.linalg.matrix_norm(M)
        theta, V = xp.linalg.eigh(0.5 * (M + M.T) - floor / n)  # 1 becomes the lowest
        return theta[1:], V[:, 1:]

    def _random(self, m):
        return like(self.p.xp, self.rng.standard_normal((self.p.size, m)), device(self.p.X), self.X.dtype)


def capped_simplex(theta, total):
    """Return the projection of theta, ascending, onto {0 <= w <= 1, sum w = total}: clip(theta - shift, 0, 1)."""
    theta = np.asarray(theta, float)
    finite(float(np.sum(theta)), "the spectrum")
    knots = np.unique(np.concatenate([theta, theta - 1.0]))
    sums = np.clip(theta - knots[:, None], 0.0, 1.0).sum(axis=1)  # falls along the knots
    at = int(np.searchsorted(-sums, -total, side="right"))
    if at == 0 or at == len(knots):
        shift = knots[0] if at == 0 else knots[-1]
    else:
        low, high, here, there = knots[at - 1], knots[at], sums[at - 1], sums[at]
        shift = low + (high - low) * ((here - total) / (here - there) if here > there else 0.0)
    return np.clip(theta - shift, 0.0, 1.0)
