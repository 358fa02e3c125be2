"""Methods that evaluate the whole operator: the fast extragradient method and its baselines."""

import math

from numopt._array import host
from numopt._loop import Iterate, Status
from numopt.monotone._restart import Anchor

SHRINK, GROW = 0.7, 1.2  # the step, when it fails its test and at a restart
TRUST = 0.95  # eta |F(zh) - F(z)| may be this much of |zh - z|
NEGATIVE = 1e-8  # <F(u) - F(v), u - v> below -NEGATIVE |..| |..| is no monotone operator's


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
            change, way, inner = _compare(p.xp, z, zh, F, Fh)
            if not math.isfinite(change):
                return Status.NONFINITE
            if inner < -NEGATIVE * change * way:
                return Status.INVALID_MODEL, _not_monotone(inner)
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


def extragradient(p, z, o):
    """Korpelevich's method, step 0.7 / L: zh = J(z - eta F(z)), z+ = J(z - eta F(zh))."""
    F, eta = p.full(z), o.step or 0.7 * p.eta
    while True:
        zh = p.prox(z - eta * F, eta)
        z = p.prox(z - eta * p.full(zh), eta)
        F = p.full(z)
        yield Iterate(z, p.measure(z, F), p.info(step=eta))


def halpern(p, z, o):
    """Halpern's iteration of J(I - eta F), eta = 1 / L, for cocoercive F: z+ = lam z0 + (1 - lam) J(z - eta F(z))."""
    F, eta, anchor, k = p.full(z), o.step or p.eta, z, 0
    watch = Anchor(host(p.residual(z, F)), o.restart)
    while True:
        lam = 1 / (k + 2)
        z = lam * anchor + (1 - lam) * p.prox(z - eta * F, eta)
        F, k = p.full(z), k + 1
        r = p.residual(z, F)
        yield Iterate(z, r / p.scale, p.info(step=eta, n_restarts=watch.moves))
        if o.restart:
            r = host(r)
            if watch.due(r):
                watch.move(r)
                anchor, k = z, 0


def _compare(xp, z, w, Fz, Fw):
    """Return ``|F(w) - F(z)|``, ``|w - z|`` and their inner product."""
    d, e = w - z, Fw - Fz
    norm = xp.linalg.vector_norm
    return host(norm(e), norm(d), xp.sum(d * e))


def _not_monotone(inner):
    return f"<F(u) - F(v), u - v> = {inner:.3g} for two iterates: F is not monotone"
