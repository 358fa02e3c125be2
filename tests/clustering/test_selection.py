"""The number of clusters: known ones, none, duplicates; the criterion, its bound and its proof against naive twins."""

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from numopt import Status
from numopt.clustering import _nested, kmeans_sdp, ppp_select_k
from numopt.exceptions import InvalidInputError, SolverError
from numopt.gallery import heterogeneous_clusters, isotropic_clusters
from tests.oracles import clustering as oracle


def criterion(X, k, sse):
    n, p = X.shape
    likelihood = -n * p / 2 * (1 + np.log(2 * np.pi * sse / (n * p))) - n * np.log(k)
    return -2 * likelihood + (k * p + 1) * np.log(n)


@pytest.mark.parametrize(("k", "p", "sep"), [(2, 2, 6.0), (3, 4, 5.0), (4, 20, 5.0)])
def test_known_numbers_are_found_and_proved(k, p, sep):
    X, _ = isotropic_clusters(160, p, k, sep)
    result = ppp_select_k(X, k + 2, rng=0)
    assert result.success and result.n_clusters == k and result.proved and result.margin > 0
    assert result.certificate["sdp_gap"] == result.sdp_gap <= 1e-3
    assert "is proved" in result.message and list(result.fits) == list(range(1, k + 3))
    assert (result.labels == kmeans_sdp(X, k, rng=0).labels).all()


@pytest.mark.parametrize("p", [1, 2, 10])
def test_one_cluster_where_there_is_no_structure(p):
    X = np.random.default_rng(p).normal(size=(200, p))
    result = ppp_select_k(X, 4, rng=0)
    assert result.n_clusters == 1 and result.proved and (result.labels == 0).all()


def test_the_criterion_is_what_it_says():
    X, _ = isotropic_clusters(60, 3, 3, 4.0)
    result = ppp_select_k(X, 4, rng=0)
    for k, fit in result.fits.items():
        assert result.bic[k] == pytest.approx(criterion(X, k, fit.fun), rel=1e-12)
        lower = fit.fun if fit.gap_kind == "exact" else fit.lower_bound
        assert result.bic_bound[k] == pytest.approx(criterion(X, k, lower), rel=1e-12)
        assert fit.multiplier is None and fit.labels.max() + 1 == k
    best = result.n_clusters
    assert result.bic[best] == min(result.bic.values()) == result.certificate["bic"]
    others = min(bound for k, bound in result.bic_bound.items() if k != best)
    assert result.margin == pytest.approx(others - result.bic[best], rel=1e-9)


def test_proofs_are_true():
    """By brute force: no partition of nine points into another number of clusters has a lower criterion."""
    proved = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(9, 1 + seed % 2)) + 4 * rng.integers(0, 3, 9)[:, None]
        result = ppp_select_k(X, 4, rng=0)
        best = {k: criterion(X, k, oracle.optimum(X, k)) for k in range(1, 5)}
        assert all(result.bic_bound[k] <= best[k] + 1e-9 * abs(best[k]) for k in best)
        if result.proved:
            proved += 1
            assert min(best, key=best.get) == result.n_clusters
    assert proved >= 5


def test_groups_of_other_shapes():
    X = np.random.default_rng(0).normal(size=(200, 2)) * [6.0, 1.0]
    assert ppp_select_k(X, 4, rng=0).n_clusters > 1  # the round model cuts a long group
    result = ppp_select_k(X, 4, covariance="full", rng=0)
    assert result.n_clusters == 1 and not result.proved and result.margin_kind == "none"
    X, _ = heterogeneous_clusters("diag", 10_000, p=4, k=3, sep=8.0)
    assert ppp_select_k(X, 5, covariance="full", rng=0).n_clusters == 3


def test_the_mixture_s_criterion_is_that_of_scikit_learn():
    X = np.random.default_rng(1).normal(size=(4000, 2))
    X[:1500, 0] += 9
    result = ppp_select_k(X, 2, covariance="full", tol=1.0, rng=0)
    for k in (1, 2):
        theirs = GaussianMixture(k, reg_covar=1e-6, random_state=0, tol=1e-8).fit(X)
        assert result.bic[k] == pytest.approx(theirs.bic(X), rel=1e-4)  # a little shrinkage apart


def test_duplicates_and_constant_data():
    X = np.repeat(np.random.default_rng(0).normal(size=(3, 2)), 10, axis=0)
    for covariance in ("spherical", "full"):
        result = ppp_select_k(X, covariance=covariance, rng=0)
        assert result.n_clusters == 3 == max(result.bic) and result.fun == pytest.approx(0.0, abs=1e-24)
        constant = ppp_select_k(np.full((12, 2), 7.0), 4, covariance=covariance)
        assert constant.n_clusters == 1 and np.isfinite(constant.bic[1]) and constant.margin == np.inf
    alone = ppp_select_k([[1.0, 2.0]])
    assert alone.n_clusters == 1 and alone.success and not np.isnan(list(alone.bic.values())).any()


def test_units_and_offsets():
    X, _ = isotropic_clusters(100, 3, 2, 5.0)
    one = ppp_select_k(X, 3, rng=0)
    for other in (ppp_select_k(1e8 + X, 3, rng=0), ppp_select_k(1e-100 * X, 3, rng=0)):
        assert other.n_clusters == one.n_clusters and other.margin == pytest.approx(one.margin, rel=1e-3)
    assert ppp_select_k((100 * X).astype(int), 3, rng=0).n_clusters == one.n_clusters


def test_numbers_that_are_ruled_out_need_no_tight_bound():
    X, _ = isotropic_clusters(200, 5, 3, 10.0)
    result = ppp_select_k(X, 3, max_iter=12, rng=0)  # ten starts, the bound by pairs, one step of the splitting
    assert result.success and result.n_clusters == 3 and result.proved
    assert result.sdp_gap <= 1e-3 < max(fit.sdp_gap for fit in result.fits.values())


def test_limits():
    X, _ = isotropic_clusters(100, 3, 3, 2.0)
    late = ppp_select_k(X, 4, max_time=0.0, on_failure="ignore")
    assert late.status == Status.TIME_LIMIT and not late.success and late.n_clusters == 1 == max(late.bic)
    short = ppp_select_k(X, 4, max_iter=3, on_failure="ignore")
    assert not short.success and short.status == Status.MAX_ITER and np.isfinite(list(short.bic.values())).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_clusters": 0}, "max_clusters is 0"),
        ({"max_clusters": 5}, "max_clusters is 5 for X with 8 rows: at least two rows"),
        ({"covariance": "tied"}, "covariance is 'tied'"),
        ({"n_init": 0}, "n_init is 0"),
        ({"X": np.full((8, 2), np.inf)}, r"X\[0, 0\] is inf"),
    ],
)
def test_refused(change, message):
    with pytest.raises(InvalidInputError, match=message):
        ppp_select_k(**{"X": np.arange(16.0).reshape(8, 2), "max_clusters": 2} | change)


@pytest.fixture
def third_fit(monkeypatch):
    """Return a function that makes the third run of K-means inside another end in some way."""

    def ends(status):
        def run(X, k, **options):
            result = kmeans_sdp(X, k, **options)
            if k == 3:
                result.status, result.message = status, "so it ended"
            return result

        monkeypatch.setattr(_nested, "kmeans_sdp", run)

    return ends


def test_ctrl_c_inside_a_fit_keeps_the_fits_before(third_fit):
    third_fit(Status.INTERRUPTED)
    X, _ = isotropic_clusters(60, 3, 2, 8.0)
    result = ppp_select_k(X, 5, rng=0, on_failure="ignore")
    assert result.status == Status.INTERRUPTED and not result.success
    assert list(result.fits) == [1, 2] and result.n_clusters == 2


def test_a_fit_that_broke_down_is_named(third_fit):
    third_fit(Status.NONFINITE)
    with pytest.raises(SolverError, match="with 3 clusters: so it ended"):
        ppp_select_k(isotropic_clusters(60, 3, 2, 8.0)[0], 5, rng=0)
