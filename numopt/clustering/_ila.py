"""The public solver for clusters of different shape."""

from numopt._array import default_rng
from numopt._check import flag, integer, one_of, positive_scalar
from numopt._loop import run
from numopt._solver import solver
from numopt.clustering._mixture import MixtureProblem
from numopt.clustering._mixture_methods import alternating, certifier, finish, in_subspaces, mixture
from numopt.clustering._problem import checked_labels, expect_squares, kmeans_problem
from numopt.exceptions import InvalidInputError

_METHODS = ("auto", "ila-sdp")


@solver(family="clustering", arrays=("X",))
def ila_sdp(X, n_clusters, *, method="auto", covariance="oas", reg_covar=1e-6, weights=True, n_starts=64, reduce=None,
            tol=1e-6, max_iter=200, max_time=None, init=None, rng=None, callback=None, check_every=1,
            on_failure="warn"):  # fmt: skip
    """Cluster Gaussian groups that have covariances of their own.

    Parameters
    ----------
    X : array_like of shape (n, p)
        Points; a centred copy in float64 is made.
    n_clusters : int
        K, at least 1, with n >= 2 K.
    method : {"auto", "ila-sdp"}, default "auto"
        ``"ila-sdp"``: covariances of the labels and labels by the relaxation at these covariances, in turn, as
        published. ``"auto"``: mixtures from many starts; the relaxation then tries to lead out of the best one.
    covariance : {"oas", "ridge", "tied", "none"}, default "oas"
        ``"oas"``: shrink covariances towards spheres (Chen, Wiesel, Eldar and Hero 2010). ``"ridge"``: only add
        `reg_covar`. ``"tied"``: one covariance for all groups, shrunk. ``"none"``: as they are; singular ones are
        refused.
    reg_covar : float, default 1e-6
        Times the mean variance of the data, this is added to the diagonal of covariances; not for ``"none"``.
    weights : bool, default True
        Allow groups of different probability; else log-likelihoods have no term for it.
    n_starts : int, default 64
        Random starts of ``"auto"``; K-means, Ward's and spectral clusters are three more.
    reduce : {None, "pca", "lda"}, default None
        Find groups that differ in a subspace only. ``"pca"``: of the leading min(p, 10 K, n / (5 K)) principal
        directions. ``"lda"``: of K - 1 directions that separate the labels, found in turn with these. None (default):
        in the whole space; if p > 200 or p >= n / (2 K), starts are made in the principal subspace even so.
    tol : float, default 1e-6
        For the change of the log-likelihood, per point, by one more step from the returned groups.
    max_iter : int, default 200
        Iterations are rounds of starts (16 at once), steps of the mixture (20 at once), and rounds of the relaxation.
    max_time : float, optional
        Seconds.
    init : array_like of shape (n,), optional
        Labels to start from instead.
    rng : None, int, numpy.random.Generator or SeedSequence
        Seed of all draws.
    callback : callable, optional
        Called as ``callback(intermediate_result)``; raise StopIteration to stop.
    check_every : int, default 1
        Iterations between looks at the change.
    on_failure : {"warn", "raise", "ignore"}, default "warn"
        What to do when `tol` is not reached.

    Returns
    -------
    MixtureResult
        `labels`, `weights`, `means`, `covariances`, `fun`, `log_likelihood` and `subspace`. ``success`` is true only if
        one more step, recomputed from the points, changes the likelihood by less than `tol`: the groups are
        stationary. That they are the best ones is not shown, and `gap_kind` says ``"none"``.

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
    Cost of ``"auto"``: about 900 EM steps of n K p^2 multiplications each, and n^3 for the spectral start; Ward's start
    is made on the host (both for n <= 1000 only). Memory: 8 n K (n_starts + 3) bytes.

    With ``"tied"`` the relaxation is that of K-means for whitened points (`kmeans_sdp`), since equal covariances tie
    its memberships.

    Not for: round clusters of one size (`kmeans_sdp`, which proves its answer). With p much larger than the size of a
    cluster shrinkage leaves spheres; try `reduce`.

    References
    ----------
    Y. Zhuang, X. Chen, Y. Yang, "Likelihood adjusted semidefinite programs for clustering heterogeneous data", ICML
    2023, arXiv:2209.15097.

    Examples
    --------
    >>> from numopt.clustering import ila_sdp
    >>> from numopt.gallery import heterogeneous_clusters
    >>> X, labels = heterogeneous_clusters("line", p=4, sep=8.0)
    >>> res = ila_sdp(X, 3, rng=0)
    >>> res.success, res.means.shape
    (True, (3, 4))
    """
    one_of("method", method, _METHODS)
    one_of("covariance", covariance, ("oas", "ridge", "tied", "none"))
    positive_scalar("reg_covar", reg_covar, high=1.0)
    if reduce is not None:
        one_of("reduce", reduce, ("pca", "lda"))
    integer("n_starts", n_starts, low=1, remedy="make at least one start")
    base = kmeans_problem(X, n_clusters)
    if base.size < 2 * base.k:
        raise InvalidInputError(
            f"n_clusters is {base.k} for X with {base.size} rows: at least two rows a cluster are expected; ask for "
            f"fewer clusters"
        )
    expect_squares(base)
    p = MixtureProblem(base, covariance, flag("weights", weights), float(reg_covar))
    rng = default_rng(rng)
    labels = None
    if init is not None:
        labels, k = checked_labels(base, init, "init")
        if k != base.k:
            raise InvalidInputError(f"init has {k} different labels: {base.k} are expected, n_clusters; pass as many")

    def steps(p, labels):
        return alternating(p, labels, rng) if method == "ila-sdp" else mixture(p, labels, n_starts, rng)

    return run(
        steps(p, labels) if reduce is None else in_subspaces(p, labels, reduce, steps), certify=certifier(method),
        finish=finish, tol=tol, max_iter=max_iter, max_time=max_time, check_every=check_every, callback=callback,
        on_failure=on_failure,
    )  # fmt: skip
