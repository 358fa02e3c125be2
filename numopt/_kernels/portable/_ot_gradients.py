"""Conjugate gradients that seldom ask the host."""

from numopt._array import device, host, namespace

_STEPS = 16  # between two looks from the host


def conjugate_gradients(product, jacobi, rhs, rtol, max_iter):
    """Solve product(d) = rhs from 0 until the l1 norm of the residual falls by rtol; return (d, steps).

    The host looks at every 16th step only; between two looks, an iteration that is done stands still.
    """
    xp = namespace(rhs)
    one = xp.ones((), dtype=rhs.dtype, device=device(rhs))

    def ratio(valid, x, y):
        return xp.where(valid, x, 0.0 * one) / xp.where(valid, y, one)

    d, r = xp.zeros_like(rhs), rhs
    z = jacobi * r
    p, rz = z, xp.sum(r * z)
    goal, running, steps, taken = rtol * xp.sum(xp.abs(r)), one > 0, 0.0 * one, 0
    for step in range(1, max_iter + 1):
        Lp = product(p)
        curvature = xp.sum(p * Lp)
        moving = running & (curvature > 0)
        alpha = ratio(moving, rz, curvature)
        d, r = d + alpha * p, r - alpha * Lp
        z = jacobi * r
        before, rz = rz, xp.sum(r * z)
        steps = steps + xp.astype(moving, steps.dtype)
        running = moving & (xp.sum(xp.abs(r)) > goal)
        p = z + ratio(running, rz, before) * p
        if step % _STEPS == 0 or step == max_iter:
            more, taken = host(running, steps)
            if not more:
                break
    return d, int(taken)
