"""A lower bound for K-means from pairs of clusters: it needs sums over clusters alone, so n may be large.

For labels with means m_a, the multiplier of Z >= 0 is, for i in cluster a and j in cluster b,

    N_ij = c_ab u_b(i) u_a(j),   u_b(i) = n_b / 2 [margin_b(i) - tau (1 / n_a + 1 / n_b)]_+,

c_ab = 1 / sqrt(rho_ab rho_ba), rho_ab = sum over a of u_b (after Iguchi et al., arXiv:1509.07983). N has low rank:
every eigenvalue that a bound needs is that of a small matrix of the Gram matrices of x and u over each cluster.
"""

import math
from typing import NamedTuple

import numpy as np

from numopt._array import device, host, like
from numopt._loop import time_left
from numopt.clustering._problem import finite

_SAMPLE = 2**14  # points on which tau is chosen
_MOST = 800  # features up to which multipliers are searched
_COARSE = 12  # steps in which the factor is found to 0.3 % while tau is chosen
_TESTED = 1000  # features up to which the eigenvalue that decides is computed
_ENTRIES = 2**27  # of the Gram matrices, up to which it is bounded


class Bound(NamedTuple):
    """A lower bound of the K-means optimum, of a kind as in `KMeansResult`, and the multiplier it came from.

    One from samples is below their mean by `margin`, at a level of `confidence`.
    """

    value: float
    kind: str
    tau: float = 0.0
    factor: float = 0.0
    confidence: float | None = None
    margin: float = 0.0


def pairwise_bound(p, found):
    """Return the `Bound` for a partition: a certificate of optimality, else that of the best multiplier."""
    k = found.centres.shape[0]
    sse, tau = host(*p.kernels.spread(p.X, found.labels, found.centres, found.sizes))
    if finite(sse, "the sum of squares") <= p.trivial:
        return Bound(sse, "exact")
    if k < p.k:
        return Bound(0.0, "none")
    if k == 1:
        return Bound(sse, "exact")
    # Points are known to the rounding of the largest coordinate, 1: of clusters as small as that, nothing is sure.
    room = 1e-9 + 1e-15 * math.sqrt(p.size / sse)
    features, entries = p.X.shape[1] + k * (k - 1), k * (p.X.shape[1] + k) ** 2
    if tau > 0 and min(features / _TESTED, entries / _ENTRIES) <= 1:
        known = features <= _TESTED
        largest = _Features(p, found, tau).largest_within() if known else _largest_at_most(p, found, tau)
        if largest <= tau * (1 - room):
            return Bound(sse, "exact", tau, 1.0)
    return _searched(p, found) if features <= _MOST else _by_axes(p)


def _largest_at_most(p, found, tau):
    """Bound the largest eigenvalue of N + X X' on the complement of the span of the clusters.

    The blocks of N between clusters have rank 1; its norm is at most that of the matrix of their norms.
    """
    grams, sums, sizes = host(*p.kernels.pair_grams(p.X, found.labels, found.centres, found.sizes, tau), found.sizes)
    finite(grams.sum(), "the Gram matrix")
    q = p.X.shape[1]
    within = grams - sums[:, :, None] * sums[:, None, :] / sizes[:, None, None]
    squares = np.clip(np.diagonal(within, axis1=1, axis2=2)[:, q:], 0.0, None)  # of u_b on cluster a
    rho = sums[:, q:] * sums[:, q:].T
    norms = np.where(rho > 0, np.sqrt(squares * squares.T / np.where(rho > 0, rho, 1.0)), 0.0)
    return np.linalg.eigvalsh(within[:, :q, :q].sum(axis=0))[-1] + np.linalg.eigvalsh(norms)[-1]


def _by_axes(p):
    """Return the bound by principal components, N = 0."""
    xp, (n, q) = p.xp, p.X.shape
    theta = host(xp.linalg.eigvalsh(p.X.T @ p.X if q <= n else p.X @ p.X.T))[::-1]
    top = np.clip(theta[: p.k - 1], 0.0, None).sum()
    return Bound(max(p.total - top - _lost(p.total, theta.size, n, p.k), 0.0), "dual")


def _lost(norm, order, n, k):
    """Return what rounding does to k eigenvalues of a matrix of sums over n points, at most."""
    return 4e-16 * (k * order + math.sqrt(n)) * norm


def _searched(p, found):
    """Maximise the bound over tau, on a sample of the points, and over the factor of N."""
    sample, part = (p, found) if p.size <= _SAMPLE else _sampled(p, found)

    def value(tau):
        return _Features(sample, part, tau).best(steps=_COARSE).value

    # tau is near the largest variance within clusters times n, and a few times that where they overlap
    unit = part.sse / p.X.shape[1]
    tried = {unit: value(unit)}
    for tau in (unit * 2.0 ** (e / 2) for e in (*range(1, 8), *range(-3, 0))):
        if time_left() <= 0:
            break
        tried[tau] = value(tau)
    best, step = max(tried, key=tried.get), 2.0**0.25
    for _ in range(3):
        if time_left() <= 0:
            break
        tried |= {tau: value(tau) for tau in (best * step, best / step)}
        best, step = max(tried, key=tried.get), step**0.5
    return _Features(p, found, best * p.size / sample.size).best()


def _sampled(p, found):
    """Return the problem and the partition on evenly spaced points; each cluster keeps its first point at least."""
    from numopt.clustering._lloyd import Partition

    xp, k = p.xp, found.centres.shape[0]
    each = xp.arange(k, dtype=xp.int64, device=device(p.X))
    rows = like(xp, np.linspace(0, p.size - 1, _SAMPLE).astype(int), device(p.X), xp.int64)
    order = xp.argsort(found.labels)
    first = xp.take(order, xp.searchsorted(xp.take(found.labels, order), each))
    rows = xp.unique_values(xp.concat([rows, first]))
    sample, labels = p.subset(rows), xp.take(found.labels, rows)
    centres, sizes = sample.means(labels, k)
    sse, _ = sample.kernels.spread(sample.X, labels, centres, sizes)
    return sample, Partition(labels, centres, sizes, finite(sse, "the sum of squares"))


class _Features:
    """The columns of N = U C U' and of X, known by their Gram matrices, for labels and a tau."""

    def __init__(self, p, found, tau):
        self.k, self.p = found.centres.shape
        self.n, self.total, self.tau = p.size, p.total, tau
        grams, sums, sizes, centres = host(
            *p.kernels.pair_grams(p.X, found.labels, found.centres, found.sizes, tau), found.sizes, found.centres
        )
        finite(grams.sum(), "the Gram matrix")
        k, q = self.k, self.p
        self.pairs = [(a, b) for a in range(k) for b in range(k) if a != b]
        self.at = {pair: q + i for i, pair in enumerate(self.pairs)}
        size = q + len(self.pairs)
        self.gram, self.within, self.sums = np.zeros((size, size)), np.zeros((size, size)), np.zeros(size)
        for a in range(k):
            into = [*range(q), *(self.at[a, b] for b in range(k) if b != a)]
            of = [*range(q), *(q + b for b in range(k) if b != a)]
            gram, sum_ = grams[a][np.ix_(of, of)], sums[a][of]
            centre = np.concatenate([centres[a], np.zeros(k - 1)])  # coordinates are relative to it
            cross = np.outer(centre, sum_)
            self.gram[np.ix_(into, into)] += gram + cross + cross.T + sizes[a] * np.outer(centre, centre)
            self.within[np.ix_(into, into)] += gram - np.outer(sum_, sum_) / sizes[a]
            self.sums[into] += sum_ + sizes[a] * centre

    def largest_within(self):
        """Return the largest eigenvalue of N + X X' on the complement of the span of the clusters."""
        return np.linalg.eigvalsh(self._congruent(_root(self.within), self._couplings()[0]))[-1]

    def best(self, only=None, steps=32):
        """Return the largest |X|^2 - 1'N1 / n - sum of K - 1 eigenvalues of P (XX' + N) P, over the factor of N."""
        root = _root(self.gram - np.outer(self.sums, self.sums) / self.n)
        couplings, mass = self._couplings()
        X = root[: self.p, :].T @ root[: self.p, :]
        N = self._congruent(root, couplings) - X

        def value(factor):
            theta = np.linalg.eigvalsh(X + factor * N)[::-1]
            lost = _lost(max(self.total, theta[0], -theta[-1]), theta.size, self.n, self.k)
            return self.total - factor * mass / self.n - np.clip(theta[: self.k - 1], 0.0, None).sum() - lost

        factor = _argmax(value, 0.0, 2.0, steps) if only is None else only
        return Bound(max(value(factor), 0.0), "dual", self.tau, factor)

    def _couplings(self):
        """Return c_ab for all pairs, and 1'N1."""
        rho = {pair: self.sums[i] for pair, i in self.at.items()}
        c = {(a, b): (rho[a, b] * rho[b, a]) ** -0.5 if min(rho[a, b], rho[b, a]) > 0 else 0.0 for a, b in rho}
        return c, sum(c[a, b] * rho[a, b] * rho[b, a] for a, b in rho)

    def _congruent(self, root, couplings):
        """Return root' C root, C the identity for X and c_ab between the columns (a, b) and (b, a)."""
        C = np.zeros_like(root)
        C[range(self.p), range(self.p)] = 1.0
        for (a, b), c in couplings.items():
            C[self.at[a, b], self.at[b, a]] = c
        return root.T @ C @ root


def _root(S):
    """Return R with R R' = S, positive semidefinite."""
    scale = np.sqrt(np.clip(np.diag(S), 1e-300, None))  # columns of X and of u differ by many orders of magnitude
    positive = np.diag(S) > 0  # rounding leaves entries beside a 0 on the diagonal: no correlation exceeds 1
    correlation = np.where(np.outer(positive, positive), np.clip(S / np.outer(scale, scale), -1.0, 1.0), 0.0)
    values, vectors = np.linalg.eigh(correlation)
    return scale[:, None] * vectors * np.sqrt(np.clip(values, 0.0, None))


def _argmax(f, low, high, steps):
    """Return where the concave function f is largest, by golden section; the ends count too."""
    ratio = (5**0.5 - 1) / 2
    a, b = low, high
    x, y = b - ratio * (b - a), a + ratio * (b - a)
    values = {x: f(x), y: f(y), low: f(low)}
    for _ in range(steps):
        if values[x] >= values[y]:
            b, y = y, x
            x = b - ratio * (b - a)
            values[x] = values.get(x) or f(x)
        else:
            a, x = x, y
            y = a + ratio * (b - a)
            values[y] = values.get(y) or f(y)
    return max(values, key=values.get)
