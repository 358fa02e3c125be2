"""Logistic regression whose coefficients satisfy equations."""

import math

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from numopt._array import float_dtype
from numopt._check import flag, positive_scalar
from numopt._given import as_array
from numopt.constrained._logistic import logistic_regression
from numopt.estimators._validated import validated
from numopt.estimators._warnings import pass_on
from numopt.exceptions import InvalidInputError


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
        The length of w, > 0; None leaves it free. With it the problem is not convex: a local solution is found.
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
        With certificate and multipliers: of `A_eq`, if given, and then of ``|w|^2 = norm^2``. Where the latter is
        positive no other coefficients of that norm have a smaller loss.
    n_features_in_ : int
        d.
    feature_names_in_ : ndarray of shape (d,)
        Names of the columns of X, if it has any.

    Warns
    -----
    ConvergenceWarning
        `tol` was not reached; also one of scikit-learn's class of that name.

    NumoptWarning
        Rows of `A_eq` follow from others.

    Notes
    -----
    Newton's method on the set where equations and norm hold: each step minimises the quadratic model of the loss on
    that set. Three to six steps are usual, more where `norm` is so large that most samples are far from the boundary.
    If no coefficients satisfy the constraints, ``result_.status`` is ``INFEASIBLE`` after 0 steps.

    A step costs a pass over the samples, the product X^T D X and about 5 d^3 flops. Where most entries of a column are
    the same number, zero or not, all products use the others alone: k of d of them a row make X^T D X cost N k^2 / 2
    multiplications. Otherwise it is N d^2 flops. Memory: one copy of X or of these entries, and 40 d^2 bytes.

    Not for d above some thousands: the Hessian is dense. On NumPy arrays and SciPy's sparse ones alone.

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
        tags.input_tags.sparse = True
        return tags

    def fit(self, X, y):
        """Fit.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (N, d)
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
        X, y = self._checked(X, y)
        self.classes_ = _kinds(y)
        if self.classes_.size != 2 or (y.dtype.kind == "f" and (self.classes_ % 1).any()):
            check_classification_targets(y)  # is slow, and has nothing to say about two whole numbers or names
        if self.classes_.size > 2:
            raise ValueError(
                f"Only binary classification is supported. The type of the target is multiclass: {self.classes_}"
            )
        if self.classes_.size < 2:
            raise ValueError(f"y has one class, {self.classes_[0]!r}: two are expected; add samples of another class")
        (N, d), ridge, norm = X.shape, 0.0, self.norm
        if not (isinstance(self.C, float) and math.inf == self.C):
            ridge = 1.0 / (N * positive_scalar("C", self.C, remedy="pass a positive number, or inf for no ridge"))
        if norm is not None:
            norm = positive_scalar("norm", norm, remedy="pass the length of the coefficients")
        A, t = self._equations(d)
        intercept = flag("fit_intercept", self.fit_intercept)
        self.result_ = logistic_regression(
            _parts(X), np.where(y == self.classes_[1], 1.0, -1.0), intercept=intercept, ridge=ridge,
            A=A, t=t, norm=norm, tol=self.tol, max_iter=self.max_iter,
        )  # fmt: skip
        self.coef_ = self.result_.x[None, :d].copy()
        self.intercept_ = self.result_.x[d:].copy() if intercept else np.zeros(1)
        self.n_iter_, self.kkt_error_ = self.result_.nit, self.result_.kkt_error
        pass_on(self.result_)
        return self

    def _checked(self, X, y):
        """Return X and y as arrays; plain numbers need none of scikit-learn's checks, which are half of a small fit."""
        wanted = {"dtype": "float64", "accept_sparse": "csr"}
        if not (type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "biuf" and _finite(y)):
            return validated(self, X, y, **wanted)
        if type(X) is np.ndarray and X.ndim == 2 and X.dtype == np.float64 and X.size and _finite(X):
            self.__dict__.pop("feature_names_in_", None)
            self.n_features_in_ = X.shape[1]
        else:
            X = validated(self, X, **wanted)
        check_consistent_length(X, y)
        return X, y

    def _equations(self, d):
        """Return A_eq and b_eq as arrays, of no rows without them."""
        if self.A_eq is None:
            if self.b_eq is not None:
                raise InvalidInputError(
                    "b_eq is given without A_eq: both are expected; pass the rows of the equations too"
                )
            return np.zeros((0, d)), np.zeros(0)
        given = {name: as_array(name, v) for name, v in (("A_eq", self.A_eq), ("b_eq", self.b_eq)) if v is not None}
        float_dtype(np, **given)  # or raise for what are no numbers
        A = np.array(given["A_eq"], float, order="C", ndmin=2)
        t = np.array(given["b_eq"], float, ndmin=1) if "b_eq" in given else np.zeros(A.shape[0])
        if A.ndim != 2 or A.shape[1] != d or t.shape != (A.shape[0],):
            raise InvalidInputError(
                f"A_eq has shape {A.shape} and b_eq {t.shape}: (m, {d}) and (m,) are expected; give a row for each "
                f"equation and a column for each feature"
            )
        for name, values in (("A_eq", A), ("b_eq", t)):
            if not np.isfinite(values).all():
                at = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
                raise InvalidInputError(f"{name}{list(at)} is {values[at]}: finite numbers are expected; replace it")
        return A, t

    def decision_function(self, X):
        """Return x.w + b for each sample.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (k, d)
            Samples.

        Returns
        -------
        ndarray of shape (k,)
        """
        check_is_fitted(self)
        X = validated(self, X, reset=False, dtype="float64", accept_sparse="csr")
        return X @ self.coef_[0] + self.intercept_[0]

    def predict(self, X):
        """Return the likelier label of each sample.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (k, d)
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
        X : array_like or sparse matrix of shape (k, d)
            Samples.

        Returns
        -------
        ndarray of shape (k, 2)
        """
        from scipy.special import expit

        p = expit(self.decision_function(X))
        return np.stack([1 - p, p], axis=1)


def _finite(x):
    """Say whether all numbers are finite, and their squares too."""
    if x.dtype.kind != "f":
        return True
    x = x.ravel(order="K")
    with np.errstate(over="ignore"):
        return math.isfinite(x.dot(x))


def _kinds(y):
    """Return `numpy.unique(y)`; two numbers are found without sorting."""
    if y.dtype.kind in "biuf":
        kinds = np.array([y.min(), y.max()])
        if kinds[0] != kinds[1] and ((y == kinds[0]) | (y == kinds[1])).all():
            return kinds
    return np.unique(y)


def _parts(X):
    """Return X, or the parts of a sparse one without repeated entries."""
    if not hasattr(X, "indptr"):
        return X
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X.data, X.indices, X.indptr, X.shape[1]
