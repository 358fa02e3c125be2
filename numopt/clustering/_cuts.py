"""Cutting planes: the triangle inequalities that the relaxation violates most, with multipliers.

Z_ij + Z_ik <= Z_ii + Z_jk holds for partitions: two points that share the cluster of i share it with each other. Of
n^3 / 2 such cuts some thousands matter. With multipliers q >= 0 of A Z <= 0 they leave the splitting as it is: the
positive part of T - A'q is the primal point, and its negative part less A'q is dual. Between two steps q has to climb
only: by the violation of each cut at the primal point, over a bound of the curvature.
"""

import math

from numopt._array import clip, device, host
from numopt._kernels import kernels

MOST = 1000  # points: one look at all triangles takes n^3 / 2 comparisons, 0.3 s then
_FRESH = 10  # cuts a look may add, for each point


class Cuts:
    """A pool of cuts (i, j, k), rows of `cuts`, with multipliers q in the units of T; `shift` is A'q, None at first.

    Relative to the largest entry, `worst` is the violation by Z at the last look, `violation` that at the primal point.
    """

    def __init__(self, p):
        xp, at = p.xp, device(p.X)
        self.xp, self.n, self.kernels = xp, p.size, kernels("triangles", xp)
        self.cuts = xp.zeros((0, 3), dtype=xp.int64, device=at)
        self.q = self.curvature = xp.zeros((0,), dtype=xp.float64, device=at)
        self.shift, self.worst, self.violation = None, math.inf, 0.0

    def tighten(self, T):
        """Return the T of better multipliers: one step of coordinate ascent for all of them at once."""
        if not self.q.shape[0]:
            return T
        xp = self.xp
        W = clip(T, 0.0, None)
        violation = self.kernels.triangle_values(W, self.cuts, -1.0)
        self.violation = xp.max(violation) / xp.max(W)
        self.q = clip(self.q + violation / self.curvature, 0.0, None)
        before, self.shift = self.shift, self._sum()
        return T + (before - self.shift)

    def rescale(self, factor):
        """Divide the multipliers."""
        if self.shift is not None:
            self.q, self.shift = self.q / factor, self.shift / factor

    def renew(self, Z):
        """Forget the cuts without a multiplier, and add those that Z violates most."""
        xp, n = self.xp, self.n
        kept = xp.nonzero(self.q > 0)[0]
        old, q = xp.take(self.cuts, kept, axis=0), xp.take(self.q, kept)
        values, second = self.kernels.worst_triangles(Z)
        self.worst = host(_relative(xp, values, Z))
        flat = xp.reshape(values, (-1,))
        at = xp.argsort(flat)[-min(_FRESH * n, n * n) :]
        at = xp.take(at, xp.nonzero(xp.take(flat, at) > 0)[0])
        fresh = xp.stack([at // n, xp.take(xp.reshape(second, (-1,)), at), at % n], axis=1)
        fresh = xp.take(fresh, xp.nonzero(~_among(xp, self._codes(fresh), self._codes(old)))[0], axis=0)
        self.cuts = xp.concat([old, fresh])
        self.q = xp.concat([q, xp.zeros_like(fresh[:, 0], dtype=xp.float64)])
        degree = self.kernels.triangle_matrix(self.cuts, xp.ones_like(self.q), n, 1.0)
        self.curvature = self.kernels.triangle_values(degree, self.cuts, 1.0)
        self.shift = self._sum()

    def _sum(self):
        return self.kernels.triangle_matrix(self.cuts, self.q, self.n, -1.0)

    def _codes(self, cuts):
        return (cuts[:, 0] * self.n + cuts[:, 1]) * self.n + cuts[:, 2]


def worst_violation(p, V, weights):
    """Return by how much Z = 11' / n + V diag(weights) V' violates any triangle, relative to its largest entry."""
    Z = dense(p, V, weights)
    values, _ = kernels("triangles", p.xp).worst_triangles(Z)
    return _relative(p.xp, values, Z)


def _relative(xp, values, Z):
    return clip(xp.max(values), 0.0, None) / xp.max(Z)


def dense(p, V, weights):
    """Return Z, symmetric to the last bit."""
    Z = (V * weights) @ V.T
    return 0.5 * (Z + Z.T) + 1.0 / p.size


def _among(xp, values, known):
    """Say which of the values are known."""
    if not known.shape[0]:
        return values != values
    known = xp.sort(known)
    at = clip(xp.searchsorted(known, values), 0, known.shape[0] - 1)
    return xp.take(known, at) == values
