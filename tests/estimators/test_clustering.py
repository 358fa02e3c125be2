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
    assert fit.bic(X) > fit.aic(X)
    assert min(fits, key=lambda k: fits[k].bic(X)) == 3


@pytest.mark.parametrize("estimator", [SDPKMeans(2, random_state=0), LASDPClustering(2, n_starts=4, random_state=0)])
def test_seeds_pickles_and_names(estimator):
    pandas = pytest.importorskip("pandas")
    X, _ = isotropic_clusters(60, 2, 2, 8.0)
    one, other = (estimator.fit(X).labels_ for _ in range(2))
    assert (one == other).all()
    assert (pickle.loads(pickle.dumps(estimator)).predict(X) == one).all()
    named = estimator.fit(pandas.DataFrame(X, columns=["a", "b"]))
    assert list(named.feature_names_in_) == ["a", "b"]


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
