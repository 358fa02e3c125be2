"""Scales of the objective and of the rows, so that no gradient is larger than 100 at the start."""

import math

import numpy as np

from numopt import _array
from numopt.constrained._operator import Operator, rows_scaled
from numopt.exceptions import InvalidInputError

_LARGEST_GRADIENT = 100.0  # at the start, after scaling


def chosen_scales(xp, start, scaled):
    """Return the scale of f and those of the rows, on the host, or None for ones; check derivatives at the start."""
    if type(start.g) is type(start.J) is np.ndarray:  # mostly the sums of the squares tell
        J, most = start.J.reshape(-1), _LARGEST_GRADIENT**2
        if start.g.dot(start.g) <= most and J.dot(J) <= most:  # not for NaN
            return 1.0, None
    largest = _array.host(xp.max(xp.abs(start.g)))
    if not math.isfinite(largest):
        all_finite("the gradient of fun at x0", start.g)
    sf = max(min(1.0, _LARGEST_GRADIENT / max(largest, 1e-300)), 1e-8) if scaled else 1.0
    if start.c.shape[0] == 0 or isinstance(start.J, Operator):
        return sf, None
    sizes = row_sizes(xp, start.J)
    largest = sizes.max()
    if not math.isfinite(largest):
        all_finite("the Jacobian of the constraints at x0", sizes)
    if not (scaled and largest > _LARGEST_GRADIENT):
        return sf, None
    return sf, np.maximum(np.minimum(1.0, _LARGEST_GRADIENT / np.maximum(sizes, 1e-300)), 1e-8)


def rescale(start, sf, sc):
    """Scale what is known at the start."""
    start.f, start.g = start.f * sf, start.g * sf
    if sc is not None:
        start.c, start.J = start.c * sc, rows_scaled(start.J, sc)


def all_finite(name, values):
    values = np.asarray(_array.host(values) if _array.is_array(values) else values)
    if not np.isfinite(values).all():
        i = np.flatnonzero(~np.isfinite(values))[0]
        raise InvalidInputError(
            f"{name} has entry [{i}] = {values.ravel()[i]}: finite numbers are expected; choose another x0 or mend "
            f"the function"
        )


def row_sizes(xp, J):
    """Return the largest magnitude in each row, on the host."""
    if _array.is_sparse(J):
        return abs(J).max(axis=1).toarray().ravel()
    return abs(J).max(axis=1) if type(J) is np.ndarray else np.asarray(_array.host(xp.max(xp.abs(J), axis=1)))
