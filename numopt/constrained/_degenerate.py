"""Dependent constraint gradients: how they are recognised, and the multipliers that serve best there."""

import math

import numpy as np

from numopt import _array
from numopt.constrained._operator import transposed_times

_SUSPECT = 0.01  # the steps of degenerate problems hardly change between 0.001 and 0.1


def rank_suspect(p, J):
    """Say whether the smallest singular value of a dense Jacobian is at most a hundredth of the largest."""
    if p.m == 0 or (type(J) is not np.ndarray and not _array.is_array(J)):
        return False
    if p.m > p.n:
        return True
    largest, smallest = p.k.singular_range(J)
    return smallest <= _SUSPECT * largest


def shortest_multipliers(p, point, gL, K, z=0.0):
    """Return (lam, gradient of L) with the shortest least-squares multipliers, or None if they are no better.

    lam = -(J J^T + 1e-8 s I)^-1 J (g + z) with s the size of J J^T; `z` is what bounds add to the gradient.
    """
    xp, J = p.xp, point.J
    gram = J @ J.T
    size = _array.host(xp.sum(J * J))
    if not size > 0:
        return None
    eye = xp.eye(p.m, dtype=p.space.dtype, device=p.space.device)
    lam = -xp.linalg.solve(gram + 1e-8 * size * eye, (J @ (point.g + z))[:, None])[:, 0]
    new = point.g + z + transposed_times(J, lam)
    old, now = _array.host(gL @ gL, new @ new)
    return (lam, new) if math.sqrt(now) <= 2 * math.sqrt(old) + 1e-3 * K else None
