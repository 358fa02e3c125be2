"""The two ways to alternate between covariances and labels, and the certificate of a stationary point."""

import math

from numopt._array import host
from numopt._loop import Iterate, Relay
from numopt._status import Status
from numopt.clustering._assignment import clear, costs, solved
from numopt.clustering._lloyd import embedded
from numopt.clustering._mixture import At, sorted_groups
from numopt.clustering._mixture_result import MixtureResult
from numopt.clustering._nested import nested
from numopt.clustering._problem import finite
from numopt.clustering._starts import best_mixtures, paper_starts
from numopt.clustering._subspace import confined, crowded, discriminant, lifted, principal
from numopt.exceptions import SolverError

_STEPS, _CLIMB = 20, 100  # EM steps between looks at the likelihood, and looks
_PATIENCE = 3  # rounds of the relaxation without a gain
_DENSE, _SWEEPS = 5000, 50  # of K-means of whitened points: those up to which its relaxation is solved; sweeps after it
_SUBSPACES = 10


def alternating(p, labels, rng):
    """Yield the rounds of iLA-SDP: covariances of the labels, then labels by the relaxation at these covariances.

    Where a group collapses, the next start takes over.
    """
    best, least = None, math.inf
    for start in iter([labels]) if labels is not None else paper_starts(p.base, rng):
        groups, value = p.profile(start)
        idle, seen = 0, set()
        while groups is not None and idle < _PATIENCE:
            change = abs(least - value) / p.base.size
            best, least, idle = (groups, value, 0) if value < least else (best, least, idle + 1)
            key = host(groups.labels).tobytes()
            measure = None if not seen else 0.0 if key in seen else change
            yield Iterate(At(p, best), measure, {"fun": value})
            if key in seen:
                return Status.STALLED, "labels repeat"
            seen.add(key)
            p.check_regular(groups)
            labels, M = _assigned(p, groups, p.hard(groups.labels), rng)
            groups, value = p.profile(labels)
            if not clear(p, M):
                groups, value, labels = _better_of(p, (groups, value, labels), M, rng)
        if groups is not None:
            return Status.STALLED, "the likelihood no longer grows"
    if best is None:
        raise SolverError("a cluster of the start has fewer than two points: pass other labels as init")
    return Status.BREAKDOWN, "from every start a cluster fell below two points: ask for fewer, or pass labels as init"


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
    q = confined(p, principal(p.base)) if crowded(p.base) and p.subspace is None else p
    begun = iter([(p.hard(labels), math.nan)]) if labels is not None else best_mixtures(q, n_starts, rng)
    for R, value in begun:
        yield Iterate(At(p, p.groups(R)), None, {"log_likelihood": value})
    R, value = yield from _climb(p, R)
    groups = p.groups(R)
    p.check_regular(groups)
    escaped, _ = _assigned(p, groups, R, rng)
    hard = p.hard(escaped)
    if host(p.base.xp.min(p.base.xp.sum(hard, axis=0))) >= 2:
        other, other_value = yield from _climb(p, hard)
        R, value = (other, other_value) if other_value > value else (R, value)
    yield Iterate(At(p, p.groups(R)), 0.0)
    if value == -math.inf:
        return Status.BREAKDOWN, "from every start a group fell below two points: ask for fewer"
    return Status.STALLED, "the likelihood no longer grows"


def _climb(p, R):
    """Yield EM steps until the likelihood stays; return the responsibilities and the likelihood.

    Shrinkage makes that no ascent: the likelihood may fall on the way.
    """
    R, before = R[None, ...], -math.inf
    for number in range(_CLIMB):
        R, value = p.kernels.em(p.base.X, R, _STEPS, p.floor, p.kind, p.weighted)
        value = host(value[0])
        if math.isnan(value):
            raise SolverError("the likelihood is not a number: the computation broke down; rescale the data")
        if value == -math.inf or abs(value - before) <= 1e-9 * abs(value) or number + 1 == _CLIMB:
            return R[0, ...], value
        before = value
        yield Iterate(At(p, p.groups(R[0, ...])), None, {"log_likelihood": value})


def _assigned(p, groups, R, rng):
    """Return labels and memberships (k, n) of the relaxation at the covariances of the groups."""
    if p.kind != "tied":
        return solved(p, costs(p, groups), R, rng)
    # Equal covariances tie all memberships: the relaxation is that of K-means for whitened points. It knows no
    # weights; moving points one by one takes them into account.
    xp, base = p.base.xp, p.base
    L = xp.linalg.cholesky(groups.covariances[0, ...])
    method = "auto" if base.size <= _DENSE else "certify"
    labels = nested(base.X @ xp.linalg.inv(L).T, base.k, method=method, rng=rng).labels
    for _ in range(_SWEEPS):
        moved, _ = p.profile(labels)
        before, labels = labels, labels if moved is None else p.assign(moved)
        if host(xp.all(before == labels)):
            break
    return labels, p.hard(labels).T


def in_subspaces(p, labels, reduce, steps):
    """Yield the iterates of `steps(problem, labels)` in the principal subspace; with "lda", then in that of the labels.

    That is repeated until the labels stay as they are.
    """
    q = confined(p, principal(p.base))
    for number in range(_SUBSPACES):
        if number:
            q = confined(p, discriminant(p, labels))
        relay, settled = Relay(steps(q, labels)), False
        for at in relay:
            found = at.state.groups.labels
            settled = reduce == "pca" or number + 1 == _SUBSPACES
            settled = settled or (number > 0 and bool(host(p.base.xp.all(found == labels))))
            yield Iterate(at.state, at.measure if settled else None, at.info)
        labels = found
        if settled or host(p.base.xp.min(p.base.xp.sum(p.hard(labels), axis=0))) < 2:
            break
    return relay.end


def climbed(p, R):
    """Return the responsibilities and the likelihood to which EM leads; -inf if a group falls below two points."""
    steps = Relay(_climb(p, R))
    for _ in steps:
        pass
    return steps.end


def certifier(method):
    """Return the function that makes one more step from the groups and measures the change of the likelihood."""

    def certify(at):
        p, groups = at
        xp, terms = p.base.xp, p.log_terms(at.groups)
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


def finish(at, info, common):
    """Build the result of a run."""
    p, certificate = at.problem, common["certificate"]
    groups, V = sorted_groups(p, lifted(*at)), None
    base = p.base
    if p.subspace is not None:
        base, V = p.subspace.outer, base.xp.astype(p.subspace.V, base.dtype)
    return MixtureResult(
        **common, labels=groups.labels, weights=base.xp.astype(groups.weights, base.dtype),
        means=base.back(groups.means), covariances=base.xp.astype(groups.covariances * base.scale**2, base.dtype),
        fun=certificate["fun"], log_likelihood=certificate["log_likelihood"], lower_bound=-math.inf,
        gap=math.inf, gap_kind="none", subspace=V,
    )  # fmt: skip
