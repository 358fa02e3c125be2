"""Whole solvers as arms: what they would cost is first tried on small parts of the matrix.

To try a factorisation once may cost more than a hundred solves by iteration. Its time on a small leading block costs
next to nothing; a larger block shows how the time grows, and follows at once for the better arms, for others once
that is a trifle beside what was spent already. An arm that looks much worse than the best is then never tried at all.
A look may be unlucky, the first of a solver even import or compile: those that matter are taken again.
"""

import math

from numopt import _array

_SMALL, _LARGE = 64, 16  # what fractions of the rows the blocks have
_GROWTH = _SMALL / _LARGE
_TRIFLE = 0.01  # of the cost so far, that all later looks together may cost
_CLOSE = 4.0  # times the best at a look, up to which the next follows at once
_STARTED = 20.0  # times the best that a second look is thought to cost at most: the first may import or compile
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
            self.small = [look(arm) for arm in arms]
            self.large, self.looks, self.spent = [math.inf for _ in arms], [-1 for _ in arms], 0.0
            found = {arm: _SMALL * cost for arm, cost in enumerate(self.small) if cost < math.inf}
        while wanted := [arm for arm in arms if self._wanted(arm)]:
            for arm in wanted:
                self.looks[arm] += 1
                costs, part = (self.large, _LARGE) if self.looks[arm] > 0 else (self.small, _SMALL)
                costs[arm] = min(costs[arm], self._looker(A, b, keywords, part)(arm))
                if costs[arm] < math.inf:
                    found[arm] = self._whole(arm)
        return found

    def _wanted(self, arm):
        """Say whether to look now: a second time at the small block (``looks`` is -1), or at the large one."""
        looks, small, large = self.looks[arm], self.small[arm], self.large[arm]
        if looks >= _LOOKS or not small < math.inf:
            return False
        if looks < 0:
            close, price = small <= _CLOSE * min(self.small), min(small, _STARTED * min(self.small))
        else:
            close = (small if looks == 0 else large) <= _CLOSE * min(self.small if looks == 0 else self.large)
            price = min(_GROWTH * small, large)
        return close or self.spent + price <= _TRIFLE * self.runner.costs

    def _whole(self, arm):
        """Return what the cost on the blocks says about that on the whole."""
        if not self.large[arm] < math.inf:
            return _SMALL * self.small[arm]
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
