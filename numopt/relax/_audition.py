"""Whole solvers as arms: what they would cost is first tried on small parts of the matrix.

To try a factorisation once may cost more than a hundred solves by iteration. Its time on a small leading block costs
next to nothing; a larger block shows how the time grows, and follows at once for the better arms, for others once
that is a trifle beside what was spent already. An arm that looks much worse than the best is then never tried at all.
"""

import math

from numopt import _array

_SMALL, _LARGE = 64, 16  # what fractions of the rows the blocks have
_TRIFLE = 0.02  # of the cost so far, that a look at a large block may cost
_CLOSE = 4.0  # times the best at the first look, up to which the second follows at once
_WORTHWHILE = 4000  # rows


class Auditions:
    """The looks taken at each solver of a choice."""

    def __init__(self, choice, runner):
        self.choice, self.runner, self.seen, self.done = choice, runner, [], []

    def news(self, args, keywords):
        """Yield (arm, expected cost) for the arms about which more is known than before."""
        A, b = (*args, None, None)[:2]
        if not (_array.is_sparse(A) and A.shape[0] == A.shape[1] and getattr(b, "shape", ()) == A.shape[:1]):
            return
        if A.shape[0] < _WORTHWHILE:
            return
        if not self.seen:
            # The first run of each may have to import or to compile.
            self.seen = [min(self._look(arm, A, b, keywords, _SMALL) for _ in range(2)) for arm in self._arms()]
            self.done = [arm for arm, cost in enumerate(self.seen) if cost == math.inf]
            yield from ((arm, _SMALL * cost) for arm, cost in enumerate(self.seen) if cost < math.inf)
        for arm in self._arms():
            small = max(self.seen[arm], 1e-300)
            trifle = _SMALL / _LARGE * small <= _TRIFLE * self.runner.costs
            if arm not in self.done and (trifle or small <= _CLOSE * min(self.seen)):
                self.done.append(arm)
                cost = self._look(arm, A, b, keywords, _LARGE)
                if cost == math.inf:
                    continue
                if cost > (_SMALL / _LARGE) ** 2 * small:  # more than anything should grow: it compiled
                    cost = min(cost, self._look(arm, A, b, keywords, _LARGE))
                power = math.log(max(cost, 1e-300) / small) / math.log(_SMALL / _LARGE)
                yield arm, cost * _LARGE ** max(power, 1.0)

    def _arms(self):
        return range(len(self.choice.options))

    def _look(self, arm, A, b, keywords, part):
        m = A.shape[0] // part
        plain = {name: value for name, value in keywords.items() if name != "x0"}
        block = type(A)(A.tocsr()[:m][:, :m])
        try:
            return self.runner.cost_of((block, b[:m]), plain | {self.choice.name: self.choice.options[arm]})
        except Exception:  # not made for a part of the problem: it has to be tried on the whole
            return math.inf
