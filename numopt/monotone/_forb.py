"""Algorithms 2 and 3 of the paper: inexact Halpern iteration on the resolvent, for monotone Lipschitz sums.

Cai, Alacaoglu, Diakonikolas, ICLR 2024, arXiv:2310.02987. The outer iteration is

    u+ = lam u_0 + (1 - lam) J~(u),   lam = 1 / (k + 2),   J~(u) near J_{c (F + G)}(u),

and J~ comes from a forward-reflected-backward method with a loopless snapshot w on Fbar = c F + (I - u), which is
1-strongly monotone:

    vbar = alpha v + (1 - alpha) w
    v+ = J_{gamma c G}( vbar - gamma [ Fbar(w) + Fbar_i(v) - Fbar_i(w_prev) ] ),   w+ = v+ with probability p, else w
"""

import math

from numopt._array import host
from numopt._loop import Iterate, Status
from numopt.monotone._restart import Anchor

ENOUGH = 0.3  # of the way |v - u|: the inner error at which the improved method goes on
WILD = 10.0  # times the inner error at its start: if the first snapshot exceeds that, its steps were too long
PROX_STEP = 20.0  # c L_F of the improved method


def halpern_forb(p, u, o):
    """Yield the iterates as published: single draws, p = 1 / n, c = sqrt(n) / L_Q; inner length 0.05 n log(k + 2).

    That length is what the authors ran. What the theory asks for is a hundred times longer.
    """
    n = p.n
    c = o.step or math.sqrt(n) / o.law.lipschitz
    chance = o.refresh_prob or 1 / n
    gamma = o.inner_step or 5 * math.sqrt(chance * (1 - chance)) / (c * o.law.lipschitz + 1)
    anchor, k = u, 0
    while True:
        length = math.ceil(0.05 * n * math.log(k + 2))
        v = w = before = u
        Fw = p.full(w)
        yield Iterate(u, p.measure(u, Fw), p.info(step=c))
        for _ in range(length):
            vbar = (1 - chance) * v + chance * w
            estimate = c * (Fw + p.difference(v, before, *o.law.draw(o.rng, 1))) + (w - u) + (v - before)
            v = p.prox(vbar - gamma * estimate, gamma * c)
            before = w
            if o.rng.random() < chance:
                w, Fw = v, p.full(v)
        u = (anchor + (k + 1) * v) / (k + 2)
        k += 1


def vr_prox_halpern(p, u, o):
    """Yield the iterates with batches, an inner stop that can be computed, and restarts of the anchor.

    Fbar + c G is 1-strongly monotone: if h + xi, xi in c G(v), is small, v is near. The bound ``|Fbar(v) + xi|`` is
    free at a snapshot, and the inner loop ends when it is at most ``ENOUGH |v - u|``. It restarts with half the step if
    it grows.
    """
    n, L_F = p.n, 1 / p.eta
    b = o.batch_size or math.ceil(math.sqrt(n))
    chance = o.refresh_prob or min(0.5, 2 * b / n)
    c = o.step or PROX_STEP / L_F
    gamma = 1 / math.sqrt((c * L_F + 1) ** 2 + (c * o.law.lipschitz) ** 2 / (b * chance))
    anchor, k, norm = u, 0, p.xp.linalg.vector_norm
    F = p.full(u)
    watch = Anchor(host(p.residual(u, F)), o.restart)
    while True:
        v = w = before = u
        Fw, first = F, None
        while True:
            vbar = (1 - chance) * v + chance * w
            estimate = c * (Fw + p.difference(v, before, *o.law.draw(o.rng, b))) + (w - u) + (v - before)
            v = p.prox(vbar - gamma * estimate, gamma * c)
            before = w
            if o.rng.random() >= chance:
                continue
            w, Fw = v, p.full(v)
            error = norm(c * Fw + (v - u) - estimate + (vbar - v) / gamma)
            error, way, r, begin = host(error, norm(v - u), p.residual(v, Fw), p.residual(u, F))
            if not math.isfinite(error):
                return Status.NONFINITE
            *_, wrong = p.compare(u, v, F, Fw)
            if wrong:
                return Status.INVALID_MODEL, wrong
            first = error if first is None else first
            if error > 2 * first or error > WILD * c * begin:  # the constants are too small
                gamma, v = gamma / 2, u
                w = before = u
                Fw, first = F, None
            yield Iterate(v, p.measure(v, Fw), p.info(step=c, n_restarts=watch.moves))
            if error <= ENOUGH * way and v is not u:
                break
        if watch.due(r):
            watch.move(r)
            anchor, k, u, F = v, 0, v, Fw
        else:
            u = (anchor + (k + 1) * v) / (k + 2)
            k += 1
            F = p.full(u)
