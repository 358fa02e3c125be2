"""Iterations that run off: a steady displacement, and a look far ahead that proves how far away a solution must be.

If T is nonexpansive and p = T(p), every x and w = T(x) - x have <w, p - x> >= |w|^2 / 2: the displacement points
towards p. So where T moves x + s d by nearly d as it moves x, p is no nearer to x than some s |d|. Without a fixed
point, the displacements of nonexpansive maps that settle do so at the infimal displacement vector.
"""

import math

import numpy as np

from numopt._array import host
from numopt._loop import Relay

FIRST = 64  # iterations before the first look; then whenever they have doubled
FALL = 0.5  # a residual that has fallen by this in the meantime is no reason to look
STEPS = 64  # that a displacement is given to become steady,
LEISURE = 8  # more at the beginning
STEADY = 1e-12  # and what it must change by at last, relatively
AHEAD = 1e11  # displacements: farther away, rounding hides whether a point is fixed
ALIKE = 0.1  # how far the displacement there may differ, relatively
NOISE = 1e-3  # of the displacement, that rounding may be there


def running_off(xp, step, x, eps):
    """Return (x, d, far): a later x, its displacement, and what any fixed point is away; d may be None."""
    try:
        with np.errstate(all="ignore"):
            x, d = _steady(xp, step, x)
            size, length = _norms(xp, d, x)
            if 0 < eps * (length + AHEAD * size) <= NOISE * size:
                there = x + AHEAD * d
                (off,) = _norms(xp, step(there) - there - d)
                if off <= ALIKE * size:
                    return x, d, AHEAD * size * (1 - ALIKE) / (1 + ALIKE)
    except Exception:  # whatever a function of the caller raises where it need not be defined
        return x, None, 0.0
    return x, None, 0.0


def _steady(xp, step, x):
    """Return a later x and its displacement, which is steady, or 0 if none is."""
    y = step(x)
    d = y - x
    for j in range(1, STEPS + 1):
        x, y, before = y, step(y), d
        d = y - x
        size, change = _norms(xp, d, d - before)
        if change <= STEADY * size:
            return x, d
        if not change <= size * STEADY ** ((j - LEISURE) / STEPS):  # it will not be in time; true for NaN
            break
    return x, xp.zeros_like(x)


def _norms(xp, *vectors):
    return [v if math.isfinite(v) else math.inf for v in host(*map(xp.linalg.vector_norm, vectors), 0.0)[:-1]]


def watched(iterates, looks):
    """Pass the iterates on; when their number has doubled and the measure not halved, ``looks()`` may end the run.

    It returns a status with its reason, or None. Measures are relative to the start.
    """
    relay, due, before = Relay(iterates), FIRST, 1.0
    for count, at in enumerate(relay, 1):
        yield at
        if count == due:
            due, last = 2 * due, host(at.measure)
            found = looks() if last > FALL * before else None
            if found is not None:
                return found
            before = last
    return relay.end
