"""Douglas-Rachford splitting of the relaxation between {Z 1 = 1, 0 <= Z psd <= I, tr Z = K} and {Z >= 0}.

One n x n matrix T holds both sides: max(T, 0) is the primal point, max(-T, 0) the multiplier of Z >= 0
in units of |X|_2^2 rho.
"""

import itertools
import math

import numpy as np

from numopt._array import device, host, like
from numopt._loop import Iterate
from numopt.clustering._cuts import dense
from numopt.clustering._dense import Split, primal, warm_matrix
from numopt.clustering._problem import finite

_RELAXATION = 1.8
_START = 4.0  # |max(T, 0)| over |N| / (unit rho) at first
_PRIMAL, _DUAL = 3.0, 10.0  # ratios of residual and duality gap beyond which rho changes
_CHECK = 10  # iterations between looks at the residuals
_CHANGES = 14  # of rho: the theory wants it constant in the end
_SINGLE, _LONG = 5e-6, 600  # gap, and iterations, up to which float32 serves
_SMALL = 256  # rows of a matrix whose eigenvectors are the host's
_CUT, _RENEW = 1e-3, 20  # gap at which cuts begin, and iterations between looks for more


def splitting(p, found, bound, rng, cuts=None):
    """Yield `Split` with an estimate of the gap (or None), from a partition and its bound; with `Cuts` if given.

    In float32 at first, which halves the time of a step, and in float64 near the end, with cuts, or if it takes long.
    """
    xp, changes = p.xp, 0
    unit = host(xp.linalg.matrix_norm(p.X.T @ p.X, ord=2))
    T, rho = warm_matrix(p, found, bound, unit, _START)
    spectrum = _Spectrum(p, unit, rng, xp.float32)
    for n in itertools.count(1):
        V, weights = spectrum.project(T, rho, cuts and cuts.shift)
        T, moved = p.kernels.split_step(T, V, weights, _RELAXATION)
        T = T if cuts is None else cuts.tighten(T)
        info = {"rho": rho, "rank": 1 + weights.shape[0]}
        split = Split(T, V, weights, unit * rho, spectrum.vectors, cuts and cuts.shift)
        if n % _CHECK:
            yield Iterate(split, None, info)
            continue
        V, near = _orthonormal(p, V), _orthonormal(p, spectrum.vectors)
        split = split._replace(V=V, weights=xp.astype(weights, xp.float64), near=near)
        kept, held, up, down = (math.sqrt(x) for x in host(*(moved[i] for i in range(4))))
        r_primal, r_dual = down / kept, up / max(held, 1e-300)
        value, residual, bound = host(*primal(p, split)[:2], _ritz_bound(p, split))
        off = p.apart(value, bound)
        gap = max(off, finite(residual, "the residual"))  # max would pass a NaN over
        more = {"r_primal": r_primal, "r_dual": r_dual, "sdp_gap": gap, "bound": p.original(bound)}
        yield Iterate(split, gap if cuts is None else max(gap, cuts.worst), info | more)
        factor = 1.0
        late = cuts is not None and cuts.shift is not None and n >= _LONG
        if late:  # what cuts are violated by is a residual, too, and rho may change as often again
            residual, r_primal = max(residual, cuts.worst), max(r_primal, host(cuts.violation))
        if residual > _PRIMAL * off and r_primal > r_dual:
            factor = 2.0
        elif off > _DUAL * residual and r_dual > r_primal:
            factor = 0.5
        if factor != 1.0 and changes < (1 + late) * _CHANGES:
            T = xp.where(T < 0, T / factor, T)
            rho, changes = rho * factor, changes + 1
            if cuts is not None:
                cuts.rescale(factor)
        cutting = cuts is not None and (cuts.shift is not None or gap < _CUT)
        if (gap < _SINGLE or n >= _LONG or cutting) and T.dtype != xp.float64:
            T = xp.astype(T, xp.float64)
            spectrum.widen()
        if cutting and (cuts.shift is None or n % _RENEW == 0):
            cuts.renew(dense(p, V, split.weights))


def _orthonormal(p, V):
    """Return V in float64, orthonormal and orthogonal to 1 to its precision."""
    V = p.xp.astype(V, p.xp.float64)
    return p.kernels.orthonormal(V - p.xp.mean(V, axis=0))


def _ritz_bound(p, split):
    """Return an estimate of `dual_bound`, rather too high: with Ritz values on the span of `near` for eigenvalues."""
    xp, V = p.xp, split.near
    ones = xp.ones((p.size, 1), dtype=V.dtype, device=device(V))
    V1 = xp.astype(xp.concat([V, ones], axis=1), split.T.dtype)
    NV = p.kernels.negative_times(split.T, V1)
    NV = split.unit * xp.astype(NV if split.shift is None else NV - split.shift @ V1, xp.float64)
    XV = p.X.T @ V
    small = XV.T @ XV + V.T @ NV[:, :-1]
    finite(xp.sum(small), "the spectrum")
    theta = xp.linalg.eigvalsh(0.5 * (small + small.T))
    return p.total - xp.sum(NV[:, -1]) / p.size - xp.sum(theta[-(p.k - 1) :])


class _Spectrum:
    """Projects B = |T| + XX' / (unit rho) onto the spectral set by Rayleigh and Ritz on [Y, B Y], Y = B V of before."""

    def __init__(self, p, unit, rng, dtype):
        self.p, self.unit, self.rng = p, unit, rng
        self.X, self.ones = p.xp.astype(p.X, dtype), p.xp.ones((p.size, 1), dtype=dtype, device=device(p.X))
        axes = p.xp.linalg.eigh(p.X.T @ p.X)[1]
        lead = p.X @ axes[:, max(0, axes.shape[1] - 4 * p.k) :]
        self.Y = p.xp.concat([p.xp.astype(lead, dtype), self._random(2 * p.k + 8)], axis=1)
        self.settled = False

    def widen(self):
        """Go on in float64."""
        xp = self.p.xp
        self.X, self.ones, self.Y = self.p.X, xp.astype(self.ones, xp.float64), xp.astype(self.Y, xp.float64)

    def project(self, T, rho, shift=None):
        """Return V and weights with 11' / n + V diag(weights) V' the nearest point of the set; `shift` is less in B."""
        p, xp, self.shift = self.p, self.p.xp, shift
        while 3 * self.Y.shape[1] < p.size - 1:
            for _ in range(1 if self.settled else 3):
                theta, V, BV = self._ritz(T, rho)
                weights = capped_simplex(host(theta), p.k - 1)
                active = int((weights > 0).sum())
                keep = min(weights.size, max(4 * p.k, active + max(8, active // 2)))
                self.Y, self.vectors = BV[:, -keep:], V[:, -keep:]
            if active < weights.size:
                self.settled = True
                return self._active(V, weights)
            more = self._random(max(4, self.Y.shape[1] // 2))
            self.Y, self.settled = xp.concat([self.Y, more], axis=1), False
        theta, V = self._whole(T, rho)
        weights = capped_simplex(host(theta), p.k - 1)
        self.vectors = V[:, -min(weights.size, int((weights > 0).sum()) + 4 * p.k) :]
        return self._active(V, weights)

    def _ritz(self, T, rho):
        """Return Ritz values, ascending, Ritz vectors and their images."""
        xp, m, orthonormal = self.p.xp, self.Y.shape[1], self.p.kernels.orthonormal
        first = orthonormal(xp.concat([self.ones, self.Y], axis=1))
        BQ = self._times(T, first[:, 1:], rho)
        more = orthonormal(xp.concat([first, BQ], axis=1))[:, m + 1 :]  # also where BQ adds nothing
        Q, BQ = xp.concat([first[:, 1:], more], axis=1), xp.concat([BQ, self._times(T, more, rho)], axis=1)
        theta, S = _eigh(xp, Q.T @ BQ)
        return theta, Q @ S, BQ @ S

    def _active(self, V, weights):
        xp = self.p.xp
        active = int((weights > 0).sum())  # weights ascend
        return V[:, -active:], like(xp, weights[-active:], device(V), V.dtype)

    def _times(self, T, V, rho):
        Y = self.p.kernels.abs_times(T, V) + self.X @ (self.X.T @ V) / (self.unit * rho)
        if self.shift is not None:
            Y = Y - self.shift @ V
        return Y - self.p.xp.mean(Y, axis=0)

    def _whole(self, T, rho):
        """Return all eigenpairs but that of the vector 1."""
        xp, n = self.p.xp, self.p.size
        M = xp.abs(T) + self.X @ self.X.T / (self.unit * rho)
        M = M if self.shift is None else M - self.shift
        row = xp.mean(M, axis=0)
        M = M - row - row[:, None] + xp.mean(row)
        floor = 1.0 + finite(xp.linalg.matrix_norm(M), "the spectrum")
        theta, V = xp.linalg.eigh(0.5 * (M + M.T) - floor / n)  # 1 becomes the lowest
        return theta[1:], V[:, 1:]

    def _random(self, m):
        return like(self.p.xp, self.rng.standard_normal((self.p.size, m)), device(self.p.X), self.X.dtype)


def _eigh(xp, small):
    """Return eigenvalues and eigenvectors of the symmetric part; the host has those of a small matrix sooner."""
    if small.shape[0] > _SMALL:
        finite(xp.sum(small), "the spectrum")
        return xp.linalg.eigh(0.5 * (small + small.T))
    there, small = device(small), host(small)
    finite(float(small.sum()), "the spectrum")
    theta, S = np.linalg.eigh(0.5 * (small + small.T))
    return theta, like(xp, S, there, xp.float32 if S.dtype == np.float32 else xp.float64)


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
