"""The estimator of a game says what the solver says."""

import pickle

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from numopt.estimators import ZeroSumGame
from numopt.exceptions import InvalidInputError, InvalidTypeError
from numopt.monotone import matrix_game

A = np.random.default_rng(0).standard_normal((30, 20))


@pytest.mark.parametrize("sparse", [False, True])
def test_it_is_the_equilibrium(sparse):
    game, result = ZeroSumGame(tol=1e-9).fit(csr_array(A) if sparse else A), matrix_game(A, tol=1e-9)
    assert abs(game.value_ - result.value) < 1e-8
    assert game.dual_gap_ <= 1e-9 * np.abs(A - A.mean()).max()
    assert (A @ game.columns_).max() - (game.rows_ @ A).min() <= game.dual_gap_ + 1e-14
    answers = game.predict(np.eye(20)[:3])
    assert (answers == A[:, :3].argmax(axis=0)).all()


def test_it_can_be_cloned_and_pickled():
    game = clone(ZeroSumGame(tol=1e-4)).fit(A)
    assert game.tol == 1e-4 and (pickle.loads(pickle.dumps(game)).rows_ == game.rows_).all()


def test_what_goes_wrong_is_told():
    with pytest.warns(ConvergenceWarning):
        ZeroSumGame(tol=1e-12, method="pdhg", max_iter=2).fit(A)
    with pytest.raises(NotFittedError):
        ZeroSumGame().predict(np.eye(20))
    game = ZeroSumGame().fit(np.eye(3))
    bad = ([[np.nan, 0, 0]], "X.0, 0. is nan"), ([[1, 0]], "shape"), ([1, 0, 0], "matrix"), ([["a"] * 3], "dtype")
    for X, why in bad:
        with pytest.raises((InvalidInputError, InvalidTypeError), match=why):
            game.predict(X)


@pytest.mark.parametrize("make", [np.array, csr_array])
def test_answers_do_not_follow_what_becomes_of_the_matrix(make):
    A = make([[1.0, 0.0], [0.0, 2.0]])
    game = ZeroSumGame().fit(A)
    A *= -1
    assert (game.predict(np.eye(2)) == [0, 1]).all()
