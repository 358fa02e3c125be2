"""Labels to start from: K-means++ seeding and Lloyd's iteration; clusters in an order free of chance."""

import math
from typing import NamedTuple

import numpy as np

from numopt._array import clip, device, host, like
from numopt._loop import time_left
from numopt.clustering._problem import centred, finite

_SAMPLE = 2**15  # points on which starts are compared; Lloyd's iteration of the best goes on with all
_SWEEPS = 300


class Partition(NamedTuple):
    """Labels, int64 on the device, with the centres and sizes they imply, and the sum of squares, a float."""

    labels: object
    centres: object
    sizes: object
    sse: float


def partition(p, labels, k=None):
    """Return the `Partition` of these labels, every number computed anew."""
    centres, sizes = p.means(labels, k)
    sse, _ = p.kernels.spread(p.X, labels, centres, sizes)
    return Partition(labels, centres, sizes, finite(sse, "the sum of squares"))


def lloyd(p, centres):
    """Move centres until no point changes its cluster, or the time is up; empty clusters go to the farthest points."""
    xp, before, old = p.xp, math.inf, None
    for _ in range(_SWEEPS):
        labels, sizes, sums, sse = p.kernels.lloyd_pass(p.X, centres)
        changes = p.size if old is None else xp.sum(xp.astype(labels != old, xp.int64))
        sse, smallest, changes, total = host(sse, xp.min(sizes), changes, xp.sum(sums))
        finite(sse + total, "the sum of squares")  # new seats would hide a NaN
        if smallest < 1:
            centres, before, old = _reseated(p, centres, labels, sizes), math.inf, None
            continue
        if changes == 0 or not sse < before or time_left() <= 0:  # rounding alone could go on
            break
        centres, before, old = sums / sizes[:, None], sse, labels
    return ordered(p, labels)


def ordered(p, labels):
    """Return the partition with its clusters sorted by their centres, the first coordinate first; none is empty."""
    xp = p.xp
    _, labels = xp.unique_inverse(labels)
    k = int(host(xp.max(labels))) + 1
    found = partition(p, xp.astype(labels, xp.int64), k)
    order = np.lexsort(host(found.centres).T[::-1])
    rank = like(xp, np.argsort(order), device(p.X), xp.int64)
    order = like(xp, order, device(p.X), xp.int64)
    labels = xp.take(rank, found.labels)
    return Partition(labels, xp.take(found.centres, order, axis=0), xp.take(found.sizes, order), found.sse)


def _reseated(p, centres, labels, sizes):
    """Return the centres with each empty cluster's at one of the points farthest from its own centre."""
    xp = p.xp
    off = p.X - xp.take(centres, labels, axis=0)
    far = xp.flip(xp.argsort(xp.sum(off * off, axis=1)))
    empty = xp.cumulative_sum(xp.astype(sizes < 1, xp.int64)) - 1
    seats = xp.take(p.X, xp.take(far, clip(empty, 0, None)), axis=0)
    return xp.where(sizes[:, None] < 1, seats, centres)


def seeds(p, rng, centres=None):
    """Return K centres, after those given, by greedy K-means++ (Arthur and Vassilvitskii 2007).

    They are fewer if fewer points are distinct.
    """
    xp, n, trials = p.xp, p.size, 2 + int(math.log(p.k))
    if centres is None:
        centres = xp.take(p.X, xp.asarray([int(rng.integers(n))], device=device(p.X)), axis=0)
    if centres.shape[0] == p.k:
        return centres
    nearest, rows = xp.min(_distances(p, centres), axis=1), []
    while centres.shape[0] + len(rows) < p.k:
        cumulative = xp.cumulative_sum(nearest)
        total = finite(cumulative[-1], "the distance between points")
        if not total > 0:
            break
        draws = like(xp, total * rng.random(trials), device(p.X), xp.float64)
        drawn = clip(xp.searchsorted(cumulative, draws, side="right"), 0, n - 1)
        distances = xp.minimum(nearest[:, None], _distances(p, xp.take(p.X, drawn, axis=0)))
        best = xp.argmin(xp.sum(distances, axis=0))
        row, best = host(xp.take(drawn, xp.reshape(best, (1,)))[0], best)
        nearest = distances[:, int(best)]
        rows.append(int(row))
    more = xp.asarray(rows, dtype=xp.int64, device=device(p.X))
    return xp.concat((centres, xp.take(p.X, more, axis=0)))


def _distances(p, near):
    """Return squared distances (n, m) to a few places; exactly 0 where a point is there."""
    xp = p.xp
    return xp.stack([xp.sum((p.X - near[j, :]) ** 2, axis=1) for j in range(near.shape[0])], axis=1)


def starts(p, n_init, rng):
    """Yield the best partition so far, one after each of `n_init` starts.

    Where there are many points, the starts are compared on a sample, and Lloyd's iteration on all points goes on
    from the best: one partition is yielded.
    """
    if p.size > _SAMPLE:
        rows = np.sort(rng.choice(p.size, _SAMPLE, replace=False))
        sample = p.subset(like(p.xp, rows, device(p.X), p.xp.int64))
        for found in starts(sample, n_init, rng):
            best = found
        if best.centres.shape[0] == p.k:
            yield lloyd(p, best.centres * sample.scale + sample.mean)
            return
    best = None
    for _ in range(n_init):
        found = lloyd(p, seeds(p, rng))
        best = found if best is None or found.sse < best.sse else best
        yield best
        if time_left() <= 0:
            return


def rounded(p, split, rng):
    """Return the partition that the leading eigenvectors of the relaxation suggest."""
    weights = split.weights
    lead = p.xp.argsort(weights)[-(p.k - 1) :]
    return embedded(p, p.xp.take(split.V * p.xp.sqrt(weights), lead, axis=1), rng)


def embedded(p, points, rng, *, polish=True):
    """Return the partition to which K-means in another space leads, with Lloyd's iteration in the own one after it."""
    q = centred(p.xp, points, p.k, p.dtype)
    found = lloyd(q, seeds(q, rng))
    return lloyd(p, seeds(p, rng, p.means(found.labels, found.centres.shape[0])[0])) if polish else found
