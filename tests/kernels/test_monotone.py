"""Kernels of games, programs and finite sums: every room gives what the naive twins give."""

import numpy as np
import pytest
import scipy.sparse as sp

import numopt
from numopt import _kernels
from numopt._csr import as_csr
from tests.kernels import cuda_host
from tests.oracles import monotone as oracle

SHAPES = [(1, 1), (1, 7), (7, 1), (33, 65), (258, 130)]


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.fixture(params=["fast", "portable", "cuda"])
def k(request, xp):
    """Yield the kernels of one room for the arrays of one library."""
    if request.param == "cuda":
        yield cuda_host.kernels_or_skip("monotone", xp)
    elif request.param == "portable":
        with numopt.use_kernels("portable"):
            yield _kernels.kernels("monotone", xp.xp)
    else:
        yield _kernels.kernels("monotone", xp.xp)


def parts(xp, A):
    if not sp.issparse(A):
        return (xp.asarray(A),)
    A, T = as_csr(A), as_csr(A.T)
    return tuple(xp.asarray(v) for M in (A, T) for v in (M.data, M.indices, M.indptr))


def matrices(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal(shape).astype(dtype)
    S = A * (rng.random(shape) < 0.3)
    S[0] = 0
    return A, sp.csr_array(S)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("sparse", [False, True])
def test_products(k, xp, shape, sparse, dtype):
    A = matrices(shape, dtype)[sparse]
    D = A.toarray().astype(float) if sparse else A.astype(float)
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal(shape[1]), rng.standard_normal(shape[0]) * (rng.random(shape[0]) < 0.6)
    M = parts(xp, A)
    tol = 1e-4 if dtype == "float32" and xp.name == "strict" else 1e-12
    for found, expected in (
        (k.forward(M, xp.asarray(x)), D @ x),
        (k.adjoint(M, xp.asarray(y)), D.T @ y),
        (k.products(M, xp.asarray(x), xp.asarray(y))[0], D @ x),
        (k.products(M, xp.asarray(x), xp.asarray(y))[1], D.T @ y),
    ):
        np.testing.assert_allclose(xp.to_numpy(found), expected, rtol=tol, atol=tol * 30)


@pytest.mark.parametrize("n", [1, 2, 5, 400])
@pytest.mark.parametrize("total", [1.0, 30.0])
def test_projection_on_a_simplex(k, xp, n, total):
    rng = np.random.default_rng(n)
    for v in (rng.standard_normal(n), np.zeros(n), 1e9 + rng.random(n), 1e-9 * rng.random(n), np.round(rng.random(n))):
        found = xp.to_numpy(k.project_simplex(xp.asarray(v), total))
        np.testing.assert_allclose(found, oracle.simplex(v, total), atol=1e-6 if v.max() > 1e8 else 1e-12)
        assert (found >= 0).all()


@pytest.mark.parametrize("sparse", [False, True])
def test_parts_of_a_matrix(k, xp, sparse, dtype):
    A = matrices((9, 12), dtype)[sparse]
    D = A.toarray() if sparse else A
    rows, columns = np.array([1, 4, 8]), np.array([0, 1, 5, 11])
    part = k.part(parts(xp, A), xp.asarray(rows), xp.asarray(columns))
    x, y = xp.asarray(np.arange(1.0, 5.0)), xp.asarray(np.arange(1.0, 4.0))
    expected = D[np.ix_(rows, columns)].astype(float)
    np.testing.assert_allclose(xp.to_numpy(k.forward(part, x)), expected @ np.arange(1.0, 5.0), atol=1e-13)
    np.testing.assert_allclose(xp.to_numpy(k.adjoint(part, y)), expected.T @ np.arange(1.0, 4.0), atol=1e-13)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("across", [False, True])
def test_the_norm_by_lanczos(k, xp, sparse, across, dtype):
    A = matrices((9, 12), dtype)[sparse]
    D, rng = (A.toarray() if sparse else A).astype(float), np.random.default_rng(6)
    v, w = rng.random(12) + 0.5, rng.random(9) + 0.5
    v, w = (v / np.linalg.norm(v), w / np.linalg.norm(w)) if across else (np.empty(0), np.empty(0))
    x = xp.asarray(rng.standard_normal(12))
    band = xp.to_numpy(k.bidiagonal(parts(xp, A), x, xp.asarray(v), xp.asarray(w), 8))
    found = np.linalg.norm(np.diag(band[::2]) + np.diag(band[1:-1:2], 1), 2)
    if across:
        D = (np.eye(9) - np.outer(w, w)) @ D @ (np.eye(12) - np.outer(v, v))
    assert abs(found / np.linalg.norm(D, 2) - 1) < (1e-4 if dtype == "float32" else 1e-6)


@pytest.mark.parametrize("n", [1, 2, 5, 400])
def test_projection_on_a_simplex_with_weights(k, xp, n):
    rng = np.random.default_rng(n)
    w, none, zero = rng.random(n) + 0.1, xp.asarray(np.empty(0)), xp.asarray(np.zeros(1))
    for v in (rng.standard_normal(n), np.zeros(n), 1e-9 * rng.random(n), np.round(rng.random(n))):
        M = (xp.asarray(np.zeros((1, n))),)
        point = (xp.asarray(v), zero, zero, xp.asarray(np.zeros(n)))
        X, Y = (1.5, xp.asarray(w), none), (0.0, zero, zero)
        hat = k.pdhg_steps(M, point[3], zero, X, Y, point, point, 0, 0.1, 0.1, 1)[1]
        np.testing.assert_allclose(xp.to_numpy(hat[0]), oracle.simplex(v, 1.5, w), atol=1e-12)


@pytest.mark.parametrize("sparse", [False, True])
def test_steps_of_pdhg(k, xp, sparse, dtype):
    A = matrices((9, 12), dtype)[sparse]
    D = A.toarray().astype(float) if sparse else A.astype(float)
    rng = np.random.default_rng(2)
    c, b, low, high = rng.standard_normal(12), rng.standard_normal(9), -rng.random(12), rng.random(12)
    x, y = rng.random(12), rng.dirichlet(np.ones(9))
    none, M = xp.asarray(np.empty(0)), parts(xp, A)
    box, flat = (0.0, xp.asarray(low), xp.asarray(high)), (2.0, none, none)
    point = tuple(xp.asarray(v) for v in (x, y, D @ x, D.T @ y))
    found, hat, moved = k.pdhg_steps(M, xp.asarray(c), xp.asarray(b), box, flat, point, point, 0, 0.1, 0.2, 7)
    expected = oracle.pdhg(
        D, c, b, lambda v: np.clip(v, low, high), lambda v: oracle.simplex(v, 2.0), x, y, 0, 0.1, 0.2, 7
    )
    tol = 1e-5 if dtype == "float32" else 1e-11
    for one, other in zip((found[0], found[1], hat[0], hat[1]), expected, strict=True):
        np.testing.assert_allclose(xp.to_numpy(one), other, atol=tol)
    np.testing.assert_allclose(xp.to_numpy(found[2]), D @ expected[0], atol=10 * tol)
    np.testing.assert_allclose(xp.to_numpy(hat[3]), D.T @ expected[3], atol=10 * tol)
    assert len(moved) == 3


@pytest.mark.parametrize("loss", [0, 1])
@pytest.mark.parametrize("shrink", [0.0, 0.3])
def test_steps_of_svrg(k, xp, loss, shrink, dtype):
    rng = np.random.default_rng(3)
    A, b = rng.standard_normal((20, 6)).astype(dtype), rng.random(20)
    phi = (lambda t, s: t - s) if loss == 0 else (lambda t, s: 1 / (1 + np.exp(-t)) - s)
    z, index, weights = rng.standard_normal(6), rng.integers(20, size=15), rng.random(15) + 0.5
    low, high = np.full(6, -1.0), np.full(6, np.inf)
    D = A.astype(float)
    at = phi(D @ z, b)
    F = D.T @ at / 20 + 0.1 * z
    move = xp.asarray
    found = k.svrg_steps(move(A), move(b), loss, 0.1, move(z), move(z), move(F), move(at), index, weights, 0.05,
                         move(low), move(high), shrink)  # fmt: skip
    expected = oracle.svrg(D, b, phi, 0.1, z, index, weights, 0.05, low, high, shrink)
    np.testing.assert_allclose(xp.to_numpy(found), expected, atol=1e-12)


@pytest.mark.parametrize("sparse", [False, True])
def test_normal_matrix_and_maxima(k, xp, sparse, dtype):
    A = matrices((11, 17), dtype)[sparse]
    D = A.toarray().astype(float) if sparse else A.astype(float)
    rng = np.random.default_rng(4)
    d, e = rng.random(17), rng.random(11)
    M = k.gram(parts(xp, A), xp.asarray(d), xp.asarray(e))
    np.testing.assert_allclose(xp.to_numpy(M), D * d @ D.T + np.diag(e), atol=1e-12)
    L = k.factor(M, 1e-3)
    np.testing.assert_allclose(
        np.tril(xp.to_numpy(L)) @ np.tril(xp.to_numpy(L)).T, xp.to_numpy(M) + 1e-3 * np.eye(11), atol=1e-12
    )
    B = rng.standard_normal((11, 2))
    np.testing.assert_allclose(xp.to_numpy(M) @ xp.to_numpy(k.factored_solve(L, xp.asarray(B))), B, atol=0.1)
    assert np.isnan(xp.to_numpy(k.factor(-M, 0.0))).any()
    absolute = abs(A)
    high, wide = k.largest(parts(xp, absolute), xp.asarray(e), xp.asarray(d))
    S = e[:, None] * abs(D) * d
    np.testing.assert_allclose(xp.to_numpy(high), S.max(axis=1), rtol=1e-12)
    np.testing.assert_allclose(xp.to_numpy(wide), S.max(axis=0), rtol=1e-12)


def test_largest_of_rows_without_entries_or_with_infinite_ones(k, xp):
    A = sp.csr_array((np.array([1.0, 2.0, 0.5]), np.array([0, 2, 1]), np.array([0, 2, 2, 3])), shape=(3, 3))
    rows, columns = np.array([1.0, 1.0, 2.0]), np.array([1.0, np.inf, 0.25])
    high, wide = k.largest(parts(xp, A), xp.asarray(rows), xp.asarray(columns))
    assert xp.to_numpy(high).tolist() == [1.0, 0.0, np.inf]
    assert xp.to_numpy(wide).tolist() == [1.0, np.inf, 0.5]


@pytest.mark.parametrize("m_ub", [0, 2, 5])
@pytest.mark.parametrize("spoilt", [None, "x", "y", "Ax", "ATy"])
@pytest.mark.parametrize("n", [9, 1500])
def test_errors_of_a_linear_program(k, xp, n, m_ub, spoilt):
    rng, m = np.random.default_rng(n + m_ub), 5
    A, c, b = rng.standard_normal((m, n)), rng.standard_normal(n), rng.standard_normal(m)
    low, high = np.where(rng.random(n) < 0.3, -np.inf, -rng.random(n)), np.where(rng.random(n) < 0.3, np.inf, 1.0)
    rows, columns, sizes = rng.random(m) + 0.5, rng.random(n) + 0.5, (1.5, 0.75, 2.0, 0.5)
    at = {"x": rng.standard_normal(n), "y": rng.standard_normal(m)}
    at |= {"Ax": A @ at["x"], "ATy": at["y"] @ A}
    if spoilt:
        at[spoilt][-1] = np.nan
    wanted = oracle.program_errors(c, b, low, high, m_ub, rows, columns, sizes, 1e-3, *at.values())
    data = [xp.asarray(v) for v in (c, b, low, high)], [xp.asarray(v) for v in (rows, columns)]
    found = k.program_errors(*data[0], m_ub, *data[1], sizes, 1e-3, *map(xp.asarray, at.values()))
    np.testing.assert_allclose([float(xp.to_numpy(v)) for v in found], wanted, rtol=1e-11)
    assert np.isnan(wanted[0]) == (spoilt is not None)


def test_scatter(k, xp):
    index, values = np.array([3, 0, 3]), np.array([1.0, 2.0, 4.0])
    assert xp.to_numpy(k.scatter(index, xp.asarray(values), 5)).tolist() == [2, 0, 0, 5, 0]


def test_large_products_do_not_depend_on_the_threads():
    from numopt._kernels.cpu import monotone as cpu

    rng = np.random.default_rng(5)
    A, x, y = rng.standard_normal((1100, 1000)), rng.standard_normal(1000), rng.standard_normal(1100)
    results = []
    for n in (1, 2):
        with numopt.threads(n):
            results.append([*cpu.products((A,), x, y), cpu.forward((A,), x), cpu.adjoint((A,), y)])
    assert all(a.tobytes() == b.tobytes() for a, b in zip(*results, strict=True))
    np.testing.assert_allclose(results[0][0], A @ x, atol=1e-10)
    np.testing.assert_allclose(results[0][1], A.T @ y, atol=1e-10)
