"""The two ways to alternate between covariances and labels, and the certificate of a stationary point."""

import math

from numopt._array import host
from numopt._loop import Iterate
from numopt._status import Status
from numopt.clustering._assignment import clear, costs, solved
from numopt.clustering._lloyd import embedded, lloyd, seeds
from numopt.clustering._mixture import sorted_groups
from numopt.clustering._mixture_result import MixtureResult
from numopt.clustering._problem import finite
from numopt.clustering._starts import NEIGHBOURS, SPECTRAL, best_mixtures, spectral_labels
from numopt.exceptions import SolverError

_STEPS = 20  # EM steps between looks at the likelihood
_PATIENCE = 3  # rounds of the relaxation without a gain


def alternating(p, labels, rng):
    """Yield the rounds of iLA-SDP: covariances of the labels, then labels by the relaxation at these covariances."""
    labels = _start(p, rng) if labels is None else labels
    groups, value = p.profile(labels)
    if groups is None:
        raise SolverError("a cluster of the start has fewer than two points: pass other labels as init")
    best, least, idle, seen = groups, value, 0, set()
    yield Iterate(best, None, {"fun": value})
    while idle < _PATIENCE:
        labels, M = solved(p, costs(p, groups), p.hard(labels), rng)
        groups, value = p.profile(labels)
        if not clear(p, M):
            groups, value, labels = _better_of(p, (groups, value, labels), M, rng)
        if groups is None:
            return Status.BREAKDOWN, "a cluster fell below two points: try other labels as init"
        p.check_regular(groups)
        change = abs(least - value) / p.base.size
        best, least, idle = (groups, value, 0) if value < least else (best, least, idle + 1)
        key = host(labels).tobytes()
        yield Iterate(best, 0.0 if key in seen else change, {"fun": value})
        if key in seen:
            return Status.STALLED, "labels repeat"
        seen.add(key)
    return Status.STALLED, "the likelihood no longer grows"


def _better_of(p, found, M, rng):
    """Return the better of labels by the largest membership and by clusters of the memberships."""
    groups, value, labels = found
    other = embedded(p.base, M.T, rng, polish=False).labels
    if host(p.base.xp.max(other)) + 1 < p.base.k:
        return found
    others, other_value = p.profile(other)
    return (others, other_value, other) if other_value < value else (groups, value, labels)


def mixture(p, labels, n_starts, rng):
    """Yield rounds of EM from many starts; then let the relaxation lead out of the best mixture, if it can."""
    begun = iter([(p.hard(labels), math.nan)]) if labels is not None else best_mixtures(p, n_starts, rng)
    for R, value in begun:
        yield Iterate(p.groups(R), None, {"log_likelihood": value})
    R, value = yield from _climb(p, R)
    groups = p.groups(R)
    p.check_regular(groups)
    escaped, _ = solved(p, costs(p, groups), R, rng)
    hard = p.hard(escaped)
    if host(p.base.xp.min(p.base.xp.sum(hard, axis=0))) >= 2:
        other, other_value = yield from _climb(p, hard)
        R = other if other_value > value else R
    yield Iterate(p.groups(R), 0.0)
    return Status.STALLED, "the likelihood no longer grows"


def _climb(p, R):
    """Yield EM steps until the likelihood no longer grows; return the responsibilities and the likelihood."""
    R, before = R[None, ...], -math.inf
    while True:
        R, value = p.kernels.em(p.base.X, R, _STEPS, p.floor, p.kind, p.weighted)
        value = host(value[0])
        if math.isnan(value):
            raise SolverError("the likelihood is not a number: the computation broke down; rescale the data")
        done = not value > before + 1e-9 * abs(value)
        if done:
            return R[0, ...], value
        before = value
        yield Iterate(p.groups(R[0, ...]), None, {"log_likelihood": value})


def climbed(p, R):
    """Return the responsibilities and the likelihood to which EM leads; -inf if a group falls below two points."""
    steps = _climb(p, R)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def _start(p, rng):
    """Return spectral labels of few points, those of K-means of many."""
    if NEIGHBOURS < p.base.size <= SPECTRAL:
        return spectral_labels(p.base, rng)
    return lloyd(p.base, seeds(p.base, rng)).labels


def certifier(p, method):
    """Return the function that makes one more step from the groups and measures the change of the likelihood."""
    xp = p.base.xp

    def certify(groups):
        terms = p.log_terms(groups)
        if method == "ila-sdp":
            moved = p.assign(groups)
            _, before = p.profile(groups.labels)
            _, after = p.profile(moved)
            change = max(before - after, 0.0) / p.base.size if after < math.inf else 0.0
        else:
            top = xp.max(terms, axis=1, keepdims=True)
            R = xp.exp(terms - top)
            R = R / xp.sum(R, axis=1, keepdims=True)
            before, after = host(p.mixture_value(groups), p.mixture_value(p.groups(R)))
            change = abs(after - before) / p.base.size
        fun, log_likelihood = p.profile(groups.labels)[1], -finite(p.mixture_value(groups), "the likelihood")
        return {"change": change, "fun": fun + p.shift, "log_likelihood": log_likelihood - p.shift}

    return certify


def finisher(p):
    """Return the function that builds the result of a run."""

    def finish(groups, info, common):
        groups, certificate, base = sorted_groups(p, groups), common["certificate"], p.base
        return MixtureResult(
            **common, labels=groups.labels, weights=base.xp.astype(groups.weights, base.dtype),
            means=base.back(groups.means), covariances=base.xp.astype(groups.covariances * base.scale**2, base.dtype),
            fun=certificate["fun"], log_likelihood=certificate["log_likelihood"], lower_bound=-math.inf,
            gap=math.inf, gap_kind="none",
        )  # fmt: skip

    return finish
