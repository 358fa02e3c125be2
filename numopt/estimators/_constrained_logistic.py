"""Logistic regression whose coefficients satisfy equations."""

import math

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from numopt import _array
from numopt._check import positive_scalar
from numopt._kernels import kernels
from numopt.constrained import minimize_constrained
from numopt.estimators._warnings import ConvergenceWarning
from numopt.exceptions import InvalidInputError, warn


class ConstrainedLogisticRegression(ClassifierMixin, BaseEstimator):
    """Binary logistic regression under linear equations and a given norm.

    `fit` minimises

        ``mean_i log(1 + exp(-y_i (x_i.w + b))) + |w|^2 / (2 C N)   subject to   A_eq w = b_eq,   |w| = norm``

    over the coefficients w and the intercept b.

    Parameters
    ----------
    C : float, default 1
        Inverse strength of the ridge term, as in scikit-learn; ``inf`` for none.
    A_eq : array_like of shape (m, d), default None
        Rows of the equations.
    b_eq : array_like of shape (m,), default None
        Their right-hand sides; None with `A_eq` given is zero.
    norm : float, default None
        The length of w, > 0. None: free. The problem is then not convex: a local solution is found.
    fit_intercept : bool, default True
        Whether there is b.
    tol : float, default 1e-8
        Scaled KKT error, as in `numopt.constrained.minimize_constrained`.
    max_iter : int, default 100
        Newton steps.

    Attributes
    ----------
    coef_ : ndarray of shape (1, d)
        w.
    intercept_ : ndarray of shape (1,)
        b, or 0.
    classes_ : ndarray of shape (2,)
        Labels; the second is y = 1.
    n_iter_ : int
        Steps taken.
    kkt_error_ : float
        Recomputed at the solution.
    result_ : numopt.constrained.ConstrainedResult
        With multipliers and certificate.
    n_features_in_ : int
        d.
    feature_names_in_ : ndarray of shape (d,)
        Names of the columns of X, if it has any.

    Warns
    -----
    ConvergenceWarning
        `tol` was not reached; also one of scikit-learn's class of that name.

    Notes
    -----
    A step costs the product X^T D X, N d^2 flops, and a factorisation of order d + m. Memory: one copy of X.

    References
    ----------
    The problem of arXiv:2305.18379.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.estimators import ConstrainedLogisticRegression
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 3))
    >>> y = X @ [1.0, -1.0, 0.5] + rng.normal(size=200) > 0
    >>> model = ConstrainedLogisticRegression(A_eq=[[1.0, 1.0, 0.0]]).fit(X, y)  # opposite effects
    >>> bool(abs(model.coef_[0, 0] + model.coef_[0, 1]) < 1e-8)
    True
    """

    def __init__(self, C=1.0, *, A_eq=None, b_eq=None, norm=None, fit_intercept=True, tol=1e-8, max_iter=100):
        self.C = C
        self.A_eq = A_eq
        self.b_eq = b_eq
        self.norm = norm
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def fit(self, X, y):
        """Fit.

        Parameters
        ----------
        X : array_like of shape (N, d)
            Samples.
        y : array_like of shape (N,)
            Two kinds of labels.

        Returns
        -------
        ConstrainedLogisticRegression
            The estimator itself.

        Raises
        ------
        InvalidInputError, ValueError
            Data or constraints that do not fit; the message says why.
        """
        X, y = validate_data(self, X, y, dtype="float64")
        check_classification_targets(y)
        self.classes_, label = np.unique(y, return_inverse=True)
        if self.classes_.size > 2:
            raise ValueError(
                f"Only binary classification is supported. The type of the target is multiclass: {self.classes_}"
            )
        if self.classes_.size < 2:
            raise ValueError(f"y has one class, {self.classes_[0]!r}: two are expected; add samples of another class")
        (N, d), ridge = X.shape, 0.0
        if math.inf != self.C:
            ridge = 1.0 / (N * positive_scalar("C", self.C, remedy="pass a positive number, or inf for no ridge"))
        Z = np.column_stack([X, np.ones(N)]) if self.fit_intercept else np.ascontiguousarray(X)
        problem = _Loss(Z, 2.0 * label - 1.0, ridge, d)
        start = np.zeros(Z.shape[1])
        if self.norm is not None:
            start[:d] = positive_scalar("norm", self.norm, remedy="pass the length of the coefficients") / math.sqrt(d)
        self.result_ = minimize_constrained(
            problem.both, start, jac=True, hess=problem.hessian,
            constraints=self._constraints(Z.shape[1], d), tol=self.tol, max_iter=self.max_iter, on_failure="ignore",
        )  # fmt: skip
        self.coef_ = self.result_.x[None, :d].copy()
        self.intercept_ = self.result_.x[d:].copy() if self.fit_intercept else np.zeros(1)
        self.n_iter_, self.kkt_error_ = self.result_.nit, self.result_.kkt_error
        if not self.result_.success:
            warn(self.result_.message, ConvergenceWarning)
        return self

    def _constraints(self, n, d):
        """Return the equations on (w, b)."""
        from scipy.optimize import LinearConstraint, NonlinearConstraint

        found = []
        if self.A_eq is not None:
            A = np.atleast_2d(np.asarray(self.A_eq, float))
            b = np.zeros(A.shape[0]) if self.b_eq is None else np.atleast_1d(np.asarray(self.b_eq, float))
            if A.shape[1] != d or b.shape != (A.shape[0],):
                raise InvalidInputError(
                    f"A_eq has shape {A.shape} and b_eq {b.shape}: (m, {d}) and (m,) are expected; give a row for each "
                    f"equation and a column for each feature"
                )
            found.append(LinearConstraint(np.pad(A, ((0, 0), (0, n - d))), b, b))
        elif self.b_eq is not None:
            raise InvalidInputError("b_eq is given without A_eq: both are expected; pass the rows of the equations too")
        if self.norm is not None:
            chosen = (np.arange(n) < d).astype(float)
            square = float(self.norm) ** 2
            found.append(NonlinearConstraint(
                lambda w: chosen * w @ w, square, square, jac=lambda w: 2 * chosen * w,
                hess=lambda w, v: np.diag(2 * v[0] * chosen),
            ))  # fmt: skip
        return found

    def decision_function(self, X):
        """Return x.w + b for each sample.

        Parameters
        ----------
        X : array_like of shape (k, d)
            Samples.

        Returns
        -------
        ndarray of shape (k,)
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype="float64")
        return X @ self.coef_[0] + self.intercept_[0]

    def predict(self, X):
        """Return the likelier label of each sample.

        Parameters
        ----------
        X : array_like of shape (k, d)
            Samples.

        Returns
        -------
        ndarray of shape (k,)
        """
        positive = self.decision_function(X) > 0
        return self.classes_[positive.astype(int)]

    def predict_proba(self, X):
        """Return the probabilities of both labels.

        Parameters
        ----------
        X : array_like of shape (k, d)
            Samples.

        Returns
        -------
        ndarray of shape (k, 2)
        """
        from scipy.special import expit

        p = expit(self.decision_function(X))
        return np.stack([1 - p, p], axis=1)


class _Loss:
    """The mean logistic loss with a ridge on the first d coefficients."""

    def __init__(self, Z, y, ridge, d):
        self.k = kernels("constrained", _array.namespace(Z))
        self.Z, self.y, self.ridge = Z, y, ridge * (np.arange(Z.shape[1]) < d)
        self.at, self.pulls = None, None  # the last point, and what samples pull there

    def both(self, w):
        """Return value and gradient: one pass over the data."""
        total, g, self.pulls = self.k.logistic(self.Z, self.y, w)
        self.at = w.copy()
        return total / self.y.size + self.ridge @ (w * w) / 2, g / self.y.size + self.ridge * w

    def hessian(self, w):
        """Return the Hessian; sigmoids are known where `both` was called last."""
        if not np.array_equal(w, self.at):
            self.both(w)
        s = np.abs(self.pulls)
        H = self.k.weighted_gram(self.Z, s * (1 - s) / self.y.size)
        H[np.diag_indices_from(H)] += self.ridge
        return H
