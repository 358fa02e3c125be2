"""How exact a Newton direction of the semi-dual must be, and how far to go along it."""

import math
from typing import NamedTuple

from numopt._array import host

RADIUS = 6.0  # of the trial steps, in reg
STRETCH = 3.0  # of the parts of a step that ask for less flux
GOOD = 0.3  # a share of the error
REACH = 24.0  # first guess, in reg, of how far a part of the plan is from its place


class NotFinite(ArithmeticError):
    """A kernel returned NaN or infinity."""


class Point(NamedTuple):
    """Where a search stands: v, in reg, from the base potentials, and what was computed there."""

    v: object
    rows: object  # the row potentials or scalings, and the plan if it is kept
    c: object  # column sums
    value: float  # G / reg
    error: float  # marginal error


def search(p, evaluate, point, d, cheap, rounding):
    """Return the best point along the direction d, or along what is left of it when it is too long; None if none is.

    Parts of the plan that are nearly disconnected ask for a shift of log(flux needed / flux), of which Newton's step
    is the exponential, or, where the flux is to shrink, at most 1. So where trials are cheap, a compressed, a clipped
    and a stretched step compete with the shorter one for the largest dual value, and the winner is doubled while
    that helps.
    """
    xp = p.xp
    d, size = p.kernels.centred(d)
    size = host(size)
    if not math.isfinite(size):
        raise NotFinite(f"a Newton step became {size}")
    steps = [d if size <= RADIUS else d * (RADIUS / size)]
    trials = [evaluate(point.v + steps[0])]
    if cheap and trials[0].error > GOOD * point.error:
        length = xp.abs(d)
        if size > 1:
            steps.append(xp.sign(d) * xp.where(length > 1, 1 + xp.log(xp.where(length > 1, length, 1.0)), length))
        if 0.5 < size <= RADIUS:
            steps.append(xp.where(length > 0.5, STRETCH * d, d))
        if size > RADIUS:
            steps.append(xp.where(length > RADIUS, xp.sign(d) * RADIUS, d))
        trials += [evaluate(point.v + step) for step in steps[1:]]
    best = max(range(len(trials)), key=lambda i: trials[i].value)
    step, trial = steps[best], trials[best]
    slack = rounding * max(1.0, abs(point.value))
    t, slope = 1.0, None
    # Near the end the value changes below its own rounding: then the error decides.
    while not (trial.error <= 0.9 * point.error and trial.value >= point.value - slack):
        slope = host(p.dot(p.b - point.c, step)) if slope is None else slope
        if trial.value >= point.value + 1e-4 * t * slope - (0.0 if cheap else slack):
            break
        t *= 0.4
        if t < 1e-3:
            return None
        trial = evaluate(point.v + t * step)
    while cheap and 1 <= t < 8 and trial.error > 0.1 * point.error:  # no sign yet of quadratic convergence
        further = evaluate(point.v + 2 * t * step)
        if not (further.value > trial.value and further.error < trial.error):
            break
        t, trial = 2 * t, further
    return trial


def far(p, f, g, reg, d, work):
    """Return the potentials where the dual value is largest along d, by passes over all entries.

    Along a direction in which the plan at hand hardly changes, the value rises in a straight line up to where other
    entries begin to count: with integer costs and a small reg, thousands of reg away. Bisection on the slope.
    """
    s = d / max(host(p.xp.max(p.xp.abs(d))), 1.0)

    def slope(t):
        f_t, c = p.kernels.row_pass(p.cost, p.a, f, g + reg * t * s, reg, False)
        work["n_passes"] += 1
        return f_t, host(p.dot(p.b - c, s))

    low, high = 0.0, REACH
    while high < 2 * (p.extent[1] - p.extent[0]) / reg and slope(high)[1] > 0:
        low, high = high, 2 * high
    while high - low > RADIUS:
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle)[1] > 0 else (low, middle)
    return slope(low)[0], g + reg * low * s


def finite(point):
    if not math.isfinite(point.error):
        raise NotFinite(f"the marginal error became {point.error}")
    return point


def accuracy(error, most, damping=1.0, before=math.nan, tol=0.0):
    """Return how far to regularise Newton's system at this error, what share may stay unsolved, and the most steps.

    Towards the end that is what meets the tolerance: once it does so anyway, or as soon as the next step can.
    """
    rest, enough = max(2e-2, min(most, error)), 0.3 * tol / max(error, 1e-300)
    quadratic = error < 0.3 * before and error * (error / before) ** 2 < 0.5 * tol
    if quadratic or enough > rest:
        rest = min(most, max(1e-6, enough))
    return 1e-3 * damping * min(1.0, error), rest, 400
