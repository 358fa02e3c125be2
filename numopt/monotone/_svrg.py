"""Loopless-in-spirit SVRG for inclusions: the default for cocoercive finite sums.

    z+ = J( z - gamma [ F(w) + (F_i(z) - F_i(w)) / (n q_i) ] ),   w <- z and F(w) anew after every n steps

The snapshot is refreshed after exactly n steps: refreshing with probability 1/n at each scatters more. Every epoch
draws the components in a new random order.
"""

import math

import numpy as np

from numopt._array import host
from numopt._loop import Iterate, Status
from numopt.monotone._feg import instead
from numopt.monotone._inclusion import REPEATED
from numopt.monotone._page import vr_halpern
from numopt.monotone._prox import L1, Box, Free

START = 0.5  # the first step, in units of 1 / L
LARGEST = 2.0
SLOWER, FASTER, WEAK = 1 / 3, 1.5, 0.7  # change of the step where the residual rose, or fell by less than WEAK
WILD = 10.0  # times the best residual: what is worse is taken back
STUCK, LOOKS = 0.9, 6  # a smaller gain in so many epochs hands over to the method with a worst-case rate


def lsvrg(p, z, o):
    """Yield the snapshots."""
    L, gamma = o.law.cocoercive, o.step
    gamma, most = (gamma, gamma) if gamma else (START / L, LARGEST / L)
    F = p.full(z)
    r = last = host(p.residual(z, F))
    best, history = (r, z, F), []
    while True:
        before, z = (z, F), _epoch(p, z, F, o, gamma)
        F = p.full(z)
        r = host(p.residual(z, F))
        *_, wrong = p.compare(before[0], z, before[1], F, L)
        if not r <= WILD * best[0]:  # the constants are wrong, or r is not a number
            (r, z, F), gamma, most = best, gamma / 4, gamma / 2
        elif r > last:
            gamma *= SLOWER
        elif r > WEAK * last:
            gamma = min(FASTER * gamma, most)
        yield Iterate(z, p.measure(z, F), p.info(step=gamma))
        if wrong:
            return Status.INVALID_MODEL, wrong
        if p.contradictions >= REPEATED:
            return (yield from instead(p, best[1], o))
        if r < best[0]:
            best = r, z, F
        history.append(best[0])
        last = r
        if len(history) > LOOKS and history[-1] > STUCK * history[-1 - LOOKS]:
            if o.step:
                return Status.STALLED
            o.step = None
            return (yield from vr_halpern(p, best[1], o))


def _epoch(p, z, F, o, gamma):
    """Return z after about n component calls."""
    limits = _coordinatewise(p)
    if o.law.q is None:
        index, weights = o.rng.permutation(p.n), np.ones(p.n)
    else:
        index, weights = o.law.draw(o.rng, p.n)
        weights = weights * p.n
    if limits is not None and getattr(p.op, "fast", False):
        p.counts["n_component"] += p.n  # at the snapshot, components are known from its full evaluation
        return p.op.svrg_steps(z, z, F, p.op.residuals(z), index, weights, gamma, *limits)
    w, b = z, max(1, math.isqrt(p.n) // 2)
    for at in range(0, p.n, b):
        few = index[at : at + b]
        z = p.prox(z - gamma * (F + p.difference(z, w, few, weights[at : at + b] / len(few))), gamma)
    return z


def _coordinatewise(p):
    """Return ((lower, upper), shrinkage) if the prox works on each coordinate by itself, else None."""
    xp, d = p.xp, p.op.dim
    free = (xp.full((d,), -math.inf, dtype=xp.float64, device=p.device),
            xp.full((d,), math.inf, dtype=xp.float64, device=p.device))  # fmt: skip
    if isinstance(p.prox, Free):
        return free, 0.0
    if isinstance(p.prox, L1):
        return free, float(p.prox.weight)
    if isinstance(p.prox, Box):
        zero = xp.zeros_like(free[0])
        return (zero + p.prox.lower, zero + p.prox.upper), 0.0
    return None
