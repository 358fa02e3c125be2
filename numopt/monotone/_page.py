"""Algorithm 1 of the paper: Halpern's iteration with the recursive PAGE estimator; and what became of it.

Cai, Alacaoglu, Diakonikolas, "Variance reduced Halpern iteration for finite-sum monotone inclusions", ICLR 2024,
arXiv:2310.02987.

    u+ = J( lam u_0 + (1 - lam) u - eta g ),    g = F(u)  with probability p,
    g+ = g + 1/b sum_{i in S} (F_i(u+) - F_i(u)) / (n q_i)  otherwise
"""

import math

from numopt._array import host
from numopt._loop import Iterate, Status
from numopt.monotone._feg import instead
from numopt.monotone._inclusion import REPEATED
from numopt.monotone._restart import Anchor

LONGEST = 4.0  # times sqrt(n) steps without a full evaluation: then there is one, against drift
GROWN = 10.0  # times the residual at the start: the published method is not converging
PATIENCE = 2  # refreshes whose residual may exceed twice that of the anchor


def halpern_page(p, u, o):
    """Yield the iterates as published: lam = 2 / (k + 4), b = sqrt(n), p = 4 / (k + 5), later 4 / (sqrt(n) + 5)."""
    root = math.sqrt(p.n)
    b = o.batch_size or math.ceil(root)
    eta = o.step or 1 / (4 * o.law.cocoercive)
    anchor, g, k = u, p.full(u), 0
    first, last = host(p.residual(u, g)), (u, g)
    while True:
        lam = 2 / (k + 4)
        before, u = u, p.prox(lam * anchor + (1 - lam) * u - eta * g, eta)
        k += 1
        chance = o.refresh_prob or (4 / (k + 5) if k <= root else 4 / (root + 5))
        if o.rng.random() < chance:
            g = p.full(u)
            yield Iterate(u, p.measure(u, g), p.info(step=eta))
            *_, wrong = p.compare(last[0], u, last[1], g, o.law.cocoercive)
            if wrong:
                return Status.INVALID_MODEL, wrong
            if p.contradictions >= REPEATED:
                return (yield from instead(p, u, o))
            if not host(p.residual(u, g)) <= GROWN * first:
                return Status.BREAKDOWN, "the residual grows: F is not cocoercive, or the step is too long"
            last = u, g
        else:
            g = g + p.difference(u, before, *o.law.draw(o.rng, b))


def vr_halpern(p, u, o):
    """Yield the iterates with a step for the batch, no opening phase, and restarts of the anchor.

    eta = 1 / L_b with L_b = L_F + (L - L_F) / b for batches of b; half as many full evaluations and half the batch.
    """
    root, L_F = math.sqrt(p.n), 1 / p.eta
    b = o.batch_size or math.ceil(root / 2)
    eta = o.step or 1 / (L_F + max(o.law.cocoercive - L_F, 0.0) / b)
    chance = o.refresh_prob or min(1.0, 2 / (root + 5))
    anchor, g, k, since = u, p.full(u), 0, 0
    best, bad, last = (host(p.residual(u, g)), u, g), 0, (u, g)
    watch = Anchor(best[0], o.restart)
    while True:
        lam = 2 / (k + 4)
        before, u = u, p.prox(lam * anchor + (1 - lam) * u - eta * g, eta)
        k, since = k + 1, since + 1
        if o.rng.random() >= chance and since < LONGEST * root:
            g = g + p.difference(u, before, *o.law.draw(o.rng, b))
            continue
        g = p.full(u)
        r = p.residual(u, g)
        yield Iterate(u, r / p.scale, p.info(step=eta, n_restarts=watch.moves))
        r = host(r)
        if not math.isfinite(r):
            return Status.NONFINITE
        *_, wrong = p.compare(last[0], u, last[1], g, o.law.cocoercive)
        if wrong:
            return Status.INVALID_MODEL, wrong
        last = u, g
        if r < best[0]:
            best = r, u, g
        if p.contradictions >= REPEATED:
            return (yield from instead(p, best[1], o))
        bad = bad + 1 if r > 2 * watch.r else 0
        if bad >= PATIENCE:  # the constants are wrong: go back with half the step
            (r, u, g), eta, bad = best, eta / 2, 0
            watch.move(r)
            anchor, k = u, 0
        elif watch.due(r, since):
            watch.move(r)
            anchor, k = u, 0
        since = 0
