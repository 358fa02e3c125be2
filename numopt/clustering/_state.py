"""What the K-means methods pass to the loop, how it is certified, and the result it becomes."""

from typing import NamedTuple

from numopt._array import host
from numopt._loop import time_left
from numopt.clustering._cuts import worst_violation
from numopt.clustering._dense import dual_bound, primal
from numopt.clustering._lloyd import partition
from numopt.clustering._problem import finite
from numopt.clustering._result import KMeansResult

_LATE = 2000  # points up to which the bound of the relaxation is computed after the deadline too: some seconds


class State(NamedTuple):
    """A partition with the best bound known (None: none yet) and, while the relaxation is solved, its `Split`."""

    found: object
    bound: object = None
    split: object = None


def gap_of(p, sse, bound):
    """Return the relative distance between a sum of squares and a bound of it."""
    if sse <= p.trivial:
        return 0.0
    return max(0.0, (sse - bound) / sse) if bound > 0 else 1.0


def certifier(p, cuts=False):
    """Return the function that recomputes a state's numbers from the data, with `cuts` for all triangles, too.

    A state's bound was computed from the data, in float64, and counts as it is. That of the relaxation takes n^3 / 3
    flops: too many where the time is up.
    """

    def certify(state):
        found, bound, split = partition(p, state.found.labels, state.found.centres.shape[0]), state.bound, state.split
        lower = 0.0 if bound is None else found.sse if bound.kind == "exact" else bound.value
        if split is None:
            gap = gap_of(p, found.sse, lower)
            return {"sdp_gap": gap} | _numbers(p, found.sse, lower, gap)
        value, residual, least = host(*primal(p, split))
        proved = 0.0 if bound.kind == "probabilistic" else lower
        if bound.kind != "exact" and (p.size <= _LATE or time_left() > 0):
            proved = max(proved, dual_bound(p, split, value, residual))
            lower = max(lower, proved)
        gap = gap_of(p, found.sse, lower)
        duality = max(p.apart(value, proved), finite(residual, "the residual"))  # max would pass a NaN over
        known = _numbers(p, found.sse, lower, gap) | {"sdp_value": p.original(value)}
        known |= {"primal_residual": residual, "min_entry": least}
        if cuts:
            known["cut_violation"] = violation = host(worst_violation(p, split.V, split.weights))
            duality = max(duality, violation)
        return {"sdp_gap": min(gap, duality) + 0.0 * duality} | known

    return certify


def _numbers(p, sse, lower, gap):
    return {"fun": p.original(sse), "lower_bound": p.original(lower), "gap": gap}


def finisher(p, note=""):
    """Return the function that builds the result of a run."""

    def finish(state, info, common):
        certificate, found, bound, split = common["certificate"], state.found, state.bound, state.split
        kind = "none" if bound is None else bound.kind
        if found.sse <= p.trivial:
            kind = "exact"
        elif split is not None and kind != "exact" and certificate["lower_bound"] > p.original(bound.value):
            kind = "dual"
        names = "fun", "lower_bound", "gap", "sdp_gap", "sdp_value", "primal_residual", "min_entry", "cut_violation"
        parts = common["message"](), _said(kind, certificate["gap"], split), note
        common = common | {"message": "; ".join(filter(None, parts))}
        return KMeansResult(
            **common, **{name: certificate.get(name) for name in names}, labels=found.labels,
            centers=p.back(found.centres), gap_kind=kind, basis=split and p.xp.astype(split.V, p.dtype),
            eigenvalues=split and p.xp.astype(split.weights, p.dtype),
            confidence=bound.confidence if kind == "probabilistic" else None, _split=split, _scale=p.scale,
        )  # fmt: skip

    return finish


def _said(kind, gap, split):
    """Say what the bound means for the partition."""
    if kind in ("exact", "none"):
        return {"exact": "the partition is optimal", "none": "no bound is known"}[kind]
    within = f"the partition is within {gap:.2g} of the best one"
    if kind == "probabilistic":
        return f"{within}, by a confidence interval that holds asymptotically"
    cuts = "" if split is None or split.shift is None else " with cuts"
    return within if split is None else f"{within}, as far as the relaxation{cuts} can tell"
