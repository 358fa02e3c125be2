"""Newton's direction where the plan is too large to be held: a product with S is the difference of two passes."""

from numopt._array import host

STEP = 1e-2  # of the potentials, in reg: exp in float32 leaves 1e-5 of a product uncertain, the curvature 5e-3


def direction_by_passes(p, g, reg, rhs, regularization, rtol, max_iter, work):
    """Solve (S + regularization diag(b)) d = rhs by Jacobi-PCG; return (d, steps).

    S y = (c(g + reg t y) - c(g)) / t, where c are the column sums of the plan whose rows are exact.
    """
    xp, zero = p.xp, p.xp.zeros_like(p.a)

    def columns(g):
        work["n_passes"] += 1
        return p.kernels.row_pass(p.cost, p.a, zero, g, reg, True)[1]

    c = columns(g)
    r, d, jacobi = rhs, p.xp.zeros_like(rhs), 1.0 / xp.maximum(c + regularization * p.b, 1e-14 * p.b)
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
