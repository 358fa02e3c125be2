"""Problems of clustering: points of Gaussian groups, and the groups they were drawn from."""

import numpy as np

from numopt._array import default_rng
from numopt._check import integer, one_of, positive_scalar

_KINDS = ("line", "scale", "diag", "rot")


def isotropic_clusters(n, p, k, sep, rng=0):
    """Return points of `k` spherical Gaussian groups with unit variance, centres at distance `sep` from one another.

    Parameters
    ----------
    n : int
        Number of points, at least 1.
    p : int
        Dimension, at least `k`.
    k : int
        Number of groups, at least 1.
    sep : float
        Distance between any two centres, above 0.
    rng : int, numpy.random.Generator or SeedSequence, default 0
        Source of the draws, for ``numpy.random.default_rng``; None draws afresh each time.

    Returns
    -------
    X : ndarray of shape (n, p), float64
        Points.
    labels : ndarray of shape (n,), int64
        Their groups, equally likely.

    Raises
    ------
    InvalidInputError, InvalidTypeError
        An argument is out of range or not of its kind.

    Examples
    --------
    >>> from numopt.gallery import isotropic_clusters
    >>> X, labels = isotropic_clusters(100, 20, 4, sep=5.0)
    >>> X.shape
    (100, 20)
    """
    n, p, k = _sizes(n, p, k)
    sep = positive_scalar("sep", sep)
    rng = default_rng(rng)
    labels = rng.integers(k, size=n)
    return np.eye(p)[:k][labels] * sep / np.sqrt(2) + rng.standard_normal((n, p)), labels


def heterogeneous_clusters(kind, rng=0, *, n=200, p=10, k=3, sep=6.0, weights=None):
    """Return points of `k` Gaussian groups with covariances of their own, which K-means and mixtures find hard.

    Parameters
    ----------
    kind : {"line", "scale", "diag", "rot"}
        ``"line"``: I + 24 u u' with a random direction u for each group. ``"scale"``: I times 0.25, 1, 4, 1.
        ``"diag"``: diagonal, log10 of the variances uniform in [-1, 1]. ``"rot"``: eigenvalues from 0.1 to 10,
        rotated at random.
    rng : int, numpy.random.Generator or SeedSequence, default 0
        Source of the draws, for ``numpy.random.default_rng``; None draws afresh each time.
    n, p, k : int, default 200, 10 and 3
        Numbers of points, dimensions and groups; k <= p, and at most 4 for ``"scale"``.
    sep : float, default 6
        Distance between any two centres, above 0.
    weights : sequence of k floats, optional
        Probabilities of the groups. None (default): equal ones.

    Returns
    -------
    X : ndarray of shape (n, p), float64
        Points.
    labels : ndarray of shape (n,), int64
        Their groups.

    Raises
    ------
    InvalidInputError, InvalidTypeError
        An argument is out of range or not of its kind.

    Examples
    --------
    >>> from numopt.gallery import heterogeneous_clusters
    >>> X, labels = heterogeneous_clusters("line")
    >>> X.shape
    (200, 10)
    """
    one_of("kind", kind, _KINDS)
    n, p, k = _sizes(n, p, k)
    if kind == "scale":
        integer("k", k, high=4, remedy="four scales are known")
    sep = positive_scalar("sep", sep)
    rng = default_rng(rng)
    means = np.linalg.qr(rng.standard_normal((p, p)))[0][:k] * sep / np.sqrt(2)
    covariances = [_covariance(kind, j, p, rng) for j in range(k)]
    labels = rng.choice(k, size=n, p=np.full(k, 1.0 / k) if weights is None else np.asarray(weights))
    X = np.empty((n, p))
    for j, (mean, covariance) in enumerate(zip(means, covariances, strict=True)):
        own = labels == j
        X[own] = mean + rng.standard_normal((own.sum(), p)) @ np.linalg.cholesky(covariance).T
    return X, labels


def _covariance(kind, j, p, rng):
    if kind == "line":
        u = rng.standard_normal(p)
        u /= np.linalg.norm(u)
        return np.eye(p) + 24 * np.outer(u, u)
    if kind == "scale":
        return np.eye(p) * (0.25, 1.0, 4.0, 1.0)[j]
    if kind == "diag":
        return np.diag(10.0 ** rng.uniform(-1, 1, p))
    rotation = np.linalg.qr(rng.standard_normal((p, p)))[0]
    return (rotation * np.logspace(-1, 1, p)) @ rotation.T


def _sizes(n, p, k):
    n = integer("n", n, low=1, remedy="ask for at least one point")
    k = integer("k", k, low=1, remedy="ask for at least one group")
    return n, integer("p", p, low=k, remedy="the centres need a dimension each"), k
