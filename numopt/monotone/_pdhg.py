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

CHECK = 10  # steps between two looks at the displacement, twice as many after LATER
LATER = 200
SUFFICIENT, NECESSARY, ARTIFICIAL = 0.2, 0.5, 0.36  # when to restart: Applegate et al., arXiv:2106.04756
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
    norm: float  # of A, on differences of points of the sets
    measure: object  # (x, y, A x, A^T y) -> scalar on the device
    weight: float = 1.0
    errors: object = None  # (x, y, A x, A^T y) -> (primal, dual, ...), on the device


def pdhg(p, x, y):
    """Yield the iterates from a point of the sets; the state is (x, y), a point of the sets."""
    eta, w, done, restarts = 0.998 / p.norm, p.weight, {"n_passes": 0}, 0
    while True:
        anchor = point = (x, y, *p.matrix.products(x, y))
        k, first, last = 0, None, math.inf
        while True:
            steps = 1 if k == 0 else CHECK if done["n_passes"] < LATER else 2 * CHECK
            point, hat, moved = p.matrix.kernels.pdhg_steps(
                p.matrix.parts, p.c, p.b, p.X, p.Y, point, anchor, k, eta / w, eta * w, steps
            )
            k, done["n_passes"] = k + steps, done["n_passes"] + steps
            measure, dx2, dy2, cross = host(p.measure(*hat), *moved)
            r = math.sqrt(max(w / eta * dx2 + dy2 / (eta * w) - 2 * cross, 0.0))
            if not (math.isfinite(r) and math.isfinite(measure)):
                return Status.NONFINITE
            yield Iterate(hat[:2], measure, done | {"n_restarts": restarts, "displacement": r, "weight": w})
            first = r if first is None else first
            if r > 1.05 * first and k > CHECK:  # power iteration finds less than the norm
                eta *= 0.7
                break
            if r <= SUFFICIENT * first or (r <= NECESSARY * first and r > last):
                break
            if k >= ARTIFICIAL * done["n_passes"] and k > 1:
                break
            last = r
        w = _rebalanced(w, p, hat, anchor)
        x, y, restarts = hat[0], hat[1], restarts + 1


def _rebalanced(w, p, hat, anchor):
    """Return a primal weight closer to the one that would have balanced the way gone in x and in y.

    Where the errors of both sides are known, the worse one is given longer steps as well.
    """
    norm = p.matrix.xp.linalg.vector_norm
    errors = () if p.errors is None else p.errors(*hat)[:2]
    dx, dy, *errors = host(norm(hat[0] - anchor[0]), norm(hat[1] - anchor[1]), *errors)
    if min(dx, dy) < 1e-14 or max(dx, dy) > 1e6 * min(dx, dy):
        return w
    change = -HALFWAY * math.log(w * dx / dy)
    if errors:
        primal, dual = (max(e, 1e-15) for e in errors)
        change += WORSE * math.log(primal / dual)
    w *= math.exp(min(max(change, -1.0), 1.0))
    return min(max(w, WEIGHTS[0] * p.weight), WEIGHTS[1] * p.weight)
