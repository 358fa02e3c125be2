"""Linear models fitted against an adversary, in the manner of scikit-learn."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from numopt._check import positive_scalar, scalar
from numopt._given import as_array
from numopt.estimators._validated import validated
from numopt.estimators._warnings import ConvergenceWarning
from numopt.exceptions import warn
from numopt.monotone import DROLogistic, FairClassification, RobustLeastSquares, monotone_root


class _LinearModel(BaseEstimator):
    """Columns are standardised for the fit, so that one step suits them all; coefficients are for X as it came."""

    def _standardised(self, X):
        centre, scale = X.mean(axis=0), X.std(axis=0)
        scale[scale == 0] = 1.0
        return np.hstack([(X - centre) / scale, np.ones((len(X), 1))]), centre, scale

    def _fit(self, op, centre, scale):
        self.result_ = result = monotone_root(
            op, tol=self.tol, max_iter=self.max_iter, max_time=self.max_time, on_failure="ignore"
        )
        w = np.asarray(result.x, dtype=float)
        self.n_iter_, self.residual_ = result.nit, result.residual
        if not result.success:
            warn(result.message, ConvergenceWarning)
        coef = w[:-1] / scale
        return coef, w[-1] - coef @ centre

    def _scores(self, X):
        check_is_fitted(self, "coef_")
        return validated(self, X, reset=False, dtype=np.float64) @ np.ravel(self.coef_) + self.intercept_


class _Classifier(ClassifierMixin, _LinearModel):
    """Two classes; `_operator` makes the saddle problem."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def _checked(self, X, y):
        X, y = validated(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, code = np.unique(y, return_inverse=True)
        if len(self.classes_) > 2:
            raise ValueError(
                f"Only binary classification is supported. The type of the target is multiclass: y has "
                f"{len(self.classes_)} classes"
            )
        if len(self.classes_) < 2:
            raise ValueError(f"y holds one class, {self.classes_[0]!r}: two are expected; add the other one")
        return X, code.astype(float)

    def _learn(self, X, operator):
        A, centre, scale = self._standardised(X)
        op = operator(A, 1 / (positive_scalar("C", self.C) * len(X)))
        coef, intercept = self._fit(op, centre, scale)
        self.coef_, self.intercept_ = coef[None], np.array([intercept])
        return op

    def decision_function(self, X):
        """Return the signed distances, up to a factor, from the plane between the classes.

        Parameters
        ----------
        X : array_like of shape (n, d)
            Observations.

        Returns
        -------
        ndarray of shape (n,)
            Above 0 for ``classes_[1]``.
        """
        return self._scores(X)

    def predict_proba(self, X):
        """Return the probabilities of both classes.

        Parameters
        ----------
        X : array_like of shape (n, d)
            Observations.

        Returns
        -------
        ndarray of shape (n, 2)
            In the order of ``classes_``.
        """
        half = np.exp(-np.abs(score := self._scores(X)))
        upper = np.where(score >= 0, 1 / (1 + half), half / (1 + half))
        return np.stack([1 - upper, upper], axis=1)

    def predict(self, X):
        """Return the more probable class.

        Parameters
        ----------
        X : array_like of shape (n, d)
            Observations.

        Returns
        -------
        ndarray of shape (n,)
            Entries of ``classes_``.
        """
        above = self._scores(X) > 0
        return self.classes_[above.astype(int)]


class DROLogisticRegression(_Classifier):
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


class FairLogisticRegression(_Classifier):
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
        self.groups_ = np.unique(groups)
        self._learn(X, lambda A, ridge: FairClassification(A, b, groups, ridge))
        self.weights_ = self.result_.y
        return self


class RobustRegression(RegressorMixin, _LinearModel):
    """Ridge regression whose responses an adversary moves at a price.

    ``min_w max_y 1/(2n) |X w - y|^2 - price/(2n) |y - y_given|^2 + alpha/(2n) |w|^2``. The adversary enlarges the
    residuals by price / (price - 1): the solution is that of ridge regression with the penalty (price - 1) / price
    alpha, and least squares for alpha = 0. What it adds is the worst case: `worst_` and its value.

    Parameters
    ----------
    price : float, default 2.0
        Above 1.
    alpha : float, default 0.0
        Strength of the ridge, as in scikit-learn's; it holds for standardised columns and the intercept.
    tol : float, default 1e-6
        For the residual, relative to that at the start.
    max_iter : int, default 20000
        Evaluations of the gradient.
    max_time : float, default None
        Seconds.

    Attributes
    ----------
    coef_ : ndarray of shape (d,)
        Coefficients.
    intercept_ : float
        Intercept.
    worst_ : ndarray of shape (n,)
        The adversary's responses.
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
    >>> from numopt.estimators import RobustRegression
    >>> model = RobustRegression().fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
    >>> model.predict([[3.0]]).round(3)
    array([3.])
    """

    def __init__(self, price=2.0, alpha=0.0, *, tol=1e-6, max_iter=20_000, max_time=None):
        self.price = price
        self.alpha = alpha
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
            Responses.

        Returns
        -------
        RobustRegression
            The estimator itself.
        """
        X, y = validated(self, X, y, dtype=np.float64, y_numeric=True)
        y = y.astype(float)
        A, centre, scale = self._standardised(X)
        size = np.std(y) or 1.0  # a unit for the responses, so that steps and tolerances do not depend on theirs
        op = RobustLeastSquares(A, (y - y.mean()) / size, self.price, scalar("alpha", self.alpha, low=0.0) / len(X))
        coef, intercept = self._fit(op, centre, scale)
        self.coef_, self.intercept_ = size * coef, size * intercept + y.mean()
        self.worst_ = y.mean() + size * op.moved(self.result_.y)
        return self

    def predict(self, X):
        """Return the responses that the model expects.

        Parameters
        ----------
        X : array_like of shape (n, d)
            Observations.

        Returns
        -------
        ndarray of shape (n,)
            Responses.
        """
        return self._scores(X)
