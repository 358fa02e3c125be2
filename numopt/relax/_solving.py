"""One solve with parameters of the tuner's choice: by theory where it applies, else as asked and told."""

import math

from numopt.exceptions import InvalidInputError, InvalidTypeError
from numopt.relax._ask_tell import AskTell
from numopt.relax._audition import Auditions
from numopt.relax._backstop import Runner, interrupted
from numopt.relax._plan import is_plain_csr, plan_of
from numopt.relax._problem import matrix
from numopt.relax._sor import sor
from numopt.relax._space import Range
from numopt.relax._ssor_pcg import ssor_pcg
from numopt.relax._young import Young

_FAILED = 20.0  # times the dearest so far, that a run which failed counts as: what it would have cost nobody knows


class Solving(AskTell):
    """Solves problems and learns from what that costs; the arguments are those of `Tuner`."""

    def __init__(self, solve, space, policy, cost, context, backstop, n_arms, forget, rng):
        self._runner = Runner(solve, cost, backstop)
        # The paper's loss is one less than the iterations.
        super().__init__(space, policy, context, rng, n_arms, forget, 1.0 if cost == "nit" else 0.0)
        self._theory, self._auditions = self._young(solve), self._auditioned()
        self._plans, self._plan = solve in (sor, ssor_pcg), None

    def _young(self, solve):
        omega, *others = self._space.parameters
        if solve in (sor, ssor_pcg) and not others and omega.name == "omega" and isinstance(omega, Range):
            return Young(solve.__name__, omega.low, omega.high) if self.policy in ("auto", "young") else None
        if self.policy == "young":
            raise InvalidInputError(
                "policy is 'young': sor or ssor_pcg with a range for omega alone is expected; choose another policy"
            )
        return None

    def _auditioned(self):
        """Return the auditions of a choice, None for other spaces."""
        only, *others = self._space.parameters
        if others or self._arms is not None or isinstance(only, Range):
            return None
        return Auditions(only, self._runner)

    def _solve(self, args, context, keywords):
        """Return (result, cost, parameters first tried)."""
        for p in self._space.parameters:
            if p.name in keywords:
                raise InvalidInputError(f"{p.name} is given: the tuner chooses it; leave it out, or call the solver")
        if self._plans:
            args, keywords = _by_position(args, keywords)
            plain = is_plain_csr(args[0])
            if keywords.get("plan") is None:
                keywords = keywords | {"plan": self._plan_for(args[0] if plain else matrix(args[0]))}
            if self._theory and plain:
                if context is not None or self._contexts:
                    self._checked(context)  # theory does not need it, but a wrong one is a mistake
                return self._solve_by_theory(args, keywords)
        if self._auditions and (news := self._auditions.news(args, keywords)):
            self._learner.hear(news, self._checked(context))
        params, token = self.ask(context)
        at = self._open[token][2]
        try:
            expected = self._expected(at) if self._runner.resumes else math.inf
            done = self._runner.run(args, keywords, params, expected, lambda: self._safe(at))
        except Exception:
            self._learn(token, self._largest or math.inf, 2.0)
            raise
        except BaseException:  # a key was pressed: nothing to learn
            del self._open[token]
            raise
        if done.failed:
            self._learn(token, max(done.first, self._largest), _FAILED)
        elif done.nit == 0 or interrupted(done.result):  # or solved before it began
            del self._open[token]
        else:
            self.tell(token, done.first, censored=done.first != done.cost)
        return done.result, done.cost, params

    def _solve_by_theory(self, args, keywords):
        omega, spent, member = self._theory.propose(args[0], keywords["plan"], self._rng)
        expected = math.inf if omega == "auto" else self._theory.expected(member)
        params = {"omega": omega}
        done = self._runner.run(args, keywords, params, expected, lambda: {"omega": "auto"})
        cost = done.cost
        if done.nit:
            cost *= 1 + spent / done.nit  # a product costs what a sweep does
            if done.result.success:
                self._theory.learn(member, done.result, done.cost)
        return done.result, cost, params

    def _safe(self, context):
        """Return what to go on with when a run takes too long."""
        adapts = self._plans and any(p.name == "omega" for p in self._space.parameters)
        return self._incumbent(context) | ({"omega": "auto"} if adapts else {})

    def _plan_for(self, A):
        if self._plan is None or not self._plan.fits(A):
            self._plan = plan_of(A)
        return self._plan


def _by_position(args, keywords):
    """Return the arguments of `sor` or `ssor_pcg`: matrix and right-hand side by position, max_iter by name."""
    if "maxiter" in keywords:
        keywords = dict(keywords)
        if (maxiter := keywords.pop("maxiter")) is not None:
            keywords["max_iter"] = maxiter
    if len(args) >= 2:
        return args, keywords
    names = ("A", "b")[len(args) :]
    if not all(name in keywords for name in names):
        raise InvalidTypeError(
            f"solve got {len(args)} arguments by position: a matrix A and a right-hand side b are expected; pass both"
        )
    rest = {name: value for name, value in keywords.items() if name not in names}
    return (*args, *(keywords[name] for name in names)), rest
