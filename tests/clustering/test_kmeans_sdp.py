"""The solver of the relaxation: known values, known points, degenerate data, control."""

import time

import numpy as np
import pytest

import numopt
from numopt._kernels import kernels
from numopt.clustering import _methods, _state, kmeans_sdp
from numopt.clustering._dense import dual_bound
from numopt.clustering._problem import kmeans_problem
from numopt.clustering._splitting import capped_simplex
from numopt.exceptions import ConvergenceWarning, InvalidInputError, InvalidTypeError, PerformanceWarning
from numopt.gallery import isotropic_clusters
from tests.oracles import clustering as oracle


def test_the_known_value_of_the_relaxation():
    """Value and rigorous bound at n = 200 agree with 3877.7832, that of an independent solver, to 1e-7."""
    X, _ = isotropic_clusters(200, 20, 4, 5.0)
    result = kmeans_sdp(X, 4, method="dr", tol=1e-6, rng=0, max_iter=3000)
    assert result.success and result.fun == pytest.approx(3881.577, abs=1e-3)
    assert result.sdp_value == pytest.approx(3877.7832, rel=1e-6)
    assert result.lower_bound <= 3877.7833 and result.gap_kind == "dual"


def test_a_tight_relaxation_returns_the_partition():
    X, labels = isotropic_clusters(60, 4, 3, 14.0, rng=1)
    result = kmeans_sdp(X, 3, method="dr", rng=0)
    assert result.gap_kind == "exact"
    pairs = labels[:, None] == labels
    assert ((result.labels[:, None] == result.labels) == pairs).all()


def test_the_matrix_is_feasible():
    X, _ = isotropic_clusters(80, 5, 3, 3.0, rng=2)
    result = kmeans_sdp(X, 3, method="dr", tol=1e-4, rng=0)
    Z = result.membership
    assert result.success and result.rank == np.linalg.matrix_rank(Z, tol=1e-8)
    assert pytest.approx(Z.T, abs=1e-14) == Z
    assert Z.sum(axis=1) == pytest.approx(np.ones(80), abs=1e-10) and np.trace(Z) == pytest.approx(3, rel=1e-10)
    assert np.linalg.eigvalsh(Z)[0] > -1e-12
    assert Z.min() == pytest.approx(result.min_entry, abs=1e-12)
    assert np.linalg.norm(np.minimum(Z, 0)) / np.linalg.norm(Z) == pytest.approx(result.primal_residual, rel=1e-6)
    Xc = X - X.mean(axis=0)
    assert (Xc**2).sum() - ((Xc @ Xc.T) * Z).sum() == pytest.approx(result.sdp_value, rel=1e-10)


@pytest.mark.parametrize(("p", "k"), [(1, 4), (3, 3), (2, 5)])
def test_cold_starts_in_few_dimensions(p, k):
    X = np.random.default_rng(p + k).normal(size=(50, p))
    result = kmeans_sdp(X, k, method="dr", tol=1e-3, rng=0)
    assert result.success and result.lower_bound <= result.fun


def test_projection_onto_the_capped_simplex():
    rng = np.random.default_rng(0)
    for trial in range(200):
        m = int(rng.integers(1, 12))
        theta = np.sort(rng.normal(size=m) * 10.0 ** rng.integers(-3, 3))
        if trial % 4 == 0:
            theta = np.round(theta)
        if trial % 9 == 0:
            theta[:] = theta[0]
        total = int(rng.integers(1, m + 1))
        w = capped_simplex(theta, total)
        assert w.sum() == pytest.approx(total, abs=1e-12 * max(1, abs(theta).max()))
        assert w.min() >= 0 and w.max() <= 1
        inner = (w > 1e-12) & (w < 1 - 1e-12)
        shift = theta - w
        if inner.any():
            middle = shift[inner].mean()
            assert np.ptp(shift[inner]) <= 1e-9 * max(1, abs(theta).max())
            assert (shift[w <= 1e-12] <= middle + 1e-9).all() and (shift[w >= 1 - 1e-12] >= middle - 1e-9).all()


def test_one_cluster_and_as_many_as_points():
    X = np.random.default_rng(0).normal(size=(9, 2))
    one = kmeans_sdp(X, 1)
    assert one.gap_kind == "exact" and one.fun == pytest.approx(((X - X.mean(axis=0)) ** 2).sum())
    each = kmeans_sdp(X, 9, rng=0)
    assert each.fun == pytest.approx(0, abs=1e-20) and each.gap == 0 and sorted(each.labels) == list(range(9))


@pytest.mark.parametrize("X", [np.ones((6, 2)), np.repeat([[0.0], [1.0]], 4, axis=0)])
def test_fewer_distinct_points_than_clusters(X):
    with pytest.warns(ConvergenceWarning, match=r"distinct.*n_clusters"):
        result = kmeans_sdp(X, 3, rng=0)
    assert len(set(result.labels)) == len(np.unique(X, axis=0)) and result.fun == 0 and result.gap == 0


@pytest.mark.parametrize("seed", range(8))
def test_duplicates_are_never_called_exact_wrongly(seed):
    """Copies of a point share a cluster in the best partition, so that few need be tried."""
    points = np.random.default_rng(seed).normal(size=(6, 2))
    X = np.repeat(points, 3, axis=0)
    best = min(oracle.sse(X, np.repeat(labels, 3)) for labels in oracle.partitions(6, 3))
    for method in ("certify", "dr"):
        result = kmeans_sdp(X, 3, method=method, tol=1e-4, rng=0, on_failure="ignore")
        assert result.lower_bound <= best * (1 + 1e-9) and best <= result.fun * (1 + 1e-9)
        assert result.gap_kind != "exact" or result.fun <= best * (1 + 1e-9)


def test_a_huge_offset_and_constant_columns():
    X, _ = isotropic_clusters(60, 3, 2, 8.0)
    plain = kmeans_sdp(X, 2, rng=0)
    moved = kmeans_sdp(np.column_stack([X + 1e8, np.full(60, 7.0)]), 2, rng=0)
    assert (plain.labels == moved.labels).all() and moved.fun == pytest.approx(plain.fun, rel=1e-6)
    single = kmeans_sdp((X + 1e4).astype("float32"), 2, rng=0)
    assert single.centers.dtype == np.float32 and single.fun == pytest.approx(plain.fun, rel=1e-3)


@pytest.mark.parametrize("method", ["auto", "certify", "dr", "low_rank", "sketch"])
def test_constant_data_are_one_cluster(method):
    with pytest.warns(ConvergenceWarning):
        result = kmeans_sdp(np.ones((20, 3)), 2, method=method, rng=0)
    assert result.success and result.fun == 0 and set(result.labels.tolist()) == {0}


def test_no_time_returns_labels_and_a_valid_bound():
    X, _ = isotropic_clusters(100, 5, 3, 3.0)
    result = kmeans_sdp(X, 3, method="dr", tol=1e-9, max_time=0.0, rng=0, on_failure="ignore")
    assert not result.success and result.lower_bound <= result.fun and len(result.labels) == 100


def test_when_the_time_is_up_no_bound_is_begun(monkeypatch):
    """For many points it takes longer than all before it; the bound by pairs stands."""
    monkeypatch.setattr(_state, "_LATE", 50)
    X, _ = isotropic_clusters(100, 5, 3, 3.0)
    calls, least = [], kmeans_sdp(X, 3, method="certify", rng=0, on_failure="ignore").lower_bound
    monkeypatch.setattr(_state, "dual_bound", lambda *args: calls.append(1) or dual_bound(*args))

    def late(intermediate_result):
        if intermediate_result.nit == 25:
            time.sleep(0.6)

    result = kmeans_sdp(X, 3, method="dr", tol=1e-9, max_time=0.5, rng=0, callback=late, on_failure="ignore")
    assert result.status == numopt.Status.TIME_LIMIT and not calls
    assert result.lower_bound == least and result.sdp_value > least
    early = kmeans_sdp(X, 3, method="dr", tol=1e-9, max_iter=100, rng=0, on_failure="ignore")
    assert calls and early.lower_bound > least


@pytest.mark.parametrize("method", ["auto", "low_rank"])
def test_k_means_stops_when_the_time_is_up(method, monkeypatch):
    """One sweep of one start is made, and its labels are returned."""
    sweeps, X = [], isotropic_clusters(400, 5, 4, 2.0)[0]
    k = kernels("clustering", np)
    monkeypatch.setattr(k, "lloyd_pass", lambda *args, pass_=k.lloyd_pass: sweeps.append(1) or pass_(*args))
    result = kmeans_sdp(X, 4, method=method, max_time=0.0, rng=0, on_failure="ignore")
    assert result.status == numopt.Status.TIME_LIMIT and len(np.unique(result.labels)) == 4
    assert len(sweeps) <= 3


def test_starts_from_labels_centres_and_results():
    X, labels = isotropic_clusters(90, 4, 3, 9.0)
    first = kmeans_sdp(X, 3, init=labels)
    assert kmeans_sdp(X, 3, init=first.centers).fun == pytest.approx(first.fun, rel=1e-12)
    assert kmeans_sdp(X, 3, init=first).fun == pytest.approx(first.fun, rel=1e-12)
    with pytest.raises(InvalidInputError, match="init has 2 different labels"):
        kmeans_sdp(X, 3, init=np.minimum(labels, 1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": np.ones((0, 2))}, "X has shape"),
        ({"X": np.ones(4)}, r"X has shape \(4,\)"),
        ({"X": np.array([[0.0], [np.inf]])}, r"X\[1, 0\] is inf"),
        ({"X": np.array([[0.0], [np.nan]])}, r"X\[1, 0\] is nan"),
        ({"X": np.array([[0.0], [1e200]])}, "X has a range"),
        ({"X": np.array([[0.0], [1e-200]])}, "X has a range of 1e-200"),
        ({"n_clusters": 0}, "n_clusters is 0"),
        ({"n_clusters": 1.5}, "n_clusters is 1.5"),
        ({"n_clusters": 5}, "n_clusters is 5 for X with 4 rows"),
        ({"sample_size": 1}, "sample_size is 1"),
        ({"n_sketches": 1}, "n_sketches is 1"),
        ({"method": "lloyd"}, "method is 'lloyd'"),
        ({"init": "random"}, "init is 'random'"),
        ({"n_init": 0}, "n_init is 0"),
        ({"tol": -1.0}, "tol is -1"),
    ],
)
def test_refused(change, message):
    given = {"X": np.arange(8.0).reshape(4, 2), "n_clusters": 2} | change
    with pytest.raises((InvalidInputError, InvalidTypeError), match=message):
        kmeans_sdp(**given)


def test_sparse_and_complex_are_refused():
    from scipy.sparse import csr_array

    with pytest.raises(InvalidTypeError, match="X is sparse"):
        kmeans_sdp(csr_array(np.eye(4)), 2)
    with pytest.raises(InvalidTypeError, match="complex"):
        kmeans_sdp(np.eye(4) * 1j, 2)


@pytest.mark.parametrize("dtype", ["int32", "int64", "bool"])
def test_integers_and_booleans_count_as_float64(dtype):
    X = np.array([[0, 1], [0, 1], [1, 0], [1, 0]]).astype(dtype)
    result = kmeans_sdp(X, 2, rng=0)
    assert result.centers.dtype == np.float64 and result.fun == 0 and result.gap_kind == "exact"


@pytest.mark.parametrize(("method", "cuts", "near"), [("certify", "none", 1e-8), ("dr", "triangle", 1e-6)])
def test_the_portable_kernels_prove_the_same(method, cuts, near):
    X = np.random.default_rng(4).normal(size=(40, 2))
    options = {"method": method, "cuts": cuts, "tol": near, "rng": 0, "on_failure": "ignore"}
    fast = kmeans_sdp(X, 3, **options)
    with numopt.use_kernels("portable"):
        plain = kmeans_sdp(X, 3, **options)
    assert (plain.labels == fast.labels).all() and plain.lower_bound == pytest.approx(fast.lower_bound, rel=near)


def test_a_subspace_that_misses_eigenvectors_lowers_the_bound_only():
    """Where the Cholesky factor fails, all eigenvalues are computed."""
    X, _ = isotropic_clusters(60, 4, 3, 3.0)
    result = kmeans_sdp(X, 3, method="dr", tol=1e-5, rng=0)
    p, split = kmeans_problem(X, 3), result._split
    blind = split._replace(near=np.linalg.qr(np.random.default_rng(0).normal(size=(60, 2)))[0])
    bound = p.original(dual_bound(p, blind, result.sdp_value / p.scale**2, result.primal_residual))
    sharpest = oracle.bound(X, result.multiplier, 3)
    assert sharpest * (1 - 1e-6) <= bound <= sharpest * (1 + 1e-12)


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.3, 1.0])
def test_a_bound_from_some_eigenvectors_is_below_that_from_all(noise):
    """Ritz values are too low: what they may lack is proved, and subtracted."""
    X, _ = isotropic_clusters(90, 6, 3, 2.0)
    result = kmeans_sdp(X, 3, method="dr", tol=1e-9, rng=0, max_iter=31, on_failure="ignore")
    p, split = kmeans_problem(X, 3), result._split
    near = split.near + noise * np.random.default_rng(0).normal(size=split.near.shape)
    rough = split._replace(near=np.linalg.qr(near[:, -4:] - near[:, -4:].mean(axis=0))[0])
    sharpest = oracle.bound(X, result.multiplier, 3)
    for gap in (1e-3, 0.1, 0.5):  # the larger, the more may be lost, and the less is looked at
        bound = p.original(dual_bound(p, rough, (1 + gap) * sharpest / p.scale**2, 0.0))
        assert (1 - 0.04 * gap) * sharpest <= bound <= sharpest * (1 + 1e-12)


def test_a_probabilistic_bound_is_called_one():
    X, _ = isotropic_clusters(600, 6, 3, 3.0, rng=1)
    result = kmeans_sdp(X, 3, method="sketch", sample_size=150, n_sketches=4, tol=1e-2, rng=0, on_failure="ignore")
    whole = kmeans_sdp(X, 3, method="dr", tol=1e-3, rng=0)
    assert result.gap_kind == "probabilistic" and result.confidence == 0.99 and "asymptotically" in result.message
    assert result.lower_bound <= whole.fun * (1 + 1e-9)
    assert result.fun == pytest.approx(whole.fun, rel=1e-3)


def test_auto_goes_on_where_samples_are_not_enough(monkeypatch):
    """`tol` is what was asked for; the samples say soon that they will not give it."""
    X, _ = isotropic_clusters(600, 6, 3, 3.0, rng=1)
    options = {"sample_size": 150, "rng": 0, "on_failure": "ignore"}
    monkeypatch.setattr(_methods, "_DENSE", 500)
    with pytest.warns(PerformanceWarning, match="600 rows of X.*max_time"):
        result = kmeans_sdp(X, 3, tol=1e-4, **options)
    assert kmeans_sdp(X, 3, tol=1e-4, max_time=60.0, **options).success  # who asked for a limit is not warned
    direct = kmeans_sdp(X, 3, method="dr", tol=1e-4, **options)
    assert result.success and result.gap_kind == "dual"
    assert result.nit <= direct.nit + 5 + 10
    monkeypatch.setattr(_methods, "memory", lambda X: 1e6)
    samples, sketch = (kmeans_sdp(X, 3, method=m, tol=1e-4, **options) for m in ("auto", "sketch"))
    assert samples.status == numopt.Status.STALLED and samples.lower_bound == sketch.lower_bound


def test_the_bound_of_the_samples_stays_while_the_relaxation_has_none(monkeypatch):
    monkeypatch.setattr(_methods, "_DENSE", 500)
    monkeypatch.setattr(_state, "_LATE", 500)
    monkeypatch.setattr(_state, "time_left", lambda: 0.0)  # no bound is begun
    X, _ = isotropic_clusters(600, 6, 3, 3.0, rng=1)
    options = {"sample_size": 500, "rng": 0, "tol": 1e-4, "max_iter": 40, "max_time": 60.0, "on_failure": "ignore"}
    result = kmeans_sdp(X, 3, **options)
    bounds = result.history["bound"][: 10 + 1 + 10]
    assert result.sdp_value is not None and result.gap_kind == "probabilistic"
    assert result.lower_bound == pytest.approx(np.nanmax(bounds), rel=1e-12)


@pytest.mark.slow
def test_probabilistic_bounds_are_seldom_too_high():
    """The samples' bounds are kept, so that 200 repetitions cost no more solves than they need."""
    from numopt.clustering._lloyd import partition
    from numopt.clustering._sketch import sketched_bounds

    X, labels = isotropic_clusters(400, 2, 2, 7.0, rng=5)
    p = kmeans_problem(X, 2)
    assert kmeans_sdp(X, 2, init=labels).gap_kind == "exact"
    best = partition(p, np.asarray(kmeans_sdp(X, 2, init=labels).labels))
    violations = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        *_, bound = sketched_bounds(p, best, 60, 5, rng, lambda sample, part: sample.original(part.sse))
        violations += bound.value > best.sse
    assert violations <= 4


@pytest.mark.parametrize("seed", range(20))
def test_low_rank_makes_as_many_clusters_as_asked(seed):
    """Points may share a row of the factor; they are separate clusters if there are too few."""
    X = np.random.default_rng(seed).random((4, 1)) * [1.0, 1.0]
    for k in (3, 4):
        result = kmeans_sdp(X, k, method="low_rank", rng=seed, on_failure="ignore")
        assert np.unique(result.labels).size == k == result.centers.shape[0]
    assert result.fun <= 1e-28 and result.gap_kind == "exact"


def test_a_result_of_coinciding_points_is_a_start():
    X = np.array([[0.0], [0.0], [5.0], [5.0]])
    with pytest.warns(ConvergenceWarning, match="2 distinct points"):
        before = kmeans_sdp(X, 3, rng=0)
    assert before.centers.shape == (2, 1)
    X[3] = 6.0
    assert kmeans_sdp(X, 3, init=before, rng=0).fun == 0.0


def test_low_rank_labels_are_judged_like_any_others():
    X, labels = isotropic_clusters(150, 8, 3, 10.0, rng=2)
    result = kmeans_sdp(X, 3, method="low_rank", rng=0)
    assert result.gap_kind == "exact"
    assert ((result.labels[:, None] == result.labels) == (labels[:, None] == labels)).all()
