"""Least squares against an adversary, who moves the responses."""

import numpy as np
from sklearn.base import RegressorMixin

from numopt._check import scalar
from numopt.estimators._linear import LinearModel
from numopt.estimators._validated import validated
from numopt.monotone import RobustLeastSquares


class RobustRegression(RegressorMixin, LinearModel):
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
        unit = np.abs(y).max() or 1.0
        size = unit * (np.std(y / unit) or 1.0)  # so that steps and tolerances do not depend on that of the responses
        mean = unit * np.mean(y / unit)
        op = RobustLeastSquares(A, (y - mean) / size, self.price, scalar("alpha", self.alpha, low=0.0) / len(X))
        self.coef_, intercept = self._fit(op, centre, scale, size)
        self.intercept_ = intercept + mean
        self.worst_ = mean + size * op.moved(self.result_.y)
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
