"""Feasibility restoration: Levenberg-Marquardt on the violation, inside the bounds."""

import math

from numopt import _array

_STEPS = 20


def restored(p, ip, point, w, theta, tol, filter_, measured):
    """Reduce |c - s| until it has halved or cannot be; return (point, w, violation in sum) or None.

    Coordinates are scaled by min(1, distance to the bounds); steps end at 0.99 of the way to a bound.
    """
    from numopt.constrained._interior import identity

    xp, damping, first = p.xp, 1e-4, theta
    zero = w * 0.0
    for _ in range(_STEPS):
        p.derive(point)
        c = ip.residual(point, w)
        cc = _array.host(c @ c)
        near = xp.minimum(xp.minimum(w - ip.lo, ip.hi - w), xp.ones_like(w))
        moved = False
        for _ in range(12):
            # (J^T J + damping S^-2) dw = -J^T c, as a KKT system with a lower right block -I
            ip.factor(identity(p, point.J), point.J, damping * cc**0.5 / near**2, 0.0, 1.0)
            dw, _ = ip.solve(zero, c)
            if not math.isfinite(_array.host(dw @ dw)):
                return None
            *_, alpha, _ = ip.k.bound_steps(w, dw, ip.lo, ip.hi, zero, zero, 0.0, 0.99)
            new_w = w + dw * alpha
            trial = p.point(new_w[: ip.n])
            if trial.finite:
                r = ip.residual(trial, new_w)
                rr, now = _array.host(r @ r, xp.sum(xp.abs(r)))
                if rr < (1 - 1e-4 * alpha) * cc:
                    moved = True
                    break
            damping = max(10 * damping, 1e-12)
        if not moved:
            break
        point, w, theta, damping = trial, new_w, now, damping / 10
        if theta <= 0.5 * first and filter_.admits(*measured(point, w)):
            break
    return point, w, theta
