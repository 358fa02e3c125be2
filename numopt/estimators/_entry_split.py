"""Cross-validation of matrix completion: the entries are split, not the rows."""

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_array

from numopt._array import default_rng, is_sparse
from numopt._check import integer
from numopt.completion._data import entries
from numopt.estimators._validated import nan_for_masked
from numopt.exceptions import InvalidInputError, InvalidTypeError

_CV = "pass two parts at least, or an EntrySplit, which splits entries, not rows"


class EntrySplit:
    """Split the observed entries, not the rows, into training and test parts.

    Parameters
    ----------
    n_splits : int, default 5
        Number of parts, at least 2; each is the test part once.
    random_state : None, int, Generator or SeedSequence, default None
        Seed.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.estimators import EntrySplit
    >>> train, test = next(EntrySplit(2, random_state=0).split(np.array([[1.0, np.nan], [2.0, 3.0]])))
    >>> np.isnan(train).sum() + np.isnan(test).sum()
    np.int64(5)
    """

    def __init__(self, n_splits=5, *, random_state=None):
        self.n_splits = n_splits
        self.random_state = random_state

    def split(self, X):
        """Yield (training, test) matrices of the form of X: NaN, or not stored, where the other has the entry.

        Parameters
        ----------
        X : array_like or sparse array of shape (m, n)
            Dense with NaN, or sparse.

        Yields
        ------
        train, test : ndarray or coo_array of shape (m, n)
            Together they have all entries of X, float32 if X is.

        Raises
        ------
        InvalidInputError
            There are fewer entries than parts, an entry is infinite, or is stored twice.
        """
        parts = integer("n_splits", self.n_splits, low=2, remedy="ask for two parts at least")
        sparse = is_sparse(X)
        coo = check_array(
            nan_for_masked(X),
            accept_sparse="coo",
            dtype=("float64", "float32"),
            ensure_all_finite="allow-nan",
            input_name="X",
        )
        if sparse and coo.nnz:
            entries(coo)  # an entry stored twice could be on both sides
        places = np.arange(coo.nnz) if sparse else np.flatnonzero(~np.isnan(coo))
        if places.size < parts:
            raise InvalidInputError(f"n_splits is {parts} for {places.size} entries: each part needs one; lower it")
        label = default_rng(self.random_state, "random_state").permutation(places.size) % parts
        for number in range(parts):
            yield tuple(self._taken(coo, places[which], sparse) for which in (label != number, label == number))

    @staticmethod
    def _taken(X, places, sparse):
        if not sparse:
            out = np.full_like(X, np.nan)
            out.flat[places] = X.flat[places]
            return out
        from scipy.sparse import coo_array

        return coo_array((X.data[places], (X.row[places], X.col[places])), shape=X.shape)


def cross_val_completion(estimator, X, *, cv=5, ranks=None):
    """Return the scores of an estimator on entries held out.

    Parameters
    ----------
    estimator : MatrixCompletion
        It is cloned, not fitted.
    X : array_like or sparse array of shape (m, n)
        Dense with NaN, or sparse.
    cv : int or EntrySplit, default 5
        Number of parts, drawn with seed 0, or the splitter.
    ranks : sequence of int or "auto", optional
        Ranks to compare. None (default): that of the estimator.

    Returns
    -------
    ndarray of shape (n_splits,) or (len(ranks), n_splits)
        Scores, at most 0; higher is better.

    Raises
    ------
    InvalidInputError
        `cv` or `ranks` is no such thing, or there are fewer entries than parts.
    InvalidTypeError
        `estimator` has no ``fit`` and ``score``.

    Notes
    -----
    Fits a model for each part and rank, one after the other; the parts are copies of the entries, all held at once.
    Scores are minus root mean square errors: beside outliers they are about these.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.estimators import MatrixCompletion, cross_val_completion
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((40, 2)) @ rng.standard_normal((2, 30))
    >>> scores = cross_val_completion(MatrixCompletion(random_state=0), X, ranks=[1, 2], cv=3)
    >>> bool(scores[1].mean() > scores[0].mean())
    True
    """
    splitter = cv if isinstance(cv, EntrySplit) else EntrySplit(integer("cv", cv, low=2, remedy=_CV), random_state=0)
    if not (hasattr(estimator, "fit") and hasattr(estimator, "score")):
        raise InvalidTypeError(f"estimator is {estimator!r}: a MatrixCompletion is expected; pass one")
    if ranks is not None and not (isinstance(ranks, (list, tuple, range, np.ndarray)) and np.shape(ranks)[:1] > (0,)):
        raise InvalidInputError(f"ranks is {ranks!r}: a sequence of one rank or more is expected; put it into brackets")
    folds = list(splitter.split(X))

    def scores(model):
        return [clone(model).fit(train).score(test) for train, test in folds]

    if ranks is None:
        return np.array(scores(estimator))
    return np.array([scores(clone(estimator).set_params(rank=rank)) for rank in ranks])
