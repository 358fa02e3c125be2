"""The estimators of clustering: scikit-learn's checks, labels that are predictions, other arrays."""

import pickle

import array_api_strict
import numpy as np
import pytest
import sklearn.exceptions
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from numopt._array import host
from numopt.estimators import LASDPClustering, SDPKMeans
from numopt.gallery import heterogeneous_clusters, isotropic_clusters


@parametrize_with_checks([SDPKMeans(), LASDPClustering(n_starts=4)])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_labels_are_predictions():
    X, _ = isotropic_clusters(200, 5, 3, 5.0)
    fit = SDPKMeans(3, random_state=0).fit(X)
    assert (fit.labels_ == fit.predict(X)).all() and fit.gap_kind_ in ("exact", "dual")
    assert fit.score(X) == pytest.approx(-fit.inertia_, rel=1e-9)
    assert fit.transform(X).shape == (200, 3)
    assert (fit.transform(X).argmin(axis=1) == fit.labels_).all()
    assert fit.lower_bound_ <= fit.objective_ and fit.result_.success and fit.n_iter_ >= 1


def test_probabilities_and_criteria():
    X, _ = heterogeneous_clusters("line", 10_000, p=4, sep=8.0)
    fits = {k: LASDPClustering(k, random_state=0).fit(X) for k in (2, 3, 4)}
    fit = fits[3]
    assert (fit.labels_ == fit.predict(X)).all() and fit.converged_
    P = fit.predict_proba(X)
    assert P.sum(axis=1) == pytest.approx(np.ones(200)) and (P.argmax(axis=1) == fit.labels_).all()
    assert fit.score_samples(X).sum() == pytest.approx(fit.result_.log_likelihood, rel=1e-9)
    assert fit.score(X) == pytest.approx(fit.score_samples(X).mean())
    log_likelihood, parameters = fit.score_samples(X).sum(), 2 + 3 * 4 + 3 * 10
    assert fit.aic(X) == pytest.approx(2 * parameters - 2 * log_likelihood, rel=1e-12)
    assert fit.bic(X) == pytest.approx(np.log(200) * parameters - 2 * log_likelihood, rel=1e-12)
    assert min(fits, key=lambda k: fits[k].bic(X)) == 3


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ({"covariance": "tied"}, 2 + 3 * 6 + 21),
        ({"covariance": "ridge", "reg_covar": 1e-2}, 2 + 3 * 6 + 3 * 21),
        ({"covariance": "none", "weights": False}, 3 * 6 + 3 * 21),
        ({"reduce": "lda"}, 2 + 3 * 2 + 3 * 3 + (2 * 6 - 3) + 4 + 1),
        ({"method": "ila-sdp"}, 2 + 3 * 6 + 3 * 21),
    ],
)
def test_labels_are_predictions_whatever_the_options(options, parameters):
    X, _ = heterogeneous_clusters("line", 10_000, p=6, sep=9.0)
    fit = LASDPClustering(3, n_starts=8, random_state=0, **options).fit(X)
    assert (fit.labels_ == fit.predict(X)).all() and (fit.fit_predict(X) == fit.labels_).all()
    assert (fit.predict_proba(X).argmax(axis=1) == fit.labels_).all()
    values = fit.score_samples(X)
    if options.get("weights", True):
        assert values.sum() == pytest.approx(fit.result_.log_likelihood, rel=1e-9)
    assert fit.aic(X) == pytest.approx(2 * parameters - 2 * values.sum(), rel=1e-12)
    assert fit.bic(X) - fit.aic(X) == pytest.approx((np.log(200) - 2) * parameters, rel=1e-9)


@pytest.mark.parametrize("estimator", [SDPKMeans(2, random_state=0), LASDPClustering(2, n_starts=4, random_state=0)])
def test_names_of_columns_are_kept_and_compared(estimator):
    pandas = pytest.importorskip("pandas")
    X, _ = isotropic_clusters(60, 2, 2, 8.0)
    fit = clone(estimator).fit(pandas.DataFrame(X, columns=["a", "b"]))
    assert list(fit.feature_names_in_) == ["a", "b"] and fit.n_features_in_ == 2
    assert (fit.predict(pandas.DataFrame(X, columns=["a", "b"])) == fit.labels_).all()
    with pytest.raises(ValueError, match="feature names should match"):
        fit.predict(pandas.DataFrame(X, columns=["b", "a"]))
    assert not hasattr(clone(estimator).fit(X), "feature_names_in_")


def test_distances_as_a_table():
    pandas = pytest.importorskip("pandas")
    X, _ = isotropic_clusters(60, 2, 2, 8.0)
    table = SDPKMeans(2, random_state=0).set_output(transform="pandas").fit_transform(pandas.DataFrame(X))
    assert list(table.columns) == ["sdpkmeans0", "sdpkmeans1"] and table.shape == (60, 2)


def test_names_of_distances():
    X, _ = isotropic_clusters(60, 2, 2, 8.0)
    assert list(SDPKMeans(2, random_state=0).fit(X).get_feature_names_out()) == ["sdpkmeans0", "sdpkmeans1"]


@pytest.mark.parametrize("estimator", [SDPKMeans(2, random_state=0), LASDPClustering(2, n_starts=4, random_state=0)])
def test_seeds_and_pickles(estimator):
    X, _ = isotropic_clusters(60, 2, 2, 8.0)
    one, other = (estimator.fit(X).labels_ for _ in range(2))
    assert (one == other).all()
    assert (pickle.loads(pickle.dumps(estimator)).predict(X) == one).all()


def test_other_arrays_stay_where_they_are():
    X, _ = isotropic_clusters(40, 2, 2, 9.0)
    Y = array_api_strict.asarray(X, device=array_api_strict.Device("device1"))
    for estimator in (SDPKMeans(2, random_state=0), LASDPClustering(2, n_starts=2, random_state=0)):
        labels = estimator.fit(Y).predict(Y)
        assert labels.device == Y.device
        assert (host(labels) == clone(estimator).fit(X).labels_).all()


def test_a_failure_is_a_warning_of_both_libraries():
    X, _ = isotropic_clusters(80, 3, 3, 2.0)
    with pytest.warns(sklearn.exceptions.ConvergenceWarning, match="sdp_gap"):
        SDPKMeans(3, tol=1e-9, max_iter=30, random_state=0).fit(X)


@pytest.mark.parametrize("unit", [1e-38, 1e-25, 1e20, 1e37])
def test_single_precision_in_any_unit_has_the_same_labels(unit):
    """Squares of these numbers are 0 or infinite in single precision."""
    X, _ = isotropic_clusters(60, 3, 3, 8.0)
    X = (X * unit).astype(np.float32)
    fit = SDPKMeans(3, random_state=0).fit(X)
    assert len(np.unique(fit.labels_)) == 3 and (fit.labels_ == fit.result_.labels).all()
    assert fit.score(X) == pytest.approx(-fit.inertia_, rel=1e-4)
    distances = fit.transform(X)
    assert distances.dtype == np.float32 and (distances.argmin(axis=1) == fit.labels_).all()
    with pytest.raises(ValueError, match=r"covariances in its dtype .*rescale X, or convert it to float64"):
        LASDPClustering(3).fit(X)
    wide = LASDPClustering(3, n_starts=4, random_state=0).fit(X.astype(float))
    assert np.isfinite(wide.covariances_).all() and np.isfinite(wide.score(X.astype(float)))


@pytest.mark.parametrize("estimator", [SDPKMeans(2), LASDPClustering(2, n_starts=4)], ids=repr)
def test_points_whose_distances_overflow_are_refused(estimator):
    X = np.random.default_rng(0).normal(size=(20, 2)) + np.arange(20)[:, None] // 10 * 9
    fit = estimator.fit(X)
    for method in (fit.predict, fit.transform if hasattr(fit, "transform") else fit.predict_proba, fit.score):
        assert np.isfinite(method(1e100 * X)).all()
        with pytest.raises(ValueError, match="drop them"):
            method(1e200 * X)
