"""Proposing parameters and being told what they cost: the part of a tuner that knows no solver."""

import math

import numpy as np

from numopt import _array
from numopt._check import integer, one_of, scalar
from numopt._given import unmasked
from numopt.exceptions import InvalidInputError, InvalidTypeError, PerformanceWarning, warn
from numopt.relax._cheb_cb import ChebCB
from numopt.relax._space import Space
from numopt.relax._surface import Surface
from numopt.relax._tsallis import Binned, TsallisInf

_FINITE = 1e300  # costs above are all the same, lest their multiples overflow
_MODELS, _PAPER = ("auto", "surface", "young"), ("tsallis-inf", "tsallis-inf-binned", "cheb-cb")


class AskTell:
    """Asks for parameters and tells their cost; the arguments are those of `Tuner`.

    `offset` is what the paper's losses are below the cost.
    """

    def __init__(self, space, policy, context, rng, n_arms, forget, offset):
        self._space, self.policy = Space(space), one_of("policy", policy, _MODELS + _PAPER)
        self._contexts, self._bounds = _contexts(context)
        self._rng = _array.default_rng(rng)
        if not (isinstance(forget, str) and forget == "auto"):
            forget = scalar("forget", forget, above=0.0, high=1.0, remedy='pass 1 to forget nothing, or "auto"')
        n_arms = integer("n_arms", n_arms, low=1, remedy="ask for at least one arm")
        self._arms = self._space.arms(n_arms) if self.policy in _PAPER else None
        self._learner, self._offset = self._new_learner(forget), offset
        self._open, self._next, self._told, self._largest = {}, 0, 0, 0.0
        self._fixed, self._seen = True, None  # whether the context never changed, and its first value

    def _new_learner(self, forget):
        if self._arms is None:
            return Surface(self._space, self._contexts, forget)
        if self.policy == "tsallis-inf":
            return TsallisInf(len(self._arms))
        if self._bounds is None or len(self._bounds) != 1:
            raise InvalidInputError(
                f"context is {self._contexts or None}: {self.policy!r} needs to know its bounds; pass [(low, high)]"
            )
        return {"tsallis-inf-binned": Binned, "cheb-cb": ChebCB}[self.policy](len(self._arms), *self._bounds[0])

    def ask(self, context=None):
        """Propose parameters.

        Parameters
        ----------
        context : float or array_like of shape (contexts,), optional
            What is known of the problem, as announced to `Tuner`.

        Returns
        -------
        params : dict
            A value for each parameter.
        token : int
            For `tell`. Any number may be open, and they may be told in any order.

        Raises
        ------
        InvalidInputError
            A context of the wrong length, or not finite.
        """
        context = self._checked(context)
        choice, extra = self._learner.ask(context, self._rng)
        params = extra if self._arms is None else self._arms[choice]
        token, self._next = self._next, self._next + 1
        self._open[token] = choice, extra if self._arms else None, context
        return dict(params), token

    def tell(self, token, cost, *, censored=False):
        """Report what a proposal cost.

        Parameters
        ----------
        token : int
            From `ask`.
        cost : float
            Finite, >= 0.
        censored : bool, default False
            The run was stopped at this cost: the true one is higher, and twice is learnt.

        Raises
        ------
        KeyError
            The token was never given out, or its cost was told before.
        InvalidInputError, InvalidTypeError
            `cost` is negative or not finite, the token stays open; or `token` is no integer.
        """
        if not isinstance(token, (int, np.integer)):
            raise InvalidTypeError(f"token is {token!r}: an integer is expected; pass the one that ask() returned")
        if token not in self._open:
            raise KeyError(f"token {token!r} is not open: it was never given out, or told before; ask for a new one")
        cost = scalar("cost", cost, low=0.0, remedy="report a finite cost; for a failed run, what it cost so far")
        self._learn(token, cost, 2.0 if censored else 1.0)

    def _learn(self, token, cost, factor):
        """Learn that a proposal cost `factor` times `cost`; inf where it failed before any cost was known."""
        choice, extra, context = self._open.pop(token)
        self._told += 1
        self._notice(context)
        if known := cost < math.inf:
            self._largest, cost = max(self._largest, cost), min(cost * factor, _FINITE)
        if self._arms is None:
            self._learner.tell(choice, cost, context)
        elif known:
            self._learner.tell(choice, extra, max(cost - self._offset, 0.0), context)

    def predict(self, context=None, params=None):
        """Predict a cost.

        Parameters
        ----------
        context : float or array_like of shape (contexts,), optional
            As for `ask`.
        params : dict, optional
            None (default): those of `best`.

        Returns
        -------
        mean : float
            Geometric mean of the cost, by the surface of the costs told so far; inf before the first.
        sd : float
            Standard deviation of the logarithm of that mean.

        Raises
        ------
        InvalidInputError
            The policy is one of the paper's: they have no model of the cost.
        """
        if self._arms is not None:
            raise InvalidInputError(f"policy is {self.policy!r}: it has no model of the cost; use 'surface' to predict")
        context = self._checked(context)
        return self._learner.predict(context, self._incumbent(context) if params is None else params)

    def _incumbent(self, context):
        found = self._learner.best(context)
        return found if self._arms is None else self._arms[found]

    def _expected(self, context):
        return self._learner.lowest(context) if self._arms is None else math.inf

    def _checked(self, context):
        """Return the context as a list of floats."""
        if isinstance(context, float):  # the common case, in every round
            given = [float(context)]
        else:
            given = [] if context is None else unmasked("context", context)
            try:
                given = np.asarray(given, dtype=float)
            except (TypeError, ValueError):
                raise InvalidTypeError(
                    f"context is {context!r}: real numbers are expected; pass those announced"
                ) from None
            given = np.atleast_1d(given).tolist()
        if len(given) != self._contexts:
            raise InvalidInputError(
                f"context has {len(given)} entries: {self._contexts} are expected, as announced; pass that many"
            )
        for i, value in enumerate(given):
            scalar(f"context[{i}]", value, remedy="pass finite numbers")
        return given

    def _notice(self, context):
        """Warn once if the context never changes."""
        if context and self._fixed:
            self._seen = context if self._told == 1 else self._seen
            if context != self._seen:
                self._fixed = False
            elif self._told == 50:
                warn(f"context was {context} 50 times: it tells nothing; leave it out", PerformanceWarning)

    def _identity(self):
        """Return what must be the same for a state to be of use, as plain JSON."""
        arms = self._arms and len(self._arms)
        context = [self._contexts, self._bounds and [list(pair) for pair in self._bounds]]
        return {"policy": self.policy, "space": self._space.described(), "context": context, "arms": arms}

    def _state(self):
        return {
            "rng": self._rng.bit_generator.state, "learner": self._learner.state(),
            "open": [[token, *record] for token, record in self._open.items()], "next": self._next,
            "told": self._told, "largest": self._largest, "fixed": self._fixed, "seen": self._seen,
        }  # fmt: skip

    def _load(self, state):
        self._rng.bit_generator.state = state["rng"]
        self._learner.load(state["learner"])
        self._open = {token: (choice, extra, context) for token, choice, extra, context in state["open"]}
        self._next, self._told, self._largest = state["next"], state["told"], state["largest"]
        self._fixed, self._seen = state["fixed"], state["seen"]


def _contexts(context):
    """Return the number of context scalars, and their bounds or None."""
    if context is None:
        return 0, None
    if isinstance(context, (list, tuple)):
        bounds = []
        for i, pair in enumerate(context):
            if not isinstance(pair, (list, tuple, np.ndarray)) or len(pair) != 2:
                raise InvalidTypeError(f"context[{i}] is {pair!r}: a pair (low, high) is expected; pass its bounds")
            low, high = (scalar(f"context[{i}]", end, remedy="pass its bounds") for end in pair)
            bounds.append((low, high))
            if not low < high:
                raise InvalidInputError(f"context[{i}] is ({low}, {high}): low < high is expected; swap them")
        return integer("len(context)", len(bounds), low=1, high=4), bounds
    if isinstance(context, bool) or not isinstance(context, (int, np.integer)):
        raise InvalidTypeError(f"context is {context!r}: None, a number of scalars or bounds are expected; pass one")
    return integer("context", context, low=0, high=4, remedy="use the few scalars that matter"), None
