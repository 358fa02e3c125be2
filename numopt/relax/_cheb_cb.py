"""ChebCB: inverse-gap weighting on Chebyshev regressions of the loss over a scalar context, one for each arm."""

import math

import numpy as np

_DEGREES = 6


class ChebCB:
    """The contextual learner of the learning-to-relax paper, with the constants of its authors' code.

    There the smallest loss is taken over an array that starts as zeros, so that it is 0 until the last round; the
    step contains the residual of the last box-constrained fit alone. Both are kept.
    """

    def __init__(self, arms, low, high):
        self.low, self.high = low, high
        self.played = [([], []) for _ in range(arms)]  # features and losses of each arm
        self.fits = np.zeros((arms, _DEGREES))
        self.t, self.largest, self.past, self.misfit, self.S = 0, 0.0, [], 0.0, None

    def features(self, context):
        """Return T_0 ... T_5 of the context, scaled to [-1, 1]."""
        u = 2 * (context[0] - self.low) / (self.high - self.low) - 1
        return np.cos(np.arange(_DEGREES) * math.acos(min(max(u, -1.0), 1.0)))

    def ask(self, context, rng):
        """Return (arm, what is predicted for it)."""
        d, f = len(self.played), self.features(context)
        s = self.fits @ f
        best = int(np.argmin(s))
        if self.t == 0:
            return int(rng.integers(d)), 0.0
        p = 1 / (d + self._step(d) * (s - s[best]))
        p[best] = 0.0
        p[best] = 1 - p.sum()
        arm = min(int(np.searchsorted(np.cumsum(p), rng.random(), side="right")), d - 1)
        return arm, float(s[arm])

    def _step(self, d):
        m, t = _DEGREES, self.t + 1
        lipschitz = self.largest / (self.high - self.low)
        a = (math.pi + 2 / math.pi * math.log(2 * m + 1)) * (self.high - self.low) * lipschitz
        a /= 2 * self.S * (m + 1)
        predicted, losses = np.array(self.past).T
        R = max(np.sum((predicted - losses / self.S) ** 2) - self.misfit, 0.0)
        return 2 * t * math.sqrt(d * t / (R + 2 * a * a * t))

    def tell(self, arm, predicted, loss, context):
        """Learn; `loss` is one less than the cost."""
        self.t += 1
        self.past.append((predicted, loss + 1))
        features, losses = self.played[arm]
        features.append(self.features(context).tolist())
        losses.append(loss)
        if loss > self.largest or self.S is None:
            self.largest = max(loss, self.largest) or 1.0
            # K N with N = 2 + 4 (b - a) L (1 + log m) / K, where L = K / (b - a)
            self.S = self.largest * (2 + 4 * (1 + math.log(_DEGREES)))
            refit = range(len(self.played))
        else:
            refit = (arm,)
        for i in refit:
            if self.played[i][1]:
                self._fit(i)

    def _fit(self, arm):
        """Fit the arm by least squares; if that leaves the box of admissible coefficients, within it."""
        X, y = np.array(self.played[arm][0]), np.array(self.played[arm][1]) / self.S
        theta = np.linalg.lstsq(X, y, rcond=None)[0]
        # |theta_0| <= 1/N and |theta_j| <= 2 (b - a) L / (S j)
        box = np.r_[self.largest / self.S, 2 * self.largest / (self.S * np.arange(1, _DEGREES))]
        if (np.abs(theta) > box).any():
            from scipy.optimize import lsq_linear

            found = lsq_linear(X, y, (-box, box))
            theta, self.misfit = found.x, 2 * found.cost
        self.fits[arm] = theta

    def best(self, context):
        """Return the arm with the least predicted loss."""
        return int(np.argmin(self.fits @ self.features(context)))

    def state(self):
        return {
            "played": self.played, "fits": self.fits.tolist(), "t": self.t, "largest": self.largest,
            "past": self.past, "misfit": self.misfit, "S": self.S,
        }  # fmt: skip

    def load(self, state):
        self.played = [(list(f), list(y)) for f, y in state["played"]]
        self.fits, self.past = np.array(state["fits"]), [tuple(v) for v in state["past"]]
        self.t, self.largest, self.misfit, self.S = (state[k] for k in ("t", "largest", "misfit", "S"))
