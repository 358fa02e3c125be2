"""Methods that evaluate the whole operator: the fast extragradient method and its baselines."""

import math

from numopt._array import host
from numopt._loop import Iterate, Status
from numopt.monotone._inclusion import REPEATED
from numopt.monotone._restart import Anchor

SHRINK, GROW = 0.7, 1.2  # the step, when it fails its test and at a restart
TRUST = 0.95  # eta |F(zh) - F(z)| may be this much of |zh - z|


def fast_extragradient(p, z, o):
    """Anchored extragradient (Lee and Kim, arXiv:2106.02326), restarted, with a step that is found on the way.

        zh = J( z + lam (z0 - z) - (1 - lam) eta F(z) ),   z+ = J( z + lam (z0 - z) - eta F(zh) ),   lam = 1 / (k + 2)

    Without restarts and with lam = 1 / (k + 1) its residual is at most 2 L D / k.
    """
    F, eta = p.full(z), o.step or p.eta
    anchor, k = z, 0
    watch = Anchor(host(p.residual(z, F)), o.restart)
    while True:
        lam = 1 / (k + 2) if o.restart else 1 / (k + 1)
        pull = z + lam * (anchor - z)
        while True:
            t = (1 - lam) * eta
            zh = p.prox(pull - t * F, t) if t else pull
            Fh = p.full(zh)
            change, way, _, wrong = p.compare(z, zh, F, Fh)
            if not math.isfinite(change):
                return Status.NONFINITE
            if wrong:
                return Status.INVALID_MODEL, wrong
            if o.step or eta * change <= TRUST * way or way == 0:
                break
            eta *= SHRINK
        z = p.prox(pull - eta * Fh, eta)
        F, k = p.full(z), k + 1
        r = p.residual(z, F)
        yield Iterate(z, r / p.scale, p.info(step=eta, n_restarts=watch.moves))
        r = host(r)
        if watch.due(r):
            watch.move(r)
            anchor, k = z, 0
            eta = eta if o.step else GROW * eta


def instead(p, z, o):
    """Go on from z with the fast extragradient method: F is not cocoercive, and that needs no more than monotone."""
    p.tell("op.kind is 'cocoercive', which iterates contradict: method 'feg' goes on; say kind='monotone'")
    o.step, o.restart = None, True
    return (yield from fast_extragradient(p, z, o))


def extragradient(p, z, o):
    """Korpelevich's method: zh = J(z - eta F(z)), z+ = J(z - eta F(zh)), with eta = 0.7 / L, less where L is wrong."""
    F, eta = p.full(z), o.step or 0.7 * p.eta
    while True:
        while True:
            zh = p.prox(z - eta * F, eta)
            Fh = p.full(zh)
            change, way, _, wrong = p.compare(z, zh, F, Fh)
            if wrong or not math.isfinite(change):
                return (Status.INVALID_MODEL, wrong) if wrong else Status.NONFINITE
            if o.step or not eta * change > TRUST * way:
                break
            eta *= SHRINK
        z = p.prox(z - eta * Fh, eta)
        F = p.full(z)
        yield Iterate(z, p.measure(z, F), p.info(step=eta))


def halpern(p, z, o):
    """Halpern's iteration of J(I - eta F), eta = 1 / L, for cocoercive F: z+ = lam z0 + (1 - lam) J(z - eta F(z))."""
    F, eta, anchor, k = p.full(z), o.step or p.eta, z, 0
    watch = Anchor(host(p.residual(z, F)), o.restart)
    while True:
        lam = 1 / (k + 2)
        before, z = (z, F), lam * anchor + (1 - lam) * p.prox(z - eta * F, eta)
        F, k = p.full(z), k + 1
        r = p.residual(z, F)
        yield Iterate(z, r / p.scale, p.info(step=eta, n_restarts=watch.moves))
        *_, wrong = p.compare(before[0], z, before[1], F, 1 / p.eta)
        if wrong:
            return Status.INVALID_MODEL, wrong
        if p.contradictions >= REPEATED:
            return (yield from instead(p, z, o))
        if o.restart:
            r = host(r)
            if watch.due(r):
                watch.move(r)
                anchor, k = z, 0
