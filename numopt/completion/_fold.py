"""Factors of new rows, with those of the columns fixed."""

import math

import numpy as np

from numopt._array import host, namespace
from numopt._kernels import kernels
from numopt.completion._data import entries
from numopt.exceptions import InvalidInputError

_ROUNDS = 200  # of reweighting, at most
_SETTLED = 1e-9  # of the largest factor: a change that ends them, where the dtype can tell
_MOST = 1e150  # of a ridge, whose sums must be numbers


def fold_in(X, V, *, mean=0.0, col_bias=None, sample_weight=None, ridge=0.0, ridge_mode="constant", bias_ridge=None,
            loss_scale=math.inf):  # fmt: skip
    """Return (U, row bias) of the rows of X, the column factors being fixed.

    By least squares, or with Huber's loss of the threshold `loss_scale`. `bias_ridge` None solves for no row bias. A
    row without entries gets zeros, that is the mean plus the column biases.
    """
    seen = entries(X, sample_weight=sample_weight, dtype=V.dtype)
    xp, (m, n), r = seen.xp, seen.shape, V.shape[1]
    if n != V.shape[0]:
        raise InvalidInputError(f"X has {n} columns: {V.shape[0]} are expected, as many as were fitted; align them")
    k, make, biased = kernels("completion", xp), {"dtype": V.dtype, "device": seen.device}, bias_ridge is not None
    if r + biased == 0:
        return xp.zeros((m, 0), **make), xp.zeros((m,), **make)
    # In units of their own lest squares leave the range of numbers: y = s y', V = t V', hence U = (s / t) U'.
    y = seen.y - mean
    s, t, top = _unit(y), _unit(V), 1.0 if seen.w is None else _unit(seen.w)
    rows, _ = seen._replace(y=y / s, w=None if seen.w is None else seen.w / top).sides()
    V = V / t
    if biased:
        V = xp.concat((V, xp.ones((n, 1), **make)), axis=1)
    ridges, counts = np.asarray([ridge / t / t] * r + [bias_ridge] * biased, dtype=float), xp.empty((0,), **make)
    if ridge_mode == "count":
        w = rows.weights if rows.weights.shape[0] else xp.ones_like(rows.y)
        counts = k.multiply(rows, w, xp.ones((n, 1), **make))[:, 0]
    else:
        ridges /= top
    offset = xp.empty((0,), **make) if col_bias is None else col_bias / s
    none, ridges = xp.empty((0, V.shape[1]), **make), np.minimum(ridges, _MOST)

    def solved(side):
        return k.half_step(side, V, offset, ridges, counts, none, False, False)[0]

    U = solved(rows)
    if loss_scale < math.inf:
        U = _reweighted(solved, lambda U: k.residuals(rows, U, V, offset), rows, U, loss_scale / s)
    U = s * U
    return (U[:, :r] / t, U[:, r]) if biased else (U / t, xp.zeros((m,), **make))


def _reweighted(solved, residuals, rows, U, end):
    """Return the minimiser of Huber's loss from that of squares on; the threshold falls by half a round, to `end`.

    A small one is slow from afar: what fits little by then hardly moves.
    """
    xp = namespace(U)
    delta, settled = _unit(residuals(U)), max(_SETTLED, 8 * float(xp.finfo(U.dtype).eps))
    for _ in range(_ROUNDS):
        delta, size = max(0.5 * delta, end), xp.abs(residuals(U))
        w = delta / xp.where(size > delta, size, xp.full_like(size, delta))
        before, U = U, solved(rows._replace(weights=w * rows.weights if rows.weights.shape[0] else w))
        if delta == end and _unit(U - before) <= settled * _unit(U):
            break
    return U


def _unit(x):
    """Return the largest size of these numbers, 1 if there is none but 0."""
    xp = namespace(x)
    return float(host(xp.max(xp.abs(x)))) or 1.0 if 0 not in x.shape else 1.0
