"""Which components a variance-reduced method looks at, and the constants that its steps follow from."""

import math
from dataclasses import dataclass

import numpy as np

from numopt._array import host
from numopt.exceptions import InvalidInputError

LEAST_SHARE = 1e-3  # of 1 / n: the smallest probability of a component


@dataclass(frozen=True, slots=True)
class Sampling:
    """Draws components with probabilities q; F_i / (n q_i) is then an unbiased estimate of F.

    `cocoercive` is the average constant L with ``E |F_i(u) - F_i(v)|^2 / (n q_i)^2 <= L <F(u) - F(v), u - v>``,
    `lipschitz` the average Lipschitz constant L_Q; both are bounds from the constants of the components.
    """

    n: int
    q: object  # None: uniform
    cocoercive: float
    lipschitz: float

    def draw(self, rng, size):
        """Return (indices, weights): the weighted sum of these components estimates F."""
        if self.q is None:
            return rng.integers(self.n, size=size), np.full(size, 1.0 / size)
        index = rng.choice(self.n, size=size, p=self.q)
        return index, 1.0 / (self.n * self.q[index] * size)


def sampling(op, kind):
    """Return the law `kind`, "uniform" or "importance", for an operator that knows the constants of its components."""
    constants = getattr(op, "component_lipschitz", None)
    if constants is None or not hasattr(op, "batch_difference"):
        missing = "component_lipschitz" if constants is None else "batch_difference"
        raise InvalidInputError(
            f"op.{missing} is None: a method that samples components needs it; give it, or use method='feg'"
        )
    L = np.asarray(host(constants), dtype=float).reshape(-1)
    if L.shape != (op.n,) or not (np.isfinite(L).all() and (L >= 0).all()):
        raise InvalidInputError(
            f"op.component_lipschitz has shape {L.shape}: {op.n} finite numbers >= 0 are "
            f"expected; one for each component"
        )
    if not L.any():
        raise InvalidInputError("op.component_lipschitz is 0 everywhere: there is nothing to sample; use method='feg'")
    if kind == "uniform":
        return Sampling(op.n, None, float(L.max()), math.sqrt((L**2).mean()))
    q = np.maximum(L / L.sum(), LEAST_SHARE / op.n)
    q /= q.sum()
    scaled = L / (op.n * q)
    return Sampling(op.n, q, float(scaled.max()), math.sqrt((q * scaled**2).sum()))
