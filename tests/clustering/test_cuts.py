"""Cuts: bounds against brute force, the inequalities one by one, real data whose gap they close."""

import itertools

import numpy as np
import pytest

from numopt._kernels import kernels
from numopt.clustering import kmeans_sdp
from numopt.clustering._dense import Split, dual_bound
from numopt.clustering._problem import kmeans_problem
from numopt.exceptions import InvalidInputError
from tests.clustering.test_certificate import hostile
from tests.oracles import clustering as oracle


def stays_below(seed, k, n):
    X = hostile(np.random.default_rng(seed), n)
    best, room = oracle.optimum(X, k), 1e-9 * ((X - X.mean(axis=0)) ** 2).sum() + 1e-12
    result = kmeans_sdp(X, k, cuts="triangle", method="dr", tol=1e-6, rng=0, max_iter=400, on_failure="ignore")
    assert result.lower_bound <= best + room and best <= result.fun + room
    assert result.gap_kind != "exact" or result.fun <= best + room
    return result.gap


@pytest.mark.parametrize("seed", range(12))
def test_bounds_with_cuts_stay_below_the_optimum(seed):
    stays_below(seed, 3, 11)


@pytest.mark.slow
def test_bounds_with_cuts_stay_below_the_optimum_of_many_sets():
    gaps = [stays_below(seed, 3, 11) for seed in range(12, 72)] + [stays_below(seed, 2, 9) for seed in range(40)]
    assert np.mean(np.array(gaps) < 1e-5) > 0.9


@pytest.mark.parametrize("seed", range(20))
def test_any_multipliers_give_a_bound(seed):
    rng = np.random.default_rng(seed)
    X, k, n = rng.normal(size=(9, 2)), 2 + seed % 2, 9
    p = kmeans_problem(X, k)
    cuts = np.array([(i, j, m) for i in range(n) for j, m in itertools.combinations(range(n), 2) if i not in (j, m)])
    q = 0.3 * rng.random(len(cuts)) * (rng.random(len(cuts)) < 0.1)
    T = rng.normal(size=(n, n))
    shift = kernels("triangles", np).triangle_matrix(cuts, q, n, -1.0)
    near = np.linalg.qr(rng.normal(size=(n, 3)) - 0.0)[0]
    bound = dual_bound(p, Split(T, near, np.ones(3), 0.2 * rng.random(), near, shift), 1.0, 0.0)
    assert p.original(bound) <= oracle.optimum(X, k) * (1 + 1e-12)


def test_partitions_satisfy_the_cuts():
    rng = np.random.default_rng(0)
    k = kernels("triangles", np)
    for _ in range(20):
        labels = rng.integers(3, size=12)
        Z = (labels[:, None] == labels) / np.bincount(labels)[labels]
        assert k.worst_triangles(Z)[0].max() <= 1e-15


def test_the_gap_of_real_data_is_closed():
    from sklearn.datasets import load_iris

    X = load_iris().data
    plain = kmeans_sdp(X, 3, method="dr", rng=0)
    cut = kmeans_sdp(X, 3, cuts="triangle", rng=0)
    assert plain.gap > 0.04 and plain.cut_violation is None
    assert cut.success and cut.gap <= 1e-3 and cut.gap_kind == "dual" and "with cuts" in cut.message
    sharpest = oracle.bound(X, cut.multiplier, 3)
    assert sharpest * (1 - 1e-4) <= cut.lower_bound <= sharpest * (1 + 1e-9)
    assert (np.diff(cut.history["bound"][np.isfinite(cut.history["bound"])]) > 0).any()


def test_the_violation_is_that_of_the_worst_triangle():
    X = np.random.default_rng(2).normal(size=(24, 2))
    result = kmeans_sdp(X, 3, method="dr", cuts="triangle", tol=1e-7, max_iter=60, rng=0, on_failure="ignore")
    Z = result.membership
    worst = max(
        Z[i, j] + Z[i, m] - Z[i, i] - Z[j, m]
        for i in range(24)
        for j, m in itertools.combinations([a for a in range(24) if a != i], 2)
    )
    assert result.cut_violation == pytest.approx(max(worst, 0) / Z.max(), rel=1e-6)


def test_a_closed_relaxation_satisfies_the_cuts():
    X = np.random.default_rng(3).normal(size=(40, 2))
    plain = kmeans_sdp(X, 4, method="dr", tol=1e-5, rng=0, max_iter=4000)
    cut = kmeans_sdp(X, 4, method="dr", cuts="triangle", tol=1e-4, rng=0, max_iter=4000)
    assert cut.success and cut.lower_bound > plain.lower_bound and cut.gap < 0.2 * plain.gap
    assert cut.gap <= 1e-4 or max(cut.cut_violation, cut.primal_residual) <= 1e-4


@pytest.mark.slow
def test_a_gap_that_stays_open_is_called_one():
    """The relaxation with all triangles is solved, and its value is below that of every partition."""
    X = np.random.default_rng(0).random((100, 2))
    result = kmeans_sdp(X, 5, cuts="triangle", rng=0)
    assert result.success and result.gap > 1.1e-3 and "with cuts" in result.message
    assert max(result.sdp_gap, result.cut_violation, result.primal_residual) <= 1e-3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cuts": "pair"}, "cuts is 'pair'"),
        ({"method": "sketch"}, "cuts is 'triangle' for method 'sketch'"),
        ({"method": "certify"}, "cuts is 'triangle' for method 'certify'"),
        ({"X": np.zeros((1001, 1))}, "X with 1001 rows"),
    ],
)
def test_refused(change, message):
    given = {"X": np.arange(8.0).reshape(4, 2), "n_clusters": 2, "cuts": "triangle"} | change
    with pytest.raises(InvalidInputError, match=message):
        kmeans_sdp(**given)
