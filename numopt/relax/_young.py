"""The relaxation parameter by theory: the spectrum of a family of matrices is learnt once, and used for all."""

import math

from numopt.relax._spectrum import Family, smallest_eigenvalue
from numopt.relax._theory import LARGEST, best_sor, best_ssor

_LEARNT = "least", "confirmed", "rough", "misses", "ratio", "rounds"
_TRUSTED = 4.0  # how far beyond the mu that Ritz values have confirmed a rough estimate is relied on


class Young:
    """Young's formula for SOR, Axelsson's for SSOR-PCG, for a family of matrices A_t = s_t (A_0 + c_t I).

    What both need is the smallest eigenvalue of A_0. For SOR it comes from a few Lanczos steps on the first matrix;
    they are charged as sweeps. For SSOR-PCG every solve bounds it for free, and the smallest bound is kept.
    """

    def __init__(self, method, low, high):
        self.method, self.low, self.high = method, low, min(high, LARGEST)
        self.family, self.least, self.confirmed, self.rough, self.misses = None, None, 0.0, False, 0
        self.ratio, self.rounds = 1.0, 0

    def propose(self, A, plan, rng):
        """Return (omega or "auto", products spent, what `learn` will want to know) for a CSR matrix."""
        member, spent = self.family.member(A) if self.family else None, 0
        if member is None:
            self.misses += self.family is not None
            self.family, self.least, self.confirmed = Family(A), None, 0.0
            member = self.family.member(A)
        else:
            self.misses = 0
        if member is None or not plan.symmetric or self.misses > 1:
            return "auto", 0, None
        s, c, d = member
        if self.least is None and self.method == "sor":
            found, spent = smallest_eigenvalue(plan, A.data, rng)
            if found is None:
                return "auto", spent, None
            self.least = found * d / s - c
        if self.least is None or self.least + c <= 0:
            return "auto", spent, member
        eigenvalue = s * (self.least + c) / d
        if self.method == "sor":
            return self._inside(best_sor(1 - eigenvalue)), spent, member
        if self.rough and 1 / eigenvalue > _TRUSTED * self.confirmed:
            return "auto", spent, member
        return self._inside(best_ssor(1 / eigenvalue)), spent, member

    def _inside(self, omega):
        return min(max(omega, self.low), self.high)

    def learn(self, member, result, cost):
        """Learn from a solve and its cost."""
        if member is None:
            return
        s, c, d = member
        if self.method == "ssor_pcg" and (mu := result.mu_estimate):
            if mu > self.confirmed and (result.restarts or result.omega <= 1.5):
                self.confirmed = mu
                self.rough = mu > 3 * max(result.rayleigh or mu, 1e-300)
            bound = d / (s * mu) - c
            self.least = bound if self.least is None else min(self.least, bound)
        if steps := self._steps(member):
            self.rounds += 1
            self.ratio += (cost / steps - self.ratio) / min(self.rounds, 20)

    def expected(self, member):
        """Return what a solve should cost, inf if nothing is known."""
        steps = self._steps(member) if member else None
        return self.ratio * steps if steps and self.rounds else math.inf

    def _steps(self, member):
        """Return what the number of iterations is proportional to, by theory; None if that is not known."""
        s, c, d = member
        if self.least is None or self.least + c <= 0:
            return None
        eigenvalue = s * (self.least + c) / d
        if self.method == "sor":  # at Young's omega a sweep leaves omega - 1 of the error; 18.4: eight digits
            return 1 + 18.4 / -math.log(max(best_sor(1 - eigenvalue) - 1, 1e-8))
        return 1 + math.sqrt(math.sqrt(2 / eigenvalue))

    def state(self):
        return {k: getattr(self, k) for k in _LEARNT} | {"family": self.family and self.family.state()}

    def load(self, state):
        for name in _LEARNT:
            setattr(self, name, state[name])
        self.family = state["family"] and Family.load(state["family"])
