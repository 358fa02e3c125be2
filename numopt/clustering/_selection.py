"""The number of clusters: certified partitions into 1, 2, ... clusters, each validated by a Gaussian mixture.

The mixture of K equally likely groups with one spherical covariance is K-means' own: its largest classification
likelihood is a function of the sum of squares alone, so that a lower bound of that is one of the criterion

    BIC(K) = n p (1 + log(2 pi SSE / (n p))) + 2 n log K + (K p + 1) log n,

and a choice can be proved.
"""

import math
from dataclasses import replace
from typing import NamedTuple

from numopt._array import default_rng
from numopt._check import integer, one_of
from numopt._loop import Iterate, run
from numopt._solver import solver
from numopt.clustering._lloyd import partition
from numopt.clustering._mixture import MixtureProblem
from numopt.clustering._mixture_methods import climbed
from numopt.clustering._nested import nested
from numopt.clustering._problem import finite, kmeans_problem
from numopt.clustering._selection_result import SelectionResult
from numopt.exceptions import InvalidInputError

_COVARIANCES = ("spherical", "full")
_MOST = 10  # clusters that are tried, unless told otherwise


class Fit(NamedTuple):
    """The result of one number of clusters, and the mixture to which its partition leads (None: none)."""

    result: object
    groups: object = None


@solver(family="clustering", arrays=("X",))
def ppp_select_k(X, max_clusters=None, *, covariance="spherical", tol=1e-3, max_iter=2000, max_time=None, n_init=10,
                 rng=None, callback=None, check_every=1, on_failure="warn"):  # fmt: skip
    """Choose the number of clusters: certified K-means partitions, validated by Gaussian mixtures.

    Parameters
    ----------
    X : array_like of shape (n, p)
        Points; a centred copy in float64 is made.
    max_clusters : int, optional
        1, 2, ..., as many clusters are tried; at most n / 2, two points a cluster. None (default): 10, or n / 5 if
        that is smaller.
    covariance : {"spherical", "full"}, default "spherical"
        Of the groups of the mixture. ``"spherical"``: equally likely groups with one variance, as K-means assumes; the
        choice can be proved. ``"full"``: groups with weights and (shrunk) covariances of their own, found by EM from
        the partition; for groups that are not round. Its likelihoods are local maxima, and nothing is proved.
    tol : float, default 1e-3
        For the relative duality gap (see `KMeansResult.sdp_gap`) of the choice, and of the numbers of clusters that its
        criterion does not rule out.
    max_iter : int, default 2000
        Iterations of each fit.
    max_time : float, optional
        Seconds, for all fits.
    n_init : int, default 10
        Starts of K-means of each fit.
    rng : None, int, numpy.random.Generator or SeedSequence
        Seed of all draws.
    callback : callable, optional
        Called after each fit as ``callback(intermediate_result)``; raise StopIteration to stop.
    check_every : int, default 1
        Fits between records.
    on_failure : {"warn", "raise", "ignore"}, default "warn"
        What to do when `tol` is not reached.

    Returns
    -------
    SelectionResult
        `n_clusters`, `labels`, `bic` and `fits` of all numbers, and `margin`: not negative if the choice is proved.
        ``success`` is true only if all numbers were tried, and these gaps meet `tol`; a choice that is not proved is no
        failure.

    Raises
    ------
    InvalidInputError
        An argument is inadmissible; the message names it, the index and the remedy.
    InvalidTypeError
        Arrays of different libraries or devices, or of an unknown kind.
    SolverError
        `tol` was not reached and ``on_failure="raise"``; or a number was not finite.

    Warns
    -----
    ConvergenceWarning
        `tol` was not reached.

    Notes
    -----
    The criterion is minus twice the log-likelihood plus log(n) for each parameter. For ``"spherical"`` it is that of
    the classification: n p (1 + log(2 pi SSE / (n p))) + 2 n log K + (K p + 1) log n. That grows with SSE, so a lower
    bound of all partitions into K clusters gives one of the criterion; if those of all other K are above the criterion
    of the choice, that is proved. No more than the distinct points are tried.

    Cost and memory: those of `kmeans_sdp` for each number of clusters, one after another; the partitions of all are
    kept. Not for: long or unequal groups with ``"spherical"``, which cuts them into round pieces; groups that
    K-means cannot see, for which the ``bic`` of `numopt.estimators.LASDPClustering` is made.

    References
    ----------
    M. Sultan, "Probabilistic Partitive Partitioning (PPP)", arXiv:2003.04372: K-means partitions, validated by a
    Gaussian mixture. The criterion and the proof are ours.

    Examples
    --------
    >>> from numopt.clustering import ppp_select_k
    >>> from numopt.gallery import isotropic_clusters
    >>> X, _ = isotropic_clusters(150, 5, 3, sep=8.0)
    >>> res = ppp_select_k(X, 5, rng=0)
    >>> res.n_clusters, res.proved
    (3, True)
    """
    one_of("covariance", covariance, _COVARIANCES)
    integer("n_init", n_init, low=1, remedy="run K-means at least once")
    p = kmeans_problem(X, 1)
    if max_clusters is None:
        max_clusters = min(_MOST, max(1, p.size // 5))
    integer("max_clusters", max_clusters, low=1, remedy="try at least one cluster")
    if max_clusters > max(1, p.size // 2):
        raise InvalidInputError(
            f"max_clusters is {max_clusters} for X with {p.size} rows: at least two rows a cluster are expected; try "
            f"fewer clusters"
        )
    full, rng = covariance == "full", default_rng(rng)

    def fit(k):
        return nested(X, k, tol=tol, max_iter=max_iter, n_init=n_init, rng=rng)

    return run(
        _fits(p, int(max_clusters), full, fit), certify=_certifier(p, full), finish=_finisher(p, full), tol=tol,
        max_iter=max_iter, max_time=max_time, check_every=check_every, callback=callback, on_failure=on_failure,
    )  # fmt: skip


class Fits(NamedTuple):
    """The fits of 1, 2, ... clusters, and whether that is all."""

    fits: tuple
    complete: bool


def _fits(p, most, full, fit):
    """Yield the fits of 1, 2, ... clusters, all so far; stop where the sum of squares vanishes."""
    fits = ()
    for k in range(1, most + 1):
        result = fit(k)
        result._split = None  # n x n numbers
        fits = (*fits, Fit(result, _mixture(replace(p, k=k), result.labels) if full else None))
        last = k == most or result.fun <= p.original(p.trivial)
        info = {"n_clusters": k, "fun": result.fun, "gap": result.gap}
        yield Iterate(Fits(fits, last), _gap(p, fits, full) if last else None, info)
        if last:
            worst = max((fit.result for fit in fits), key=lambda result: result.sdp_gap)
            return worst.status, f"with {worst.centers.shape[0]} clusters"


def _mixture(p, labels):
    """Return the groups to which EM leads from a partition; None if one of them falls below two points."""
    mixture = MixtureProblem(p, "oas", True)
    R, value = climbed(mixture, mixture.hard(labels))
    return None if value == -math.inf else mixture.groups(R)


def _criteria(p, fits, full):
    """Return the criterion and its bound of each number of clusters, recomputed from the points."""
    bic, bound = {}, {}
    for k, (result, groups) in enumerate(fits, 1):
        if full:
            bic[k], bound[k] = _full(replace(p, k=k), groups), -math.inf
            continue
        bic[k] = _spherical(p, k, partition(p, result.labels, k).sse)
        lower = result.lower_bound / p.scale**2
        known = result.gap_kind == "exact" or lower > p.trivial
        bound[k] = -math.inf if not known else bic[k] if result.gap_kind == "exact" else _spherical(p, k, lower)
    return bic, bound


def _spherical(p, k, sse):
    n, width = p.X.shape
    variance = max(sse, p.trivial, 1e-300) / (n * width)  # of exact copies: no log of 0
    likelihood = n * width * (1 + math.log(2 * math.pi * variance) + 2 * math.log(p.scale))
    return likelihood + 2 * n * math.log(k) + (k * width + 1) * math.log(n)


def _full(p, groups):
    if groups is None:
        return math.inf
    (n, width), mixture = p.X.shape, MixtureProblem(p, "oas", True)
    parameters = p.k - 1 + p.k * width + p.k * width * (width + 1) // 2
    return 2 * (finite(mixture.mixture_value(groups), "the likelihood") + mixture.shift) + parameters * math.log(n)


def _chosen(bic, bound):
    """Return the best number of clusters and by how much it is below the bounds of all others."""
    best = min(bic, key=bic.get)
    others = [bound[k] for k in bound if k != best]
    return best, min(others) - bic[best] if others else math.inf


def _gap(p, fits, full):
    """Return the largest duality gap of the choice and of the numbers that its criterion does not rule out."""
    bic, bound = _criteria(p, fits, full)
    best, _ = _chosen(bic, bound)
    return max(fits[k - 1].result.sdp_gap for k in bic if k == best or bound[k] < bic[best])


def _certifier(p, full):
    """Return the function that recomputes the criteria; the gaps of the fits were computed from the points at them."""

    def certify(state):
        bic, bound = _criteria(p, state.fits, full)
        best, margin = _chosen(bic, bound)
        gap = _gap(p, state.fits, full) if state.complete else 1.0  # of numbers not tried nothing is known
        return {"sdp_gap": gap, "bic": bic[best], "margin": margin}

    return certify


def _finisher(p, full):
    """Return the function that builds the result of a run."""

    def finish(state, info, common):
        fits = state.fits
        bic, bound = _criteria(p, fits, full)
        best, margin = _chosen(bic, bound)
        fit, kinds = fits[best - 1].result, {fit.result.gap_kind for fit in fits}
        kind = "none" if full or "none" in kinds else "probabilistic" if "probabilistic" in kinds else "dual"
        said = f"{best} of 1 to {len(fits)} clusters, {_said(margin, kind)}"
        return SelectionResult(
            **common | {"message": f"{common['message']()}; {said}"}, n_clusters=best, labels=fit.labels,
            centers=fit.centers, fun=fit.fun, lower_bound=fit.lower_bound, gap=fit.gap, gap_kind=fit.gap_kind, bic=bic,
            bic_bound=bound, margin=margin, margin_kind=kind, sdp_gap=common["certificate"]["sdp_gap"],
            _fits=tuple(fit.result for fit in fits),
        )  # fmt: skip

    return finish


def _said(margin, kind):
    """Say how sure the choice is."""
    if kind == "none" or margin < 0:
        return "which is not proved"
    return "which is proved" if kind == "dual" else "which holds by confidence intervals, asymptotically"
