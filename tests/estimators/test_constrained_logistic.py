"""The estimator: scikit-learn's checks, agreement with scikit-learn, equations, norm."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.exceptions
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from numopt import Status, use_kernels
from numopt.constrained import minimize_constrained
from numopt.estimators import ConstrainedLogisticRegression
from numopt.exceptions import InvalidInputError, InvalidTypeError, NumoptWarning
from numopt.gallery import sphere_logistic


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
    assert model.n_iter_ <= 5 and model.result_.success and model.result_.second_order == "min"


def test_the_certificate_is_that_of_the_problem(data):
    X, y = data
    A, t = np.array([[1.0, 1, 0, 0, 0], [0, 0, 1, -1, 0]]), np.array([0.1, 0.2])
    model = ConstrainedLogisticRegression(C=2.0, A_eq=A, b_eq=t, norm=1.5).fit(X, y)
    w, b, sign = model.coef_[0], model.intercept_[0], np.where(y == "yes", 1.0, -1.0)
    pull = -sign / (1 + np.exp(sign * (X @ w + b))) / len(y)
    lam, (kappa,) = model.result_.v
    stationarity = X.T @ pull + w / (2.0 * len(y)) + A.T @ lam + 2 * kappa * w
    violation = np.append(A @ w - t, w @ w - 1.5**2)
    np.testing.assert_allclose([*stationarity, pull.sum(), *violation], 0, atol=1e-8)


@pytest.mark.parametrize("seed", range(5))
def test_it_finds_what_the_general_solver_finds_or_better(seed):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (300, 20))
    y = np.where(X @ rng.standard_normal(20) + rng.logistic(size=300) > 0, 1.0, -1.0)
    p = sphere_logistic(X, y, 5)
    linear, _ = p.keywords["constraints"]
    theirs = minimize_constrained(p.fun, p.x0, **p.keywords)
    model = ConstrainedLogisticRegression(np.inf, A_eq=linear.A, b_eq=linear.lb, norm=1.0, fit_intercept=False)
    model.fit(X, y)
    assert model.result_.success and theirs.success and model.n_iter_ <= 10
    assert model.result_.fun <= theirs.fun + 1e-7


@pytest.mark.parametrize("norm", [None, 0.1, 2.0, 50.0])
def test_a_long_way_the_loss_falls_at_every_step(data, norm):
    X, y = data
    model = ConstrainedLogisticRegression(np.inf, norm=norm).fit(10 * X, y)
    assert model.result_.success and model.n_iter_ <= 40
    if norm:
        assert np.linalg.norm(model.coef_) == pytest.approx(norm, rel=1e-12)


def _indicators():
    rng = np.random.default_rng(3)
    X = (rng.random((400, 30)) < np.where(np.arange(30) % 2, 0.05, 0.95)).astype(float)
    return X, np.where(X @ rng.standard_normal(30) + rng.logistic(size=400) > 0, 1, 0)


@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csc_array, sp.coo_array])
@pytest.mark.parametrize("intercept", [False, True])
def test_sparse_samples(kind, intercept):
    X, y = _indicators()
    X[:, ::2] = 0
    keywords = {"norm": 1.0, "fit_intercept": intercept, "A_eq": np.ones((1, 30))}
    dense = ConstrainedLogisticRegression(**keywords).fit(X, y)
    sparse = ConstrainedLogisticRegression(**keywords).fit(kind(X), y)
    np.testing.assert_allclose(sparse.coef_, dense.coef_, atol=1e-10)
    assert (sparse.predict(kind(X)) == dense.predict(X)).all()


def test_repeated_entries_of_a_sparse_matrix_add_up():
    X, y = _indicators()
    S = sp.csr_array(X)
    twice = sp.csr_array((np.repeat(S.data / 2, 2), np.repeat(S.indices, 2), 2 * S.indptr), shape=S.shape)
    one, two = (ConstrainedLogisticRegression().fit(matrix, y) for matrix in (S, twice))
    np.testing.assert_allclose(two.coef_, one.coef_, atol=1e-8)
    assert twice.nnz == 2 * S.nnz


def test_portable_kernels_give_the_same():
    X, y = _indicators()
    fast = ConstrainedLogisticRegression(norm=1.0).fit(X, y)
    with use_kernels("portable"):
        np.testing.assert_allclose(ConstrainedLogisticRegression(norm=1.0).fit(X, y).coef_, fast.coef_, atol=1e-8)


@pytest.mark.parametrize(
    ("A", "b", "norm", "why"),
    [
        ([[1.0, 0, 0, 0, 0]], [2.0], 1.0, "norm"),
        ([[1.0, 0, 0, 0, 0], [1.0, 0, 0, 0, 0]], [1.0, 2.0], None, "contradict"),
        (np.eye(5), np.ones(5), 1.0, "norm"),
        (np.zeros((1, 5)), [1.0], None, "contradict"),
    ],
)
def test_what_cannot_hold_is_said(data, A, b, norm, why):
    with pytest.warns(sklearn.exceptions.ConvergenceWarning, match=why):
        model = ConstrainedLogisticRegression(A_eq=A, b_eq=b, norm=norm).fit(*data)
    assert model.result_.status == Status.INFEASIBLE and np.isfinite(model.coef_).all()


def test_dependent_equations(data):
    A = np.array([[1.0, 1, 0, 0, 0], [0, 0, 1, -1, 0]])
    with pytest.warns(NumoptWarning, match="dependent constraints"):
        twice = ConstrainedLogisticRegression(A_eq=np.vstack([A, A]), b_eq=[0.1, 0.2] * 2, norm=1.5).fit(*data)
    once = ConstrainedLogisticRegression(A_eq=A, b_eq=[0.1, 0.2], norm=1.5).fit(*data)
    np.testing.assert_allclose(twice.coef_, once.coef_, atol=1e-8)
    assert twice.kkt_error_ <= 1e-8


def test_a_norm_that_one_point_has_is_no_success(data):
    with pytest.warns(sklearn.exceptions.ConvergenceWarning):
        model = ConstrainedLogisticRegression(A_eq=[[1.0, 0, 0, 0, 0]], b_eq=[1.0], norm=1.0).fit(*data)
    np.testing.assert_allclose(model.coef_, [[1, 0, 0, 0, 0]], atol=1e-12)


@pytest.mark.parametrize("scale", [1e-8, 1e6, 1e150, 1e200])
def test_scales_that_overflow_end_without_nan(data, scale):
    X, y = data
    for norm in (None, 1.0):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = ConstrainedLogisticRegression(norm=norm).fit(scale * X, y)
        assert np.isfinite(model.coef_).all() and model.result_.success == (model.kkt_error_ <= 1e-8)



def test_no_intercept(data):
    X, y = data
    assert ConstrainedLogisticRegression(fit_intercept=False).fit(X, y).intercept_ == 0


@pytest.mark.parametrize(
    ("keywords", "match"),
    [
        ({"C": 0.0}, "C is 0"),
        ({"norm": -1.0}, "norm is -1"),
        ({"A_eq": [[1.0, 2.0]]}, r"A_eq has shape \(1, 2\)"),
        ({"A_eq": [[np.nan] * 5]}, r"A_eq\[0, 0\] is nan"),
        ({"A_eq": np.ones((1, 5)), "b_eq": [np.inf]}, r"b_eq\[0\] is inf"),
        ({"b_eq": [1.0]}, "b_eq is given without A_eq"),
    ],
)
def test_bad_input(data, keywords, match):
    with pytest.raises(InvalidInputError, match=match):
        ConstrainedLogisticRegression(**keywords).fit(*data)


@pytest.mark.parametrize(
    ("keywords", "match"),
    [
        ({"C": np.ones(2)}, "C is array"),
        ({"A_eq": [["x"] * 5]}, "A_eq has dtype <U1"),
        ({"fit_intercept": np.ones(2)}, "fit_intercept is array"),
        ({"fit_intercept": "no"}, "fit_intercept is 'no': True or False"),
    ],
)
def test_bad_types(data, keywords, match):
    with pytest.raises(InvalidTypeError, match=match):
        ConstrainedLogisticRegression(**keywords).fit(*data)


def test_it_warns_as_scikit_learn_does(data):
    with pytest.warns(sklearn.exceptions.ConvergenceWarning):
        ConstrainedLogisticRegression(max_iter=1).fit(*data)


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 10, 11])
def test_samples_far_from_the_boundary_leave_no_curvature_but_a_way_back(seed):
    """A first step takes the intercept to where every weight of the Hessian is 0."""
    rng = np.random.default_rng(seed)
    X = 1e3 * rng.standard_normal((30, 4))
    y = X @ rng.standard_normal(4) + rng.logistic(size=30) > 0
    A, w = rng.standard_normal((1, 4)), rng.standard_normal(4)
    model = ConstrainedLogisticRegression(A_eq=A, b_eq=A @ w, norm=float(np.linalg.norm(w))).fit(X, y)
    assert model.result_.success and model.result_.fun < 1e4


@pytest.mark.parametrize("C", [1.0, np.inf])
@pytest.mark.parametrize("seed", [21, 27, 51, 99, 115])
def test_columns_of_any_scale_need_not_be_scaled_before(seed, C):
    """A first step from among samples that are all far off took the intercept to 1e13 and further, for good."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((60, 5))
    y = X @ rng.standard_normal(5) + rng.standard_normal(60) > 0
    A, w = rng.standard_normal((2, 5)), rng.standard_normal(5)
    X *= 10 ** rng.uniform(-4, 4, 5)
    model = ConstrainedLogisticRegression(C, A_eq=A, b_eq=A @ w, norm=float(np.linalg.norm(w))).fit(X, y)
    assert model.result_.success and model.result_.fun < 2 * abs(X @ model.coef_[0]).max()
