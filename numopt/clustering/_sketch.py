"""A probabilistic bound for many points from the relaxation on samples (Clum, Mixon, Villar and Xie, arXiv:2211.15744).

For a uniform sample of s points, the expected bound per point is at most the optimum per point of all. What is
averaged is d = (cost of the sample under the centres of all points - bound of the sample) / s >= 0: the first part has
the expectation fun / n and varies with the second, a control variate.
"""

import math

import numpy as np

from numopt._array import device, host, like
from numopt.clustering._lloyd import lloyd
from numopt.clustering._pairwise import Bound

CONFIDENCE = 0.99


def sketched_bounds(p, found, size, count, rng, solve):
    """Yield, after each sample, the `Bound` of all points from the samples so far (None before the second).

    ``solve(problem, partition)`` returns a lower bound for a sample, in the units of p.
    """
    losses = []
    for _ in range(count):
        rows = like(p.xp, np.sort(rng.choice(p.size, size, replace=False)), device(p.X), p.xp.int64)
        sample = p.subset(rows)
        centres = (found.centres - sample.mean) / sample.scale
        cost = sample.original(host(sample.kernels.lloyd_pass(sample.X, centres)[3]))
        part = lloyd(sample, centres)
        lower = solve(sample, part)
        losses.append((cost - lower) / size)
        yield _combined(p, found, np.array(losses))


def _combined(p, found, losses):
    """Return the lower end of the one-sided t interval."""
    from scipy.special import stdtrit

    m = losses.size
    if m < 2:
        return None
    margin = p.size * float(stdtrit(m - 1, CONFIDENCE)) * losses.std(ddof=1) / math.sqrt(m)
    lower = found.sse - p.size * losses.mean() - margin
    return Bound(max(lower, 0.0), "probabilistic", confidence=CONFIDENCE, margin=margin)
