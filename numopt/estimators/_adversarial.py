"""Logistic regression against an adversary, who weights observations or groups."""

import numpy as np
from sklearn.utils.validation import check_consistent_length

from numopt._check import positive_scalar
from numopt._given import as_array
from numopt.estimators._linear import BinaryClassifier
from numopt.exceptions import InvalidInputError, InvalidTypeError
from numopt.monotone import DROLogistic, FairClassification


class DROLogisticRegression(BinaryClassifier):
    """Logistic regression for the worst weighting of the observations.

    An adversary weights the observations, and pays for leaving equal weights: with a chi-square penalty.

    Parameters
    ----------
    C : float, default 1.0
        Inverse strength of the ridge, as in scikit-learn; it holds for standardised columns and the intercept.
    rho : float, default 1.0
        Price of the adversary, above 0. Large: plain logistic regression.
    tol : float, default 1e-5
        For the residual, relative to that at the start.
    max_iter : int, default 20000
        Evaluations of the gradient.
    max_time : float, default None
        Seconds.

    Attributes
    ----------
    coef_ : ndarray of shape (1, d)
        Coefficients.
    intercept_ : ndarray of shape (1,)
        Intercept.
    classes_ : ndarray of shape (2,)
        Labels.
    weights_ : ndarray of shape (n,)
        The adversary's weights, with sum 1: which observations matter.
    n_iter_ : int
        Iterations done.
    residual_ : float
        The residual, recomputed at the solution.
    result_ : numopt.monotone.InclusionResult
        Certificate and history.
    n_features_in_ : int
        d.

    Warns
    -----
    ConvergenceWarning
        `tol` was not reached; also one of scikit-learn's class of that name.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.estimators import DROLogisticRegression
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 2))
    >>> y = X[:, 0] + 0.3 * rng.normal(size=100) > 0
    >>> bool(DROLogisticRegression().fit(X, y).score(X, y) > 0.9)
    True
    """

    def __init__(self, C=1.0, rho=1.0, *, tol=1e-5, max_iter=20_000, max_time=None):
        self.C = C
        self.rho = rho
        self.tol = tol
        self.max_iter = max_iter
        self.max_time = max_time

    def fit(self, X, y):
        """Fit the model.

        Parameters
        ----------
        X : array_like of shape (n, d)
            Observations.
        y : array_like of shape (n,)
            Labels of two classes.

        Returns
        -------
        DROLogisticRegression
            The estimator itself.
        """
        X, b = self._checked(X, y)
        op = self._learn(X, lambda A, ridge: DROLogistic(A, b, positive_scalar("rho", self.rho), ridge))
        self.weights_ = op.weights(self.result_.y)
        return self


class FairLogisticRegression(BinaryClassifier):
    """Logistic regression for the group that fares worst.

    Parameters
    ----------
    C : float, default 1.0
        Inverse strength of the ridge, as in scikit-learn; it holds for standardised columns and the intercept.
    tol : float, default 1e-5
        For the residual, relative to that at the start.
    max_iter : int, default 20000
        Evaluations of the gradient.
    max_time : float, default None
        Seconds.

    Attributes
    ----------
    coef_ : ndarray of shape (1, d)
        Coefficients.
    intercept_ : ndarray of shape (1,)
        Intercept.
    classes_ : ndarray of shape (2,)
        Labels.
    groups_ : ndarray of shape (k,)
        The groups.
    weights_ : ndarray of shape (k,)
        Their weights, with sum 1: groups with weight share the largest loss.
    n_iter_ : int
        Iterations done.
    residual_ : float
        The residual, recomputed at the solution.
    result_ : numopt.monotone.InclusionResult
        Certificate and history.
    n_features_in_ : int
        d.

    Warns
    -----
    ConvergenceWarning
        `tol` was not reached; also one of scikit-learn's class of that name.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.estimators import FairLogisticRegression
    >>> rng = np.random.default_rng(0)
    >>> X, group = rng.normal(size=(100, 2)), np.arange(100) % 5 == 0
    >>> y = np.where(group, X[:, 1], X[:, 0]) > 0
    >>> FairLogisticRegression().fit(X, y, groups=group).weights_.round(1)
    array([0.4, 0.6])
    """

    def __init__(self, C=1.0, *, tol=1e-5, max_iter=20_000, max_time=None):
        self.C = C
        self.tol = tol
        self.max_iter = max_iter
        self.max_time = max_time

    def fit(self, X, y, groups=None):
        """Fit the model.

        Parameters
        ----------
        X : array_like of shape (n, d)
            Observations.
        y : array_like of shape (n,)
            Labels of two classes.
        groups : array_like of shape (n,), optional
            The group of each observation. None (default): the classes are the groups.

        Returns
        -------
        FairLogisticRegression
            The estimator itself.
        """
        X, b = self._checked(X, y)
        groups = b if groups is None else as_array("groups", groups)
        check_consistent_length(X, groups)
        self.groups_ = _names(groups)
        self._learn(X, lambda A, ridge: FairClassification(A, b, groups, ridge))
        self.weights_ = self.result_.y
        return self


def _names(groups):
    """Return the different groups; raise where one is missing."""
    try:
        missing, names = np.argwhere(groups != groups), np.unique(groups)  # NaN and its kind
    except TypeError as error:
        raise InvalidTypeError(
            f"groups are of several kinds ({error}): all numbers, or all strings, are expected; name the missing ones"
        ) from None
    if missing.size:
        i = int(missing[0, 0])
        raise InvalidInputError(f"groups[{i}] is {groups[i]}: a group is expected; name it, or drop the observation")
    return names
