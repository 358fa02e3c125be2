"""Kernels of constrained optimisation: every room against naive twins."""

import numpy as np
import pytest

from numopt import _array, use_kernels
from numopt._kernels import kernels
from numopt._kernels._settled import Settled
from tests.oracles import constrained as naive


@pytest.fixture(params=["cpu", "portable"])
def k(request):
    xp = _array.namespace(np.empty(0))
    if request.param == "cpu":
        return kernels("constrained", xp)
    with use_kernels("portable"):
        return kernels("constrained", xp)


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return request.param


def _bounds(n, dtype, seed=0):
    rng = np.random.default_rng(seed)
    low = np.where(rng.random(n) < 0.6, -rng.random(n) - 0.1, -np.inf)
    high = np.where(rng.random(n) < 0.6, rng.random(n) + 0.1, np.inf)
    zl, zu = np.where(np.isfinite(low), rng.random(n), 0), np.where(np.isfinite(high), rng.random(n), 0)
    return [a.astype(dtype) for a in (0.05 * rng.standard_normal(n), rng.standard_normal(n), low, high, zl, zu)]


def _close(seen, expected, dtype):
    tol = 1e-4 if dtype == "float32" else 1e-12
    for a, b in zip(
        seen if isinstance(seen, tuple) else (seen,),
        expected if isinstance(expected, tuple) else (expected,),
        strict=True,
    ):
        np.testing.assert_allclose(np.asarray(a, float), b, rtol=tol, atol=tol)


@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_bounds(k, n, dtype):
    x, dx, low, high, zl, zu = _bounds(n, dtype, n)
    _close(k.barrier(x, low, high, 0.1), naive.barrier(x, low, high, 0.1), dtype)
    _close(k.bound_errors(x, low, high, zl, zu), naive.bound_errors(x, low, high, zl, zu), dtype)
    _close(k.bound_errors(3 * x, low, high, zl, zu + 1), naive.bound_errors(3 * x, low, high, zl, zu + 1), dtype)
    _close(k.complementarity(x, low, high, zl, zu, 0.1), naive.complementarity(x, low, high, zl, zu, 0.1), dtype)
    _close(k.bound_curvature(x, low, high, zl, zu), naive.bound_curvature(x, low, high, zl, zu), dtype)
    _close(
        k.bound_steps(x, dx, low, high, zl, zu, 0.1, 0.99),
        naive.bound_steps(x, dx, low, high, zl, zu, 0.1, 0.99),
        dtype,
    )


def test_a_push_leads_inside_and_leaves_the_rest_alone(k, dtype):
    x, _, low, high, *_ = _bounds(200, dtype)
    far = k.pushed(100 * x, low, high, 0.01)
    assert ((far > low) & (far < high)).all()
    inside = k.pushed(x, low, high, 0.01)
    free = (x > low + 0.05) & (x < high - 0.05)
    np.testing.assert_array_equal(inside[free], x[free])


def test_multipliers_are_reset_to_a_range(k, dtype):
    x, _, low, high, zl, zu = _bounds(50, dtype)
    seen = k.bound_reset(x, low, high, 1e30 * zl, 0.0 * zu, 0.1)
    assert np.isfinite(seen[0]).all() and (seen[1][np.isfinite(high)] > 0).all()
    _close(k.bound_reset(x, low, high, zl, zu, 0.1), (zl.astype(float), zu.astype(float)), dtype)


@pytest.mark.parametrize(("n", "m"), [(1, 0), (1, 1), (5, 2), (60, 25)])
def test_factorisation(k, n, m, dtype):
    rng = np.random.default_rng(n + m)
    H, J = rng.standard_normal((n, n)), rng.standard_normal((m, n))
    H = (H + H.T + 3 * n * np.eye(n)).astype(dtype)
    sigma, d = rng.random(n).astype(dtype), rng.random(m).astype(dtype)
    A = k.kkt_matrix(H, J.astype(dtype), sigma, d)
    expected = naive.kkt_matrix(H, J.astype(dtype), sigma, d)
    np.testing.assert_allclose(A, expected, rtol=1e-6)
    factor, negative, zero = k.kkt_factor(H, J.astype(dtype), sigma, d)
    assert (negative, zero) == (m, 0)
    b = rng.standard_normal(n + m).astype(dtype)
    x = np.concatenate(k.kkt_solve(factor, b[:n], b[n:]))
    assert x.dtype == dtype
    _close(x, np.linalg.solve(expected.astype(float), b.astype(float)), dtype)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 9, 24, 48, 49, 80])
@pytest.mark.parametrize("seed", range(6))
def test_inertia_and_solution_of_indefinite_matrices(k, n, seed):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, n)) * (rng.random((n, n)) < (0.3, 1.0)[seed % 2])
    A = A + A.T + (np.diag(rng.standard_normal(n)) if seed % 3 else 0)  # blocks of order two where the diagonal is 0
    J, values = np.empty((0, n)), np.linalg.eigvalsh(A)
    factor, negative, zero = k.kkt_factor(A, J, 0.0, 0.0)
    if abs(values).min() > 1e-6:
        assert (negative, zero) == ((values < 0).sum(), 0)
        b = rng.standard_normal(n)
        x, _ = k.kkt_solve(factor, b, b[:0])
        np.testing.assert_allclose(A @ x, b, atol=1e-8 * abs(x).max())


def test_badly_scaled_rows_keep_their_signs(k):
    scale = np.array([1e8, 1.0, 1e-8, 1e4])
    A = np.array([[2.0, 1, 0, 1], [1, 2, 1, 0], [0, 1, 3, 1], [1, 0, 1, -1.0]]) * np.outer(scale, scale)
    assert k.kkt_factor(A, A[:0], 0.0, 0.0)[1:] == (1, 0)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 17, 60, 200])
@pytest.mark.parametrize("density", [0.0, 0.02, 0.1, 0.5])
def test_sparse_factorisation(k, n, density, dtype):
    """Quasi-definite: any order is stable. Forests, chains and dense ones; the pattern is analysed once."""
    rng, known = np.random.default_rng(n), None
    for _ in range(2):
        A = rng.standard_normal((n, n)) * (np.random.default_rng(7).random((n, n)) < density)
        sign = np.where(np.random.default_rng(3).random(n) < 0.3, -1.0, 1.0)
        A = A + A.T
        A[np.outer(sign, sign) > 0] *= 0.1 / max(1, n * density)
        A = (A + np.diag(sign * (1 + rng.random(n)))).astype(dtype)
        rows, columns = np.nonzero(np.triu(A))
        data = A[rows, columns]
        data[0] -= 3  # the last entry adds up with the first
        rows, columns, data = np.append(rows, 0), np.append(columns, 0), np.append(data, np.asarray(3, dtype))
        factor, D, known = k.sparse_ldl(rows, columns, data, n, known)
        assert (np.asarray(D) < 0).sum() == (sign < 0).sum() == (np.linalg.eigvalsh(A.astype(float)) < 0).sum()
        b = rng.standard_normal(n).astype(dtype)
        x = k.sparse_ldl_solve(factor, b)
        np.testing.assert_allclose(A.astype(float) @ x, b, atol=1e-3 if dtype == "float32" else 1e-10)


@pytest.mark.parametrize("n", [2, 60])
def test_nan_is_seen(k, n):
    H = np.eye(n)
    H[0, 1] = H[1, 0] = np.nan
    assert k.kkt_factor(H, H[:0], 0.0, 0.0)[0] is None


def test_measures_of_equalities(k, dtype):
    rng = np.random.default_rng(0)
    g, c, lam, sc = (rng.random(n).astype(dtype) + 0.1 for n in (7, 4, 4, 4))
    J = rng.standard_normal((4, 7)).astype(dtype)
    gL = g + J.T @ lam
    stationarity, violation, size = abs(gL).max() / 0.5, (c / sc).max(), (lam * sc).sum() / 0.5
    for weight in (1.0, 1e4):
        error = max(violation, stationarity / max(1.0, weight * size / 400))
        expected = weight * lam @ c, c @ c, gL @ gL, error, stationarity, violation
        for parts in ((gL - J.T @ (weight * lam), J), (gL, J[:0])):
            found = parts[0].copy()
            measures = k.lagrangian_measures(found, parts[1], c, np.asarray(weight, dtype) * lam, sc, 0.5)
            np.testing.assert_allclose(found, gL, atol=1e-6 * weight if dtype == "float32" else 1e-11 * weight)
            if weight == 1 or dtype == "float64":
                _close(tuple(measures), expected, dtype)
    none, largest = c[:0], abs(gL).max()
    _close(k.lagrangian_measures(gL, J[:0], none, none, none, 1.0), (0, 0, gL @ gL, largest, largest, 0), dtype)
    _close(k.kkt_errors(g, J, c, lam, 0 * c, 0 * c, sc, 0.5), (stationarity, violation, 0, size), dtype)


def test_sums_of_a_step(k, dtype):
    rng = np.random.default_rng(2)
    B, H = rng.standard_normal((2, 9, 9)).astype(dtype)
    g, d, w = rng.standard_normal((3, 9)).astype(dtype)
    off = (B - H) @ d
    _close(k.added_curvature(B, H, g, d), (g @ off, off @ off, d @ d), dtype)
    _close(k.slope_and_reach(g, d, w), (g @ d, (abs(d) / (1 + abs(w))).max()), dtype)
    _close((k.sum_of_magnitudes(g), k.sum_of_squares(g)), (abs(g).sum(), g @ g), dtype)
    d[4] = np.nan
    assert np.isnan([*k.slope_and_reach(g, d, w), k.sum_of_magnitudes(d), k.sum_of_squares(d)]).all()


@pytest.mark.parametrize("n", [6, 60])
def test_newton_step_is_factor_and_direction(k, n, dtype):
    rng = np.random.default_rng(n)
    H, J, g, c = (rng.standard_normal(s).astype(dtype) for s in ((n, n), (2, n), (n,), (2,)))
    H = H @ H.T + np.eye(n, dtype=dtype)
    factor, *counts, (dx, dlam, *sums) = k.kkt_newton(H, J, 0.5, 0.0, g, c)
    assert counts == list(k.kkt_factor(H, J, 0.5, 0.0)[1:])
    step = np.linalg.solve(naive.kkt_matrix(H, J, np.full(n, 0.5), np.zeros(2)).astype(float), -np.append(g, c))
    _close(np.concatenate([dx, dlam]), step, dtype)
    _close(tuple(sums), (g @ step[:n], c @ step[n:], step @ step), dtype)
    *counts, direction = k.kkt_newton(-H, J, 0.0, 0.0, g, c)[1:]
    assert counts == list(k.kkt_factor(-H, J, 0.0, 0.0)[1:]) and direction is None
    _close(np.concatenate(k.kkt_direction(factor, g, c)[:2]), step, dtype)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (3, 3), (4, 9), (6, 30)])
@pytest.mark.parametrize("rank", [0, 1, 9])
def test_singular_range(k, shape, rank, dtype):
    rng = np.random.default_rng(shape[1])
    J = rng.standard_normal(shape)
    J[rank:] = J[:1] if rank else 0.0
    found = k.singular_range(J.astype(dtype))
    values = np.linalg.svd(J, compute_uv=False)
    _close(found, (values[0], values[-1]), dtype)


def test_factors_take_spare_memory_that_fits(k):
    rng = np.random.default_rng(1)
    spare = None
    for n in (5, 5, 3, 60, 4):
        H, J = np.diag(1 + rng.random(n)), rng.standard_normal((2, n))
        spare, *counts, (dx, dlam, *_) = k.kkt_newton(H, J, 0.0, 0.0, np.ones(n), np.ones(2), spare)
        _close(np.concatenate([H @ dx + J.T @ dlam, J @ dx]), -np.ones(n + 2), "float64")
        assert counts == [2, 0]


@pytest.mark.parametrize("at", [0, 2, 4])
def test_no_measure_loses_a_nan(k, at):
    good, bad = np.linspace(0.1, 0.5, 5), np.linspace(0.1, 0.5, 5)
    bad[at] = np.nan
    low, high = good - 1, good + 1
    for spoilt in range(3):
        gL, c, lam = (bad if spoilt == i else good for i in range(3))
        none = np.zeros((0, 5))
        assert np.isnan(k.lagrangian_measures(gL, none, c, lam, good, 1.0)[3]).any()
        assert np.isnan(k.kkt_errors(gL, none, c, lam, low, high, good, 1.0)).any()
    for x, zl, zu in ((bad, good, good), (good, bad, good), (good, good, bad)):
        assert np.isnan(k.bound_errors(x, low, high, zl, zu)).any()
        assert np.isnan(k.complementarity(x, low, high, zl, zu, 0.1))


@pytest.mark.parametrize("n", [1, 3, 40])
def test_projections(k, n, dtype):
    rng = np.random.default_rng(n)
    W, t, d = (rng.standard_normal(s).astype(dtype) for s in ((n, n), (n,), (n,)))
    W[0] *= n > 1
    rows, expected = rng.integers(n, size=10), d.astype(float)
    for i in rows:
        w = W[i].astype(float)
        if w @ w:
            expected = expected - (w @ expected - t[i]) / (w @ w) * w
    _close(k.project_rows(W, t, d, rows), expected, dtype)


def test_settled_kernels_answer_as_others_do(k):
    """Only a call with C-contiguous arrays and floats settles a kernel; whatever number comes later is a float."""
    settled, compiled = Settled(k), hasattr(k.complementarity, "typeof_pyval")
    x, _, low, high, zl, zu = _bounds(20, "float64")
    strided = np.repeat(x, 2)[::2]
    for vector, mu in ((strided, 0.5), (x, 1), (x, 0.5), (x, 1), (x, np.float32(0.1)), (x, np.int64(2))):
        _close(settled.complementarity(vector, low, high, zl, zu, mu), k.complementarity(x, low, high, zl, zu, mu), "")
    assert ("complementarity" in vars(settled)) and (settled.complementarity is not k.complementarity) == compiled
    for vector in (x, low, zl):
        vector.flags.writeable = False
    _close(settled.complementarity(x, low, high, zl, zu, 0.5), k.complementarity(x, low, high, zl, zu, 0.5), "")


@pytest.mark.parametrize("wrong", [np.ones(3, "float32"), [1.0, 1.0, 1.0], 1.0, None])
def test_settled_kernels_refuse_what_is_no_such_array(wrong):
    settled = Settled(kernels("constrained", _array.namespace(np.empty(0))))
    assert settled.sum_of_squares(np.ones(3)) == 3
    with pytest.raises(TypeError):
        settled.sum_of_squares(wrong)
