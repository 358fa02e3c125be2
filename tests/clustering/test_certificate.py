"""The bound by pairs of clusters: against brute force, against its dense twin, and at its edges."""

import numpy as np
import pytest

from numopt.clustering import _lloyd, _pairwise, certify_kmeans, kmeans_sdp
from numopt.clustering._lloyd import partition
from numopt.clustering._pairwise import _Features, _root
from numopt.clustering._problem import kmeans_problem
from tests.oracles import clustering as oracle


def hostile(rng, n=11):
    """A small set of points of some awkward kind."""
    kind = rng.integers(6)
    X = rng.normal(size=(n, rng.integers(1, 4)))
    if kind == 1:  # duplicates
        X = X[rng.integers(0, 6, n)]
    elif kind == 2:  # collinear
        X = np.outer(rng.normal(size=n), rng.normal(size=3))
    elif kind == 3:  # integers: ties
        X = rng.integers(-2, 3, size=(n, 2)).astype(float)
    elif kind == 4:  # separated
        X = X + 6 * rng.integers(0, 3, n)[:, None]
    elif kind == 5:  # an offset that drowns the spread
        X = 1e6 + X
    return X


def audit(seed, k, n=11):
    rng = np.random.default_rng(seed)
    X = hostile(rng, n)
    best = oracle.optimum(X, k)
    room = 1e-9 * ((X - X.mean(axis=0)) ** 2).sum() + 1e-12
    claims = 0
    labellings = [rng.integers(k, size=n), kmeans_sdp(X, k, method="certify", rng=seed, on_failure="ignore").labels]
    for labels in labellings:
        if len(np.unique(labels)) < k:
            continue
        result = certify_kmeans(X, labels, on_failure="ignore")
        assert result.lower_bound <= best + room
        assert best <= result.fun + room
        if result.gap_kind == "exact":
            claims += 1
            assert result.fun <= best + room
    return claims


def test_no_bound_above_the_optimum_and_no_wrong_claim():
    assert sum(audit(seed, 3) for seed in range(120)) > 20


@pytest.mark.slow
def test_the_whole_audit():
    assert sum(audit(seed, 3) for seed in range(120, 500)) > 60
    assert sum(audit(seed, 2, n=9) for seed in range(500, 700)) > 60


@pytest.mark.parametrize("seed", range(12))
def test_splitting_stays_below_the_optimum(seed):
    X = hostile(np.random.default_rng(seed))
    best, room = oracle.optimum(X, 3), 1e-9 * ((X - X.mean(axis=0)) ** 2).sum() + 1e-12
    result = kmeans_sdp(X, 3, method="dr", tol=1e-6, rng=0, max_iter=400, on_failure="ignore")
    assert result.lower_bound <= best + room and best <= result.fun + room
    assert result.gap_kind != "exact" or result.fun <= best + room


@pytest.mark.parametrize("k", [2, 3, 4])
def test_small_matrices_stand_for_the_dense_ones(k):
    rng = np.random.default_rng(k)
    X = rng.normal(size=(60, 3))
    labels = np.concatenate([np.arange(k), rng.integers(k, size=60 - k)])
    p = kmeans_problem(X, k)
    found = partition(p, labels)
    for tau in (0.5, 2.0, 20.0):
        features = _Features(p, found, tau / p.scale**2)
        got = features.best(only=0.7)
        N = oracle.multiplier(X, labels, tau, 0.7)
        assert p.original(got.value) == pytest.approx(max(oracle.bound(X, N, k), 0), rel=1e-9)
        N = oracle.multiplier(X, labels, tau)
        H = np.eye(k)[labels]
        W = np.eye(60) - H @ np.linalg.pinv(H)
        Xc = X - X.mean(axis=0)
        top = np.linalg.eigvalsh(W @ (Xc @ Xc.T + N) @ W)[-1]
        assert p.original(features.largest_within()) == pytest.approx(top, rel=1e-9)


def test_the_multiplier_annihilates_the_clusters_and_its_value_is_the_sum_of_squares():
    rng = np.random.default_rng(1)
    X = np.concatenate([rng.normal(size=(n, 2)) + c for n, c in ((7, [0, 0]), (9, [9, 0]), (5, [0, 9]))])
    labels = np.repeat(np.arange(3), [7, 9, 5])
    size, m = np.bincount(labels), np.array([X[labels == a].mean(axis=0) for a in range(3)])
    tau = oracle.margin_tau(X, labels)
    N = oracle.multiplier(X, labels, tau)
    y = ((X - m[labels]) ** 2).sum(axis=1) + tau / size[labels]
    assert y.sum() - 3 * tau == pytest.approx(oracle.sse(X, labels), rel=1e-12)
    C = ((X[:, None] - X) ** 2).sum(axis=2) / 2
    S = C - (y[:, None] + y) / 2 + tau * np.eye(21) - N
    assert abs(S @ np.eye(3)[labels]).max() <= 1e-10 * abs(S).max()
    assert N.min() >= 0 and np.linalg.eigvalsh(S)[0] > -1e-9 * abs(S).max()
    assert certify_kmeans(X, labels).gap_kind == "exact"


def test_two_blobs_are_proved_and_the_splitting_agrees():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(20, 2)), rng.normal(size=(25, 2)) + np.array([12, 0])])
    result = kmeans_sdp(X, 2, rng=0)
    assert result.gap_kind == "exact" and result.gap <= 1e-10 and result.success
    assert result.fun == pytest.approx(oracle.sse(X, np.repeat([0, 1], [20, 25])), rel=1e-12)


def test_anybodys_labels_are_judged_in_their_own_order():
    X = np.array([[0.0], [1.0], [10.0], [11.0], [30.0]])
    result = certify_kmeans(X, [7, 7, -3, -3, 4])
    assert result.gap_kind == "exact" and list(result.labels) == [0, 0, 1, 1, 2]
    worse = certify_kmeans(X, [7, -3, -3, -3, 4], on_failure="ignore")
    assert worse.gap_kind == "dual" and worse.lower_bound <= 1.0 < worse.fun and not worse.success


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_units_do_not_matter(scale):
    rng = np.random.default_rng(3)
    X = np.concatenate([rng.normal(size=(30, 2)), rng.normal(size=(30, 2)) + np.array([4, 0])])
    one, other = (kmeans_sdp(c * X, 2, method="certify", rng=0, on_failure="ignore") for c in (1.0, scale))
    assert (one.labels == other.labels).all() and other.gap == pytest.approx(one.gap, rel=1e-6)
    assert other.fun == pytest.approx(scale**2 * one.fun, rel=1e-9)


def test_rows_may_be_permuted_and_the_space_turned():
    rng = np.random.default_rng(4)
    X = np.concatenate([rng.normal(size=(30, 3)), rng.normal(size=(30, 3)) + 3])
    one = certify_kmeans(X, np.repeat([0, 1], 30), on_failure="ignore")
    order, turn = rng.permutation(60), np.linalg.qr(rng.normal(size=(3, 3)))[0]
    other = certify_kmeans(X[order] @ turn + 5, np.repeat([0, 1], 30)[order], on_failure="ignore")
    assert other.lower_bound == pytest.approx(one.lower_bound, rel=1e-9)
    assert other.fun == pytest.approx(one.fun, rel=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_a_bound_tuned_on_a_sample_stays_below_the_optimum(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(11, 2)) + 3 * rng.integers(0, 2, 11)[:, None]
    labels = np.concatenate([rng.integers(2, size=9), [2, 2]])  # the last cluster has no evenly spaced point but one
    monkeypatch.setattr(_pairwise, "_SAMPLE", 5)
    result = certify_kmeans(X, labels, on_failure="ignore")
    assert 0 <= result.lower_bound <= oracle.optimum(X, 3) * (1 + 1e-9)
    assert result.fun == pytest.approx(oracle.sse(X, labels), rel=1e-12)


def test_a_sample_tells_tau_nearly_as_well_as_all_points(monkeypatch):
    X = np.random.default_rng(6).normal(size=(3000, 2)) + np.repeat([0.0, 3.0], 1500)[:, None]
    labels = kmeans_sdp(X, 2, method="certify", rng=0, on_failure="ignore").labels
    whole = certify_kmeans(X, labels, on_failure="ignore")
    monkeypatch.setattr(_pairwise, "_SAMPLE", 1000)
    result = certify_kmeans(X, labels, on_failure="ignore")
    assert whole.gap_kind == "dual" and result.lower_bound >= 0.99 * whole.lower_bound > 0


def test_starts_compared_on_a_sample_give_a_partition_of_all(monkeypatch):
    rng = np.random.default_rng(5)
    X = np.concatenate([rng.normal(size=(60, 2)) + centre for centre in ([0, 0], [30, 0], [0, 30])])
    monkeypatch.setattr(_lloyd, "_SAMPLE", 40)
    result = kmeans_sdp(X, 3, method="certify", rng=0)
    assert result.gap_kind == "exact" and result.success
    assert result.fun == pytest.approx(oracle.sse(X, np.repeat([0, 1, 2], 60)), rel=1e-12)


def test_rounding_beside_a_zero_diagonal_does_no_harm():
    """Clusters of equal points leave variances of 0 and covariances of 1e-17."""
    S = np.array([[4.0, 1e-17, 1.0], [1e-17, -1e-30, -1e-16], [1.0, -1e-16, 1.0]])
    R = _root(S)
    assert np.allclose(R @ R.T, S, rtol=0, atol=1e-14)


def least(X, k):
    """The least sum of squares, without a difference of large numbers."""
    return min(oracle.sse(X, labels) for labels in oracle.partitions(len(X), k))


@pytest.mark.parametrize("far", [1e3, 1e6, 1e8, 1e9, 1e12])
@pytest.mark.parametrize("seed", range(2))
def test_far_outliers_hide_nothing(seed, far):
    """Beside the outlier all sums of squares are next to nothing; but they differ."""
    rng = np.random.default_rng(seed)
    X = np.concatenate([rng.integers(0, 9, size=(7, 1 + seed % 2)).astype(float), np.full((1, 1 + seed % 2), far)])
    best = least(X, 3)
    for labels in oracle.partitions(8, 3)[seed::80]:
        result = certify_kmeans(X, labels, on_failure="ignore")
        assert result.lower_bound <= best * (1 + 1e-9) and result.fun >= best * (1 - 1e-9)
        assert result.gap_kind != "exact" or result.fun <= best * (1 + 1e-6)
        assert result.success == (result.gap <= 1e-3)
    for method in ("auto", "dr", "certify"):
        result = kmeans_sdp(X, 3, method=method, rng=0, max_iter=100, on_failure="ignore")
        assert result.lower_bound <= best * (1 + 1e-9) and result.fun >= best * (1 - 1e-9)
        assert result.gap_kind != "exact" or result.fun <= best * (1 + 1e-6)


@pytest.mark.parametrize("k", [12, 40, 60])
def test_many_clusters_take_no_matrix_of_all_their_pairs(k):
    rng = np.random.default_rng(0)
    centres = 40 * np.stack(np.meshgrid(np.arange(8), np.arange(8)), axis=-1).reshape(-1, 2)[:k]
    X = np.repeat(centres, 6, axis=0) + rng.normal(size=(6 * k, 2))
    labels = np.repeat(np.arange(k), 6)
    assert certify_kmeans(X, labels).gap_kind == "exact"
    labels[0] = 1
    worse = certify_kmeans(X, labels, on_failure="ignore")
    assert worse.gap_kind == "dual" and worse.lower_bound <= oracle.sse(X, np.repeat(np.arange(k), 6)) < worse.fun


def test_the_eigenvalue_is_bounded_from_above_where_it_is_not_computed():
    rng = np.random.default_rng(2)
    for k in (2, 3, 5):
        X = rng.normal(size=(40, 3)) + 4 * rng.integers(0, 3, 40)[:, None]
        p, labels = kmeans_problem(X, k), np.concatenate([np.arange(k), rng.integers(k, size=40 - k)])
        found = partition(p, labels)
        for tau in (0.01, 1.0):
            known = _Features(p, found, tau).largest_within()
            assert known * (1 - 1e-12) <= _pairwise._largest_at_most(p, found, tau) <= 4 * known


def test_as_many_features_as_are_tested_make_no_difference_to_clear_claims(monkeypatch):
    X = np.random.default_rng(1).normal(size=(30, 2)) + 30 * np.repeat([0, 1, 2], 10)[:, None]
    monkeypatch.setattr(_pairwise, "_TESTED", 1)
    assert certify_kmeans(X, np.repeat([0, 1, 2], 10)).gap_kind == "exact"
    monkeypatch.setattr(_pairwise, "_ENTRIES", 1)
    assert certify_kmeans(X, np.repeat([0, 1, 2], 10), on_failure="ignore").gap_kind == "dual"


def test_no_more_multipliers_are_tried_when_the_time_is_up(monkeypatch):
    X = np.random.default_rng(0).normal(size=(60, 2)) + 3 * np.repeat([0, 1], 30)[:, None]
    whole, tried = certify_kmeans(X, np.repeat([0, 1], 30), on_failure="ignore"), []
    features = _pairwise._Features
    monkeypatch.setattr(_pairwise, "_Features", lambda *given: tried.append(given[2]) or features(*given))
    monkeypatch.setattr(_pairwise, "time_left", lambda: 0.0)
    late = certify_kmeans(X, np.repeat([0, 1], 30), on_failure="ignore")
    assert len(set(tried)) <= 2 and len(tried) <= 3  # the labels' own tau, and one more
    assert 0 < late.lower_bound <= whole.lower_bound
