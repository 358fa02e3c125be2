"""Newton's directions where the plan is too large to be held: by some of it, or by passes over all of it."""

import math
from functools import partial

from numopt._array import device, host

LARGEST = 2**26  # entries of a plan that is held with all that matters; of a larger one
MOST = 2**24  # ... those that matter if there are no more than this, else those that carry the steps,
STRONG = 1e-5  # P_ij >= STRONG min(a_i, b_j), or, also where a rough step will do and each column has ENOUGH of these
ENOUGH = 64  # ... in it, a sample of the rows,
POOR = 0.6  # as long as a step leaves no more than this share of the error: then passes take their place
RTOL = 1e-2  # share of a residual left in such a system: below what it misjudges
SECANTS = 5  # earlier steps by which that is mended
MOVED = 3.0  # of the potentials in reg, until the strongest entries are chosen anew
STEP = 1e-2  # of the potentials between two passes, in reg: the curvature spoils 5e-3 of a product, exp in float32 1e-5


def matter(p, g, reg, depths):
    """Estimate from some rows how many entries are above depth min(a_i, b_j), for each depth."""
    (C, X, YT, kind), step = p.cost, -(-p.shape[0] // 16)
    a, X = p.a[::step], p.xp.asarray(X[::step, ...], device=device(X), copy=True)
    _, _, P = p.kernels.plan_pass((C[::step, ...], X, YT, kind), a, p.xp.zeros_like(a), g, reg, True)
    return [p.shape[0] * p.shape[1] * p.kernels.plan_density(P, a, p.b, depth) for depth in depths]


def by_some_entries(p, reg, strong, group, count, work, last):
    """Return the function that solves Newton's system at (f, g) for a sample of the plan or its `strong` entries."""
    step = -(-p.shape[0] * p.shape[1] // LARGEST)
    sampled = strong > MOST or (not last and strong > ENOUGH * step * p.shape[1])
    system, secants = (_sampled if sampled else _strongest)(p, reg, group, count, work), Secants(p)

    def direction(f, g, r, regularization, rtol, max_iter):
        solve = system(f, g, r)
        known, r = secants.applied(g / reg, r)
        d, steps = solve(r, regularization, min(rtol, RTOL) if last else rtol, max_iter)
        return d + known, steps

    return direction


class Secants:
    """What earlier steps have shown of a system that misjudges the same directions each time.

    What of the residual is in the span of what they changed is removed by them (multisecant acceleration, Fang and
    Saad 2009), which leaves the rest to the system.
    """

    def __init__(self, p):
        self.p, self.last, self.basis = p, None, None  # of (potentials, residual), residuals orthonormal in 1 / b

    def applied(self, v, r):
        """Return the step from potentials v that removes this part of their residual r, and the other part."""
        xp, b, m = self.p.xp, self.p.b, r.shape[0]
        here, before = xp.astype(xp.concat([v, r]), xp.float64, copy=False), self.last
        self.last = here
        if before is None:
            return xp.zeros_like(r), r
        change = here - before
        length = xp.sum(change[m:] * change[m:] / b)
        if self.basis is not None:
            change = change - xp.matmul(xp.matmul(self.basis[:, m:], change[m:] / b), self.basis)
        left = xp.sum(change[m:] * change[m:] / b)  # nothing is learnt from what is rounding
        change = (change / xp.sqrt(xp.where(left > 1e-10 * length, left, math.inf)))[None, :]
        kept = self.basis
        self.basis = change if kept is None else xp.concat([kept[max(0, kept.shape[0] + 1 - SECANTS) :, :], change])
        known = xp.matmul(xp.matmul(self.basis[:, m:], here[m:] / b), self.basis)
        known = xp.astype(known, r.dtype, copy=False)
        return -known[:m], r - known[m:]


def _sampled(p, reg, group, count, work):
    """Return the function that finds the system of every so many rows."""
    xp, k, step = p.xp, p.kernels, -(-p.shape[0] * p.shape[1] // LARGEST)
    some, raised = p.thinned(step), xp.zeros_like(p.b)

    def system(f, g, r):
        """Columns are raised to the sums that they have in all rows; by the last look, which spares another one."""
        nonlocal raised
        f = f[::step] + reg * xp.log(some.a / p.a[::step])
        _, c, P = k.plan_pass(some.cost, some.a, f, g + raised, reg, True)
        raised = raised + reg * (p.log_ratio(c) - p.log_ratio(p.b - r))
        work["n_passes"] += 1
        return partial(k.plan_direction, P, group, count, p.b)

    return system


def _strongest(p, reg, group, count, work):
    """Return the function that finds the system of the entries above STRONG min(a_i, b_j)."""
    xp, k = p.xp, p.kernels
    held = []  # potentials, and the entries of their plan

    def system(f, g, _):
        if not held or host(xp.max(xp.abs(g - held[0]))) > MOVED * reg:
            held[:] = g, k.extract(p.cost, f, g, reg, xp.log(p.a), xp.log(p.b), math.log(STRONG))
            work["n_passes"], work["nnz"] = work["n_passes"] + 1, held[1][0].shape[0]
        base, K = held
        w = xp.exp((g - base) / reg)
        s, _ = k.pattern_eval(*K, p.a, w)
        return partial(k.pattern_direction, *K, p.a, p.b, w, s, group, count, 0.0)

    return system


def by_passes(p, f, g, reg, rhs, regularization, rtol, max_iter, work):
    """Solve (S + regularization diag(b)) d = rhs by Jacobi-PCG; return (d, steps).

    S y = (c(g + reg t y) - c(g)) / t, where c are the column sums of the plan whose rows are exact.
    """
    xp = p.xp

    def columns(g):
        work["n_passes"] += 1
        return p.kernels.row_pass(p.cost, p.a, f, g, reg, True)[1]

    c = columns(g)
    r, d, jacobi = rhs, xp.zeros_like(rhs), 1.0 / xp.maximum(c + regularization * p.b, 1e-14 * p.b)
    y = jacobi * r
    rz, norm, size = host(p.dot(r, y), xp.sum(xp.abs(r)), xp.max(xp.abs(y)))
    goal = rtol * norm
    for step in range(max_iter):
        t = STEP / size
        Sy = (columns(g + reg * t * y) - c) / t + regularization * p.b * y
        curvature = host(p.dot(y, Sy))
        if not curvature > 0:
            return d, step
        d, r = d + (rz / curvature) * y, r - (rz / curvature) * Sy
        z, before = jacobi * r, rz
        rz, norm = host(p.dot(r, z), xp.sum(xp.abs(r)))
        if norm <= goal:
            return d, step + 1
        y = z + (rz / before) * y
        size = host(xp.max(xp.abs(y)))
    return d, max_iter
