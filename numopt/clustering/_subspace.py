"""Groups that differ in a subspace only: outside of it all points are spread evenly about one centre.

Then the density of a point is that of its projection times a factor common to all groups, so that groups found in the
subspace are groups of the whole space.
"""

from dataclasses import replace

from numopt._array import device, host
from numopt.clustering._mixture import Groups, Subspace

_MANY = 200  # dimensions from which on starts are made in a subspace, however many points there are


def width(base):
    """Return how many principal directions starts need: 10 a group, but 5 points a direction in each group."""
    n, d = base.X.shape
    return min(d, 10 * base.k, max(n // (5 * base.k), base.k))


def crowded(base):
    """Say whether covariances of the whole space are too uncertain for starts, or too many."""
    n, d = base.X.shape
    return width(base) < d and (2 * base.k * d >= n or d > _MANY)


def principal(base):
    """Return the leading principal directions (p, m)."""
    xp, (n, d) = base.xp, base.X.shape
    if d <= n:
        vectors = xp.linalg.eigh(base.X.T @ base.X)[1]
        return xp.flip(vectors, axis=1)[:, : width(base)]
    return xp.linalg.svd(base.X, full_matrices=False)[2].T[:, : width(base)]


def discriminant(p, labels):
    """Return the K - 1 directions (p, m) between the means of the labels, in the metric of their common covariance."""
    xp = p.base.xp
    _, means, covariances = p.kernels.m_step(p.base.X, p.hard(labels)[None, ...], p.floor, "tied")
    directions = xp.linalg.solve(covariances[0, 0, ...], means[0, ...].T)
    return xp.linalg.svd(directions, full_matrices=False)[0][:, : max(p.base.k - 1, 1)]


def confined(p, V):
    """Return the problem of the points' projections on a subspace; the same if that is the whole space."""
    base, xp = p.base, p.base.xp
    (n, d), m = base.X.shape, V.shape[1]
    if m == d:
        return p
    Y = base.X @ V
    total = host(xp.sum(Y * Y))
    rest = max(base.total - total, 0.0)
    variance = max(rest / (n * (d - m)), p.floor)
    return replace(p, base=replace(base, X=Y, total=total), subspace=Subspace(V, base, variance, rest))


def lifted(p, groups):
    """Return the groups in the whole space."""
    if p.subspace is None:
        return groups
    xp, (V, _, variance, _) = p.base.xp, p.subspace
    S = V @ (groups.covariances @ V.T)
    eye = xp.eye(V.shape[0], dtype=V.dtype, device=device(V))
    S = S + variance * (eye - V @ V.T)
    return Groups(groups.weights, groups.means @ V.T, 0.5 * (S + xp.matrix_transpose(S)), groups.labels)
