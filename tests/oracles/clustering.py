"""Evidently right twins for clustering: every partition tried, every matrix formed."""

from functools import cache

import numpy as np


@cache
def partitions(n, k):
    """All labellings of n points by exactly k clusters, one a row, each partition once."""
    found = []

    def extend(labels, used):
        if len(labels) == n:
            if used == k:
                found.append(labels)
            return
        if used + n - len(labels) < k:
            return
        for a in range(min(used + 1, k)):
            extend((*labels, a), max(used, a + 1))

    extend((), 0)
    return np.array(found)


@cache
def members(n, k):
    """For each cluster, which points each of the partitions puts there: 0.0 and 1.0, one partition a row."""
    return [(partitions(n, k) == a).astype(float) for a in range(k)]


def optimum(X, k):
    """The least K-means sum of squares over all partitions into k clusters, or as many as there are points."""
    X = X - X.mean(axis=0)
    gain = 0.0
    for H in members(len(X), min(k, len(X))):
        gain = gain + ((H @ X) ** 2).sum(axis=1) / H.sum(axis=1)
    return (X**2).sum() - gain.max()


def sse(X, labels):
    """Sum of squared distances to the means."""
    return sum(((X[labels == a] - X[labels == a].mean(axis=0)) ** 2).sum() for a in np.unique(labels))


def multiplier(X, labels, tau, factor=1.0):
    """N of the bound by pairs of clusters, entry by entry, with tau and the signs of its definition."""
    k = labels.max() + 1
    m = np.array([X[labels == a].mean(axis=0) for a in range(k)])
    size = np.bincount(labels)
    n = len(X)
    u = np.zeros((n, k))
    for i in range(n):
        a = labels[i]
        for b in range(k):
            if b != a:
                margin = ((X[i] - m[b]) ** 2).sum() - ((X[i] - m[a]) ** 2).sum()
                u[i, b] = max(size[b] / 2 * (margin - tau * (1 / size[a] + 1 / size[b])), 0)
    rho = np.array([[u[labels == a, b].sum() for b in range(k)] for a in range(k)])
    N = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            a, b = labels[i], labels[j]
            if a != b and rho[a, b] * rho[b, a] > 0:
                N[i, j] = factor * u[i, b] * u[j, a] / np.sqrt(rho[a, b] * rho[b, a])
    return N


def bound(X, N, k):
    """|Xc|^2 - 1'N1 / n + the K - 1 smallest eigenvalues of P (-Xc Xc' - N) P on the complement of 1."""
    X = X - X.mean(axis=0)
    n = len(X)
    Q = np.linalg.qr(np.column_stack([np.ones(n), np.random.default_rng(0).random((n, n - 1))]))[0][:, 1:]
    values = np.linalg.eigvalsh(Q.T @ (-X @ X.T - N) @ Q)
    return (X**2).sum() - N.sum() / n + values[: k - 1].sum()


def margin_tau(X, labels):
    """The least margin over 1 / n_a + 1 / n_b."""
    k = labels.max() + 1
    m, size = np.array([X[labels == a].mean(axis=0) for a in range(k)]), np.bincount(labels)
    return min(
        (((x - m[b]) ** 2).sum() - ((x - m[a]) ** 2).sum()) / (1 / size[a] + 1 / size[b])
        for x, a in zip(X, labels, strict=True)
        for b in range(k)
        if b != a
    )


def merges(X, labels):
    """Average linkage of clusters, all distances formed at every step: (i, j, height, leaves); ties to the first."""
    members = {j: np.flatnonzero(labels == label) for j, label in enumerate(np.unique(labels))}
    leaves, rows = dict.fromkeys(members, 1), []

    def distance(i, j):
        off = X[members[i]][:, None] - X[members[j]]
        return (off**2).sum(axis=2).mean()

    while len(members) > 1:
        pairs = [(i, j) for i in members for j in members if i < j]
        i, j = min(pairs, key=lambda pair: distance(*pair))
        new = max(members) + 1
        rows.append((i, j, distance(i, j) ** 0.5, leaves[i] + leaves[j]))
        leaves[new] = leaves.pop(i) + leaves.pop(j)
        members[new] = np.append(members.pop(i), members.pop(j))
    return np.array(rows).reshape(-1, 4)
