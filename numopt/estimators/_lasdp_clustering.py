"""Groups of different covariance, as an estimator."""

import math

import numpy as np
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils.validation import check_is_fitted

from numopt._array import host, namespace
from numopt._kernels import kernels
from numopt.clustering import ila_sdp
from numopt.estimators._sdp_kmeans import points_of, seed_of
from numopt.estimators._warnings import pass_on
from numopt.exceptions import InvalidInputError


class LASDPClustering(ClusterMixin, BaseEstimator):
    """Cluster Gaussian groups that have covariances of their own, from many starts.

    Parameters
    ----------
    n_clusters : int, default 2
        K; at least two points a cluster are needed.
    method : {"auto", "ila-sdp"}, default "auto"
        The best of many mixtures, or the published iteration: see `numopt.clustering.ila_sdp`.
    covariance : {"oas", "ridge", "tied", "none"}, default "oas"
        Shrink covariances, add to their diagonal only, have one for all groups, or leave them as they are.
    reg_covar : float, default 1e-6
        What is added to the diagonal of covariances, times the mean variance.
    weights : bool, default True
        Allow groups of different probability.
    n_starts : int, default 64
        Random starts.
    reduce : {None, "pca", "lda"}, default None
        Find groups that differ in the leading principal directions only, or in K - 1 directions that separate them.
    tol : float, default 1e-6
        For the change of the log-likelihood, per point, by one more step.
    max_iter : int, default 200
        Rounds of starts, of the mixture and of the relaxation.
    max_time : float, default None
        Seconds.
    random_state : None, int, numpy.random.Generator or RandomState
        Seed of all draws.

    Attributes
    ----------
    labels_ : ndarray of shape (n,)
        Most likely group of every point: ``predict(X)``.
    weights_ : ndarray of shape (K,)
        Shares of the groups.
    means_ : ndarray of shape (K, p)
        Means.
    covariances_ : ndarray of shape (K, p, p)
        Covariances, shrunk as asked.
    objective_ : float
        Minus the log-likelihood of the labels; inf if a group has fewer than two points.
    gap_ : float
        inf: no bound is computed.
    converged_ : bool
        Whether `tol` was reached.
    n_iter_ : int
        Iterations done.
    result_ : numopt.clustering.MixtureResult
        All that is known.
    n_features_in_ : int
        p.
    feature_names_in_ : ndarray of shape (p,)
        Names of the columns of X, if it has any.

    Warns
    -----
    ConvergenceWarning
        `tol` was not reached; also one of scikit-learn's class of that name.

    Examples
    --------
    >>> from numopt.estimators import LASDPClustering
    >>> from numopt.gallery import heterogeneous_clusters
    >>> X, groups = heterogeneous_clusters("line", p=4, sep=8.0)
    >>> fit = LASDPClustering(3, random_state=0).fit(X)
    >>> fit.predict_proba(X).shape
    (200, 3)
    """

    def __init__(self, n_clusters=2, *, method="auto", covariance="oas", reg_covar=1e-6, weights=True, n_starts=64,
                 reduce=None, tol=1e-6, max_iter=200, max_time=None, random_state=None):  # fmt: skip
        self.n_clusters = n_clusters
        self.method = method
        self.covariance = covariance
        self.reg_covar = reg_covar
        self.weights = weights
        self.n_starts = n_starts
        self.reduce = reduce
        self.tol = tol
        self.max_iter = max_iter
        self.max_time = max_time
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
        LASDPClustering
            The estimator itself.
        """
        X = points_of(self, X, at_least=2)
        self.result_ = result = ila_sdp(
            X, self.n_clusters, method=self.method, covariance=self.covariance, reg_covar=self.reg_covar,
            weights=self.weights, n_starts=self.n_starts, reduce=self.reduce, tol=self.tol, max_iter=self.max_iter,
            max_time=self.max_time, rng=seed_of(self.random_state), on_failure="ignore",
        )  # fmt: skip
        self.weights_, self.means_, self.covariances_ = result.weights, result.means, result.covariances
        self.objective_, self.gap_ = result.fun, result.gap
        self.n_iter_, self.converged_ = result.nit, result.success
        self.labels_ = namespace(X).argmax(self._terms(X), axis=1)
        pass_on(result)
        return self

    def predict(self, X):
        """Return the most likely group of each point.

        Parameters
        ----------
        X : array_like of shape (n, p)
            Points.

        Returns
        -------
        ndarray of int64 of shape (n,)
            Groups, from 0 to K - 1.
        """
        X = self._checked(X)
        return namespace(X).argmax(self._terms(X), axis=1)

    def predict_proba(self, X):
        """Return the probabilities of the groups.

        Parameters
        ----------
        X : array_like of shape (n, p)
            Points.

        Returns
        -------
        ndarray of float64 of shape (n, K)
            For each point; rows sum to 1.
        """
        X = self._checked(X)
        xp, terms = namespace(X), self._terms(X)
        P = xp.exp(terms - xp.max(terms, axis=1, keepdims=True))
        return P / xp.sum(P, axis=1, keepdims=True)

    def score_samples(self, X):
        """Return the log-likelihood of each point.

        Parameters
        ----------
        X : array_like of shape (n, p)
            Points.

        Returns
        -------
        ndarray of float64 of shape (n,)
            Logarithms of the density of the mixture.
        """
        X = self._checked(X)
        xp, terms = namespace(X), self._terms(X)
        top = xp.max(terms, axis=1, keepdims=True)
        return xp.log(xp.sum(xp.exp(terms - top), axis=1)) + top[:, 0]

    def score(self, X, y=None):
        """Return the mean log-likelihood per point.

        Parameters
        ----------
        X : array_like of shape (n, p)
            Points.
        y : None
            Ignored.

        Returns
        -------
        float
            Mean of `score_samples`; higher is better.
        """
        values = self.score_samples(X)
        return host(namespace(values).mean(values))

    def aic(self, X):
        """Return Akaike's criterion: the lower the better.

        Parameters
        ----------
        X : array_like of shape (n, p)
            Points.

        Returns
        -------
        float
            Twice the number of parameters, minus twice the log-likelihood of all points.
        """
        values = self.score_samples(X)
        return 2 * self._parameters() - 2 * host(namespace(values).sum(values))

    def bic(self, X):
        """Return the Bayesian criterion: the lower the better.

        Parameters
        ----------
        X : array_like of shape (n, p)
            Points.

        Returns
        -------
        float
            log(n) times the number of parameters, minus twice the log-likelihood of all points.
        """
        values = self.score_samples(X)
        return self._parameters() * math.log(values.shape[0]) - 2 * host(namespace(values).sum(values))

    def _checked(self, X):
        check_is_fitted(self)
        return points_of(self, X, reset=False)

    def _terms(self, X):
        """Return log(weight) + log density (n, K), in float64 for accuracy, in the device of X."""
        xp = namespace(X)
        X, means, covariances = (xp.astype(x, xp.float64) for x in (X, self.means_, self.covariances_))
        first = means[0, :]  # far from the origin, differences come first
        with np.errstate(over="ignore", invalid="ignore"):
            given = X - first, (means - first)[None, ...], covariances[None, ...]
            terms = kernels("mixture", xp).log_densities(*given)[0, ...]
        if not host(xp.min(terms)) > -math.inf:
            raise InvalidInputError(
                f"X has points up to {host(xp.max(xp.abs(X))):.3g}: their distances from the groups overflow; drop them"
            )
        if not self.weights:
            return terms - math.log(means.shape[0])
        return terms + xp.log(xp.astype(self.weights_, xp.float64))

    def _parameters(self):
        """Count weights, means and covariances; with a subspace, those in it, its directions, and what lies outside."""
        (k, p), V = self.means_.shape, self.result_.subspace
        m = p if V is None else V.shape[1]
        covariances = 1 if self.covariance == "tied" else k
        within = (k - 1) * bool(self.weights) + k * m + covariances * m * (m + 1) // 2
        return within if m == p else within + m * p - m * (m + 1) // 2 + (p - m) + 1
