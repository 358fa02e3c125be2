"""What linear models that are fitted as monotone inclusions share."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from numopt._check import positive_scalar
from numopt.estimators._validated import validated
from numopt.estimators._warnings import pass_on
from numopt.exceptions import InvalidInputError
from numopt.monotone import monotone_root


class LinearModel(BaseEstimator):
    """Columns are standardised for the fit, so that one step suits them all; coefficients are for X as it came."""

    def _standardised(self, X):
        unit = np.abs(X).max(axis=0)  # squares of numbers beyond 1e154, or below 1e-154, are none
        unit[unit == 0] = 1.0
        X = X / unit
        centre, scale = X.mean(axis=0), X.std(axis=0)
        scale[scale <= len(X) * np.finfo(float).eps * np.abs(centre)] = 1.0  # constant, but for rounding
        return np.hstack([(X - centre) / scale, np.ones((len(X), 1))]), unit * centre, unit * scale

    def _fit(self, op, centre, scale, size=1.0):
        """Return coefficients and intercept for X and for responses `size` times those of `op`."""
        self.result_ = result = monotone_root(
            op, tol=self.tol, max_iter=self.max_iter, max_time=self.max_time, on_failure="ignore"
        )
        w = np.asarray(result.x, dtype=float)
        self.n_iter_, self.residual_ = result.nit, result.residual
        pass_on(result)
        with np.errstate(over="ignore", invalid="ignore"):
            coef = w[:-1] * (size / scale)
            lost = np.abs(coef * scale - size * w[:-1]) > 1e-8 * size
        for bad, j, what in ((~np.isfinite(coef), np.argmin(scale), "over"), (lost, np.argmax(scale), "under")):
            if bad.any():
                raise InvalidInputError(f"X[:, {j}] varies by {scale[j]:.3g}: its coefficient {what}flows; rescale it")
        return coef, size * w[-1] - coef @ centre

    def _scores(self, X):
        check_is_fitted(self, "coef_")
        return validated(self, X, reset=False, dtype=np.float64) @ np.ravel(self.coef_) + self.intercept_


class BinaryClassifier(ClassifierMixin, LinearModel):
    """Two classes; `_learn` is given what makes the saddle problem."""

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
