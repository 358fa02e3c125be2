"""Starts for mixtures, all of which run at once; a few survive each round."""

import math

import numpy as np

from numopt._array import clip, device, host, like
from numopt.clustering._lloyd import embedded, lloyd, seeds
from numopt.clustering._problem import finite

_ROUNDS = ((5, 16), (10, 6), (40, 1))  # EM steps, starts that survive them
_AT_ONCE = 16  # starts between two looks at the clock
_SOFT = 0.1  # responsibility that a start spreads over all groups
NEIGHBOURS = 10
SPECTRAL = 1000  # points up to which a dense spectral start is cheap


def best_mixtures(p, n_starts, rng):
    """Yield responsibilities (n, k) and the log-likelihood of the best start after some starts of each round."""
    R = _responsibilities(p, n_starts, rng)
    for number, (steps, keep) in enumerate(_ROUNDS):
        done, values = [], np.empty(0)
        for lo in range(0, R.shape[0], _AT_ONCE):
            hi = min(lo + _AT_ONCE, R.shape[0])
            part, found = p.kernels.em(p.base.X, R[lo:hi, ...], steps, p.floor, p.kind, p.weighted)
            done.append(part)
            values = np.concatenate((values, np.atleast_1d(host(found))))
            finite(0.0 if not np.isnan(values).any() else math.nan, "a likelihood")
            if hi < R.shape[0]:
                best = int(np.argmax(values))
                yield done[best // _AT_ONCE][best % _AT_ONCE, ...], float(values[best])
        R = p.base.xp.concat(done)
        order = np.argsort(-values, kind="stable")[:keep]
        yield R[int(order[0]), ...], float(values[order[0]])
        if number + 1 < len(_ROUNDS):
            R = p.base.xp.take(R, like(p.base.xp, order, device(R), p.base.xp.int64), axis=0)


def _responsibilities(p, n_starts, rng):
    """Random centres, half of them in the whitened metric; K-means; Ward's and neighbours' spectral clusters."""
    xp, base = p.base.xp, p.base
    X, k = base.X, base.k
    white = _whitened(p)
    labels = [_nearest(xp, (X, white)[b % 2], rng.choice(base.size, k, replace=False)) for b in range(n_starts)]
    labels.append(lloyd(base, seeds(base, rng)).labels)
    if base.size <= SPECTRAL:
        labels.append(ward_labels(base))
        if base.size > NEIGHBOURS:
            labels.append(spectral_labels(base, rng))
    hard = xp.stack([p.hard(label) for label in labels])
    return (1 - _SOFT) * hard + _SOFT / k


def _nearest(xp, X, rows):
    """Return the nearest of some of the points."""
    C = xp.take(X, like(xp, rows, device(X), xp.int64), axis=0)
    return xp.argmin(xp.sum(C * C, axis=1) - 2.0 * (X @ C.T), axis=1)


def _whitened(p):
    xp, X = p.base.xp, p.base.X
    values, vectors = xp.linalg.eigh(X.T @ X / p.base.size)
    return X @ (vectors / xp.sqrt(clip(values, 0.0, None) + p.floor))


def paper_starts(base, rng):
    """Yield labels to start the published iteration from: spectral and Ward's of few points, K-means, equal slices."""
    if base.size <= SPECTRAL:
        if base.size > NEIGHBOURS:
            yield spectral_labels(base, rng)
        yield ward_labels(base)
    yield lloyd(base, seeds(base, rng)).labels
    first = base.X @ base.xp.linalg.eigh(base.X.T @ base.X)[1][:, -1]
    rank = base.xp.argsort(base.xp.argsort(first))
    yield rank * base.k // base.size  # as many points in each, along the first principal direction


def ward_labels(base):
    """Return Ward's clusters, made on the host."""
    from scipy.cluster.hierarchy import cut_tree, ward

    if base.size == 1:
        return base.xp.zeros((1,), dtype=base.xp.int64, device=device(base.X))
    labels = cut_tree(ward(host(base.X)), n_clusters=base.k)[:, 0]
    return like(base.xp, labels, device(base.X), base.xp.int64)


def spectral_labels(base, rng):
    """Return clusters of the normalised graph of the 10 nearest neighbours."""
    xp, X, n = base.xp, base.X, base.size
    norms = xp.sum(X * X, axis=1)
    D = norms + norms[:, None] - 2.0 * (X @ X.T)
    near = xp.sort(D, axis=1)[:, min(NEIGHBOURS, n) - 1, None] >= D
    A = xp.astype(near, xp.float64)
    A = 0.5 * (A + A.T)
    root = xp.sqrt(xp.sum(A, axis=1))
    _, V = xp.linalg.eigh(A / (root * root[:, None]))
    return embedded(base, V[:, -base.k :] / root[:, None], rng, polish=False).labels

