"""Choosing the parameters of a solver along a sequence of problems, from the costs seen so far."""

import copy
import math
from collections.abc import Iterable
from time import perf_counter

import numpy as np

from numopt._check import scalar
from numopt.exceptions import InvalidInputError, InvalidTypeError
from numopt.relax._backstop import interrupted
from numopt.relax._plan import is_plain_csr
from numopt.relax._result import SequenceResult
from numopt.relax._solving import Solving

_VERSION = 3


class Tuner(Solving):
    """Chooses the parameters of a solver along a sequence of problems, and learns from what each solve costs.

    Parameters
    ----------
    solve : callable
        ``solve(*args, **params)``. If it also takes `x0`, `max_iter` and `on_failure` and returns what the solvers
        here do, a run with bad parameters is stopped and gone on with.
    space : dict of str to (low, high), (low, high, scale) or list
        The parameters. A range is even on its scale: ``"linear"`` (default), ``"log"``, or ``"sor"``, which is
        -log(2 - omega). A list holds choices, which may be whole solvers.
    policy : str, default "auto"
        ``"auto"``: theory for the omega of `sor` and `ssor_pcg` where it applies, else ``"surface"``.
        ``"surface"``: one smooth model of log(cost) over parameters and context; Thompson sampling.
        ``"young"``: theory, or an error. ``"tsallis-inf"``, ``"tsallis-inf-binned"`` (5 bins) and ``"cheb-cb"``: the
        learners of the learning-to-relax paper, as published, on a grid of arms.
    cost : {"work", "nit", "seconds"} or callable, default "work"
        What is minimised: a field of the result (``work`` is bytes moved, and repeats exactly; ``nit`` iterations),
        wall seconds, or ``cost(result)``, >= 0. Unless it is a function, a result whose ``success`` is false counts as
        20 times the dearest so far.
    context : int or list of (low, high), optional
        How many scalars, at most 4, are known of each problem in advance, or the bounds of each, which the
        last two policies need. None (default): no context.
    backstop : float, default 2.5
        A run that takes this many times the iterations that the best parameters should take (and 20 at least) goes
        on with safe ones, from the point reached.
    rng : None, int, SeedSequence or Generator, optional
        Source of the draws. The same seed gives the same choices.
    n_arms : int, default 20
        Values of each range, for the paper's policies: evenly spaced.
    forget : float or "auto", default 1.0
        What the weight of the past is multiplied with in each round, in (0, 1]; 0.98 follows drift. ``"auto"``: 1 until
        20 costs in a row were on average three standard deviations from what was predicted, then 0.98. Surface only.

    Raises
    ------
    InvalidInputError, InvalidTypeError
        An argument is out of range; the message names it.

    Warns
    -----
    PerformanceWarning
        The context never changes; or there are more than four ranges.

    Notes
    -----
    *Theory.* Matrices s (A_0 + c I) are recognised by their entries. Their smallest eigenvalue is learnt once: for
    `sor` by a few Lanczos steps on the first matrix, which are charged as sweeps; for `ssor_pcg` from the solves
    themselves, for free. Young's and Axelsson's formulas then give omega for every matrix to come. Other matrices
    are solved with ``omega="auto"``.

    *Backstop.* No solve of `sor` or `ssor_pcg` takes more than 4 max(predicted, least) + 20 iterations, where
    `least` is the number at the best omega; observed, not proved, and with the surface missed once by a
    little. Costs of stopped runs enter the model doubled.

    *Choices*, such as between solvers, are auditioned on small leading blocks before one is tried in full, if the first
    arguments are a large sparse matrix and a right-hand side, and the choice is the only parameter: a solver
    that looks much worse than the best is never tried.

    *Cost* of a round, beyond the solve: theory tens of microseconds, the surface some hundreds, the paper's
    learners from 30 microseconds (``"tsallis-inf"``) to milliseconds (``"cheb-cb"``, growing with the rounds).
    *Memory*: the last 2000 rounds. *Not for* more than four ranges: use a search.

    Matrices of other libraries than NumPy are left to the surface.

    References
    ----------
    M. Khodak, E. Chow, M.-F. Balcan, A. Talwalkar: Learning to relax, ICLR 2024, arXiv:2310.02246.

    Examples
    --------
    >>> from numopt.gallery import shifted_laplacians
    >>> from numopt.relax import Tuner, sor
    >>> tuner = Tuner(sor, {"omega": (1.0, 1.95)}, cost="nit", rng=0)
    >>> found = tuner.run(((A, b), None) for c, A, b in shifted_laplacians(50))
    >>> all(result.success for result in found.results), found.total / 50 < 50
    (True, True)

    Any solver with a parameter will do, by hand:

    >>> tuner = Tuner(len, {"x": (0.0, 1.0)}, rng=0)
    >>> for _ in range(50):
    ...     params, token = tuner.ask()
    ...     tuner.tell(token, 1 + (params["x"] - 0.3) ** 2)
    >>> abs(tuner.best()["x"] - 0.3) < 0.1
    True
    """

    def __init__(self, solve, space, *, policy="auto", cost="work", context=None, backstop=2.5, rng=None,
                 n_arms=20, forget=1.0):  # fmt: skip
        self._given = {
            "solve": solve, "space": space, "policy": policy, "cost": cost, "context": context, "backstop": backstop,
            "n_arms": n_arms, "forget": forget,
        }  # fmt: skip
        super().__init__(**self._given, rng=rng)

    def solve(self, *args, context=None, **keywords):
        """Solve one problem with parameters of the tuner's choice, and learn from its cost.

        Parameters
        ----------
        *args
            For the solver. For `sor` and `ssor_pcg` a plan is made and kept.
        context : float or array_like of shape (contexts,), optional
            As for `ask`.
        **keywords
            For the solver, without what the tuner chooses.

        Returns
        -------
        object
            What the solver returns; after a backstop ``nit`` and ``time`` are the sums.

        Raises
        ------
        InvalidInputError
            A parameter of the tuner's is among `keywords`.
        Exception
            Whatever the solver raises; the tuner has then learnt a high cost.
        """
        return self._solve(args, context, keywords)[0]

    def run(self, problems, *, max_time=None):
        """Solve a sequence of problems.

        Parameters
        ----------
        problems : iterable of tuple
            ``(args, context)``: a tuple of arguments for the solver, and the context or None.
        max_time : float, optional
            Seconds after which no other problem is begun. None (default): no limit.

        Returns
        -------
        SequenceResult
            Of the problems that were solved; Ctrl-C ends them.

        Raises
        ------
        Exception
            Whatever a solve or `problems` raise, with what was done before as its attribute ``result``.
        """
        until = math.inf
        if max_time is not None:
            until = perf_counter() + scalar("max_time", max_time, low=0.0, remedy="pass seconds, or None for no limit")
        if not isinstance(problems, Iterable):
            raise InvalidTypeError(f"problems is {problems!r}: an iterable is expected; pass [((A, b), None)]")
        rounds = []
        try:
            for i, problem in enumerate(problems):
                args, context = _problem(i, problem)
                result, cost, tried = self._solve(args, context, {})
                rounds.append((cost, tried, context, result))
                if perf_counter() >= until or interrupted(result):
                    break
        except KeyboardInterrupt:
            if not rounds:  # there is nothing to return
                raise
        except Exception as error:
            error.result = self._sequence(rounds)
            raise
        return self._sequence(rounds)

    def _sequence(self, rounds):
        costs, params, contexts, results = map(list, zip(*rounds, strict=True)) if rounds else ([], [], [], [])
        bound = None
        if self.policy == "tsallis-inf":
            bound = 2 * max(costs, default=0.0) * math.sqrt(2 * len(self._arms) * len(costs))
        return SequenceResult(np.array(costs), params, contexts, results, float(sum(costs)), bound)

    def best(self, context=None, *, A=None):
        """Return the parameters that seem best.

        Parameters
        ----------
        context : float or array_like of shape (contexts,), optional
            As for `ask`.
        A : csr_array of shape (n, n), optional
            The matrix, where theory chooses omega: without it the answer is what the costs alone suggest.

        Returns
        -------
        dict
        """
        if self._theory and A is not None and is_plain_csr(A):
            return {"omega": copy.deepcopy(self._theory).propose(A, self._plan_for(A), copy.deepcopy(self._rng))[0]}
        return dict(self._incumbent(self._checked(context)))

    def state_dict(self):
        """Return all that was learnt, as plain JSON.

        Returns
        -------
        dict
            For `load_state_dict` of a tuner made with the same arguments, which then goes on bit by bit.
        """
        return self._identity() | copy.deepcopy(self._state())

    def load_state_dict(self, state):
        """Go on from a state.

        Parameters
        ----------
        state : dict
            From `state_dict`, perhaps by way of JSON.

        Raises
        ------
        InvalidInputError, InvalidTypeError
            It is of a tuner made with other arguments, or of another version, or not complete; nothing has changed.
        """
        if not isinstance(state, dict):
            raise InvalidTypeError(f"state is {type(state).__name__}: a dict is expected; pass what state_dict returns")
        for name, mine in self._identity().items():
            if state.get(name) != mine:
                raise InvalidInputError(f"state[{name!r}] is {state.get(name)!r}: {mine!r} is expected; start anew")
        before = self.state_dict()
        try:
            self._load(copy.deepcopy({name: state[name] for name in before}))
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            self._load(before)
            what = f"lacks {error}" if isinstance(error, KeyError) else f"is damaged, {error}"
            raise InvalidInputError(f"state {what}: all that state_dict returns is expected; start anew") from error

    def clone(self):
        """Return an independent tuner of the same solver that knows what this one knows and would choose the same.

        Returns
        -------
        Tuner
        """
        twin = Tuner(**self._given, rng=copy.deepcopy(self._rng))
        twin.load_state_dict(self.state_dict())
        return twin

    def _identity(self):
        cost, theory = self._given["cost"], self._theory and self._theory.method
        mine = {"cost": None if callable(cost) else cost, "theory of": theory}
        return {"version": _VERSION} | super()._identity() | mine

    def _state(self):
        return super()._state() | {
            "theory": self._theory and self._theory.state(), "costs": self._runner.costs, "steps": self._runner.steps,
            "auditions": self._auditions and self._auditions.state(),
        }  # fmt: skip

    def _load(self, state):
        super()._load(state)
        if self._theory:
            self._theory.load(state["theory"])
        self._runner.costs, self._runner.steps = state["costs"], state["steps"]
        if self._auditions:
            self._auditions.load(state["auditions"])


def _problem(i, given):
    """Return (arguments, context) of a problem."""
    if not (isinstance(given, (tuple, list)) and len(given) == 2 and isinstance(given[0], (tuple, list))):
        raise InvalidTypeError(
            f"problems[{i}] is {type(given).__name__}: a pair (arguments, context) is expected; pass ((A, b), None)"
        )
    return tuple(given[0]), given[1]
