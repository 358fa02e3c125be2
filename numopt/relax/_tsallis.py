"""Tsallis-INF over a grid of arms, as in the learning-to-relax paper; one learner, or one for each bin of contexts."""

import math

import numpy as np


class TsallisInf:
    """Online mirror descent with the Tsallis entropy, importance-weighted losses, step 2 / sqrt(t)."""

    def __init__(self, arms):
        self.total, self.t, self.sum = np.zeros(arms), 0, 0.0

    def ask(self, context, rng):
        """Return (arm, its probability)."""
        p = probabilities(self.total / self.scale(), 2 / math.sqrt(self.t + 1))
        arm = min(int(np.searchsorted(np.cumsum(p), rng.random(), side="right")), p.size - 1)
        return arm, float(p[arm])

    def tell(self, arm, p, loss, context):
        """Learn the loss of an arm that was drawn with probability p."""
        self.total[arm] += loss / p
        self.t, self.sum = self.t + 1, self.sum + loss

    def scale(self):
        """Return the mean loss so far."""
        return self.sum / self.t if self.sum > 0 else 1.0

    def best(self, context):
        """Return the arm with the least estimated loss."""
        return int(np.argmin(self.total))

    def state(self):
        return {"total": self.total.tolist(), "t": self.t, "sum": self.sum}

    def load(self, state):
        self.total, self.t, self.sum = np.array(state["total"]), state["t"], state["sum"]


class Binned:
    """A `TsallisInf` for each of `bins` equal parts of the interval of contexts."""

    def __init__(self, arms, low, high, bins=5):
        self.low, self.high, self.learners = low, high, [TsallisInf(arms) for _ in range(bins)]

    def _bin(self, context):
        bins = len(self.learners)
        return self.learners[min(max(int((context[0] - self.low) / (self.high - self.low) * bins), 0), bins - 1)]

    def ask(self, context, rng):
        """Return (arm, its probability)."""
        return self._bin(context).ask(context, rng)

    def tell(self, arm, p, loss, context):
        """Learn in the bin of the context."""
        self._bin(context).tell(arm, p, loss, context)

    def best(self, context):
        """Return the arm with the least estimated loss there."""
        return self._bin(context).best(context)

    def state(self):
        return [learner.state() for learner in self.learners]

    def load(self, state):
        for learner, one in zip(self.learners, state, strict=True):
            learner.load(one)


def probabilities(losses, eta):
    """Return the p of the simplex that minimises <losses, p> - (4/eta) sum sqrt(p).

    p_i = 4 / (eta (losses_i - xi))^2 with xi below all losses such that they sum to 1. The sum is increasing
    and convex in xi; at min(losses) - 2/eta it is at least 1, so Newton's method from there falls to the
    root and never leaves the admissible side.
    """
    losses = losses - losses.min()
    xi = -2 / eta
    for _ in range(100):
        p = 4 / (eta * (losses - xi)) ** 2
        excess = p.sum() - 1
        following = xi - excess / (eta * (p**1.5).sum())
        if abs(excess) < 1e-13 or following == xi:
            break
        xi = following
    return p / p.sum()
