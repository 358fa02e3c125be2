"""Groups of different covariance: the lifted costs, both methods, their certificates, degenerate data."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from numopt.clustering import ila_sdp
from numopt.clustering._assignment import costs, solved
from numopt.clustering._mixture import MixtureProblem
from numopt.clustering._problem import kmeans_problem
from numopt.exceptions import InvalidInputError, InvalidTypeError
from numopt.gallery import heterogeneous_clusters
from tests.oracles import mixture as oracle


def misplaced(labels, truth):
    """The share of points in the wrong group, groups matched at best."""
    k = max(labels.max(), truth.max()) + 1
    counts = np.zeros((k, k))
    np.add.at(counts, (labels, truth), 1)
    rows, columns = linear_sum_assignment(-counts)
    return 1 - counts[rows, columns].sum() / len(labels)


def small(n=24, k=2, weighted=True):
    X, labels = heterogeneous_clusters("line", 3, n=n, p=3, k=k, sep=7.0)
    return X, labels, MixtureProblem(kmeans_problem(X, k), "oas", weighted)


@pytest.mark.parametrize("weighted", [True, False])
def test_lifted_costs_give_the_likelihood(weighted):
    _, labels, p = small(weighted=weighted)
    groups, value = p.profile(labels)
    cost = costs(p, groups)
    w = np.log(groups.weights) if weighted else np.zeros(2)
    C = [cost.scale * (h[:, None] + h - F @ F.T) for F, h in zip(cost.F, cost.h, strict=True)]
    assert np.array(C) == pytest.approx(np.array(oracle.lifted_costs(p.base.X, groups.covariances, w)), rel=1e-9)
    integral = sum((C[k] * np.outer(labels == k, labels == k)).sum() / (labels == k).sum() for k in range(2))
    want = oracle.likelihood(p.base.X, labels, groups.covariances, w)
    assert integral == pytest.approx(want, rel=1e-9)
    assert value - 24 * 3 / 2 * np.log(2 * np.pi) == pytest.approx(want, rel=1e-9)


def test_the_assignment_finds_the_best_labels_at_these_covariances():
    _, labels, p = small(n=12)
    groups, _ = p.profile(labels)
    w = np.log(groups.weights)
    best = min(
        oracle.likelihood(p.base.X, np.array(bits), groups.covariances, w)
        for bits in (tuple((code >> i) & 1 for i in range(12)) for code in range(1, 2**12 - 1))
    )
    for seed in range(5):
        rng = np.random.default_rng(seed)
        wrong = rng.permutation(np.repeat([0, 1], 6))
        found, _ = solved(p, costs(p, groups), p.hard(wrong), rng, tol=1e-6, rounds=60)
        value = oracle.likelihood(p.base.X, found, groups.covariances, w)
        assert value == pytest.approx(best, rel=1e-6)


@pytest.mark.parametrize("method", ["auto", "ila-sdp"])
def test_elongated_groups_are_found(method):
    wrong = []
    for seed in range(4):
        X, truth = heterogeneous_clusters("line", 10_000 + seed, p=10, sep=6.0)
        result = ila_sdp(X, 3, method=method, rng=0)
        assert result.success and result.certificate["change"] <= 1e-6
        wrong.append(misplaced(result.labels, truth))
    assert np.mean(wrong) < 0.02


def test_the_result_is_what_it_says():
    X, _ = heterogeneous_clusters("diag", 10_001, p=4, k=2, sep=6.0)
    result = ila_sdp(X, 2, rng=0)
    terms = np.log(result.weights) + np.array(
        [
            [-(x - m) @ np.linalg.solve(S, x - m) / 2 for m, S in zip(result.means, result.covariances, strict=True)]
            for x in X
        ]
    )
    terms = terms - np.linalg.slogdet(result.covariances)[1] / 2 - 2 * np.log(2 * np.pi)
    assert (terms.argmax(axis=1) == result.labels).all()
    top = terms.max(axis=1)
    value = np.sum(np.log(np.exp(terms - top[:, None]).sum(axis=1)) + top)
    assert value == pytest.approx(result.log_likelihood, rel=1e-9)
    assert result.gap_kind == "none" and np.isinf(result.gap)
    assert (np.diff(result.means[:, 0]) > 0).all() and result.weights.sum() == pytest.approx(1)


def test_the_likelihood_of_the_paper_s_iterates_does_not_fall():
    X, _ = heterogeneous_clusters("scale", 10_002, p=6, sep=4.0)
    result = ila_sdp(X, 3, method="ila-sdp", rng=0, on_failure="ignore")
    values, p = result.history["fun"], kmeans_problem(X, 3)
    assert result.fun == pytest.approx(values.min() + X.size * np.log(p.scale), rel=1e-12)  # the best labels are kept
    rises = np.diff(values) > 0
    assert values.min() < values[0] and rises.sum() <= 3  # three rounds without a gain end it


def test_units_and_affine_maps():
    X, _ = heterogeneous_clusters("rot", 10_000, n=200, p=4, k=2, sep=6.0)
    one = ila_sdp(X, 2, rng=0)
    other = ila_sdp(1e6 * X + 3, 2, rng=0)
    assert (one.labels == other.labels).all()
    assert other.fun == pytest.approx(one.fun + 200 * 4 * np.log(1e6), rel=1e-6)
    A = np.random.default_rng(0).normal(size=(4, 4))
    plain, mapped = (ila_sdp(Y, 2, covariance="none", init=one.labels) for Y in (X, X @ A.T))
    assert misplaced(plain.labels, mapped.labels) == 0
    assert mapped.fun == pytest.approx(plain.fun + 200 * np.linalg.slogdet(A)[1], rel=1e-6)


def naive_likelihood(X, result):
    terms = np.log(result.weights) + np.array(
        [
            -np.einsum("ij,jk,ik->i", X - m, np.linalg.inv(S), X - m) / 2 - np.linalg.slogdet(S)[1] / 2
            for m, S in zip(result.means, result.covariances, strict=True)
        ]
    ).T
    top = terms.max(axis=1)
    value = np.sum(np.log(np.exp(terms - top[:, None]).sum(axis=1)) + top)
    return value - X.size / 2 * np.log(2 * np.pi), terms.argmax(axis=1)


@pytest.mark.parametrize("method", ["auto", "ila-sdp"])
@pytest.mark.parametrize("options", [{"covariance": "tied"}, {"covariance": "ridge", "reg_covar": 1e-3}])
def test_other_covariances(method, options):
    X, truth = heterogeneous_clusters("line", 3, n=150, p=3, k=3, sep=30.0)
    result = ila_sdp(X, 3, method=method, rng=0, **options)
    assert result.success and misplaced(result.labels, truth) == 0
    S = [np.cov(X[result.labels == k].T, bias=True) for k in range(3)]
    if options["covariance"] == "tied":
        size = np.bincount(result.labels)
        want = oracle.oas(sum(n * s for n, s in zip(size, S, strict=True)) / 150, 150)
        assert (result.covariances == result.covariances[0]).all()
        assert result.covariances[0] == pytest.approx(want, rel=1e-3, abs=1e-3)
    else:
        added = 1e-3 * X.var(axis=0).mean()
        assert result.covariances == pytest.approx(np.array(S) + added * np.eye(3), rel=1e-6, abs=1e-6)
    assert naive_likelihood(X, result)[0] == pytest.approx(result.log_likelihood, rel=1e-9)


def test_tied_covariances_see_along_long_clusters():
    """Clusters that K-means cuts across, since all are long in the same direction."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2)) * [1.0, 20.0]
    X[:100, 0] += 8
    truth = (np.arange(200) < 100).astype(int)
    assert misplaced(ila_sdp(X, 2, covariance="tied", rng=0).labels, truth) <= 0.01


@pytest.mark.parametrize("reduce", ["pca", "lda"])
@pytest.mark.parametrize("method", ["auto", "ila-sdp"])
def test_subspaces(reduce, method):
    X, truth = heterogeneous_clusters("line", 10_000, p=40, sep=9.0)
    result = ila_sdp(X, 3, reduce=reduce, method=method, rng=0)
    assert result.success and misplaced(result.labels, truth) < 0.02
    V = result.subspace
    assert V.shape == (40, 13 if reduce == "pca" else 2) and np.allclose(V.T @ V, np.eye(V.shape[1]), atol=1e-12)
    off = result.means - X.mean(axis=0)
    assert off @ V @ V.T == pytest.approx(off, abs=1e-9)  # the groups differ in the subspace alone
    value, labels = naive_likelihood(X, result)
    assert value == pytest.approx(result.log_likelihood, rel=1e-9)
    assert (labels == result.labels).all()


def test_a_subspace_as_large_as_the_space_changes_nothing():
    X, _ = heterogeneous_clusters("line", 10_000, p=4, sep=8.0)
    plain, all_of_it = (ila_sdp(X, 3, reduce=reduce, rng=0) for reduce in (None, "pca"))
    assert all_of_it.subspace is None and all_of_it.fun == pytest.approx(plain.fun, rel=1e-9)


@pytest.mark.parametrize(("kind", "p", "sep"), [("scale", 50, 5.0), ("line", 100, 6.0), ("line", 250, 8.0)])
def test_many_dimensions(kind, p, sep):
    wrong = []
    for seed in range(2):
        X, truth = heterogeneous_clusters(kind, 10_000 + seed, p=p, sep=sep)
        wrong.append(misplaced(ila_sdp(X, 3, rng=0).labels, truth))
    assert np.mean(wrong) < 0.02


def test_more_dimensions_than_points_in_a_group():
    X, truth = heterogeneous_clusters("scale", 10_000, n=60, p=40, k=3, sep=9.0)
    assert misplaced(ila_sdp(X, 3, rng=0).labels, truth) < 0.1


def test_singular_covariances_are_named():
    X, _ = heterogeneous_clusters("line", 0, n=60, p=4, k=2, sep=8.0)
    X = np.column_stack([X, X[:, 0]])
    with pytest.raises(InvalidInputError, match=r"covariance is 'none' and that of cluster \d is singular.*'oas'"):
        ila_sdp(X, 2, covariance="none", rng=0)
    assert ila_sdp(X, 2, rng=0).success


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_clusters": 5}, "n_clusters is 5 for X with 8 rows: at least two rows"),
        ({"n_clusters": 0}, "n_clusters is 0"),
        ({"covariance": "full"}, "covariance is 'full'"),
        ({"method": "em"}, "method is 'em'"),
        ({"n_starts": 0}, "n_starts is 0"),
        ({"reg_covar": 0.0}, "reg_covar is 0"),
        ({"reduce": "svd"}, "reduce is 'svd'"),
        ({"init": [0] * 8}, "init has 1 different labels"),
        ({"X": np.full((8, 2), np.nan)}, r"X\[0, 0\] is nan"),
    ],
)
def test_refused(change, message):
    given = {"X": np.arange(16.0).reshape(8, 2), "n_clusters": 2} | change
    with pytest.raises(InvalidInputError, match=message):
        ila_sdp(**given)


def test_weights_are_allowed_or_not_and_are_no_numbers():
    with pytest.raises(InvalidTypeError, match=r"weights is \[0.5, 0.5\]: True or False"):
        ila_sdp(np.arange(16.0).reshape(8, 2), 2, weights=[0.5, 0.5])


def test_duplicates_and_constant_columns():
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(20, 2)) + 8 * rng.integers(0, 2, 20)[:, None], 3, axis=0)
    result = ila_sdp(np.column_stack([X, np.ones(60)]), 2, rng=0)
    assert np.isfinite(result.log_likelihood) and np.isfinite(result.covariances).all()


def test_one_group():
    X = np.random.default_rng(0).normal(size=(30, 3))
    result = ila_sdp(X, 1, rng=0)
    assert result.success and (result.labels == 0).all()
    assert result.means[0] == pytest.approx(X.mean(axis=0))




def test_a_collapse_hands_over_to_the_next_start():
    """Spectral clusters of one far point: the other starts of the published iteration take over."""
    X = np.repeat(np.random.default_rng(0).normal(size=(5, 2)), 3, axis=0)
    X[-1] += 100.0
    result = ila_sdp(X, 3, method="ila-sdp", rng=0, on_failure="ignore")
    assert np.bincount(result.labels, minlength=3).min() >= 2 and np.isfinite(result.fun)


@pytest.mark.parametrize("method", ["auto", "ila-sdp"])
@pytest.mark.parametrize("covariance", ["oas", "ridge", "tied"])
@pytest.mark.filterwarnings("ignore:X has 1 distinct points")
def test_constant_data(method, covariance):
    result = ila_sdp(np.full((12, 2), 7.0), 2, method=method, covariance=covariance, rng=0, on_failure="ignore")
    assert np.isfinite(result.log_likelihood) and np.isfinite(result.covariances).all()


@pytest.mark.parametrize("reduce", [None, "pca", "lda"])
def test_huge_offsets_single_precision_and_no_time(reduce):
    X, truth = heterogeneous_clusters("line", 10_001, n=120, p=30, sep=12.0)
    one = ila_sdp(X, 3, reduce=reduce, rng=0)
    assert misplaced(one.labels, truth) <= 0.02
    for other in (X + 1e8, X.astype(np.float32), np.asfortranarray(X), 1e-100 * X):
        assert misplaced(ila_sdp(other, 3, reduce=reduce, rng=0).labels, one.labels) <= 0.02
    late = ila_sdp(X, 3, reduce=reduce, max_time=0.0, rng=0, on_failure="ignore")
    assert late.labels.shape == (120,) and np.isfinite(late.fun)


def test_a_collapse_from_every_start_is_said():
    """Six normal numbers in three groups: every start ends with a group of one."""
    result = ila_sdp(np.random.default_rng(0).normal(size=(6, 1)), 3, n_starts=4, rng=0, on_failure="ignore")
    assert not result.success and "every start a group fell below two points" in result.message
    assert np.isfinite(result.log_likelihood) and result.fun == np.inf


def test_starts_are_tried_some_at_a_time():
    """The clock is looked at between them."""
    X = np.random.default_rng(0).standard_normal((60, 3))
    tried = ila_sdp(X, 3, n_starts=50, rng=0, on_failure="ignore").history["log_likelihood"]
    assert (np.diff(tried[:4]) >= 0).all()
    stopped = ila_sdp(X, 3, n_starts=50, rng=0, max_time=0.0, on_failure="ignore")
    assert stopped.nit == 1 and np.isclose(stopped.history["log_likelihood"][0], tried[0])
    assert tried[3] > tried[0] or tried[4] > tried[0]
