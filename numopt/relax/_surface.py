"""One smooth model of the logarithm of the cost over parameters and context, shared by all arms."""

import itertools
import math

import numpy as np

_KEPT = 2000  # rounds remembered one by one
_KNOTS = 13  # quantiles between which the rank of a context is interpolated
_CANDIDATES = 96  # values of a range that are compared
_BOWL = 0.7  # prior mean of T_2 of each parameter: a range is given such that its best is inside
_BEARABLE = math.log(1.5)  # how much more than the best a random try may be expected to cost
_SPREAD = 0.5  # of the posterior's standard deviation that Thompson sampling draws with


class Surface:
    """Bayesian linear regression on products of Chebyshev polynomials, played by Thompson sampling.

    log(cost) is modelled by products T_i(z) T_j(c) of bounded total degree in the parameters z, each scaled to
    [-1, 1], and the context c, replaced by its rank among those seen. Choices add a polynomial of degree 2 each.
    """

    def __init__(self, space, contexts, forget=1.0):
        self.space, self.contexts, self.forget = space, contexts, forget
        k = len(space.ranges)
        self.index = _index(k, contexts)
        shared = self.index.sum(axis=1)
        local = self.index[shared <= 2] if space.choices else self.index[:0]
        count = math.prod(len(c.options) for c in space.choices) if space.choices else 0
        self.all = np.concatenate([self.index, *[local] * count])
        self.owner = np.r_[np.full(len(shared), -1), np.repeat(np.arange(count), len(local))]
        self.prior = ((1 + self.all.sum(axis=1)) ** 1.5 / 1.5) ** 2  # precision
        pure = (self.all[:, :k] == 2).any(axis=1) & (self.all.sum(axis=1) == 2) & (self.owner < 0)
        self.pull = np.where(pure, _BOWL * self.prior, 0.0)
        self.rows, self.noise, self.knots = [], 0.05, np.zeros((contexts, _KNOTS))
        points, which, params = space.candidates(_CANDIDATES)
        self.candidates = self._by_parameters(points, which), points, which, params
        self.t, self.rumours, self.offset = 0, {}, None
        self.gram, self.moment = np.zeros((len(self.all),) * 2), np.zeros(len(self.all))

    def _by_parameters(self, points, which):
        F = _products(2 * points - 1, self.all[:, : points.shape[1]])
        return F * ((self.owner < 0) | (self.owner == which[:, None]))

    def _by_context(self, context):
        if not self.contexts:
            return np.ones(len(self.all))
        return _products(self._ranked(np.array([context])), self.all[:, -self.contexts :])[0]

    def _ranked(self, C):
        """Return contexts (rounds, contexts) as their places among those seen, from -1 to 1."""
        even = np.linspace(-1, 1, _KNOTS)
        pairs = zip(C.T, self.knots, strict=True)
        return np.stack([np.interp(c, k, even) if k[-1] > k[0] else 0 * c for c, k in pairs], axis=1)

    def _posterior(self):
        """Return the mean of the coefficients and a factor R of their precision, R^T R."""
        R = np.linalg.cholesky(np.diag(self.prior) + self.gram / self.noise**2).T
        return np.linalg.solve(R, np.linalg.solve(R.T, self.moment / self.noise**2 + self.pull)), R

    def ask(self, context, rng):
        """Return ((point, choice), parameters) to try."""
        F, points, which, params = self.candidates
        mean, R = self._posterior()
        here = self._by_context(context)
        if not (self.rows or self.rumours):
            far = np.abs(points - [r.guess() for r in self.space.ranges]).sum(axis=1)
            at = int(rng.choice(np.flatnonzero(far == far.min())))
        elif rng.random() < 0.05 * min(1.0, 2 / math.sqrt(self.t + 1)):  # lest a wrong model be believed for ever
            y = F @ (mean * here)
            at = int(rng.choice(np.flatnonzero(y <= y.min() + _BEARABLE)))
        else:
            theta = mean + _SPREAD * np.linalg.solve(R, rng.standard_normal(mean.size))
            at = int(np.argmin(F @ (theta * here)))
        return (points[at].tolist(), int(which[at])), params[at]

    def hear(self, which, cost, context):
        """Learn what a choice is said to cost; of no interest once it was made."""
        if any(row[1] == which for row in self.rows):
            return
        self.rumours[which] = [0.5] * len(self.space.ranges), which, list(context), self._logarithm(cost)
        self._rebuild()

    def tell(self, choice, cost, context):
        """Learn the cost of a (point, choice)."""
        y = self._logarithm(cost)
        self.rows.append((choice[0], choice[1], list(context), y))
        self.rows = self.rows[-_KEPT:]
        self.t += 1
        if self.t % 10 == 0 or self.t <= 3 or choice[1] in self.rumours:
            self.rumours.pop(choice[1], None)
            self._rebuild()
            return
        f = self._features([self.rows[-1]])[0]
        self.gram = self.forget * self.gram + np.outer(f, f)
        self.moment = self.forget * self.moment + f * (y - self.offset)

    def _logarithm(self, cost):
        """Return log(cost); the first is what the model counts from."""
        y = math.log(max(cost, 1e-300))
        self.offset = y if self.offset is None else self.offset
        return y

    def _features(self, rows):
        points = np.array([r[0] for r in rows]).reshape(len(rows), -1)
        F = self._by_parameters(points, np.array([r[1] for r in rows]))
        if self.contexts:
            F = F * _products(self._ranked(np.array([r[2] for r in rows])), self.all[:, -self.contexts :])
        return F

    def _rebuild(self):
        """Scale the context anew and sum over all rounds that are remembered."""
        rows = [*self.rumours.values(), *self.rows]
        y = np.array([r[3] for r in rows]) - self.offset
        if self.contexts:
            C = np.array([r[2] for r in rows])
            self.knots = np.quantile(C, np.linspace(0, 1, _KNOTS), axis=0).T
        F, weight = self._features(rows), self.forget ** np.arange(len(y) - 1, -1, -1.0)
        if len(y) >= 20:
            mean, _ = self._posterior()
            self.noise = float(np.clip(np.sqrt(np.average((F @ mean - y) ** 2, weights=weight)), 0.01, 0.5))
        self.gram, self.moment = (F.T * weight) @ F, (F.T * weight) @ y

    def best(self, context):
        """Return the parameters with the least expected logarithm of the cost."""
        F, _, _, params = self.candidates
        return params[int(np.argmin(F @ (self._posterior()[0] * self._by_context(context))))]

    def predict(self, context, params):
        """Return the geometric mean of the cost and the standard deviation of its logarithm, inf before any."""
        if not (self.rows or self.rumours):
            return math.inf, math.inf
        point, which = self.space.point(params)
        F = self._by_parameters(np.array([point]).reshape(1, -1), np.array([which]))[0] * self._by_context(context)
        mean, R = self._posterior()
        return math.exp(float(F @ mean) + self.offset), float(np.linalg.norm(np.linalg.solve(R.T, F)))

    def lowest(self, context):
        """Return the least expected cost over the candidates, inf before the first round."""
        if not self.rows:
            return math.inf
        F, *_ = self.candidates
        return math.exp(float((F @ (self._posterior()[0] * self._by_context(context))).min()) + self.offset)

    def state(self):
        return {
            "rows": self.rows, "t": self.t, "noise": self.noise, "knots": self.knots.tolist(),
            "gram": self.gram.tolist(), "moment": self.moment.tolist(), "rumours": list(self.rumours.values()),
            "offset": self.offset,
        }  # fmt: skip

    def load(self, state):
        self.rows = [(list(p), w, list(c), y) for p, w, c, y in state["rows"]]
        self.rumours = {w: (list(p), w, list(c), y) for p, w, c, y in state["rumours"]}
        self.t, self.noise, self.offset = state["t"], state["noise"], state["offset"]
        self.gram, self.moment = np.array(state["gram"]), np.array(state["moment"])
        self.knots = np.array(state["knots"]).reshape(self.contexts, _KNOTS)


def _index(k, contexts):
    """Return the degrees (features, variables) of the products."""
    if k == 1 and contexts <= 1:
        pairs = [(i, j) for i in range(6) for j in range(5 if contexts else 1) if i + j < 6]
        return np.array(pairs)[:, : 1 + contexts]
    variables, most = k + contexts, 3
    found = [e for e in itertools.product(range(most + 1), repeat=variables) if sum(e) <= most]
    found = sorted(found, key=sum)[:200]
    return np.array(found, dtype=int).reshape(len(found), variables)


def _products(V, degrees):
    """Return prod_v T_{degrees[f, v]}(V[r, v]) for each row r and feature f."""
    out = np.ones((len(V), len(degrees)))
    for v, degree in zip(V.T, degrees.T, strict=True):
        T = [np.ones_like(v), v]
        for _ in range(2, int(degree.max(initial=0)) + 1):
            T.append(2 * v * T[-1] - T[-2])
        out *= np.array(T)[degree].T
    return out
