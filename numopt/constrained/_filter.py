"""The filter: pairs (violation theta, barrier objective phi) that no later iterate may be worse than.

A. Wächter, L. T. Biegler, Math. Program. 106 (2006), section 2.3.
"""

_GAMMA_THETA, _GAMMA_PHI = 1e-5, 1e-8
ARMIJO, _SHORTEST = 1e-4, 1e-10
_HUGE, _TINY = 1e100, 1e-300  # Python takes a power that overflows for an error, and a division by one that vanishes


class Filter:
    """Decides which trial points are progress."""

    __slots__ = ("least", "most", "pairs")

    def __init__(self, theta):
        self.least = 1e-4 * max(1.0, theta)
        self.most = 1e4 * max(1.0, theta)
        self.pairs = []

    def clear(self):
        """Forget all pairs: the barrier parameter changed."""
        self.pairs = []

    def add(self, theta, phi):
        """Keep later iterates away from what is worse than this pair in both respects."""
        self.pairs.append(((1 - _GAMMA_THETA) * theta, phi - _GAMMA_PHI * theta))

    def admits(self, theta, phi):
        """Say whether no kept pair is better in both respects."""
        for t, f in self.pairs:  # a generator would take longer than the few that there are
            if not (theta < t or phi < f):
                return False
        return theta <= self.most

    def switching(self, theta, slope, alpha):
        """Say whether the step promises a decrease of phi that dwarfs the violation."""
        return slope < 0 and alpha * min(-slope, _HUGE) ** 2.3 > min(theta, _HUGE) ** 1.1

    def accepts(self, old, new, slope, alpha, slack):
        """Say whether a step from `old` to `new`, pairs (theta, phi), is progress."""
        theta, phi = old
        if not self.admits(*new):
            return False
        if theta <= self.least and self.switching(theta, slope, alpha):
            return new[1] <= phi + ARMIJO * alpha * slope + slack
        return new[0] <= (1 - _GAMMA_THETA) * theta or new[1] <= phi - _GAMMA_PHI * theta + slack

    def shortest(self, theta, slope):
        """Return the step length below which restoration takes over."""
        if not slope < 0:
            return 0.05 * _GAMMA_THETA
        least = min(_GAMMA_THETA, _GAMMA_PHI * theta / -slope)
        if theta <= self.least:
            least = min(least, min(theta, _HUGE) ** 1.1 / max(min(-slope, _HUGE) ** 2.3, _TINY))
        return max(0.05 * least, _SHORTEST)
