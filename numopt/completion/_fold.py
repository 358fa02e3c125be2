"""Factors of new rows, with those of the columns fixed."""

import numpy as np

from numopt._kernels import kernels
from numopt.completion._data import entries
from numopt.exceptions import InvalidInputError


def fold_in(X, V, *, mean=0.0, col_bias=None, mask=None, sample_weight=None, ridge=0.0, ridge_mode="constant",
            bias_ridge=None):  # fmt: skip
    """Return (U, row bias) of the rows of X by least squares, the column factors being fixed.

    `bias_ridge` None solves for no row bias. A row without entries gets zeros, that is the mean plus the column biases.
    """
    seen = entries(X, mask, sample_weight, dtype=V.dtype)
    xp, (m, n), r = seen.xp, seen.shape, V.shape[1]
    if n != V.shape[0]:
        raise InvalidInputError(f"X has {n} columns: {V.shape[0]} are expected, as many as were fitted; align them")
    rows, _ = seen._replace(y=seen.y - mean).sides()
    make = {"dtype": V.dtype, "device": seen.device}
    biased = bias_ridge is not None
    if biased:
        V = xp.concat((V, xp.ones((n, 1), **make)), axis=1)
    ridges = np.asarray([ridge] * r + [bias_ridge] * biased, dtype=float)
    counts = xp.empty((0,), **make)
    if ridge_mode == "count":
        w = rows.weights if rows.weights.shape[0] else xp.ones_like(rows.y)
        counts = kernels("completion", xp).multiply(rows, w, xp.ones((n, 1), **make))[:, 0]
    offset = xp.empty((0,), **make) if col_bias is None else col_bias
    none = xp.empty((0, V.shape[1]), **make)
    U, _, _, _ = kernels("completion", xp).half_step(rows, V, offset, ridges, counts, none, False, False)
    return (U[:, :r], U[:, r]) if biased else (U, xp.zeros((m,), **make))
