"""One smooth model of the logarithm of the cost over parameters and context, shared by all arms."""

import itertools
import math

import numpy as np

from numopt.exceptions import PerformanceWarning, warn

_MANY = 4  # ranges
_KEPT = 2000  # rounds remembered one by one
_KNOTS = 13  # quantiles between which the rank of a context is interpolated
_CANDIDATES = 96  # values of a range that are compared
_BOWL = 0.7  # prior mean of T_2 of each parameter: a range is given such that its best is inside
_UNKNOWN = 1e3  # stands for the logarithm of the cost where a run failed before any cost was known
_DEAREST = 3.0  # logarithm of the cost over the median beyond which it is all the same how dear a round was
_ALIKE = 3.0  # how much less the effect of a context is expected to differ between choices
_BEARABLE = math.log(1.5)  # how much more than the best a random try may be expected to cost
_RECENT, _DRIFT, _FORGETTING = 20, 3.0, 0.98  # rounds that show a drift, how far off they are, and what follows
_COMPARED, _FAR = 50, 3.0  # contexts at which choices are compared, and how many standard deviations are far
_UNUSUAL = 0.5  # more or less in the logarithm of the cost
_SPREAD = 0.5  # of the posterior's standard deviation that Thompson sampling draws with


class Surface:
    """Bayesian linear regression on products of Chebyshev polynomials, played by Thompson sampling.

    log(cost) is modelled by products T_i(z) T_j(c) of bounded total degree in the parameters z, each scaled to
    [-1, 1], and the context c, replaced by its rank among those seen. Choices add a polynomial of degree 2 each.
    """

    def __init__(self, space, contexts, forget=1.0):
        self.space, self.contexts, self.watch = space, contexts, forget == "auto"
        self.forget = 1.0 if self.watch else forget
        k = len(space.ranges)
        if k > _MANY:
            warn(f"space has {k} ranges: beyond {_MANY} the surface is coarse; fix some", PerformanceWarning)
        self.index = _index(k, contexts)
        shared = self.index.sum(axis=1)
        local = self.index[shared <= 2] if space.choices else self.index[:0]
        count = math.prod(len(c.options) for c in space.choices) if space.choices else 0
        self.all = np.concatenate([self.index, *[local] * count])
        self.owner = np.r_[np.full(len(shared), -1), np.repeat(np.arange(count), len(local))]
        self.prior = ((1 + self.all.sum(axis=1)) ** 1.5 / 1.5) ** 2  # precision
        self.prior[(self.owner >= 0) & (self.all.sum(axis=1) > 0)] *= _ALIKE**2
        pure = (self.all[:, :k] == 2).any(axis=1) & (self.all.sum(axis=1) == 2) & (self.owner < 0)
        self.pull = np.where(pure, _BOWL * self.prior, 0.0)
        self.noise, self.knots, self.even = 0.05, np.zeros((contexts, _KNOTS)), np.linspace(-1, 1, _KNOTS)
        self.points, self.which, self.params = space.candidates(_CANDIDATES)
        self.F = self._by_parameters(self.points, self.which)
        # Each round is (candidate, context, log of the cost); rumours are the same of candidates never tried.
        self.rows, self.rumours, self.t, self.offset, self.surprise = [], {}, 0, None, [1.0] * _RECENT
        self.gram, self.moment = np.zeros((len(self.all),) * 2), np.zeros(len(self.all))
        self.due, self.leader, self._fitted, self._here = 1, None, None, (None, None)

    def _by_parameters(self, points, which):
        F = _products(2 * points - 1, self.all[:, : points.shape[1]])
        return F * ((self.owner < 0) | (self.owner == which[:, None]))

    def _by_context(self, context):
        if context != self._here[0]:
            self._here = context, self._by_contexts(np.array([context]))[0]
        return self._here[1]

    def _by_contexts(self, C):
        """Return the factors of the features (rounds, features) that contexts (rounds, contexts) decide.

        What counts of a context is its place among those seen, from -1 to 1.
        """
        if not self.contexts:
            return np.ones((len(C), len(self.all)))
        pairs = zip(C.T, self.knots, strict=True)
        ranks = [np.interp(c, k, self.even) if k[-1] > k[0] else 0 * c for c, k in pairs]
        return _products(np.stack(ranks, axis=1), self.all[:, -self.contexts :])

    def _posterior(self):
        """Return the mean of the coefficients and a factor R of their precision, R^T R."""
        if self._fitted is None:
            from scipy.linalg.lapack import dpotrf, dpotrs

            R, _ = dpotrf(np.diag(self.prior) + self.gram / self.noise**2)
            self._fitted = dpotrs(R, self.moment / self.noise**2 + self.pull)[0], R
        return self._fitted

    def ask(self, context, rng):
        """Return (candidate, its parameters) to try."""
        from scipy.linalg.lapack import dtrtrs

        if self.leader:
            return self.leader[0], self.params[self.leader[0]]
        mean, R = self._posterior()
        here = self._by_context(context)
        if not (self.rows or self.rumours):
            far = np.abs(self.points - [r.guess() for r in self.space.ranges]).sum(axis=1)
            at = int(rng.choice(np.flatnonzero(far == far.min())))
        elif rng.random() < 0.05 * min(1.0, 2 / math.sqrt(self.t + 1)):  # lest a wrong model be believed for ever
            y = self.F @ (mean * here)
            at = int(rng.choice(np.flatnonzero(y <= y.min() + _BEARABLE)))
        else:
            theta = mean + _SPREAD * dtrtrs(R, rng.standard_normal(mean.size))[0]
            at = int((self.F @ (theta * here)).argmin())
        return at, self.params[at]

    def hear(self, costs, context):
        """Learn what candidates are said to cost, a dict; of no interest for those that were tried."""
        tried = {row[0] for row in self.rows}
        news = {at: (at, list(context), self._logarithm(costs[at])) for at in costs if at not in tried}
        if news:
            self.rumours |= news
            self._rebuild()

    def tell(self, at, cost, context):
        """Learn the cost of a candidate."""
        y = self._logarithm(cost)
        if self.leader and self.leader[0] == at and self.t + 1 < self.due and self.leader[1] <= y <= self.leader[2]:
            self.rows.append((at, list(context), y))
            self.t += 1
            return
        f = self.F[at] * self._by_context(context)
        if self.watch:
            self._notice(f, self._relative(y))
        self.rows.append((at, list(context), y))
        self.t += 1
        if self.t >= self.due or at in self.rumours or self.leader:
            self.rumours.pop(at, None)
            self._rebuild()
            return
        self._fitted = None
        self.gram = self.forget * self.gram + f[:, None] * f
        self.moment = self.forget * self.moment + f * self._relative(y)

    def _notice(self, f, y):
        """Forget from now on if costs have lately been far from what was predicted."""
        mean, R = self._posterior()
        variance = self.noise**2 + np.sum(np.linalg.solve(R.T, f) ** 2)
        self.surprise = [*self.surprise[1:], float((y - f @ mean) ** 2 / variance)]
        if self.forget == 1.0 and sum(self.surprise) > _DRIFT**2 * _RECENT:
            self.forget, self.due = _FORGETTING, 0

    def _logarithm(self, cost):
        """Return log(cost); the model counts from the median, before it knows one from the first."""
        y = min(math.log(max(cost, 1e-300)), _UNKNOWN)
        if self.offset is None and y < _UNKNOWN:
            self.offset = y
        return y

    def _relative(self, y):
        """Return logarithms as the model has them."""
        return np.minimum(y - (self.offset or 0.0), _DEAREST)

    def _rebuild(self):
        """Scale the context anew and sum over all rounds that are remembered; the more there are, the rarer."""
        self.rows = self.rows[-_KEPT:]
        self.due = self.t + (1 if self.t < 3 else 10 - self.t % 10 if self.t < 200 else self.t // 20)
        rows = [*self.rumours.values(), *self.rows]
        y = np.array([r[2] for r in rows])
        if (known := y[y < _UNKNOWN]).size:
            self.offset = float(np.median(known))  # the first may be far from all others
        y = self._relative(y)
        C = np.array([r[1] for r in rows]).reshape(len(rows), self.contexts)
        if self.contexts:
            at = np.linspace(0, len(C) - 1, _KNOTS).round().astype(int)  # np.quantile takes 0.4 ms
            self.knots, self._here = np.sort(C, axis=0)[at].T, (None, None)
        H = self._by_contexts(C)
        F = self.F[[r[0] for r in rows]] * H
        weight = self.forget ** np.arange(len(y) - 1, -1, -1.0)
        if len(y) >= 20:
            mean, _ = self._posterior()
            self.noise = float(np.clip(np.sqrt(np.average((F @ mean - y) ** 2, weights=weight)), 0.01, 0.5))
        self.gram, self.moment, self._fitted = (F.T * weight) @ F, (F.T * weight) @ y, None
        self.leader = None if self.space.ranges or self.t == 0 else self._ahead(H[-_COMPARED:])
        self.due += self.t // 2 if self.leader else 0

    def _ahead(self, H):
        """Return a choice far ahead of all others at recent contexts and its usual (log) costs, or None.

        It is made without a draw until the model is rebuilt, or until a cost is unusual.
        """
        mean, R = self._posterior()
        best = int((self.F @ (H * mean).T).sum(axis=1).argmin())
        known = [y for at, _, y in self.rows if at == best]
        D = ((np.delete(self.F, best, axis=0) - self.F[best])[:, None] * H).reshape(-1, mean.size)
        if known and (D @ mean > _FAR * np.linalg.norm(np.linalg.solve(R.T, D.T), axis=0)).all():
            return best, min(known) - _UNUSUAL, max(known) + _UNUSUAL
        return None

    def best(self, context):
        """Return the parameters with the least expected logarithm of the cost."""
        return self.params[int(np.argmin(self.F @ (self._posterior()[0] * self._by_context(context))))]

    def predict(self, context, params):
        """Return the geometric mean of the cost and the standard deviation of its logarithm, inf before any."""
        if self.offset is None:
            return math.inf, math.inf
        point, which = self.space.point(params)
        F = self._by_parameters(np.array([point]).reshape(1, -1), np.array([which]))[0] * self._by_context(context)
        mean, R = self._posterior()
        return math.exp(float(F @ mean) + self.offset), float(np.linalg.norm(np.linalg.solve(R.T, F)))

    def lowest(self, context):
        """Return the least expected cost over the candidates, inf before the first round."""
        if not self.rows or self.offset is None:
            return math.inf
        return math.exp(float((self.F @ (self._posterior()[0] * self._by_context(context))).min()) + self.offset)

    def state(self):
        return {
            "rows": self.rows, "t": self.t, "noise": self.noise, "knots": self.knots.tolist(), "due": self.due,
            "gram": self.gram.tolist(), "moment": self.moment.tolist(), "rumours": list(self.rumours.values()),
            "offset": self.offset, "forget": self.forget, "surprise": self.surprise, "leader": self.leader,
        }  # fmt: skip

    def load(self, state):
        for name in "t", "noise", "due", "offset", "forget", "surprise", "leader":
            setattr(self, name, state[name])
        self.rows = [(at, list(c), y) for at, c, y in state["rows"]]
        self.rumours = {at: (at, list(c), y) for at, c, y in state["rumours"]}
        self.gram, self.moment = np.array(state["gram"]), np.array(state["moment"])
        self.knots = np.array(state["knots"]).reshape(self.contexts, _KNOTS)
        self._fitted, self._here = None, (None, None)


def _index(k, contexts):
    """Return the degrees (features, variables) of the products."""
    if k == 1 and contexts <= 1:
        pairs = [(i, j) for i in range(10) for j in range(6 if contexts else 1) if i + j < 10]
        return np.array(pairs)[:, : 1 + contexts]
    variables, most = k + contexts, 3
    found = [e for e in itertools.product(range(most + 1), repeat=variables) if sum(e) <= most]
    found = sorted(found, key=sum)[:200]
    return np.array(found, dtype=int).reshape(len(found), variables)


def _products(V, degrees):
    """Return prod_v T_{degrees[f, v]}(V[r, v]) for each row r in [-1, 1] and feature f."""
    angles = np.arccos(np.clip(V, -1, 1))
    out = np.ones((len(V), len(degrees)))
    for v, degree in zip(angles.T, degrees.T, strict=True):
        out *= np.cos(v[:, None] * np.arange(degree.max(initial=0) + 1))[:, degree]
    return out
