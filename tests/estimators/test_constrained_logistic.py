"""The estimator: scikit-learn's checks, agreement with scikit-learn, equations, norm."""

import numpy as np
import pytest
import sklearn.exceptions
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from numopt.estimators import ConstrainedLogisticRegression
from numopt.exceptions import InvalidInputError


@parametrize_with_checks([ConstrainedLogisticRegression()])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 5))
    return X, np.where(X @ [1, -1, 0.5, 0, 2] + 0.3 + rng.logistic(size=300) > 0, "yes", "no")


@pytest.mark.parametrize("C", [0.1, 1.0, np.inf])
def test_without_constraints_it_is_logistic_regression(data, C):
    X, y = data
    theirs = LogisticRegression(C=C if np.inf > C else 1e12, tol=1e-10, max_iter=10_000).fit(X, y)
    ours = ConstrainedLogisticRegression(C=C).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-4)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-4)
    assert (ours.predict(X) == theirs.predict(X)).all() and ours.kkt_error_ <= 1e-8


def test_equations_and_norm_hold(data):
    X, y = data
    A = np.array([[1.0, 1, 0, 0, 0], [0, 0, 1, -1, 0]])
    model = ConstrainedLogisticRegression(C=np.inf, A_eq=A, b_eq=[0.1, 0.2], norm=1.5).fit(X, y)
    np.testing.assert_allclose(A @ model.coef_[0], [0.1, 0.2], atol=1e-8)
    assert np.linalg.norm(model.coef_) == pytest.approx(1.5, abs=1e-8)
    assert model.n_iter_ <= 20 and model.result_.success


def test_no_intercept(data):
    X, y = data
    assert ConstrainedLogisticRegression(fit_intercept=False).fit(X, y).intercept_ == 0


@pytest.mark.parametrize(
    ("keywords", "match"),
    [
        ({"C": 0.0}, "C is 0"),
        ({"norm": -1.0}, "norm is -1"),
        ({"A_eq": [[1.0, 2.0]]}, r"A_eq has shape \(1, 2\)"),
        ({"b_eq": [1.0]}, "b_eq is given without A_eq"),
    ],
)
def test_bad_input(data, keywords, match):
    with pytest.raises(InvalidInputError, match=match):
        ConstrainedLogisticRegression(**keywords).fit(*data)


def test_it_warns_as_scikit_learn_does(data):
    with pytest.warns(sklearn.exceptions.ConvergenceWarning):
        ConstrainedLogisticRegression(max_iter=1).fit(*data)
