"""The relaxation at given covariances: bounds against brute force, the K-means special case, degenerate data."""

import numpy as np
import pytest

from numopt.clustering import ila_sdp, kmeans_sdp, lasdp
from numopt.exceptions import InvalidInputError
from tests.oracles import clustering, mixture


def problem(seed, n, k=2):
    rng = np.random.default_rng(seed)
    truth = rng.integers(k, size=n)
    S = [np.diag(rng.uniform(0.2, 3, 2)) for _ in range(k)]
    X = 4 * rng.normal(size=(k, 2))[truth] + np.array([rng.multivariate_normal([0, 0], S[a]) for a in truth])
    return X, np.array(S)


def best_likelihood(X, S, w):
    """Over all labellings with the groups in either order; 0 log-weight means none."""
    n, best = len(X), np.inf
    for labels in clustering.partitions(n, 2):
        for one in (labels, 1 - labels):
            best = min(best, mixture.likelihood(X, one, S, w))
    return best


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("weighted", [False, True])
def test_no_bound_above_the_best_labels(seed, weighted):
    X, S = problem(seed, 9)
    weights = [0.3, 0.7] if weighted else None
    result = lasdp(X, S, weights=weights, method="dr", tol=1e-4, rng=0, max_iter=400, on_failure="ignore")
    best = best_likelihood(X, S, np.log(weights) if weighted else np.zeros(2))
    assert result.gap_kind == "dual" and result.lower_bound <= best + 1e-9 * abs(best) + 1e-9
    assert best <= result.fun + 1e-9 * abs(best)


@pytest.mark.parametrize("weights", [None, [0.3, 0.7]])
def test_the_bound_follows_from_the_multipliers(weights):
    """In the units of the caller, and far from those of the problem."""
    X, S = problem(2, 20)
    result = lasdp(30 * X, 900 * S, weights=weights, method="dr", tol=1e-4, rng=0)
    C = mixture.lifted_costs(30 * X, 900 * S, np.zeros(2) if weights is None else np.log(weights))
    y, N = result.row_multiplier, result.multipliers
    lowest = [np.linalg.eigvalsh(c - (y[:, None] + y) / 2 - part)[0] for c, part in zip(C, N, strict=True)]
    assert N.min() >= 0 and y.sum() + sum(lowest) == pytest.approx(result.lower_bound, rel=1e-9)
    assert lasdp(X, S, method="low_rank", rng=0).multipliers is None


def test_labels_of_the_paper_s_iteration_get_a_bound_at_their_covariances():
    X, _ = problem(4, 40)
    found = ila_sdp(X, 2, rng=0)
    judged = lasdp(X, found.covariances, weights=found.weights, init=found.labels, method="dr", rng=0)
    assert found.gap_kind == "none" and judged.gap_kind == "dual"
    assert judged.lower_bound <= judged.fun and judged.gap <= 1e-2


def test_equal_covariances_are_k_means_on_whitened_points():
    X, _ = problem(3, 24)
    S = np.array([[2.0, 0.5], [0.5, 1.0]])
    result = lasdp(X, [S, S], method="dr", tol=1e-3, rng=0, max_iter=600)
    white = X @ np.linalg.inv(np.linalg.cholesky(S)).T
    plain = kmeans_sdp(white, 2, method="dr", tol=1e-6, rng=0)
    value = plain.fun if plain.sdp_value is None else plain.sdp_value
    value = value / 2 + 12 * np.linalg.slogdet(S)[1]
    assert result.lower_bound == pytest.approx(value, abs=3e-3 * max(value, 24)) and result.lower_bound <= value + 1e-6
    best = plain.fun / 2 + 12 * np.linalg.slogdet(S)[1]
    assert best - 1e-9 <= result.fun <= 1.05 * best  # memberships tie there: labels are a guess


def test_factors_find_the_same_labels_without_a_bound():
    X, S = problem(5, 40)
    loose, sure = (lasdp(X, S, method=method, rng=0, tol=1e-5) for method in ("low_rank", "dr"))
    assert loose.fun == pytest.approx(sure.fun, rel=1e-6)
    assert loose.gap_kind == "none" and np.isinf(loose.gap) and loose.lower_bound == -np.inf
    assert loose.memberships.sum(axis=0) == pytest.approx(np.ones(40), abs=1e-4)


def test_units_shift_the_likelihood():
    X, S = problem(6, 30)
    one, other = lasdp(X, S, rng=0), lasdp(1e3 * X - 7, 1e6 * S, rng=0)
    assert (one.labels == other.labels).all()
    assert other.fun == pytest.approx(one.fun + 60 * np.log(1e3), rel=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"covariances": [np.eye(2), np.zeros((2, 2))]}, r"covariances\[1\] has the eigenvalue 0"),
        ({"covariances": [np.eye(2), 1e-300 * np.eye(2)]}, r"covariances\[1\] has the eigenvalue 1e-300.*beside the s"),
        ({"covariances": [np.eye(2), [[1, 0.5], [0, 1]]]}, r"covariances\[1\].*symmetric"),
        ({"covariances": np.eye(2)}, r"covariances has shape \(2, 2\)"),
        ({"covariances": [np.eye(3)] * 2}, r"covariances has shape \(2, 3, 3\)"),
        ({"weights": [1.0, 0.0]}, "weights hold a 0"),
        ({"weights": [1.0]}, r"weights has shape \(1,\)"),
        ({"method": "sdp"}, "method is 'sdp'"),
    ],
)
def test_refused(change, message):
    given = {"X": np.arange(12.0).reshape(6, 2), "covariances": [np.eye(2)] * 2} | change
    with pytest.raises(InvalidInputError, match=message):
        lasdp(**given)


@pytest.mark.parametrize("limit", [{"max_iter": 1}, {"max_time": 0.0}])
def test_a_bound_from_the_first_step(limit):
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(15, 2)), rng.normal(size=(15, 2)) + 6])
    S = np.stack([np.eye(2), 1.5 * np.eye(2)])
    early = lasdp(X, S, rng=0, on_failure="ignore", **limit)
    solved = lasdp(X, S, rng=0, on_failure="ignore")
    assert not early.success and early.lower_bound <= solved.fun * (1 + 1e-9) and early.gap_kind == "dual"


def test_constant_data():
    result = lasdp(np.full((12, 2), 3.0), np.stack([np.eye(2), 4 * np.eye(2)]), rng=0, on_failure="ignore")
    assert np.isfinite(result.fun) or result.fun == np.inf
    assert np.isfinite(result.memberships).all() and (result.memberships >= -1e-9).all()
    assert result.lower_bound <= result.fun
