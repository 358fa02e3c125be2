"""Identify and polish: a first-order method finds the strategies in use, an interior point their weights."""

import numpy as np

from numopt._array import host, is_sparse
from numopt._loop import Iterate
from numopt.monotone._interior import interior_point

ROUNDS = 8
SPARE = 20  # answers added at a time, or a tenth of those there if that is more
MOST = 0.5  # share of the matrix beyond which all of it is taken
NEAR = 4.0  # times the gap: answers that close may come into use
OVERHEAD = 7e7  # what an attempt costs at least, in entries read by a pass


def price(A, rows, columns):
    """Return what an attempt costs, in entries of A read by a pass: from the sizes alone."""
    short, long = sorted((rows, columns))
    return OVERHEAD + (2.0 * short**3 if is_sparse(A.A) else 5.0 * short**2 * long)


def polish(g, x, y, tol, info):
    """Yield equilibria of the game restricted to what x and y use, and to the answers that may beat them."""
    A, margin = g.A, tol * g.scale / 2
    Ax, ATy = A.products(x, y)
    gap = host(A.xp.max(Ax) - A.xp.min(ATy))
    columns, rows = (np.flatnonzero(host(z) > 0) for z in (x, y))
    near = _answers(host(Ax), rows, -NEAR * gap), _answers(-host(ATy), columns, -NEAR * gap)
    for _ in range(ROUNDS):
        rows, columns = np.union1d(rows, near[0]), np.union1d(columns, near[1])
        if rows.size * columns.size > MOST * A.shape[0] * A.shape[1]:
            rows, columns = map(np.arange, A.shape)
        x, y = _restricted(A, rows, columns, x, y, margin)
        Ax, ATy = A.products(x, y)
        info = info | {"n_passes": info["n_passes"] + 1, "polished": True}
        yield Iterate((x, y), g.measure(x, y, Ax, ATy), info)
        near = _answers(host(Ax), rows, margin), _answers(-host(ATy), columns, margin)
        if not sum(map(len, near)):
            break
    return info


def _restricted(A, rows, columns, x, y, goal):
    """Return the equilibrium of a part of A as strategies of the whole."""
    xp, whole = A.xp, []
    places = [xp.asarray(index, device=A.device) for index in (columns, rows)]
    start = [xp.take(z, place) for z, place in zip((x, y), places, strict=True)]
    found = interior_point(A.part(rows, columns), *start, goal)
    for z, index, size in zip(found, (columns, rows), reversed(A.shape), strict=True):
        full = np.zeros(size)
        full[index] = host(z)
        whole.append(xp.asarray(full, device=A.device))
    return whole


def _answers(values, used, margin):
    """Return the best answers outside of `used`, of those that beat all inside by more than `margin`."""
    outside = np.ones(values.size, bool)
    outside[used] = False
    better = np.flatnonzero(outside & (values > values[used].max() + margin))
    most = max(SPARE, used.size // 10)
    return better[np.argsort(-values[better], kind="stable")[:most]]
