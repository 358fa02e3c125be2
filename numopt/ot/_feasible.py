"""Is there a plan that avoids the forbidden pairs? Asked only when a solver has failed."""

import math
from functools import partial

import numpy as np

from numopt._array import host
from numopt._loop import Status, time_left

_BY_ITSELF = {Status.STALLED, Status.BREAKDOWN, Status.MAX_ITER, Status.TIME_LIMIT}
_UNITS = 2**30  # masses are rounded to this many units: maximum flow wants integers
_SECONDS = 1e-6  # a pair, that maximum flow takes or a little less: it cannot be stopped


def explained(p, common, f, ratio=1.0):
    """Return the fields of a failed result with row potentials f, with the reason if forbidden pairs are it.

    `ratio` is the mass of the problem over that which the caller asked for.
    """
    missing = 0.0
    if common["status"] in _BY_ITSELF:
        missing = stuck_mass(p.whole or p, f)
        if 2 * missing <= max(p.tol, p.floor, 1e-12):  # a mass that is stuck is felt in both marginals
            missing = missing_mass(p) if _SECONDS * math.prod(p.shape) < time_left() else 0.0
            missing = missing if missing >= max(1e-6, sum(p.shape) / _UNITS) else 0.0  # else it may be rounding
    if missing == 0.0:
        return common
    reason = f"the pairs of finite cost cannot carry {missing * ratio:.3g} of the mass"
    message = f"{Status.INFEASIBLE.sentence(reason)}; {common['message']().partition('; ')[2]}"
    return common | {"status": Status.INFEASIBLE, "message": partial(str, message)}


def stuck_mass(p, f):
    """Return the largest share of the mass of rows {f >= t} that the columns they reach have no room for.

    That much is missing from every plan (Hall's condition). On a problem without one, the iteration drives f apart
    at such a set, however little it is: what potentials show to 1e-12 the flow below sees to 1e-6.
    """
    C, _, _, kind = p.cost
    if kind:
        return 0.0
    C, a, b, f = host(C), host(p.a), host(p.b), host(f)
    allowed = np.isfinite(C)
    if allowed.all():
        return 0.0
    reached = np.max(np.where(allowed, f[:, None], -np.inf), axis=0)  # the highest row that may use a column
    rows, columns = np.argsort(-f), np.argsort(-reached)
    given = np.cumsum(a[rows], dtype=float)
    room = np.concatenate([[0.0], np.cumsum(b[columns], dtype=float)])
    return float(np.max(given - room[np.searchsorted(-reached[columns], -f[rows], side="right")])) / p.mass


def missing_mass(p):
    """Return the share of the mass that no plan on the pairs of finite cost can carry."""
    C, _, _, kind = p.cost
    if kind:
        return 0.0
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import maximum_flow

    C, a, b = host(C), host(p.a), host(p.b)
    allowed = np.isfinite(C)
    if allowed.all():
        return 0.0
    n, m = allowed.shape
    supply, demand = (np.floor(w / p.mass * _UNITS).astype(np.int32) for w in (a, b))
    i, j = np.nonzero(allowed)
    tail = np.concatenate([np.zeros(n, int), 1 + i, 1 + n + np.arange(m)])
    head = np.concatenate([1 + np.arange(n), 1 + n + j, np.full(m, 1 + n + m)])
    room = np.concatenate([supply, np.minimum(supply[i], demand[j]), demand])
    network = coo_array((room, (tail, head)), shape=(n + m + 2, n + m + 2)).tocsr()
    return 1 - maximum_flow(network, 0, 1 + n + m).flow_value / min(supply.sum(), demand.sum())
