"""Games with known values, invariances, and the certificate."""

import numpy as np
import pytest
import scipy.sparse as sp

import numopt
from numopt.exceptions import PrecisionWarning
from numopt.monotone import matrix_game
from tests.oracles import monotone as oracle


def solved(A, tol=1e-10, **keywords):
    """Solve, and assert that what is claimed is true; return the result."""
    result = matrix_game(A, tol=tol, **keywords)
    D = np.asarray(A.toarray() if sp.issparse(A) else A, dtype=float)
    scale = abs(D - D.mean()).max() or 1.0
    assert result.success, result.message
    assert (result.x >= 0).all() and (result.y >= 0).all()
    assert abs(result.x.sum() - 1) < 1e-14 * result.x.size + 1e-15
    gap = oracle.gap(D, result.x, result.y)
    rounding = 1e-14 * abs(D).max() + 1e-300
    assert -rounding <= gap <= tol * scale + rounding
    assert result.lower <= result.value + rounding and result.value <= result.upper + rounding
    assert abs(result.gap - gap) <= rounding
    return result


def test_rock_paper_scissors():
    result = solved(np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]))
    np.testing.assert_allclose(result.x, 1 / 3, atol=1e-9)
    np.testing.assert_allclose(result.y, 1 / 3, atol=1e-9)
    assert abs(result.value) < 1e-10


def test_diagonal():
    a = np.array([1.0, 2.0, 4.0, 0.5])
    result = solved(np.diag(a))
    np.testing.assert_allclose(result.x, (1 / a) / (1 / a).sum(), atol=1e-8)
    assert abs(result.value - 1 / (1 / a).sum()) < 1e-10


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (2, 2), (4, 9), (31, 17), (60, 60)])
@pytest.mark.parametrize("kind", ["gauss", "integer", "low rank", "skewed scales", "duplicates"])
def test_values_agree_with_linear_programming(shape, kind):
    rng = np.random.default_rng(hash(shape) % 1000)
    A = {
        "gauss": lambda: rng.standard_normal(shape),
        "integer": lambda: rng.integers(-2, 3, shape).astype(float),
        "low rank": lambda: np.outer(rng.standard_normal(shape[0]), rng.standard_normal(shape[1])),
        "skewed scales": lambda: rng.standard_normal(shape) * np.geomspace(1e-6, 1, shape[1]),
        "duplicates": lambda: np.repeat(rng.standard_normal(((shape[0] + 1) // 2, shape[1])), 2, axis=0)[: shape[0]],
    }[kind]()
    assert abs(solved(A).value - oracle.game_value(A)) <= 1e-8 * (abs(A).max() or 1)


def test_affine_changes_keep_the_strategies():
    A = np.random.default_rng(0).standard_normal((12, 15))
    one, two = solved(A), solved(3.0 * A + 7.0)
    np.testing.assert_allclose(one.x, two.x, atol=1e-7)
    assert abs(two.value - (3 * one.value + 7)) < 1e-8


def test_a_large_offset():
    A = np.random.default_rng(0).standard_normal((12, 15))
    one, two = solved(A), matrix_game(A + 1e8, tol=1e-6)
    assert two.success
    assert oracle.gap(A, two.x, two.y) < 1e-5
    for bound in (two.lower, two.value, two.upper):
        assert abs(bound - 1e8 - one.value) < 1e-5
    assert two.lower <= two.value <= two.upper


def test_the_players_change_places():
    A = np.random.default_rng(1).standard_normal((12, 15))
    one, two = solved(A), solved(-A.T)
    assert abs(one.value + two.value) < 1e-9
    np.testing.assert_allclose(one.x, two.y, atol=1e-7)


def test_permutations():
    rng = np.random.default_rng(2)
    A, i, j = rng.standard_normal((20, 25)), rng.permutation(20), rng.permutation(25)
    one, two = solved(A), solved(A[i][:, j])
    np.testing.assert_allclose(one.x[j], two.x, atol=1e-7)
    np.testing.assert_allclose(one.y[i], two.y, atol=1e-7)


def test_a_skew_game_is_fair():
    B = np.random.default_rng(3).standard_normal((30, 30))
    assert abs(solved(B - B.T).value) < 1e-9


@pytest.mark.parametrize("A", [
    np.zeros((3, 4)), np.full((3, 4), 7.0), np.arange(3.0)[:, None] + np.arange(4.0), [[5.0]], [[1.0, 2.0, 3.0]],
])  # fmt: skip
def test_degenerate_games_are_answered_at_once(A):
    result = matrix_game(A, tol=1e-12)
    assert result.success and result.nit == 1 and result.gap == 0


@pytest.mark.parametrize("factor", [1e-300, 1e-200, 1e200, 1e300])
def test_extreme_scales(factor):
    A = np.random.default_rng(4).standard_normal((10, 12))
    A /= abs(A).max()
    result = matrix_game(factor * A, tol=1e-8)
    assert result.success
    assert abs(result.value / factor - matrix_game(A, tol=1e-8).value) < 1e-7


def test_sparse_games():
    rng = np.random.default_rng(5)
    S = sp.random_array(
        (80, 90), density=0.1, rng=rng, data_sampler=lambda size: rng.uniform(-1, 1, size), format="coo"
    )
    one, two = solved(S), solved(S.toarray())
    assert abs(one.value - two.value) < 1e-9


def test_sparse_duplicates_and_explicit_zeros():
    S = sp.coo_array(([1.0, 1.0, 0.0, 1.0], ([0, 0, 1, 1], [0, 0, 0, 1])), shape=(2, 2))
    before = S.data.copy()
    assert abs(solved(S).value - oracle.game_value(S.toarray())) < 1e-9
    assert (S.data == before).all()


def test_without_polishing():
    A = np.random.default_rng(6).standard_normal((40, 50))
    result = matrix_game(A, method="pdhg", tol=1e-5)
    assert result.success and not result.polished
    assert abs(result.value - oracle.game_value(A)) < 1e-4


def test_a_start_from_a_result():
    A = np.random.default_rng(7).standard_normal((60, 50))
    one = matrix_game(A, method="pdhg", tol=1e-6)
    two = matrix_game(A + 1e-9, method="pdhg", tol=1e-5, init=one)
    assert two.n_passes < one.n_passes / 2
    assert matrix_game(A, tol=1e-5, init=(np.ones(50), np.ones(60))).success


def test_float32():
    A = np.random.default_rng(8).standard_normal((60, 50)).astype(np.float32)
    result = matrix_game(A, tol=1e-5)
    assert result.success and result.x.dtype == np.float32
    with pytest.warns(PrecisionWarning, match="float64"):
        matrix_game(A, tol=1e-9, on_failure="ignore")


def test_constants_on_rows_and_columns_do_not_slow_it_down():
    rng = np.random.default_rng(9)
    A = rng.standard_normal((30, 40))
    shifted = A + 100 * rng.standard_normal(40)[None, :].mean()
    one, two = (matrix_game(B, method="pdhg", tol=1e-4) for B in (A, shifted + 500.0))
    assert two.n_passes <= 1.5 * one.n_passes + 50


def test_history_and_counters():
    seen, A = [], np.random.default_rng(10).standard_normal((30, 40))

    def note(intermediate_result):
        seen.append(intermediate_result.info["n_passes"])

    result = matrix_game(A, method="pdhg", tol=1e-6, callback=note)
    assert result.n_passes == seen[-1] and seen == sorted(seen)
    assert (np.diff(result.history["n_passes"]) > 0).all()


def test_portable_kernels_find_the_same():
    A = np.random.default_rng(11).standard_normal((15, 12))
    with numopt.use_kernels("portable"):
        other = matrix_game(A, tol=1e-9)
    np.testing.assert_allclose(other.x, matrix_game(A, tol=1e-9).x, atol=1e-7)


def test_a_thousand_small_games():
    rng = np.random.default_rng(12)
    for _ in range(200):
        m, n = rng.integers(1, 12, 2)
        A = rng.integers(-3, 4, (m, n)) * 10.0 ** rng.integers(-3, 4)
        solved(A, tol=1e-9)


def hostile(kind, m=70, n=50):
    rng = np.random.default_rng(3)
    normal = rng.standard_normal
    return {
        "integers": lambda: rng.integers(-3, 4, (m, n)).astype(float),
        "zeros and ones": lambda: (rng.random((m, n)) < 0.3).astype(float),
        "repeated": lambda: np.repeat(normal((m // 2, n)), 2, axis=0),
        "rank 1": lambda: np.outer(normal(m), normal(n)),
        "rank 2": lambda: normal((m, 2)) @ normal((2, n)),
        "nearly additive": lambda: rng.random((m, 1)) + rng.random((1, n)) + 1e-9 * normal((m, n)),
        "columns of all sizes": lambda: normal((m, n)) * np.geomspace(1e-6, 1, n),
        "offset": lambda: normal((m, n)) + 1e8,
        "two alike": lambda: np.kron(np.eye(2), rng.random((m // 2, n // 2))),
        "sparse": lambda: sp.random(m, n, 0.1, format="csr", random_state=rng),
    }[kind]()


@pytest.mark.parametrize("method", ["auto", "pdhg"])
@pytest.mark.parametrize("kind", ["integers", "zeros and ones", "repeated", "rank 1", "rank 2", "nearly additive",
                                  "columns of all sizes", "offset", "two alike", "sparse"])  # fmt: skip
def test_hostile_games(kind, method):
    A = hostile(kind)
    result = matrix_game(A, method=method, tol=1e-9 if method == "auto" else 1e-4)
    D = A.toarray() if sp.issparse(A) else A
    D = D - D.mean()
    gap = (D @ result.x).max() - (result.y @ D).min()
    assert result.success and gap <= (1.01e-9 if method == "auto" else 1.01e-4) * np.abs(D).max() + 1e-15
    assert (result.x >= 0).all() and abs(result.x.sum() - 1) <= 1e-12


def test_a_large_game_is_solved_on_the_strategies_in_use():
    A = np.random.default_rng(0).standard_normal((400, 300))
    result = matrix_game(A, method="pdhg", tol=1e-6)
    assert result.success and not result.polished
    assert (A @ result.x).max() - (result.y @ A).min() <= 1.01e-6 * np.abs(A - A.mean()).max()


def test_rows_with_few_entries_in_use_do_not_slow_a_sparse_game_down():
    rng = np.random.default_rng(2)
    A = sp.random(900, 900, density=0.02, random_state=rng, data_rvs=lambda k: rng.uniform(-1, 1, k), format="csr")
    result = matrix_game(A, method="pdhg", tol=1e-5)
    assert result.success and result.n_passes < 1000  # 8692 where the part is not scaled
