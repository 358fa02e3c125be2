"""The public K-means solvers: a partition and a proof of how good it is."""

from dataclasses import replace

import numpy as np

from numopt._array import default_rng
from numopt._check import Checks, integer, one_of
from numopt._loop import run
from numopt._solver import solver
from numopt.clustering._cuts import MOST
from numopt.clustering._lloyd import lloyd, ordered, seeds, starts
from numopt.clustering._methods import bounded, iterates, low_rank_partitions
from numopt.clustering._pairwise import pairwise_bound
from numopt.clustering._problem import checked_labels, kmeans_problem
from numopt.clustering._result import KMeansResult
from numopt.clustering._state import State, certifier, finisher
from numopt.exceptions import InvalidInputError

_METHODS = ("auto", "certify", "dr", "low_rank", "sketch")


@solver(family="clustering", arrays=("X",))
def kmeans_sdp(X, n_clusters, *, method="auto", tol=1e-3, max_iter=2000, max_time=None, init="k-means++", n_init=10,
               sample_size=1000, n_sketches=10, cuts="none", rng=None, callback=None, check_every=1,
               on_failure="warn"):  # fmt: skip
    """Cluster by K-means and prove how good the partition is.

    Labels come from K-means; a lower bound from the semidefinite relaxation of Peng and Wei: minimise <C, Z>,
    ``C_ij = |x_i - x_j|^2 / 2``, over Z psd, Z >= 0, Z 1 = 1, tr Z = K. No partition is better than the bound.

    Parameters
    ----------
    X : array_like of shape (n, p)
        Points; a centred copy in float64 is made.
    n_clusters : int
        K, at least 1 and at most n.
    method : {"auto", "certify", "dr", "low_rank", "sketch"}, default "auto"
        ``"certify"``: K-means, then the bound of `certify_kmeans`. ``"dr"``: if that leaves a gap, Douglas-Rachford
        splitting solves the relaxation, in one n x n matrix. ``"low_rank"``: as ``"certify"``, with labels
        from the nonnegative low-rank relaxation (arXiv:2305.18436) instead of K-means. ``"sketch"``: a probabilistic
        bound from relaxations of samples. ``"auto"``: as ``"dr"`` up to n = 5000; above, as ``"sketch"``, then as
        ``"dr"`` if `tol` is out of the samples' reach and 40 n^2 bytes are within 80 % of the memory of the machine, or
        of the device (n = 20000 needs 16 GB; some seconds on a GPU, many minutes on two cores). A warning tells before
        that begins on a CPU; `max_time` bounds it, and the callback is called after each step.
    tol : float, default 1e-3
        For the relative gap: see `KMeansResult.sdp_gap`.
    max_iter : int, default 2000
        Iterations are starts of K-means, the bound by pairs, and steps of the splitting or sketches.
    max_time : float, optional
        Seconds. What is under way then is brought to its end: a sweep of K-means, a step of the splitting. Of more than
        2000 points the bound of a relaxation that is not solved yet, n^3 / 3 flops or more, is not computed any more:
        `lower_bound` is that of before.
    init : {"k-means++"}, array_like of shape (n,) or (K, p), or KMeansResult, default "k-means++"
        Labels or centres to start from instead; not for ``"low_rank"``, whose start is random.
    n_init : int, default 10
        Starts of K-means. With more than 32768 points they are compared on a sample of that size.
    sample_size, n_sketches : int, default 1000 and 10
        For ``"sketch"``: points of a sample, and samples (at least 2).
    cuts : {"none", "triangle"}, default "none"
        ``"triangle"``: where the relaxation leaves a gap, add the inequalities ``Z_ij + Z_ik <= Z_ii + Z_jk`` that it
        violates; for ``"auto"`` and ``"dr"``, n <= 1000. They close the gap of many real data sets.
    rng : None, int, numpy.random.Generator or SeedSequence
        Seed of all draws.
    callback : callable, optional
        Called as ``callback(intermediate_result)``; raise StopIteration to stop.
    check_every : int, default 1
        Iterations between looks at the gap.
    on_failure : {"warn", "raise", "ignore"}, default "warn"
        What to do when `tol` is not reached.

    Returns
    -------
    KMeansResult
        `labels`, `centers`, `fun`, `lower_bound`, `gap`, `gap_kind`, and what is known of the relaxation. ``success``
        is true only if `sdp_gap`, recomputed from the points, meets `tol`. A gap that the relaxation itself leaves is
        no failure: it is `gap`, and the message says so.

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
        `tol` was not reached; or fewer than K points are distinct, and so many clusters are returned.
    PerformanceWarning
        ``"auto"`` goes on to the relaxation of more than 5000 points, on a CPU and without `max_time`.

    Notes
    -----
    Cost: the bound by pairs needs two passes over the points, about n p (p + K) multiplications. A step of the
    splitting takes 2 n^2 (2 m + r) flops, m = 4 K or more columns and rank r of 5 to 30; 70 to 100 steps give a gap of
    1e-4 on Gaussian clusters, 100 to 200 one of 1e-5. The certificate takes n^3 / 3 flops, or 4 n^3 / 3. Memory:
    8 n (p + K) bytes, for the splitting 4 n^2 (8 n^2 below gaps of 5e-6) and a copy, and 32 n^2 while it is certified.
    With cuts 72 n^2 in all, and n^3 / 2 comparisons every 20 steps: 100 to 250 steps, 6 s at n = 1000.

    Certified: `lower_bound`, for any partition, by eigenvalues in float64. Not for: clusters of different shape, for
    which `ila_sdp` is made; only labels, without a bound (scikit-learn's ``KMeans`` is enough).

    References
    ----------
    J. Peng, Y. Wei, "Approximating K-means-type clustering via semidefinite programming", SIAM J. Optim. 18, 2007.
    T. Iguchi, D. Mixon, J. Peterson, S. Villar, "Probably certifiably correct k-means clustering", arXiv:1509.07983.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.clustering import kmeans_sdp
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(size=(50, 2)), rng.normal(size=(50, 2)) + [9, 0]])
    >>> res = kmeans_sdp(X, 2, rng=0)
    >>> res.gap_kind, res.gap, bool(np.all(res.labels[:50] == 0))
    ('exact', 0.0, True)
    """
    one_of("method", method, _METHODS)
    integer("n_init", n_init, low=1, remedy="run K-means at least once")
    one_of("cuts", cuts, ("none", "triangle"))
    p = kmeans_problem(X, n_clusters)
    cut = cuts == "triangle"
    if cut and (p.size > MOST or method not in ("auto", "dr")):
        raise InvalidInputError(
            f"cuts is 'triangle' for method {method!r} and X with {p.size} rows: method 'auto' or 'dr' and at most "
            f"{MOST} rows are expected; leave out cuts, or take a sample"
        )
    rng = default_rng(rng)
    size = integer("sample_size", sample_size, low=p.k, remedy="take at least as many points as clusters")
    count = integer("n_sketches", n_sketches, low=2, remedy="a variance needs two samples")
    first = _initial(p, init, n_init, rng)
    if method == "low_rank":
        first = low_rank_partitions(p, rng)
    return run(
        iterates(p, first, method, rng, size, count, cut, tol), certify=certifier(p, cut), finish=finisher(p), tol=tol,
        max_iter=max_iter, max_time=max_time, check_every=check_every, callback=callback, on_failure=on_failure,
    )  # fmt: skip


def certify_kmeans(X, labels, *, tol=1e-3, on_failure="warn"):
    r"""Prove how good a given partition is as a K-means partition.

    Parameters
    ----------
    X : array_like of shape (n, p)
        Points; a centred copy in float64 is made.
    labels : array_like of shape (n,)
        Anybody's labels, any numbers; K is how many are different.
    tol : float, default 1e-3
        For the relative gap between the sum of squares of the labels and the bound.
    on_failure : {"warn", "raise", "ignore"}, default "warn"
        What to do when `tol` is not reached.

    Returns
    -------
    KMeansResult
        The labels as 0, ..., K - 1, sorted by their centres, `lower_bound`, and `gap_kind`: ``"exact"`` if no
        partition into K clusters is better, else ``"dual"``.

    Raises
    ------
    InvalidInputError, InvalidTypeError
        An argument is inadmissible; the message names it, the index and the remedy.
    SolverError
        `tol` was not reached and ``on_failure="raise"``; or a number was not finite.

    Warns
    -----
    ConvergenceWarning
        `tol` was not reached: the labels are not shown to be that good. They may be all the same.

    Notes
    -----
    With margin_b(i) = \|x_i - m_b\|^2 - \|x_i - m_a\|^2 for i in cluster a, and the least of them weighed,
    tau = min margin_b(i) / (1 / n_a + 1 / n_b) > 0, the labels are optimal if tau is at least the largest eigenvalue of
    Xw Xw' + Nw (X and N, the multiplier of Z >= 0, centred within clusters). As N has low rank, that is an
    eigenvalue of a matrix of size p + K (K - 1), of sums over clusters: it is computed, not estimated.

    If the test fails, the bound is the largest over a family of multipliers with two parameters. Beyond
    p + K (K - 1) = 800 only the bound by principal components (N = 0) is used then. Beyond 1000 the test bounds the
    eigenvalue, by norms of the blocks of N: it may fail for labels that are optimal; and it is left out where its
    K (p + K)^2 numbers are more than 2^27.

    Cost: two passes over the points, about n p (p + K) multiplications, and some on a sample of 16384 points. Memory:
    8 n (p + 2) bytes and blocks of 16384 rows. One second for n = 10^6, p = 20, K = 4.

    References
    ----------
    T. Iguchi, D. Mixon, J. Peterson, S. Villar, "Probably certifiably correct k-means clustering", arXiv:1509.07983.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.clustering import certify_kmeans
    >>> X = np.array([[0.0], [1.0], [10.0], [11.0]])
    >>> certify_kmeans(X, [7, 7, 3, 3]).gap_kind
    'exact'
    >>> certify_kmeans(X, [7, 3, 3, 3], on_failure="ignore").lower_bound <= 1.0
    True
    """
    p = kmeans_problem(X, 1)
    labels, k = checked_labels(p, labels)
    p = replace(p, k=k)
    found = ordered(p, labels)
    state = State(found, pairwise_bound(p, found))
    return run(bounded(p, state), certify=certifier(p), finish=finisher(p), tol=tol, max_iter=2, on_failure=on_failure)


def _initial(p, init, n_init, rng):
    """Return the partitions to start from, one after another: of K-means, of given labels or centres."""
    if isinstance(init, str):
        one_of("init", init, ("k-means++",))
        return starts(p, n_init, rng)
    given = isinstance(init, KMeansResult)
    init = init.labels if given else init
    if getattr(init, "ndim", None) == 2 or (isinstance(init, (list, tuple)) and np.ndim(init) == 2):
        checks = Checks({"X": p.X, "init": init}, dtype=p.xp.float64)
        centres = checks.matrix("init", shape=(p.k, p.X.shape[1]))
        checks.settle()
        return iter([lloyd(p, p.place(centres))])
    labels, k = checked_labels(p, init, "init")
    if k != p.k and not (given and k < p.k):  # a result has fewer where points coincided
        raise InvalidInputError(f"init has {k} different labels: {p.k} are expected, n_clusters; pass as many")
    return iter([lloyd(p, seeds(p, rng, p.means(labels, k)[0]))])
