"""Rows of the factor that run away: a wrong column fits its entries by bending all the rows that it meets.

A column with a large v_j takes a degree of freedom from each row with an entry there: its own residuals vanish, the
others of these rows stay, and the objective falls on towards a minimum at infinity. The share of v_j in an orthonormal
V, its leverage, gives it away. Published alternating minimisation clips such rows (the paper too, at the start); here
they are solved for anew, from rows of U that do without them.
"""

import math

import numpy as np

from numopt._array import host
from numopt.completion._data import Side
from numopt.completion._factors import finite, qr

_SPIKE = 2.0  # times the largest leverage that Gaussian factors would have
_GROWN = 1.5  # times the leverage before: what was large already may belong there


def calmed(p, V, before, U, ridge):
    """Return V with those rows solved anew whose leverage became large in the step from `before`; both orthonormal."""
    xp, (n, k) = p.xp, V.shape
    one = xp.ones((k,), dtype=V.dtype, device=p.device)
    leverage, most = (V * V) @ one, _SPIKE * _natural(n, k)  # sums of short rows are slow otherwise
    if not host(xp.max(leverage)) > most:
        return V
    ran = (leverage > most) & (leverage > _GROWN * ((before * before) @ one))
    lines = np.nonzero(host(ran))[0]
    if not lines.size:
        return V
    columns = _some(p, p.columns, lines)
    met = np.unique(host(columns.indices))
    W = xp.where(ran[:, None], xp.zeros_like(V), V)
    F = _replaced(p, U, met, p.half(_some(p, p.rows, met), W, ridge, summed=False)[0])
    return qr(finite(_replaced(p, W, lines, p.half(columns, F, ridge, summed=False)[0])))


def _natural(n, k):
    """Return about the largest of the n leverages of Gaussian factors: chi-square tails by Laurent and Massart."""
    far = math.log(n)
    return (k + 2 * math.sqrt(k * far) + 2 * far) / n


def _some(p, side, lines):
    """Return the side with these of its lines alone."""
    sizes = np.diff(side.indptr)[lines]
    indptr = np.concatenate(([0], np.cumsum(sizes)))
    at = np.repeat(side.indptr[lines] - indptr[:-1], sizes) + np.arange(indptr[-1])
    at, w = p.xp.asarray(at, device=p.device), side.weights
    return Side(p.xp.take(side.y, at), p.xp.take(side.indices, at), indptr, p.xp.take(w, at) if w.shape[0] else w)


def _replaced(p, X, lines, new):
    """Return X with the rows of `new` at these places."""
    xp, there, place = p.xp, np.zeros((X.shape[0], 1), bool), np.zeros(X.shape[0], np.int64)
    there[lines], place[lines] = True, np.arange(lines.size)
    there, place = (xp.asarray(x, device=p.device) for x in (there, place))
    return xp.where(there, xp.take(new, place, axis=0), X)
