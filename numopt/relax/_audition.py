"""Whole solvers as arms: what they would cost is first tried on small parts of the matrix.

To try a factorisation once may cost more than a hundred solves by iteration. Its time on a small leading block costs
next to nothing; a larger block shows how the time grows, and follows at once for the better arms, for others once
that is a trifle beside what was spent already. An arm that looks much worse than the best is then never tried at all.
A look may be unlucky: those that matter are taken three times.
"""

import math

from numopt import _array

_SMALL, _LARGE = 64, 16  # what fractions of the rows the blocks have
_GROWTH = _SMALL / _LARGE
_TRIFLE = 0.02  # of the cost so far, that all later looks together may cost
_CLOSE = 4.0  # times the best at the first look, up to which the second follows at once
_LOOKS = 3  # at the large block
_WORTHWHILE = 4000  # rows


class Auditions:
    """The looks taken at each solver of a choice."""

    def __init__(self, choice, runner):
        self.choice, self.runner = choice, runner
        self.small, self.large, self.looks, self.spent = [], [], [], 0.0

    def news(self, args, keywords):
        """Return a dict of expected costs, of the arms about which more is known than before."""
        A, b = (*args, None, None)[:2]
        if not (_array.is_sparse(A) and A.shape[0] == A.shape[1] and getattr(b, "shape", ()) == A.shape[:1]):
            return {}
        if A.shape[0] < _WORTHWHILE:
            return {}
        arms, found = range(len(self.choice.options)), {}
        if not self.small:
            look = self._looker(A, b, keywords, _SMALL)
            self.small = [min(look(arm), look(arm)) for arm in arms]  # the first may have to import or to compile
            self.large, self.looks, self.spent = [math.inf for _ in arms], [0 for _ in arms], 0.0
            found = {arm: _SMALL * cost for arm, cost in enumerate(self.small) if cost < math.inf}
        wanted = {arm: looks for arm in arms if (looks := self._wanted(arm))}
        look = self._looker(A, b, keywords, _LARGE) if wanted else None
        for arm, looks in wanted.items():
            self.looks[arm] += looks
            self.large[arm] = min(self.large[arm], *(look(arm) for _ in range(looks)))
            if self.large[arm] < math.inf:
                found[arm] = self._whole(arm)
        return found

    def _wanted(self, arm):
        """Return how many looks at the large block are to be taken now."""
        if self.looks[arm] == 0 and self.small[arm] <= _CLOSE * min(self.small) < math.inf:
            return _LOOKS
        price = min(_GROWTH * self.small[arm], self.large[arm])
        return int(self.looks[arm] < _LOOKS and self.spent + price <= _TRIFLE * self.runner.costs)

    def _whole(self, arm):
        """Return what the cost on the two blocks says about that on the whole."""
        power = math.log(max(self.large[arm], 1e-300) / max(self.small[arm], 1e-300)) / math.log(_GROWTH)
        return self.large[arm] * _LARGE ** min(max(power, 1.0), 2.0)

    def _looker(self, A, b, keywords, part):
        """Return the function that solves a leading block by an arm and returns what that costs."""
        m = A.shape[0] // part
        block = type(A)(A.tocsr()[:m][:, :m]), b[:m]
        plain = {name: value for name, value in keywords.items() if name != "x0"}

        def look(arm):
            try:
                cost = self.runner.cost_of(block, plain | {self.choice.name: self.choice.options[arm]})
            except Exception:  # not made for a part of the problem: it has to be tried on the whole
                return math.inf
            self.spent += cost
            return cost

        return look

    def state(self):
        return [self.small, self.large, self.looks, self.spent]

    def load(self, state):
        self.small, self.large, self.looks, self.spent = state
