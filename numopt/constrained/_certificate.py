"""The certificate that judges all methods, computed from the caller's functions at the point and not scaled."""

import math


def certificate(p, state):
    """Return the KKT error and its three parts by name; evaluations at the point are not repeated."""
    error, stationarity, violation, complementarity = errors(p, state)
    return {
        "kkt_error": error,
        "kkt_stationarity": stationarity,
        "constr_violation": violation,
        "complementarity": complementarity,
    }


def errors(p, state):
    """Return (kkt_error, stationarity, violation, complementarity) as floats.

    The error is the largest of the three, with the stationarity divided by the mean multiplier over 100 where that is
    above 1.
    """
    point, lam = p.derive(state), state.lam
    g, J = p.dual_parts(point, lam)
    if not p.bounded:
        *_, error, stationarity, violation = p.settled.lagrangian_measures(
            p.space.copied(g), J, point.c, lam, p.row_scales, p.sf
        )
        return error, stationarity, violation, 0.0
    if state.zl is not None:
        g = g - state.zl + state.zu
    stationarity, violation, complementarity, size = p.k.kkt_errors(
        g, J, point.c, lam, p.low, p.high, p.row_scales, p.sf
    )
    if state.zl is not None:
        off, product = p.k.bound_errors(point.x, p.l, p.u, state.zl, state.zu)
        violation, complementarity = _largest(violation, off), _largest(complementarity, product / p.sf)
    mean = size / (100.0 * (p.m or 1))
    relative = stationarity / mean if mean > 1.0 else stationarity
    return _largest(relative, violation, complementarity), stationarity, violation, complementarity


def _largest(*values):
    """Return the largest of floats, NaN if one is."""
    total = sum(values)
    return max(values) if total == total else math.nan
