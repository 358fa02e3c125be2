"""The public solver of the likelihood-adjusted relaxation at given covariances."""

import math
from typing import NamedTuple

from numopt._array import clip, default_rng, host
from numopt._check import Checks, one_of
from numopt._loop import Iterate, run
from numopt._solver import solver
from numopt._status import Status
from numopt.clustering._assignment import assignment, clear, costs
from numopt.clustering._consensus import Lifted, consensus, lifted_bound, lifted_value
from numopt.clustering._lloyd import embedded, lloyd, seeds
from numopt.clustering._low_rank import memberships
from numopt.clustering._mixture import Groups, MixtureProblem
from numopt.clustering._mixture_result import MixtureResult
from numopt.clustering._problem import checked_labels, finite, kmeans_problem
from numopt.exceptions import InvalidInputError

_METHODS = ("auto", "low_rank", "dr")
_LEAST = 1e-100  # eigenvalue of a covariance whose inverse may be squared
_DENSE = 300  # points up to which "auto" computes a bound: 6 K arrays of n x n, and K spectra a step


class State(NamedTuple):
    """Groups at the given covariances, the memberships Z_k 1 (k, n), and the lifted matrices, if any."""

    groups: object
    memberships: object
    lifted: object = None


@solver(family="clustering", arrays=("X", "covariances"))
def lasdp(X, covariances, *, weights=None, method="auto", tol=1e-4, max_iter=2000, max_time=None, init=None, rng=None,
          callback=None, check_every=1, on_failure="warn"):  # fmt: skip
    """Assign points to Gaussian groups of known covariance, means unknown, by the likelihood-adjusted relaxation.

    Minimises sum_k <C_k, Z_k> over Z_k psd, Z_k >= 0, tr Z_k = 1, sum_k Z_k 1 = 1, where
    C_k = D_k / 4 + (log|S_k| / 2 - log(weight_k)) 11' and D_k holds squared Mahalanobis distances. At
    Z_k = 1_k 1_k' / n_k that is minus the log-likelihood of the labels, up to (n p / 2) log(2 pi).

    Parameters
    ----------
    X : array_like of shape (n, p)
        Points; a centred copy in float64 is made.
    covariances : array_like of shape (K, p, p)
        Symmetric and positive definite.
    weights : array_like of shape (K,), optional
        Probabilities of the groups, normalised to sum 1. None (default): no term for them.
    method : {"auto", "low_rank", "dr"}, default "auto"
        Nonnegative factors of rank 2, which give labels and no bound; or, after them, splitting of the relaxation,
        which gives both. ``"auto"``: the second up to n = 300.
    tol : float, default 1e-4
        With a bound: for the gap between both sides of the relaxation and the violation of its constraints, relative.
        Without: for the violation of the row sums, as a root mean square.
    max_iter : int, default 2000
        Updates of a multiplier; with a bound, also tens of steps of the splitting.
    max_time : float, optional
        Seconds.
    init : array_like of shape (n,), optional
        Labels 0, ..., K - 1 to start from; None (default) takes those of K-means.
    rng : None, int, numpy.random.Generator or SeedSequence
        Seed of all draws.
    callback : callable, optional
        Called as ``callback(intermediate_result)``; raise StopIteration to stop.
    check_every : int, default 1
        Iterations between looks.
    on_failure : {"warn", "raise", "ignore"}, default "warn"
        What to do when `tol` is not reached.

    Returns
    -------
    MixtureResult
        `labels` (k belongs to ``covariances[k]``), `means`, `fun`, `lower_bound`, `gap`, `gap_kind`, `memberships`,
        and with a bound `row_multiplier` y and `multipliers` N, in float64.
        ``success`` is true only if the first entry of the certificate, recomputed, meets `tol`.

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
    Certified with ``"dr"``: `lower_bound` = 1'y + sum_k lambda_min(C_k - (y1' + 1y') / 2 - N_k), N_k >= 0, which no
    labelling undercuts at these covariances. A step costs K spectra of n x n matrices; memory: about 9 K n^2 numbers.
    The factors take about 8 n K p flops a gradient.

    Not for equal covariances, where Z_k = Z / K is optimal and says nothing: `kmeans_sdp` on whitened points.

    References
    ----------
    Y. Zhuang, X. Chen, Y. Yang, "Likelihood adjusted semidefinite programs for clustering heterogeneous data", ICML
    2023, arXiv:2209.15097.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.clustering import lasdp
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(size=(30, 2)), 3 * rng.normal(size=(30, 2)) + [9, 0]])
    >>> res = lasdp(X, [np.eye(2), 9 * np.eye(2)], rng=0)
    >>> res.gap_kind, bool(res.lower_bound <= res.fun)
    ('dual', True)
    """
    one_of("method", method, _METHODS)
    p, groups = _problem(X, covariances, weights)
    rng = default_rng(rng)
    labels = lloyd(p.base, seeds(p.base, rng)).labels if init is None else _labels(p, init)
    bounded = method == "dr" or (method == "auto" and p.base.size <= _DENSE)
    C = _dense_costs(p, groups) if bounded else None
    return run(
        _iterates(p, groups, labels, C, rng), certify=_certifier(p, C), finish=_finisher(p), tol=tol,
        max_iter=max_iter, max_time=max_time, check_every=check_every, callback=callback, on_failure=on_failure,
    )  # fmt: skip


def _problem(X, covariances, weights):
    """Check the data; return the problem and its `Groups` without means and labels, in the units of the problem."""
    checks = Checks({"X": X, "covariances": covariances, "weights": weights})
    d = checks.matrix("X").shape[1]
    S = checks.matrix("covariances", shape=(None, d, d))
    shares = None if weights is None else checks.weights("weights", size=S.shape[0])
    checks.settle()
    base, xp = kmeans_problem(X, S.shape[0]), checks.xp
    S = xp.astype(S, xp.float64) / base.scale**2
    lowest, off = host(xp.linalg.eigvalsh(S)[:, 0], xp.max(xp.abs(S - xp.matrix_transpose(S)), axis=(1, 2)))
    for k, (least, skew) in enumerate(zip(lowest, off, strict=True)):
        if not (least > _LEAST and skew <= 1e-6 * host(xp.max(xp.abs(S[k, ...])))):
            raise InvalidInputError(
                f"covariances[{k}] has the eigenvalue {least * base.scale**2:.3g} and is {skew:.2g} from symmetric: a "
                f"symmetric positive definite matrix, beside the squares of X, is expected; shrink it, or symmetrise it"
            )
    if shares is None:
        shares = xp.ones_like(S[:, 0, 0])
    elif host(xp.min(shares)) <= 0:
        raise InvalidInputError("weights hold a 0: positive weights are expected; leave that group out")
    shares = xp.astype(shares, xp.float64)
    p = MixtureProblem(base, "none", weights is not None)
    return p, Groups(shares / xp.sum(shares), None, S, None)


def _labels(p, init):
    labels, k = checked_labels(p.base, init, "init")
    if k != p.base.k:
        raise InvalidInputError(f"init has {k} different labels: {p.base.k} are expected, one for each covariance")
    return labels


def _dense_costs(p, groups):
    """Return C (k, n, n)."""
    F, h, scale = costs(p, groups)
    return scale * (h[:, :, None] + h[:, None, :] - F @ p.base.xp.matrix_transpose(F))


def _labelled(p, groups, labels):
    """Return the groups with labels and their means; an empty group has its mean at that of all points."""
    xp, R = p.base.xp, p.hard(labels)
    size = xp.sum(R, axis=0)
    means = (R.T @ p.base.X) / clip(size, 1.0, None)[:, None]
    return groups._replace(means=means, labels=labels)


def _value(p, groups):
    """Return minus the log-likelihood of labelled groups, without (n p / 2) log(2 pi), in the units of the problem."""
    xp, (n, d) = p.base.xp, p.base.X.shape
    total = finite(xp.sum(p.log_terms(groups) * p.hard(groups.labels)), "the likelihood")
    return -total - 0.5 * n * d * math.log(2 * math.pi)


def _iterates(p, groups, labels, C, rng):
    xp, cost = p.base.xp, costs(p, groups)
    for at in assignment(p, cost, p.hard(labels), rng):
        M = memberships(xp, at.U)
        best = _labelled(p, groups, xp.argmax(M, axis=0))
        residual = max(at.infeasibility, at.move)
        Z = None if C is None else at.U @ xp.matrix_transpose(at.U)
        lifted = None if C is None else Lifted(Z, -cost.scale * at.y, xp.zeros_like(Z))  # a bound, though a poor one
        yield Iterate(State(best, M, lifted), None if C is not None else residual, {"residual": residual})
        if residual <= 1e-6 or (C is not None and residual <= 1e-3):
            break
    if not clear(p, M):  # equal costs tie the memberships: clusters of all of them together
        other = _labelled(p, groups, embedded(p.base, M.T, rng, polish=False).labels)
        best = min(best, other, key=lambda groups: _value(p, groups))
    if C is None:
        yield Iterate(State(best, M), residual)
        return Status.STALLED, "the factors no longer move"
    for lifted in consensus(xp, C, Z):
        value, off = lifted_value(xp, C, lifted)
        bound = lifted_bound(xp, C, lifted)
        gap = max(abs(value - bound) / _unit(p, value), off)
        yield Iterate(State(best, M, lifted), gap, {"sdp_gap": gap})


def _unit(p, value):
    """Return what gaps are relative to: the likelihood, but no less than 1 a point."""
    return max(abs(value), float(p.base.size))


def _certifier(p, C):
    """Return the function that recomputes the numbers of a state."""

    def certify(state):
        fun = _value(p, state.groups)
        likelihood = -finite(p.mixture_value(state.groups), "the likelihood")
        values = {"fun": fun + p.shift, "log_likelihood": likelihood - p.shift}
        if C is None:
            xp = p.base.xp
            off = xp.sqrt(xp.mean((xp.sum(state.memberships, axis=0) - 1.0) ** 2))
            return {"infeasibility": off} | values
        value, off = lifted_value(p.base.xp, C, state.lifted)
        bound = lifted_bound(p.base.xp, C, state.lifted)
        gap = max(abs(value - bound) / _unit(p, value), off)
        known = {"lower_bound": bound + p.shift, "gap": max(fun - bound, 0.0) / _unit(p, fun)}
        return {"sdp_gap": gap} | values | known

    return certify


def _finisher(p):
    """Return the function that builds the result of a run."""

    def finish(state, info, common):
        certificate, base = common["certificate"], p.base
        labels, lifted = state.groups.labels, state.lifted
        known = "lower_bound" in certificate
        return MixtureResult(
            **common, labels=labels, weights=base.xp.astype(state.groups.weights, base.dtype),
            means=base.back(state.groups.means),
            covariances=base.xp.astype(state.groups.covariances * base.scale**2, base.dtype),
            fun=certificate["fun"], log_likelihood=certificate["log_likelihood"],
            lower_bound=certificate.get("lower_bound", -math.inf), gap=certificate.get("gap", math.inf),
            gap_kind="dual" if known else "none", memberships=base.xp.astype(state.memberships, base.dtype),
            row_multiplier=lifted and lifted.y + p.shift / base.size, multipliers=lifted and lifted.N,
        )  # fmt: skip

    return finish
