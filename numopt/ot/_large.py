"""Newton's directions where the plan is too large to be held: by some of it, or by passes over all of it."""

import math

from numopt._array import device, host

LARGEST = 2**26  # entries of a plan that is held with all that matters; of a larger one
MOST = 2**24  # ... those that matter if there are no more than this, else those that carry the steps,
STRONG = 1e-4  # P_ij >= STRONG min(a_i, b_j), or a sample of the rows,
POOR = 0.6  # as long as a step leaves no more than this share of the error: then passes take their place
STEP = 1e-2  # of the potentials between two passes, in reg: the curvature spoils 5e-3 of a product, exp in float32 1e-5


def matter(p, g, reg, depth):
    """Estimate from some rows how many entries are above depth min(a_i, b_j)."""
    xp, step = p.xp, max(1, p.shape[0] // 64)
    (C, X, YT, kind), a = p.cost, p.a[::step]
    cost = C[::step, ...], xp.asarray(X[::step, ...], device=device(X), copy=True), YT, kind
    f, _ = p.kernels.row_pass(cost, a, xp.zeros_like(a), g, reg, False)
    return step * p.kernels.extract(cost, f, g, reg, xp.log(a), xp.log(p.b), math.log(depth))[0].shape[0]


def by_some_entries(p, g, reg, group, count, work):
    """Return the function that solves Newton's system at (f, g) for a sample of the plan or its strongest entries."""
    xp, k = p.xp, p.kernels
    if matter(p, g, reg, STRONG) > MOST:  # smooth: a sample of the rows will do
        step = -(-p.shape[0] * p.shape[1] // LARGEST)
        some = p.thinned(step)
        raised = reg * xp.log(some.a / p.a[::step])

        def direction(f, g, *rest):
            _, _, P = k.plan_pass(some.cost, some.a, f[::step] + raised, g, reg, True)
            work["n_passes"] += 1
            return k.plan_direction(P, group, count, p.b, *rest)

        return direction
    held = []  # potentials, and the entries of their plan

    def direction(f, g, *rest):
        if not held or host(xp.max(xp.abs(g - held[0]))) > reg:
            held[:] = g, k.extract(p.cost, f, g, reg, xp.log(p.a), xp.log(p.b), math.log(STRONG))
            work["n_passes"], work["nnz"] = work["n_passes"] + 1, held[1][0].shape[0]
        base, K = held
        w = xp.exp((g - base) / reg)
        s, _ = k.pattern_eval(*K, p.a, w)
        return k.pattern_direction(*K, p.a, p.b, w, s, group, count, 0.0, *rest)

    return direction


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
