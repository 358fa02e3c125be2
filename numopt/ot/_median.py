"""The costs between points by their names, and the median cost, from a sample."""

import math

import numpy as np

from numopt._array import device, host

COSTS = {"sqeuclidean": 1, "euclidean": 2, "cityblock": 3}


def sample_median(p, size):
    """Return the median of a fixed sample of at most `size` costs, without those that are infinite."""
    (n, m), (C, X, YT, kind) = p.shape, p.cost
    step = -(-n * m // size)
    while math.gcd(step, m) > 1:  # every row and every column has its turn
        step += 1
    if kind:
        at = np.arange(0, n * m, step)
        i, j = (p.xp.asarray(index, device=device(p.a)) for index in np.divmod(at, m))
        sample = _distance(p.xp, p.xp.take(X, i, axis=0) - p.xp.take(YT, j, axis=1).T, kind)
    else:
        sample = p.xp.reshape(C, (-1,))[::step]
    sample = host(sample)
    finite = sample[np.isfinite(sample)]
    if not finite.size:
        return math.nan
    middle = (finite.size - 1) // 2, finite.size // 2
    finite.partition(middle)  # half the time of `np.median` where it is called once
    with np.errstate(over="ignore"):  # of the sum of the two in the middle: such costs are refused later
        return float(finite[middle[0]] + finite[middle[1]]) / 2


def _distance(xp, difference, kind):
    """Return the cost of pairs of points from their differences, one a row."""
    if kind == COSTS["cityblock"]:
        return xp.sum(xp.abs(difference), axis=1)
    squares = xp.sum(difference * difference, axis=1)
    return xp.sqrt(squares) if kind == COSTS["euclidean"] else squares
