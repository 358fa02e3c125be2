"""Matrix completion in the manner of scikit-learn."""

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from numopt._array import default_rng, device, host, is_array, is_numpy, is_sparse, namespace, turned
from numopt._check import Checks
from numopt._given import as_array
from numopt.completion import matrix_completion
from numopt.completion._data import entries, places
from numopt.completion._fold import fold_in
from numopt.estimators._validated import nan_for_masked
from numopt.estimators._warnings import pass_on
from numopt.exceptions import InvalidInputError, InvalidTypeError


class MatrixCompletion(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Low-rank model of a matrix with missing entries: factors, predictions, imputation.

    Rows are samples, columns are features. A dense X has NaN or a mask where nothing is observed; of a sparse X the
    stored entries, zeros among them, are what is observed.

    Parameters
    ----------
    rank : int or "auto", default "auto"
        As in :func:`numopt.completion.matrix_completion`, like all that follow.
    method : {"auto", "als", "vpgn", "altmin-sketch", "scaledgd", "softimpute", "subgm", "irls"}, default "auto"
        How to solve.
    ridge : float, default 0
        Penalty of the factors.
    ridge_mode : {"constant", "count"}, default "constant"
        Whether the ridge of a row is multiplied by its entries.
    bias_ridge : float, default None
        Penalty of the biases; None: as `ridge`.
    loss : {"squared", "huber"}, default "squared"
        What residuals cost, here and where rows are folded in.
    center : {"none", "global", "biases"}, default "none"
        Whether a mean, or also biases, are part of the model.
    validation_fraction : float, default 0
        Part of the entries held out to stop early.
    tol : float, default 1e-6
        For the relative residual or the stationarity.
    max_iter : int, default 500
        Sweeps and Gauss-Newton steps.
    max_time : float, default None
        Seconds.
    random_state : None, int, Generator or SeedSequence, default None
        Seed.

    Attributes
    ----------
    components_ : array of shape (r, n)
        Column factors, transposed.
    row_factors_ : array of shape (m, r)
        Row factors of the rows fitted, and of those added by `partial_fit`.
    row_bias_, col_bias_ : array of shape (m,), (n,)
        Zeros unless ``center="biases"``.
    mean_ : float
        0 for ``center="none"``.
    rank_ : int
        r.
    n_iter_ : int
        Iterations done.
    n_features_in_ : int
        n.
    feature_names_in_ : ndarray of shape (n,)
        Names of the columns of X, if it has any.
    result_ : numopt.completion.CompletionResult
        Certificate, history, and the rest.

    Warns
    -----
    ConvergenceWarning
        `tol` was not reached; also one of scikit-learn's class of that name.

    Notes
    -----
    Weights are given entry by entry and hence called ``entry_weight``: scikit-learn's ``sample_weight`` is one for
    a row.

    *Cost and memory* of `fit` are those of :func:`numopt.completion.matrix_completion`; entries are not kept. Folding a
    row of k entries in costs about ``k r^2`` multiply-adds, with the Huber loss some tens of times that. Whole rows
    (`predict`, `impute`, `inverse_transform`) are dense.

    *When not to use it*: where entries are missing because of their value; where columns are to learn from rows as
    they come, which `partial_fit` does not do; inside ``GridSearchCV``, whose folds are of rows: see
    :func:`cross_val_completion`.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.estimators import MatrixCompletion
    >>> full = np.outer(np.arange(1.0, 7), np.arange(1.0, 6))
    >>> X = full.copy()
    >>> X[[0, 2, 5], [1, 4, 0]] = np.nan
    >>> model = MatrixCompletion(rank=1).fit(X)
    >>> bool(np.allclose(model.impute(X), full))
    True
    """

    def __init__(self, rank="auto", *, method="auto", ridge=0.0, ridge_mode="constant", bias_ridge=None,
                 loss="squared", center="none", validation_fraction=0.0, tol=1e-6, max_iter=500, max_time=None,
                 random_state=None):  # fmt: skip
        self.rank = rank
        self.method = method
        self.ridge = ridge
        self.ridge_mode = ridge_mode
        self.bias_ridge = bias_ridge
        self.loss = loss
        self.center = center
        self.validation_fraction = validation_fraction
        self.tol = tol
        self.max_iter = max_iter
        self.max_time = max_time
        self.random_state = random_state

    def fit(self, X, y=None, entry_weight=None):
        """Fit the factors to the observed entries.

        Parameters
        ----------
        X : array_like or sparse array of shape (m, n)
            Dense with NaN, or sparse.
        y : None
            Not used.
        entry_weight : array_like, optional
            Weights >= 0: of the shape of a dense X, or one for each stored entry.

        Returns
        -------
        MatrixCompletion
            The estimator itself.
        """
        X = self._validated(X, reset=True)
        _check_weight(entry_weight, X)
        result = matrix_completion(
            X, self.rank, sample_weight=entry_weight, method=self.method, ridge=self.ridge, ridge_mode=self.ridge_mode,
            bias_ridge=self.bias_ridge, loss=self.loss, center=self.center, tol=self.tol, max_iter=self.max_iter,
            validation_fraction=self.validation_fraction, max_time=self.max_time,
            rng=default_rng(self.random_state, "random_state"), on_failure="ignore",
        )  # fmt: skip
        pass_on(result)
        self.result_, self.n_iter_, self.rank_ = result, result.nit, result.rank
        self.components_ = namespace(result.V).matrix_transpose(result.V)
        self.row_factors_, self.row_bias_ = result.U, result.row_bias
        self.col_bias_, self.mean_ = result.col_bias, result.mean
        return self

    def partial_fit(self, X, y=None, entry_weight=None, rows=None):
        """Add rows, or replace some, with the column factors as they are; the first call fits.

        *Columns are not updated*: ``components_``, ``col_bias_``, ``mean_`` and ``result_`` stay what `fit`, or the
        first call, has made of its rows, since entries are not kept. Call `fit` with all rows again when those added
        are no longer few beside those fitted, or are predicted worse than they were.

        Parameters
        ----------
        X : array_like or sparse array of shape (q, n)
            The rows, each with all of its entries that are known by now.
        y : None
            Not used.
        entry_weight : array_like, optional
            As in `fit`.
        rows : array_like of int of shape (q,), optional
            Which of the rows so far they replace, each once. None (default): they are new, and come last.

        Returns
        -------
        MatrixCompletion
            The estimator itself.

        Raises
        ------
        InvalidInputError
            `rows` are not as many as X has, out of range, given twice, or given before the first fit.
        """
        if not hasattr(self, "components_"):
            if rows is not None:
                raise InvalidInputError("rows is given before the first fit: there are none to replace; leave it out")
            return self.fit(X, y, entry_weight)
        U, b = self._folded(X, entry_weight)
        xp, m = namespace(U), self.row_factors_.shape[0]
        order = np.arange(m + U.shape[0])  # of the rows so far and those of X behind them
        if rows is not None:
            rows = host(places("rows", rows, m, xp, device(U), "leave it out for rows that are new"))
            if rows.size != U.shape[0] or np.unique(rows).size != rows.size:
                raise InvalidInputError(
                    f"rows has {rows.size} indices, {np.unique(rows).size} distinct: {U.shape[0]} are expected, one "
                    f"for each row of X; make them agree"
                )
            order[rows] = order[m:]
            order = order[:m]
        order = xp.asarray(order, device=device(U))
        self.row_factors_ = xp.take(xp.concat((self.row_factors_, U)), order, axis=0)
        self.row_bias_ = xp.take(xp.concat((self.row_bias_, b)), order)
        return self

    def transform(self, X):
        """Return the factors of rows, known or not, by least squares on their observed entries.

        With the Huber loss the pull of outliers is bounded here too, with the threshold of the fit.

        Parameters
        ----------
        X : array_like or sparse array of shape (q, n)
            A row without entries gets zeros.

        Returns
        -------
        array of shape (q, r)
            Row factors. Row biases, if the model has them, are found along, but not returned.
        """
        return self._folded(X)[0]

    def inverse_transform(self, U):
        """Return the rows that factors stand for, row biases left out.

        Parameters
        ----------
        U : array_like of shape (q, r)
            Row factors.

        Returns
        -------
        array of shape (q, n)
            ``U @ components_ + col_bias_ + mean_``.

        Raises
        ------
        InvalidInputError
            U is not of that shape, or a number is not finite.
        InvalidTypeError
            U belongs to another library, is sparse, or complex.
        """
        check_is_fitted(self)
        U = as_array("U", U)
        if U.ndim != 2 or U.shape[1] != self.components_.shape[0]:
            raise InvalidInputError(
                f"U has shape {tuple(U.shape)}: a matrix of {self.components_.shape[0]} columns is expected, as many "
                f"as the rank; pass what transform returns"
            )
        if 0 not in U.shape:  # a matrix of zeros has rank 0
            checks = Checks({"U": U, "components_": self.components_})
            U = checks.matrix("U")
            checks.settle()
        return U @ self.components_ + self.col_bias_ + self.mean_

    def predict(self, X, cols=None):
        """Return single entries of the rows fitted, or whole rows for a matrix.

        Parameters
        ----------
        X : array_like of int of shape (q,), or array_like of shape (q, n)
            Row indices, with `cols`; without, rows as for `transform`, dense.
        cols : array_like of int of shape (q,), optional
            Column indices.

        Returns
        -------
        array of shape (q,) or (q, n)
            Predictions; for whole rows also of the entries that are observed.
        """
        check_is_fitted(self)
        if cols is None:
            if is_sparse(X):
                raise InvalidTypeError("X is sparse: its completion is dense; use predict(rows, cols) for some entries")
            U, b = self._folded(X)
            return self.inverse_transform(U) + b[:, None]
        fields = {name: getattr(self.result_, name) for name in self.result_}
        fields |= {"U": self.row_factors_, "row_bias": self.row_bias_}
        return type(self.result_)(**fields).predict(X, cols)

    def impute(self, X):
        """Return X with its missing entries predicted and the others as they are.

        Parameters
        ----------
        X : array_like of shape (q, n)
            Dense, with NaN where entries are missing.

        Returns
        -------
        array of shape (q, n)
            A new array, of the dtype of X if that is float32 or float64.

        Raises
        ------
        InvalidTypeError
            X is sparse: the result would not be.
        """
        filled = self.predict(X)
        X = self._validated(X, reset=False)
        xp = namespace(filled)
        X = xp.asarray(X, device=device(filled))
        return xp.where(xp.isnan(X), xp.astype(filled, X.dtype), X)

    def score(self, X, y=None):
        """Return minus the root mean square error on the observed entries of X, with the row factors fitted.

        Parameters
        ----------
        X : array_like or sparse array of shape (m, n)
            Entries to be compared, of the rows fitted and in their order.
        y : None
            Not used.

        Returns
        -------
        float
            At most 0; higher is better.
        """
        check_is_fitted(self)
        seen = entries(self._validated(X, reset=False))
        if seen.shape[0] != self.row_factors_.shape[0]:
            raise InvalidInputError(
                f"X has {seen.shape[0]} rows: the {self.row_factors_.shape[0]} rows fitted are expected; for others, "
                f"compare predict(X) with what was held out"
            )
        off = seen.y - self.predict(seen.rows, seen.columns)
        most = host(seen.xp.max(seen.xp.abs(off))) or 1.0  # squares of 1e200 are infinite
        return -float(most * host(seen.xp.mean((off / most) ** 2)) ** 0.5)

    @property
    def _n_features_out(self):
        return self.components_.shape[0]

    def _folded(self, X, entry_weight=None):
        check_is_fitted(self)
        X, xp = self._validated(X, reset=False), namespace(self.components_)
        biased = self.center == "biases"
        ridge = self.ridge if self.bias_ridge is None else self.bias_ridge
        _check_weight(entry_weight, X)
        V = turned(xp, self.components_)
        some = X.nnz if is_sparse(X) else host(xp.sum(xp.astype(~xp.isnan(xp.asarray(X, device=device(V))), xp.int64)))
        if not some:
            zeros = xp.zeros((X.shape[0], V.shape[1] + 1), dtype=V.dtype, device=device(V))
            return zeros[:, 1:], zeros[:, 0]
        return fold_in(
            X, V, mean=self.mean_, col_bias=self.col_bias_, sample_weight=entry_weight, ridge=self.ridge,
            ridge_mode=self.ridge_mode, bias_ridge=ridge if biased else None, loss_scale=self.result_.loss_scale,
        )  # fmt: skip

    def _validated(self, X, reset):
        if is_array(X) and not is_numpy(namespace(X)):
            if reset:
                self.n_features_in_ = X.shape[-1] if X.ndim else 0  # what is no matrix is refused by the function
            return X
        return validate_data(
            self, nan_for_masked(X), reset=reset, accept_sparse=("csr", "csc", "coo", "dia"),
            dtype=("float64", "float32"), ensure_all_finite="allow-nan",
        )  # fmt: skip

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _check_weight(weight, X):
    """Raise for weights that do not fit X, by the name that they have here."""
    if weight is None:
        return
    expected = (X.nnz,) if is_sparse(X) else tuple(X.shape)
    if np.shape(weight) != expected:
        raise InvalidInputError(
            f"entry_weight has shape {np.shape(weight)}: {expected} is expected, one for each "
            f"{'stored entry' if is_sparse(X) else 'place of X'}; make the sizes agree"
        )
    if 0 in expected:
        return
    checks = Checks({"entry_weight": weight})
    (checks.vector if is_sparse(X) else checks.matrix)("entry_weight", low=0.0, remedy="weights must not be negative")
    if checks.settle()["entry_weight"].high == 0:
        raise InvalidInputError("entry_weight is 0 everywhere: a positive weight is expected; raise one")
