"""The equilibrium of a zero-sum game, in the manner of scikit-learn."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from numopt._array import host, is_sparse
from numopt._check import Checks
from numopt._given import as_array
from numopt.estimators._warnings import pass_on
from numopt.monotone import matrix_game


class ZeroSumGame(BaseEstimator):
    """Optimal mixed strategies of a game of two players, one's gain being the other's loss.

    Parameters
    ----------
    method : {"auto", "pdhg"}, default "auto"
        See `numopt.monotone.matrix_game`.
    tol : float, default 1e-6
        For the gap, relative to the largest distance of a payment from their mean.
    max_iter : int, default 100000
        Checks of the method.
    max_time : float, default None
        Seconds.

    Attributes
    ----------
    columns_ : ndarray of shape (n,)
        Strategy of the player who chooses columns and pays.
    rows_ : ndarray of shape (m,)
        Strategy of the player who chooses rows and is paid.
    value_ : float
        What is paid on average.
    dual_gap_ : float
        The value of the game is within it, whatever the strategies.
    n_iter_ : int
        Checks done.
    result_ : numopt.monotone.GameResult
        Certificate and history.

    Warns
    -----
    ConvergenceWarning
        `tol` was not reached; also one of scikit-learn's class of that name.

    Notes
    -----
    What is fitted is a matrix of payments, not a table of samples: scikit-learn's checks for those do not apply.
    Cloning and pickling do.

    Examples
    --------
    >>> from numopt.estimators import ZeroSumGame
    >>> game = ZeroSumGame().fit([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])  # rock, paper, scissors
    >>> game.columns_.round(4)
    array([0.3333, 0.3333, 0.3333])
    >>> int(game.predict([[0.5, 0.5, 0.0]])[0])  # the best answer to rock and paper in turn is paper
    1
    """

    def __init__(self, *, method="auto", tol=1e-6, max_iter=100_000, max_time=None):
        self.method = method
        self.tol = tol
        self.max_iter = max_iter
        self.max_time = max_time

    def fit(self, A, y=None):
        """Find the equilibrium.

        Parameters
        ----------
        A : array_like or sparse of shape (m, n)
            What the player of the columns pays to the player of the rows.
        y : None
            Ignored; there for scikit-learn.

        Returns
        -------
        ZeroSumGame
            The estimator itself.
        """
        self.result_ = result = matrix_game(
            A, method=self.method, tol=self.tol, max_iter=self.max_iter, max_time=self.max_time, on_failure="ignore"
        )
        pass_on(result)
        self._A = A.copy() if is_sparse(A) else np.array(host(as_array("A", A)))
        self.columns_, self.rows_ = result.x, result.y
        self.value_, self.dual_gap_, self.n_iter_ = result.value, result.gap, result.nit
        return self

    def predict(self, X):
        """Return the row that is the best answer to each of some strategies of the other player.

        Parameters
        ----------
        X : array_like of shape (k, n)
            Mixed strategies of the player who chooses columns.

        Returns
        -------
        ndarray of shape (k,)
            Numbers of rows of `A`.

        Raises
        ------
        InvalidInputError, InvalidTypeError
            `X` is no matrix of finite numbers with n columns.
        """
        check_is_fitted(self, "columns_")
        checks = Checks({"X": X})
        X = checks.matrix("X", shape=(None, self._A.shape[1]))
        checks.settle()
        return np.argmax(self._A @ host(X).T, axis=0)
