"""Restarted reflected Halpern PDHG for bilinear saddle problems: the default for games and linear programs.

    min_{x in X} max_{y in Y}  c.x + y.(A x - b)

A step goes to the reflection of the primal-dual hybrid gradient step, averaged with the point of the last restart
(Lu and Yang, arXiv:2407.16144). In the metric of the step, its displacement falls like 2 D / (k + 1); restarts turn
that into a linear rate where the problem is sharp.
"""

import math
from dataclasses import dataclass

from numopt._array import host
from numopt._loop import Iterate, Status
from numopt.monotone._matrix import Matrix

CHECK = 10  # steps between two looks at the displacement, twice as many after LATER and in a part of a problem
LATER = 200
SUFFICIENT, NECESSARY = 0.2, 0.5  # when to restart: Applegate et al., arXiv:2106.04756
ARTIFICIAL = 0.5  # share of all passes that an epoch takes at most
NEARLY = 0.998  # the step, times the norm
SAFETY = 1.02  # the norm is estimated from below
LEFT_OUT = 2.0  # times the gap inside a part: a larger gap of the whole ends its epoch
HALFWAY, WORSE = 0.4, 0.25  # how far the weight moves, in logarithms: to balance the ways, to balance the errors
WEIGHTS = 1e-4, 1e4  # its range, times what it starts with


@dataclass(frozen=True, slots=True, eq=False)
class Bilinear:
    """A bilinear saddle problem; `X` and `Y` are sets as the kernels take them."""

    matrix: Matrix
    c: object
    b: object
    X: tuple
    Y: tuple
    measure: object  # (x, y, A x, A^T y) -> scalar on the device
    errors: object = None  # (x, y, A x, A^T y) -> (largest, primal, dual, ...), on the device
    whole: object = None  # (x, y, ...) -> (x, y, A x, A^T y) of the problem of which this is a part
    inside: object = None  # the measure of the part alone

    def norm(self):
        """Estimate the norm of the matrix between differences of points of the sets."""
        M = self.matrix
        return M.norm([_across(M, S, size) for S, size in zip((self.X, self.Y), reversed(M.shape), strict=True)])


@dataclass(slots=True)
class Pace:
    """What one epoch hands to the next: step, primal weight, its first value, and counters."""

    step: float
    weight: float = 1.0
    first: float = 1.0
    passes: int = 0
    restarts: int = 0
    work: float = 0.0  # entries read


def pace(norm, weight=1.0):
    """Return the pace for a matrix of this norm, as it is estimated."""
    return Pace(step_of(norm), weight, weight)


def step_of(norm):
    """Return the step for a matrix of this norm, as it is estimated."""
    return NEARLY if norm == 0 else NEARLY / (SAFETY * norm)


def pdhg(p, x, y, at):
    """Yield the iterates from a point of the sets; the state is (x, y), a point of the sets."""
    while True:
        found = yield from epoch(p, (x, y, *p.matrix.products(x, y)), at)
        if found is None:
            return Status.NONFINITE
        x, y = found[:2]


def epoch(p, anchor, at):
    """Yield the iterates until the next restart; return the last (x, y, A x, A^T y), of the whole problem.

    Of a part of a problem, iterates and measures are those of the whole, and it ends when what is left out matters.
    """
    eta, w, point, k, first, last = at.step, at.weight, anchor, 0, None, math.inf
    while True:
        steps = 1 if k == 0 else CHECK if at.passes < LATER and p.whole is None else 2 * CHECK
        point, hat, moved = p.matrix.kernels.pdhg_steps(
            p.matrix.parts, p.c, p.b, p.X, p.Y, point, anchor, k, eta / w, eta * w, steps
        )
        k, at.passes, seen = k + steps, at.passes + steps, hat if p.whole is None else p.whole(*hat)
        at.work += steps * p.matrix.pass_cost
        inside = () if p.whole is None else (p.inside(*hat),)
        measure, dx2, dy2, cross, *inside = host(p.measure(*seen), *moved, *inside)
        r = math.sqrt(max(w / eta * dx2 + dy2 / (eta * w) - 2 * cross, 0.0))
        if not (math.isfinite(r) and math.isfinite(measure)):
            return None
        info = {"n_passes": at.passes, "n_restarts": at.restarts, "displacement": r, "weight": w}
        yield Iterate(seen[:2], measure, info)
        first = r if first is None else first
        if r > 1.05 * first and k > CHECK:  # the norm is an estimate from below
            at.step *= 0.7
            break
        if r <= SUFFICIENT * first or (r <= NECESSARY * first and r > last):
            break
        if k > 1 and (k >= ARTIFICIAL * at.passes or (inside and measure > LEFT_OUT * inside[0])):
            break
        last = r
    at.weight, at.restarts = _rebalanced(at, p, hat, anchor), at.restarts + 1
    return seen


def _across(M, S, size):
    """Return the normal of the plane in which a simplex lies; None for a box."""
    total, weights, _ = S
    return None if total <= 0 else weights if weights.shape[0] else M.vector(size, 1.0)


def _rebalanced(at, p, hat, anchor):
    """Return a primal weight closer to the one that would have balanced the way gone in x and in y.

    Where the errors of both sides are known, the worse one is given longer steps as well.
    """
    w, norm = at.weight, p.matrix.xp.linalg.vector_norm
    errors = () if p.errors is None else p.errors(*hat)[1:3]
    dx, dy, *errors = host(norm(hat[0] - anchor[0]), norm(hat[1] - anchor[1]), *errors)
    if min(dx, dy) < 1e-14 or max(dx, dy) > 1e6 * min(dx, dy):
        return w
    change = -HALFWAY * math.log(w * dx / dy)
    if errors and min(errors) > 1e-15:  # where all variables have two bounds, every dual point is feasible
        change += WORSE * math.log(errors[0] / errors[1])
    w *= math.exp(min(max(change, -1.0), 1.0))
    return min(max(w, WEIGHTS[0] * at.first), WEIGHTS[1] * at.first)
