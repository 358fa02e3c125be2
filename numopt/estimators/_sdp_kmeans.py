"""K-means with a proof, as an estimator."""

import math

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from numopt._array import default_rng, host, is_array, is_numpy, namespace
from numopt._check import Checks
from numopt.clustering import kmeans_sdp
from numopt.estimators._validated import validated
from numopt.estimators._warnings import pass_on
from numopt.exceptions import InvalidInputError


class SDPKMeans(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):
    """Cluster by K-means and say how far the partition is from the best one.

    Parameters
    ----------
    n_clusters : int, default 8
        K, at most the number of points.
    method : {"auto", "certify", "dr", "low_rank", "sketch"}, default "auto"
        How labels and bound are found: see `numopt.clustering.kmeans_sdp`.
    tol : float, default 1e-3
        For the relative gap of the relaxation.
    max_iter : int, default 2000
        Starts of K-means, bounds, and steps of the splitting or samples.
    max_time : float, default None
        Seconds.
    n_init : int, default 10
        Starts of K-means.
    cuts : {"none", "triangle"}, default "none"
        Whether to tighten the relaxation by triangle inequalities, up to 1000 points.
    random_state : None, int, numpy.random.Generator or RandomState
        Seed of all draws.

    Attributes
    ----------
    labels_ : ndarray of shape (n,)
        Nearest centre of every point: ``predict(X)``.
    cluster_centers_ : ndarray of shape (K, p)
        Means of the clusters; fewer than K if fewer points are distinct.
    inertia_, objective_ : float
        Sum of squared distances to the nearest centre.
    lower_bound_, gap_ : float
        No partition is better than `lower_bound_`; (objective - bound) / objective.
    gap_kind_ : {"exact", "dual", "probabilistic", "none"}
        How sure the bound is.
    n_iter_ : int
        Iterations done.
    result_ : numopt.clustering.KMeansResult
        All that is known.
    n_features_in_ : int
        p.
    feature_names_in_ : ndarray of shape (p,)
        Names of the columns of X, if it has any.

    Warns
    -----
    ConvergenceWarning
        `tol` was not reached; also one of scikit-learn's class of that name.

    Notes
    -----
    Arrays of other libraries, such as CuPy, stay where they are; they are not for `set_output`.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.estimators import SDPKMeans
    >>> X = np.array([[0.0], [1.0], [10.0], [11.0]])
    >>> fit = SDPKMeans(2, random_state=0).fit(X)
    >>> fit.labels_, fit.gap_kind_
    (array([0, 0, 1, 1]), 'exact')
    """

    def __init__(self, n_clusters=8, *, method="auto", tol=1e-3, max_iter=2000, max_time=None, n_init=10,
                 cuts="none", random_state=None):  # fmt: skip
        self.n_clusters = n_clusters
        self.method = method
        self.tol = tol
        self.max_iter = max_iter
        self.max_time = max_time
        self.n_init = n_init
        self.cuts = cuts
        self.random_state = random_state

    def fit(self, X, y=None):
        """Cluster points.

        Parameters
        ----------
        X : array_like of shape (n, p)
            Points.
        y : None
            Ignored.

        Returns
        -------
        SDPKMeans
            The estimator itself.
        """
        X = points_of(self, X)
        self.result_ = result = kmeans_sdp(
            X, self.n_clusters, method=self.method, tol=self.tol, max_iter=self.max_iter, max_time=self.max_time,
            n_init=self.n_init, cuts=self.cuts, rng=seed_of(self.random_state), on_failure="ignore",
        )  # fmt: skip
        self.cluster_centers_ = result.centers
        self.labels_ = self._nearest(X)
        self.inertia_ = self.objective_ = result.fun
        self.lower_bound_, self.gap_, self.gap_kind_ = result.lower_bound, result.gap, result.gap_kind
        self.n_iter_, self._n_features_out = result.nit, result.centers.shape[0]
        pass_on(result)
        return self

    def predict(self, X):
        """Return the nearest centre of each point.

        Parameters
        ----------
        X : array_like of shape (n, p)
            Points.

        Returns
        -------
        ndarray of int64 of shape (n,)
            Rows of `cluster_centers_`.
        """
        check_is_fitted(self)
        return self._nearest(points_of(self, X, reset=False))

    def transform(self, X):
        """Return the distances to the centres.

        Parameters
        ----------
        X : array_like of shape (n, p)
            Points.

        Returns
        -------
        ndarray of shape (n, K)
            Euclidean distances, in the common dtype of X and `cluster_centers_`.
        """
        check_is_fitted(self)
        X = points_of(self, X, reset=False)
        xp = namespace(X)
        return xp.astype(xp.sqrt(self._squares(X)), xp.result_type(X, self.cluster_centers_))

    def score(self, X, y=None):
        """Return minus the sum of squared distances to the nearest centres.

        Parameters
        ----------
        X : array_like of shape (n, p)
            Points.
        y : None
            Ignored.

        Returns
        -------
        float
            At most 0; higher is better.
        """
        check_is_fitted(self)
        X = points_of(self, X, reset=False)
        xp = namespace(X)
        return -host(xp.sum(xp.min(self._squares(X), axis=1)))

    def _nearest(self, X):
        return namespace(X).argmin(self._squares(X), axis=1)

    def _squares(self, X):
        """Return squared distances to the centres, in float64; differences, so that equal points are at 0."""
        xp = namespace(X)
        X, centres = (xp.astype(x, xp.float64) for x in (X, self.cluster_centers_))  # holds squares of all float32
        with np.errstate(over="ignore"):
            columns = [xp.sum((X - centres[j, :]) ** 2, axis=1) for j in range(centres.shape[0])]
        squares = xp.stack(columns, axis=1)
        if not (most := host(xp.max(squares))) < math.inf:
            raise InvalidInputError(
                f"X has points whose squared distance to a centre is {most}: nearer ones are expected; drop them"
            )
        return squares


def points_of(estimator, X, *, reset=True, at_least=1):
    """Return clean points: through scikit-learn, or where they are if it would convert or refuse them."""
    if is_array(X) and not is_numpy(namespace(X)):
        checks = Checks({"X": X})
        expected = None if reset else estimator.n_features_in_
        X = checks.matrix("X", shape=(None, expected))
        checks.settle()
        if reset:
            estimator.n_features_in_ = X.shape[1]
        return X
    return validated(estimator, X, reset=reset, dtype=("float64", "float32"), ensure_min_samples=at_least)


def seed_of(random_state):
    """Return what scikit-learn's `random_state` means as an `rng`."""
    if hasattr(random_state, "randint"):  # numpy.random.RandomState
        random_state = int(random_state.randint(2**31))
    return default_rng(random_state, "random_state")

