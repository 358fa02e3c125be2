"""The instances of optimal transport on which all are measured."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from benchmarks.peers import Instance

TARGET = 1e-9


@dataclass(frozen=True, eq=False)
class Transport:
    """Weights of sum 1, cost and regularisation."""

    a: np.ndarray
    b: np.ndarray
    C: np.ndarray
    reg: float

    @cached_property
    def columns(self) -> np.ndarray:
        """The cost, column-major."""
        return np.asfortranarray(self.C)

    @cached_property
    def scale(self) -> float:
        """The median cost above the smallest."""
        return float(np.median(self.C) - self.C.min())


def violation(p: Transport, P: np.ndarray) -> float:
    """Return the l1 violation of both marginals of a plan: the accuracy by which all are judged."""
    return float(np.abs(P.sum(axis=1) - p.a).sum() + np.abs(P.sum(axis=0) - p.b).sum())


@lru_cache
def instances() -> list[Instance]:
    """Return the nine of them, what is light for Sinkhorn's iteration before what is heavy."""
    from numopt.gallery import assignment, digit_images, gaussian_mixtures

    problems = {
        "digits l2": Transport(*digit_images("l2"), 1 / 1200),
        "assignment 500": Transport(*assignment(500), 1 / 1200),
        "digits l1": Transport(*digit_images("l1"), 1 / 1200),
    }
    for n, seed in ((1000, 0), (2000, 1)):
        mixture = gaussian_mixtures(n, seed)
        problems |= {f"mixture {n} reg {reg:.0e}": Transport(*mixture, reg) for reg in (1e-2, 1e-3, 1e-4)}
    return [Instance(name, problem, TARGET) for name, problem in problems.items()]


# On the right what is lighter for Sinkhorn's iteration, by its steps times n m: measured up to n = 1000 and reg
# 1e-3, beyond that expected.
LIGHTER = {
    "assignment 500": ("digits l2",),
    "digits l1": ("assignment 500",),
    "mixture 1000 reg 1e-03": ("mixture 1000 reg 1e-02",),
    "mixture 1000 reg 1e-04": ("mixture 1000 reg 1e-03",),
    "mixture 2000 reg 1e-02": ("mixture 1000 reg 1e-02",),
    "mixture 2000 reg 1e-03": ("mixture 2000 reg 1e-02", "mixture 1000 reg 1e-03"),
    "mixture 2000 reg 1e-04": ("mixture 2000 reg 1e-03", "mixture 1000 reg 1e-04"),
}
