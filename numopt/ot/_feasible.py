"""Is there a plan that avoids the forbidden pairs? Asked only when a solver has failed."""

import numpy as np

from numopt._array import host
from numopt._loop import Status

_BY_ITSELF = {Status.STALLED, Status.BREAKDOWN, Status.MAX_ITER, Status.TIME_LIMIT}
_UNITS = 2**30  # masses are rounded to this many units: maximum flow wants integers


def explained(p, common):
    """Return the fields of a failed result, with the reason if forbidden pairs are it."""
    missing = missing_mass(p) if common["status"] in _BY_ITSELF else 0.0
    if missing < 1e-6:
        return common
    reason = f"the pairs of finite cost can carry only {1 - missing:.6g} of the mass"
    message = f"{Status.INFEASIBLE.sentence(reason)}; {common['message'].partition('; ')[2]}"
    return common | {"status": Status.INFEASIBLE, "message": message}


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
