"""Matrices of low rank come back, also from few entries; what does not come back is not called a success."""

import numpy as np
import pytest

import numopt
from numopt.completion import matrix_completion
from tests.completion.instances import error, haar


@pytest.mark.parametrize("kappa", [1, 10, 100])
def test_easy_instances_are_recovered(kappa):
    for seed in range(20):
        X, full = haar(300, 300, 3, 5, kappa, seed=seed)
        result = matrix_completion(X, 3, tol=1e-9, rng=seed)
        assert result.success and error(result, full) <= 1e-8, seed


@pytest.mark.parametrize("kappa", [1, 10, 100])
def test_single_precision_is_enough_for_four_digits(kappa):
    (rows, columns, values, shape), full = haar(300, 300, 3, 5, kappa)
    result = matrix_completion((rows, columns, values.astype("float32"), shape), 3, tol=3e-6, rng=0)
    assert result.success and error(result, full) <= 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(("oversampling", "kappa"), [(2, 1), (2, 10), (2, 100), (1.5, 1), (1.5, 10), (1.5, 100)])
def test_hard_instances_are_recovered(oversampling, kappa):
    found = 0
    for seed in range(10):
        X, full = haar(600, 600, 10, oversampling, kappa, seed=seed)
        result = matrix_completion(X, 10, tol=1e-8, rng=seed, on_failure="ignore")
        found += error(result, full) <= 1e-6
    assert found >= (9 if oversampling == 2 else 8)


def test_columns_that_run_away_are_called_back():
    """Gauss-Newton from the spectral start alone found 8 of these when v_j could grow without bound."""
    found = 0
    for seed in range(20):
        X, full = haar(300, 300, 5, 2.5, 10, seed=seed)
        result = matrix_completion(X, 5, method="vpgn", tol=1e-8, rng=seed, max_iter=60, on_failure="ignore")
        found += error(result, full) < 1e-6
    assert found >= 15


def test_a_column_is_called_back_with_any_arrays(xp):
    (rows, columns, values, shape), full = haar(100, 100, 4, 3, 10, seed=3)  # one runs away here
    X = (xp.asarray(rows), xp.asarray(columns), xp.asarray(values), shape)
    result = matrix_completion(X, 4, method="vpgn", tol=1e-8, rng=3)
    off = xp.to_numpy(result.to_dense()) - full
    assert result.success and np.abs(off).max() < 1e-5


def test_no_wrong_completion_is_called_a_success():
    met = 0
    for seed in range(40):
        X, full = haar(300, 300, 3, 2, seed=seed)
        result = matrix_completion(X, 3, tol=1e-7, rng=seed, on_failure="ignore")
        assert not result.success or error(result, full) <= 1e-4, seed
        met += result.success
    assert met >= 10


def test_blocks_that_share_too_little_are_no_success():
    """Two blocks of rank 2 with one column in common: each is determined, how they fit together is not."""
    rng = np.random.default_rng(0)
    full = rng.standard_normal((40, 2)) @ rng.standard_normal((2, 41))
    seen = np.zeros(full.shape, bool)
    seen[:20, :21], seen[20:, 20:] = True, True
    result = matrix_completion(np.where(seen, full, np.nan), 2, rng=0, on_failure="ignore")
    assert result.identifiable_rows.all() and result.n_components == 1 and error(result, full) > 0.1
    assert not result.success and result.status == numopt.Status.INVALID_MODEL and "not unique" in result.message
    seen[20:, 19:] = True
    result = matrix_completion(np.where(seen, full, np.nan), 2, rng=0)
    assert result.success and error(result, full) < 1e-5


def planted(m, n, rank, condition, seed):
    """Return a matrix whose entries have RMS 1."""
    rng = np.random.default_rng(seed)
    U, V = (np.linalg.qr(rng.standard_normal((size, rank)))[0] for size in (m, n))
    s = np.geomspace(1.0, 1.0 / condition, rank)
    return (U * s * np.sqrt(m * n) / np.linalg.norm(s)) @ V.T


@pytest.mark.parametrize(("rank", "columns", "rows"), [(4, 3, 1), (4, 2, 2), (3, 2, 0), (3, 2, 2)])
@pytest.mark.parametrize("condition", [1, 100])
def test_flat_directions_that_hardly_count_at_random_are_found(rank, columns, rows, condition):
    """Blocks with so many lines in common leave (rank - columns) (rank - rows) directions, with steep ones beside."""
    for seed in range(3):
        full, seen = planted(100, 80, rank, condition, seed), np.zeros((100, 80), bool)
        seen[:50, : 40 + columns], seen[50 - rows :, 40:] = True, True
        result = matrix_completion(np.where(seen, full, np.nan), rank, rng=seed, max_iter=100, on_failure="ignore")
        assert not result.success, seed


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_direction_that_a_row_does_not_see_is_no_success(dtype):
    """The last column alone has the last direction, and is missing in the first row; the residual is 1e-16."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        V = rng.standard_normal((8, 3))
        V[:7, 2], V[7] = 0, (0, 0, 1)
        full = rng.standard_normal((9, 3)) @ V.T
        seen = np.ones((9, 8), bool)
        seen[0, 7] = False
        X = np.where(seen, full, np.nan).astype(dtype)
        result = matrix_completion(X, 3, rng=seed, tol=1e-5, on_failure="ignore")
        assert not result.success and abs(result.to_dense() - full)[0, 7] > 1e-2


def test_a_pattern_that_fixes_what_it_cannot_see_is_no_success():
    """Block A is nearly of rank 1: its second direction, 1e-4 of the first, hides two flat ones."""
    full, seen = planted(30, 25, 2, 1e4, 0), np.zeros((30, 25), bool)
    seen[:15, :13], seen[15:, 12:] = True, True
    for seed in range(5):
        result = matrix_completion(np.where(seen, full, np.nan), 2, rng=seed, on_failure="ignore")
        assert not result.success


@pytest.mark.filterwarnings("ignore:rank is 3 and half")
def test_a_rank_is_not_lowered_to_one_that_would_meet_any_entries():
    """Two full rows and columns and the diagonal's ends: 16 entries, which some matrix of rank 2 always meets."""
    seen = np.zeros((5, 5), bool)
    seen[:2], seen[:, :2] = True, True
    for seed in range(5):
        result = matrix_completion(np.where(seen, planted(5, 5, 3, 3, seed), np.nan), 3, rng=0, on_failure="ignore")
        assert not result.success and (result.rank == 3 or result.rel_residual > 1e-6)
        assert matrix_completion(np.where(seen, planted(5, 5, 2, 3, seed), np.nan), 2, rng=0).success


@pytest.mark.parametrize("method", ["auto", "als"])
def test_the_error_is_judged_where_entries_amplify_it(method):
    """The two entries of row 3 lie in columns that are nearly parallel."""
    rng = np.random.default_rng(1)
    U, V = rng.standard_normal((40, 2)), rng.standard_normal((40, 2))
    V[7] = V[8] + 1e-3 * rng.standard_normal(2)
    full = U @ V.T
    seen = rng.random(full.shape) < 0.4
    seen[3], seen[3, 7:9] = False, True
    result = matrix_completion(np.where(seen, full, np.nan), 2, method=method, rng=0, on_failure="ignore")
    assert next(iter(result.certificate)) == "error_estimate" and result.error_estimate > 10 * result.rel_residual
    # Alternating sweeps have a small ridge, which keeps them from the last digits here.
    assert result.success == (method == "auto") and (error(result, full) < 1e-5) == result.success


def test_errors_are_estimated():
    for oversampling, kappa in ((5, 1), (3, 100), (2, 10)):
        X, full = haar(300, 280, 5, oversampling, kappa)
        result = matrix_completion(X, 5, tol=1e-7, rng=0)
        assert 0.2 < error(result, full) / result.error_estimate < 5


def test_a_short_row_is_named_as_not_identifiable():
    (rows, columns, values, shape), full = haar(80, 70, 3, 6)
    keep = (rows != 5) | (np.cumsum(rows == 5) <= 2)
    X = rows[keep], columns[keep], values[keep], shape
    result = matrix_completion(X, 3, rng=0, on_failure="ignore")
    assert not result.success and result.certificate["ambiguity"] == 1 and "not unique" in result.message
    assert np.flatnonzero(~result.identifiable_rows).tolist() == [5]
    assert result.identifiable_cols.all()
    others = np.delete(result.to_dense() - full, 5, axis=0)
    assert np.abs(others).max() < 1e-3


def test_too_few_entries_are_no_success():
    X, _ = haar(100, 100, 5, 0.8)
    result = matrix_completion(X, 5, rng=0, on_failure="ignore")
    assert not result.success and result.oversampling < 1
    assert f"{X[2].size} entries cannot determine {5 * 195} degrees of freedom" in result.message


def test_disconnected_blocks_are_no_success():
    full = np.random.default_rng(0).standard_normal((40, 2)) @ np.random.default_rng(1).standard_normal((2, 40))
    mask = np.kron(np.eye(2), np.ones((20, 20))).astype(bool)
    result = matrix_completion(full, 2, mask=mask, rng=0, on_failure="ignore")
    assert not result.success and result.n_components == 2 and "fall into 2 parts" in result.message


def test_a_full_matrix_gives_its_truncated_singular_values():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((40, 30)) * np.geomspace(1, 0.05, 30)
    result = matrix_completion(A, 4, tol=1e-9, rng=0)
    _, s, Vt = np.linalg.svd(A)
    assert result.success
    assert np.allclose(result.s, s[:4], rtol=1e-8)
    assert np.linalg.norm(result.V - Vt[:4].T @ (Vt[:4] @ result.V)) <= 1e-7 * np.linalg.norm(result.V)
    tail = np.linalg.norm(A - result.to_dense()) ** 2
    assert np.isclose(tail, np.sum(s[4:] ** 2), rtol=1e-10)


def test_noise_is_averaged_at_the_oracle_rate():
    m, k, noise = 400, 5, 0.1
    X, full = haar(m, m, k, 5, noise=noise)
    rate = noise * np.sqrt(k * (2 * m - k) / X[2].size)
    for fraction, judged in ((0.0, "stationarity"), (0.05, "rises_left")):
        result = matrix_completion(X, k, validation_fraction=fraction, rng=0)
        assert result.success and next(iter(result.certificate)) == judged
        assert error(result, full) <= 1.3 * rate


@pytest.mark.parametrize(("rank", "given", "oversampling"), [(3, 6, 6), (2, 4, 20), (5, 6, 4)])
def test_a_rank_too_large_is_lowered(rank, given, oversampling):
    for seed in range(4):
        X, full = haar(150, 140, rank, oversampling, seed=seed)
        result = matrix_completion(X, given, tol=1e-7, rng=seed + 10)
        assert result.success and result.rank == rank and error(result, full) < 1e-5


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_matrix_without_missing_entries_is_unique(dtype):
    tol = 1e-5 if dtype == "float32" else 1e-9
    for m, n, rank, given in ((40, 30, 2, 2), (30, 40, 3, 5), (10, 10, 1, 3), (8, 6, 6, 6), (5, 5, 5, 5)):
        rng = np.random.default_rng(0)  # the seed of the solver as well: nothing may hang on them being different
        full = (rng.standard_normal((m, rank)) @ rng.standard_normal((rank, n))).astype(dtype)
        result = matrix_completion(full, given, tol=tol, rng=0)
        assert result.success and result.rank == rank and error(result, full) < 10 * tol


def test_a_rank_too_large_for_noise_is_held_by_ridge_and_validation():
    for seed in range(3):
        X, full = haar(150, 150, 3, 6, noise=0.1, seed=seed)
        exact = matrix_completion(X, 3, rng=0)
        large = matrix_completion(X, 8, ridge=1.0, validation_fraction=0.1, rng=0)
        assert large.success and error(large, full) <= 2.5 * error(exact, full)
        assert matrix_completion(X, "auto", rng=0).rank == 3


def test_a_constant_ridge_makes_factors_even_with_biases_too():
    (rows, columns, values, shape), full = haar(120, 110, 3, 6, 3)
    result = matrix_completion((rows, columns, values + 1, shape), 3, center="biases", ridge=1e-3, rng=0, max_iter=100,
                               on_failure="ignore")  # fmt: skip
    assert np.allclose(result.U.T @ result.U, result.V.T @ result.V) and error(result, full + 1) < 1e-4


def test_popular_rows_do_not_mislead_the_start():
    for seed in range(4):
        rng = np.random.default_rng(seed)
        popular = (1 + np.arange(300.0)) ** -0.7
        share = np.outer(popular, popular) * 0.25 / np.mean(popular) ** 2
        full = rng.standard_normal((300, 3)) @ rng.standard_normal((3, 300))
        seen = rng.random(full.shape) < np.maximum(share, 0.04)
        result = matrix_completion(np.where(seen, full, np.nan), 3, tol=1e-8, rng=0)
        assert result.success and error(result, full) < 1e-6


def test_ratings_do_not_need_double_precision():
    rng = np.random.default_rng(0)
    p, y = rng.permutation(200 * 150)[:6000], 0.5 * rng.standard_normal(6000)
    rows, cols = np.divmod(p, 150)
    U, V = rng.standard_normal((200, 4)), rng.standard_normal((150, 4))
    y += 3 + 0.5 * rng.standard_normal(200)[rows] + 0.3 * np.sum(U[rows] * V[cols], axis=1)
    model = dict(center="biases", ridge=0.1, ridge_mode="count", rng=0, max_iter=8, on_failure="ignore")
    found = []
    for dtype in ("float32", "float64"):
        X = rows[600:], cols[600:], y[600:].astype(dtype), (200, 150)
        off = matrix_completion(X, 6, **model).predict(rows[:600], cols[:600]) - y[:600]
        found.append(np.sqrt(np.mean(off**2)))
    assert abs(found[0] - found[1]) < 1e-3 and found[1] < 0.8


def test_a_rank_too_small_stays_finite():
    X, _ = haar(200, 200, 3, 6)
    small = matrix_completion(X, 2, rng=0, on_failure="ignore", max_iter=300)
    assert np.isfinite(small.to_dense()).all() and small.rank == 2


@pytest.mark.parametrize("method", ["als", "vpgn", "altmin-sketch", "scaledgd"])
def test_the_named_methods_recover_as_well(method):
    X, full = haar(200, 180, 3, 8)
    result = matrix_completion(X, 3, method=method, tol=1e-8, rng=0, max_iter=2000)
    assert result.success and error(result, full) < 1e-6


def test_sample_splitting_contracts():
    X, _ = haar(500, 500, 2, 40)
    result = matrix_completion(
        X, 2, method="altmin-sketch", sample_splitting=True, tol=1e-3, rng=0, on_failure="ignore"
    )
    residuals = result.history["measure"]
    assert residuals[-1] < 0.02 and (residuals[1:] < 0.7 * residuals[:-1]).all()


def test_convergence_of_the_last_steps_is_faster_than_linear():
    X, _ = haar(300, 300, 4, 4, kappa=3)
    result = matrix_completion(X, 4, method="vpgn", tol=1e-13, rng=0, on_failure="ignore")
    e = result.history["measure"]
    e = e[(e > 1e-13) & (e < 0.05)]
    assert len(e) >= 2 and e[1] <= 30 * e[0] ** 1.5


def test_outliers_do_not_matter_to_the_huber_loss():
    X, full = haar(300, 300, 4, 6, outliers=0.1)
    result = matrix_completion(X, 4, loss="huber", tol=1e-7, rng=0)
    assert result.success and error(result, full) < 1e-6 and result.loss_scale < 1e-4
    squared = matrix_completion(X, 4, rng=0, on_failure="ignore", max_iter=100)
    assert error(squared, full) > 0.1


@pytest.mark.parametrize("inner", ["direct", "cg", "sketch"])
def test_rows_may_be_solved_in_three_ways(inner):
    X, full = haar(200, 180, 3, 8)
    result = matrix_completion(X, 3, method="als", inner=inner, tol=1e-8, rng=0)
    assert result.success and error(result, full) < 1e-6 and (result.n_cg > 0) == (inner != "direct")


@pytest.mark.parametrize("method", ["irls", "subgm"])
def test_methods_for_outliers(method):
    X, full = haar(300, 300, 3, 8, outliers=0.1)
    result = matrix_completion(X, 3, method=method, tol=1e-7, rng=0, max_iter=1500)
    assert result.success and error(result, full) < 1e-5


def test_rows_that_outliers_leave_open_are_no_success():
    for seed in range(5):
        X, full = haar(200, 200, 4, 3, outliers=0.15, seed=seed)
        result = matrix_completion(X, 4, loss="huber", tol=1e-6, rng=seed, on_failure="ignore", max_iter=300)
        assert not result.success or error(result, full) < 1e-3


def test_a_row_that_fits_as_many_entries_as_it_has_unknowns_is_no_success():
    """Row 5 passes through two of its five entries, of which three are wrong, whichever they are."""
    (rows, columns, values, shape), full = haar(60, 60, 2, 8)
    keep = (rows != 5) | (np.cumsum(rows == 5) <= 5)
    rows, columns, values = rows[keep], columns[keep], values[keep]
    own = np.flatnonzero(rows == 5)
    values[own[:3]] += [3.0, -4.0, 5.0]
    result = matrix_completion((rows, columns, values, shape), 2, loss="huber", rng=0, on_failure="ignore")
    assert error(result, full) > 1e-3 and np.abs(np.delete(result.to_dense() - full, 5, axis=0)).max() < 1e-4
    assert not result.success and "not determined by the entries that fit" in result.message


def test_portable_kernels_recover_a_hard_instance():
    X, full = haar(120, 120, 4, 2, kappa=10, seed=1)
    with numopt.use_kernels("portable"):
        result = matrix_completion(X, 4, tol=1e-8, rng=0, on_failure="ignore")
    assert np.isfinite(result.to_dense()).all() and (not result.success or error(result, full) < 1e-4)


@pytest.mark.parametrize("method", ["auto", "als", "vpgn"])
def test_fewer_entries_than_degrees_of_freedom_are_never_a_success(method):
    """Each row and column has entries enough; in all there are a few too few."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        full = rng.standard_normal((12, 3)) @ rng.standard_normal((3, 12))
        seen = sum(np.roll(np.eye(12), k, axis=1) for k in rng.permutation(12)[:5]) > 0  # 60 entries for 63
        result = matrix_completion(np.where(seen, full, np.nan), 3, method=method, rng=0, on_failure="ignore")
        assert not result.success and "60 entries cannot determine 63 degrees of freedom" in result.message


@pytest.mark.parametrize("size", [1e2, 1e4, 1e9, 1e200])
@pytest.mark.parametrize("rank", [3, "auto"])
def test_outliers_may_be_of_any_size(size, rank):
    """Units follow what most entries are: a typing error of 1e9 among entries of size 1 must not make those small."""
    X, full = haar(120, 110, 3, 6, 3)
    hit = np.random.default_rng(0).random(X[2].size) < 0.05
    X[2][hit] = size * np.random.default_rng(1).random(hit.sum())
    result = matrix_completion(X, rank, loss="huber", rng=0)
    assert result.success and result.rank == 3 and error(result, full) < 1e-5
    shifted = matrix_completion((*X[:2], X[2] + 3, X[3]), 4, loss="huber", center="global", rng=0, tol=1e-5)
    assert abs(shifted.mean - 3) < 0.5 and error(shifted, full + 3) < 1e-3


@pytest.mark.parametrize("size", [1e2, 1e5, 1e9])
def test_outliers_of_any_size_leave_the_certificate_its_meaning(size):
    """A sum of squares is one of outliers: gradients beside it would be small anywhere."""
    for noise, dtype, tol in ((0.0, "float32", 1e-4), (0.1, "float64", 1e-6)):
        (rows, columns, values, shape), full = haar(120, 110, 3, 6, 3, noise=noise)
        hit = np.random.default_rng(0).random(values.size) < 0.08
        values[hit] = size * np.random.default_rng(1).random(hit.sum())
        result = matrix_completion((rows, columns, values.astype(dtype), shape), 3, loss="huber", rng=0, tol=tol)
        assert result.success and error(result, full) < max(noise, 10 * tol)
        X = rows, columns, values, shape
        short = matrix_completion(X, 3, loss="huber", rng=0, max_iter=4, on_failure="ignore")
        assert not short.success and short.certificate["stationarity"] > 1e-3
