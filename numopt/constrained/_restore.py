"""Feasibility restoration: Levenberg-Marquardt on the violation, inside the bounds."""

import math

import numpy as np

from numopt import _array
from numopt.constrained._operator import Operator, transposed_times
from numopt.constrained._scales import row_sizes

_STEPS, _TRIES = 50, 12
_FLAT = 0.3  # of what the gradient of the violation would be if no row worked against another, nor a bound
_NONE = 1e-6  # the size of a row without a gradient: that others still fall by less does not help it


def restored(ip, point, w, theta, filter_, measured):
    """Reduce |c - s| until it has fallen by a tenth and the filter admits the point, or cannot fall.

    Coordinates are scaled by min(1, distance to the bounds); steps end at 0.99 of the way to a bound. Return (point, w,
    violation in sum if it is stuck there, else 0).
    """
    xp, damping, first = ip.xp, 1e-4, theta
    zero = w * 0.0
    for _ in range(_STEPS):
        ip.p.derive(point)
        c = ip.residual(point, w)
        cc = _array.host(c @ c)
        near = xp.minimum(xp.minimum(w - ip.lo, ip.hi - w), xp.ones_like(w))
        moved = False
        for _ in range(_TRIES):
            # (J^T J + damping S^-2) dw = -J^T c, as a KKT system with a lower right block -I
            ip.factor_with(point.J, damping * max(cc**0.5, 1e-8) / near**2, ip.p.null_hessian(point.J), 0.0, 1.0)
            dw, _, size = ip.direction(zero, c)
            if math.isfinite(size):
                *_, alpha, _ = ip.k.bound_steps(w, dw, ip.lo, ip.hi, zero, zero, 0.0, 0.99)
                trial, new_w = ip.at(w + dw * alpha)
                if trial.finite:
                    r = ip.residual(trial, new_w)
                    moved = _array.host(r @ r) < (1 - 1e-4 * alpha) * cc and ip.sees(ip.p.derive(trial), 0.0 * point.c)
            if moved:
                break
            damping *= 10
        if not moved:
            return point, w, theta
        point, w, damping = trial, new_w, max(damping / 10, 1e-12)
        theta = ip.violation(point, w)
        if theta <= 0.9 * first and filter_.admits(*measured(point, w)):
            return point, w, 0.0
    return point, w, theta if theta > 0.9 * first else 0.0


def is_least(ip, point, w):
    """Say whether |c - s| has its least value nearby: its gradient is small, but for bounds that hold w back."""
    xp, J = ip.xp, point.J
    if isinstance(J, Operator):
        return True  # it has no rows to compare with
    r = ip.residual(point, w)
    slope = ip.joined(transposed_times(J, r), -r[ip.e :])
    room = xp.minimum(xp.where(slope > 0, w - ip.lo, ip.hi - w), xp.ones_like(w))  # on the way down
    down, r = _array.host(xp.abs(slope) * room), np.abs(_array.host(r))
    sizes = np.maximum(row_sizes(xp, J), row_sizes(xp, ip.p.start.J))
    sizes[ip.e :] = np.maximum(sizes[ip.e :], 1.0)  # a slack is in its own row alone, with 1
    sizes[sizes == 0.0] = _NONE
    return bool(down.max() <= _FLAT * (r * sizes).max() and (down[ip.n :] <= _FLAT * r.max()).all())

