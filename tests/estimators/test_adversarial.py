"""Linear models against an adversary: scikit-learn's checks, limits that are known, and what they are for."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from numopt.estimators import DROLogisticRegression, FairLogisticRegression, RobustRegression
from numopt.exceptions import InvalidInputError, InvalidTypeError


@parametrize_with_checks([DROLogisticRegression(), FairLogisticRegression(), RobustRegression()])
def test_scikit_learn(estimator, check):
    check(estimator)


def data(seed=0, n=200):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 3)) * [1, 10, 0.1] + [0, 5, 1]
    group = rng.random(n) < 0.15
    score = np.where(group, X[:, 0] - X[:, 2] * 10 + 10, X[:, 0] + 0.1 * (X[:, 1] - 5))
    return X, score + 0.5 * rng.standard_normal(n) > 0, group


def losses(model, X, y):
    return -np.log(model.predict_proba(X)[np.arange(len(y)), y.astype(int)])


def test_an_expensive_adversary_changes_nothing():
    X, y, _ = data()
    robust = DROLogisticRegression(C=10.0, rho=1e4, tol=1e-8).fit(X, y)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    plain = LogisticRegression(C=10.0, fit_intercept=False, tol=1e-10, max_iter=1000).fit(np.c_[Z, np.ones(len(Z))], y)
    np.testing.assert_allclose(robust.coef_[0] * X.std(axis=0), plain.coef_[0, :-1], rtol=1e-2)
    np.testing.assert_allclose(robust.weights_, 1 / len(y), rtol=1e-2)


def test_a_cheap_adversary_lowers_the_worst_losses():
    X, y, _ = data()
    worst = [
        np.sort(losses(DROLogisticRegression(C=100.0, rho=rho).fit(X, y), X, y))[-10:].mean() for rho in (100.0, 0.1)
    ]
    assert worst[1] < worst[0]


def test_the_worst_group_fares_better():
    X, y, group = data(n=400)
    fair = FairLogisticRegression(C=100.0).fit(X, y, groups=group)
    plain = LogisticRegression(C=100.0, max_iter=1000).fit(X, y)
    worst = [max(losses(m, X, y)[g].mean() for g in (group, ~group)) for m in (fair, plain)]
    assert worst[0] < worst[1]
    assert abs(fair.weights_.sum() - 1) < 1e-12 and fair.groups_.tolist() == [False, True]


def test_responses_moved_at_a_price():
    X, _, _ = data()
    y = X @ [1.0, 2.0, 3.0] + np.random.default_rng(1).standard_normal(len(X))
    model = RobustRegression(price=3.0, tol=1e-9).fit(X, y)
    plain = LinearRegression().fit(X, y)
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-5)
    np.testing.assert_allclose(model.worst_ - y, (y - model.predict(X)) / 2, atol=1e-5)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    ridge = Ridge(alpha=30.0 * 2 / 3).fit(Z, y)
    model = RobustRegression(price=3.0, alpha=30.0, tol=1e-9).fit(X, y)
    np.testing.assert_allclose(model.coef_ * X.std(axis=0), ridge.coef_, rtol=1e-5)


@pytest.mark.parametrize(
    "model", [DROLogisticRegression(C=0.0), DROLogisticRegression(rho=-1.0), FairLogisticRegression(C=-1)]
)
def test_bad_parameters(model):
    X, y, _ = data()
    with pytest.raises(ValueError, match=r"(C|rho) is"):
        model.fit(X, y)


def test_a_ridge_that_is_no_number():
    X, y, _ = data()
    with pytest.raises(TypeError, match="alpha is None"):
        RobustRegression(alpha=None).fit(X, y)


def test_bad_groups():
    X, y, _ = data()
    with pytest.raises(ValueError, match="inconsistent"):
        FairLogisticRegression().fit(X, y, groups=[1, 2])


@pytest.mark.parametrize("model", [DROLogisticRegression(), FairLogisticRegression(), RobustRegression()])
def test_a_constant_column_changes_nothing(model):
    """Its standard deviation is rounding, by which nothing should be divided."""
    X, y, _ = data()
    constant = next(c for c in np.linspace(0.1, 0.9, 50) if np.full(len(X), c).std() > 0)
    plain = np.ravel(model.fit(X, y).coef_)
    more = np.ravel(model.fit(np.c_[X, np.full(len(X), constant)], y).coef_)
    np.testing.assert_allclose(more, np.r_[plain, 0.0], rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("unit", [1e-300, 1e-160, 1e160, 1e300])
@pytest.mark.parametrize("model", [DROLogisticRegression(), FairLogisticRegression(), RobustRegression()], ids=repr)
def test_columns_may_have_any_unit(model, unit):
    """Squares of such numbers are 0 or infinite."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    y = X @ [1.0, 2.0]
    y = y if isinstance(model, RobustRegression) else y > 0
    expected = np.ravel(clone(model).fit(X, y).coef_)
    fit = clone(model).fit(X * [unit, 1.0], y)
    assert np.ravel(fit.coef_) * [unit, 1.0] == pytest.approx(expected, rel=1e-3)
    with pytest.raises(ValueError, match="its coefficient overflows; rescale"):
        clone(model).fit(X * 1e-312, y)


@pytest.mark.parametrize("unit", [1e-300, 1e-160, 1e160, 1e300])
def test_responses_may_have_any_unit(unit):
    X = np.random.default_rng(0).normal(size=(60, 2))
    fit = RobustRegression().fit(X, unit * (X @ [1.0, 2.0] + 3.0))
    assert [*fit.coef_ / unit, fit.intercept_ / unit] == pytest.approx([1.0, 2.0, 3.0], rel=1e-4)
    assert np.isfinite(fit.worst_).all()


@pytest.mark.parametrize(("columns", "responses"), [(1e150, 1e-300), (1e300, 1e-150), (1e-150, 1e300)])
def test_coefficients_that_are_no_numbers_are_refused(columns, responses):
    X = np.random.default_rng(0).normal(size=(60, 2))
    with pytest.raises(InvalidInputError, match=r"X\[:, \d\] varies by .*: its coefficient (over|under)flows"):
        RobustRegression().fit(columns * X, responses * (X @ [1.0, 2.0]))
    fit = RobustRegression().fit(columns * X, X @ [1.0, 0.0])  # a coefficient of 0 is none the worse for it
    assert fit.coef_[0] * columns == pytest.approx(1.0, rel=1e-4)


@pytest.mark.parametrize(
    ("missing", "error", "match"),
    [
        (np.where(np.arange(200) == 3, np.nan, 1.0), InvalidInputError, r"groups\[3\] is nan: a group is expected"),
        (np.array(["2000-01-01", "NaT"] * 100, "M8[D]"), InvalidInputError, r"groups\[1\] is NaT"),
        (np.array(["a", None] * 100, dtype=object), InvalidTypeError, "groups are of several kinds"),
    ],
)
def test_missing_groups_are_refused(missing, error, match):
    X, y, _ = data()
    with pytest.raises(error, match=match):
        FairLogisticRegression().fit(X, y, groups=missing)
