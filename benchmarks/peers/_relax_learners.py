"""Learners of other packages that choose omega along a sequence: mabwiser's bandits and optuna's search.

They minimise the logarithm of the iterations, better for all of them than the count. The arms of the bandits are
the paper's grid; those with a context get powers of it, rescaled by bounds that are given to them. Unplayed arms
look best, so each is played soon. Tuned on the first hundred shifted systems, two seeds, both
variances: what was tried is said beside `ALPHA`, `RIDGE` and `DEGREE`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Protocol

import numpy as np

GRID = np.linspace(1.0, 1.95, 20)
ALPHA = 0.03  # how far they explore; of 0.01, 0.03, 0.1, 0.3 and 1
RIDGE = {"LinUCB": 0.01, "LinTS": 0.1}  # of 0.003, 0.01, 0.03, 0.1 and 1
DEGREE = 3  # of 1, 2, 3 and 5


class Learner(Protocol):
    """What chooses omega."""

    def ask(self, context: float) -> float:
        """Return the omega to try."""

    def tell(self, context: float, omega: float, nit: int) -> None:
        """Learn what it cost."""


Bounds = tuple[float, float]  # of the context


def learners() -> dict[str, Callable[[Bounds], Learner]]:
    """Return those that are installed, by name; each starts empty."""
    found: dict[str, Callable[[Bounds], Learner]] = {}
    try:
        from mabwiser.mab import LearningPolicy as Policy
    except ImportError:
        pass
    else:
        found["mabwiser UCB1"] = lambda bounds: Bandit(Policy.UCB1(ALPHA), None)
        found["mabwiser LinUCB"] = lambda bounds: Bandit(Policy.LinUCB(ALPHA, RIDGE["LinUCB"]), bounds)
        found["mabwiser LinTS"] = lambda bounds: Bandit(Policy.LinTS(ALPHA, RIDGE["LinTS"]), bounds)
    try:
        import optuna
    except ImportError:
        pass
    else:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        found["optuna TPE"] = lambda bounds: Search()
    return found


class Bandit:
    """A bandit of mabwiser over `GRID`."""

    def __init__(self, policy: object, bounds: Bounds | None) -> None:
        from mabwiser.mab import MAB

        self.mab, self.bounds, self.fitted = MAB(list(range(GRID.size)), policy, seed=0), bounds, False

    def features(self, context: float) -> np.ndarray | None:
        """Return powers of the context, rescaled to [-1, 1], as one row."""
        if self.bounds is None:
            return None
        low, high = self.bounds
        z = 2 * (context - low) / (high - low) - 1
        return np.power(z, np.arange(DEGREE + 1))[None, :]

    def ask(self, context: float) -> float:
        """Return the omega of the arm that is played."""
        if not self.fitted:
            return float(GRID[GRID.size // 2])
        return float(GRID[self.mab.predict(self.features(context))])

    def tell(self, context: float, omega: float, nit: int) -> None:
        """Give the arm its reward."""
        learn = self.mab.partial_fit if self.fitted else self.mab.fit
        arm = int(np.argmin(np.abs(GRID - omega)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            learn([arm], [-math.log(nit)], self.features(context))
        self.fitted = True


class Search:
    """The tree-structured Parzen estimator of optuna, over -log(2 - omega); it knows no context."""

    def __init__(self) -> None:
        import optuna

        self.study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
        self.trial = None

    def ask(self, context: float) -> float:
        """Return the omega of a new trial."""
        self.trial = self.study.ask()
        return 2 - math.exp(-self.trial.suggest_float("z", 0.0, -math.log(2 - GRID[-1])))

    def tell(self, context: float, omega: float, nit: int) -> None:
        """Finish the trial."""
        self.study.tell(self.trial, math.log(nit))
