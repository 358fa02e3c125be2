"""The kernels of matrix completion agree with their naive twins, on every backend and in both rooms."""

from itertools import pairwise

import numpy as np
import pytest

import numopt
from numopt import _array, _kernels
from numopt._kernels import kernels
from numopt.completion._data import Side, entries
from tests.kernels import cuda_host
from tests.oracles import completion as naive


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.fixture(params=["fast", "portable", "cuda"])
def room(request, monkeypatch):
    if request.param == "cuda":
        xp = request.getfixturevalue("xp") if "xp" in request.fixturenames else None
        if xp is None:
            pytest.skip("it has no kernel for a device")
        k = cuda_host.kernels_or_skip("completion", xp)
        monkeypatch.setattr(_kernels, "_table", lambda family, room: k)
        yield request.param
    elif request.param == "portable":
        with numopt.use_kernels("portable"):
            yield request.param
    else:
        yield request.param


class Pattern:
    """A random pattern with an empty row and column, on one backend."""

    def __init__(self, backend, dtype, shape=(23, 31), rank=5, share=0.6, weighted=True, seed=0):
        rng = np.random.default_rng(seed)
        self.backend, self.dtype, self.rank = backend, dtype, rank
        m, n = shape
        mask = rng.random(shape) < share
        mask[m // 2], mask[:, n // 3] = False, False
        if not mask.any():
            mask[0, 0] = True
        X, w = rng.standard_normal(shape).astype(dtype), (rng.random(shape) + 0.5).astype(dtype)
        seen = entries(backend.asarray(X), backend.asarray(mask), backend.asarray(w) if weighted else None)
        self.rows, self.columns = seen.sides()
        self.Y, self.W = naive.dense(Side(*(_array.host(x) for x in self.rows)), n)
        self.k = kernels("completion", backend.xp)
        self.U, self.V, self.D = (rng.standard_normal((size, rank)).astype(dtype) for size in (m, n, n))
        self.base, self.offset, self.scale = (
            rng.standard_normal(s).astype(dtype) for s in ((m, rank), (n,), (m,))
        )
        self.scale = np.abs(self.scale) + self.scale.dtype.type(0.1)
        self.none, self.no_base = self.array(np.empty(0)), self.array(np.empty((0, rank)))

    def array(self, x):
        return self.backend.asarray(np.asarray(x, dtype=self.dtype))

    def close(self, got, want, tol=1e-9):
        tol = 2e-3 if self.dtype == "float32" else tol
        got = self.backend.to_numpy(got)
        assert got.shape == np.shape(want)
        assert np.abs(got - want).max(initial=0) <= tol * (1 + np.abs(want).max(initial=0))


SHAPES = [((23, 31), 5), ((1, 40), 1), ((40, 1), 1), ((12, 700), 8), ((30, 17), 13), ((6, 9), 3)]


@pytest.mark.parametrize(("shape", "rank"), SHAPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_half_step_is_least_squares_row_by_row(xp, room, dtype, shape, rank, weighted):
    p = Pattern(xp, dtype, shape, rank, weighted=weighted)
    ridge = np.full(rank, 0.3)
    U, sums, _, _ = p.k.half_step(p.rows, p.array(p.V), p.none, ridge, p.none, p.no_base, False)
    want, residual = naive.half_step(p.Y, p.W, p.V.astype(float), ridge)
    p.close(U, want)
    p.close(sums, residual)
    same, nothing, _, _ = p.k.half_step(p.rows, p.array(p.V), p.none, ridge, p.none, p.no_base, False, False)
    assert (p.backend.to_numpy(same) == p.backend.to_numpy(U)).all() and nothing.shape[0] == 0


@pytest.mark.parametrize("rank", [1, 3, 4, 8, 10, 20, 21])
def test_systems_of_all_sizes_side_by_side_or_alone(xp, room, dtype, rank):
    p = Pattern(xp, dtype, (11, 60), rank)
    ridge, V = np.full(rank, 0.3), p.V.astype(float)
    U, _, kept, _ = p.k.half_step(p.rows, p.array(p.V), p.none, ridge, p.none, p.no_base, True)
    p.close(U, naive.half_step(p.Y, p.W, V, ridge)[0])
    systems = np.einsum("ij,ja,jb->iab", p.W, V, V) + 0.3 * np.eye(rank)
    there = p.W.any(axis=1)
    B = np.where(there[:, None], p.U, 0)
    p.close(p.k.solve_kept(kept, p.array(B)), np.linalg.solve(systems, B[:, :, None])[:, :, 0])


def test_half_step_with_offset_scale_and_base(xp, room, dtype):
    p = Pattern(xp, dtype)
    ridge = np.array([0.2, 0.3, 0.4, 0.5, 0.6])
    U, sums, kept, rhs = p.k.half_step(
        p.rows, p.array(p.V), p.array(p.offset), ridge, p.array(p.scale), p.array(p.base), True
    )
    V = p.V.astype(float)
    want, residual = naive.half_step(p.Y, p.W, V, ridge, p.scale, p.base, p.offset)
    p.close(U, want)
    p.close(sums, residual)
    p.close(p.k.solve_kept(kept, rhs), want)
    M = p.base.T @ p.base
    systems = np.einsum("ij,ja,jb->iab", p.W, V, V) + (p.scale[:, None] * ridge)[:, :, None] * np.eye(5)
    there = p.W.any(axis=1)  # what stands for the system of an empty row is left to each room
    traces = p.backend.to_numpy(p.k.inverse_traces(kept, p.array(M)))
    p.close(p.backend.asarray(traces[there]), np.trace(np.linalg.inv(systems) @ M, axis1=1, axis2=2)[there])
    p.close(rhs, np.einsum("ij,ja->ia", p.W * (p.Y - p.offset - p.base @ V.T), V))


def test_rows_with_too_few_entries_stay_finite(xp, room, dtype):
    p = Pattern(xp, dtype, (40, 30), 6, share=0.1)
    U, sums, _, _ = p.k.half_step(p.rows, p.array(p.V), p.none, np.zeros(6), p.none, p.no_base, False)
    assert np.isfinite(p.backend.to_numpy(U)).all() and np.isfinite(p.backend.to_numpy(sums)).all()
    few = (p.W > 0).sum(axis=1) < 6
    p.close(p.backend.to_numpy(sums)[few], np.zeros(few.sum()), 1e-6)


@pytest.mark.parametrize("sketched", [False, True])
def test_iterative_rows_agree_with_direct_ones(xp, room, sketched):
    p = Pattern(xp, "float64", (15, 200), 6, share=0.8)
    rng, V = np.random.default_rng(1), np.linalg.qr(p.V)[0].astype(float)
    buckets, signs = rng.integers(0, 48, 200), rng.choice((-1.0, 1.0), 200)
    none = np.empty(0, np.int64), np.empty(0)
    U, sums, steps = p.k.half_iterative(
        p.rows, p.array(V), p.array(np.zeros((15, 6))), 0.01, *((buckets, signs) if sketched else none), 48, 1e-11, 80
    )
    want, residual = naive.half_step(p.Y, p.W, V, np.full(6, 0.01))
    p.close(U, want, 1e-8)
    p.close(sums, residual, 1e-8)
    assert 0 < steps <= 80


def test_gradient_residuals_and_products(xp, room, dtype):
    p = Pattern(xp, dtype)
    V, U = p.V.astype(float), p.U.astype(float)
    R = (p.W > 0) * (p.Y - p.offset - U @ V.T)
    g, size, sums = p.k.gradient(p.rows, p.array(U), p.array(V), p.array(p.offset))
    p.close(g, (p.W * R) @ V)
    p.close(size, np.sum(((p.W * (p.Y - p.offset)) @ V) ** 2, axis=1))
    p.close(sums, np.sum(p.W * R**2, axis=1))
    alone, size, _ = p.k.gradient(p.rows, p.array(U), p.array(V), p.array(p.offset), False)
    p.close(alone, (p.W * R) @ V)
    assert size.shape == (0,)
    r = p.k.residuals(p.rows, p.array(U), p.array(V), p.array(p.offset))
    p.close(r, R[p.W > 0])
    p.close(p.k.multiply(p.rows, r, p.array(V)), R @ V)


@pytest.mark.parametrize("backwards", [False, True])
def test_factors_that_no_cache_holds_are_passed_part_by_part(dtype, backwards):
    rank, (m, n) = 23, (9, 14_000)
    rng = np.random.default_rng(0)
    mask = rng.random((m, n)) < 0.02
    Y, W = rng.standard_normal((m, n)) * mask, (rng.random((m, n)) + 0.5) * mask
    U, V, D, near = (rng.standard_normal((size, rank)).astype(dtype) for size in (m, n, n, m))
    rows, _ = entries(Y.astype(dtype), mask, W.astype(dtype)).sides()
    if backwards:  # entries may come in any order
        order = np.concatenate([np.arange(b - 1, a - 1, -1) for a, b in pairwise(rows.indptr)])
        rows = Side(rows.y[order], rows.indices[order], rows.indptr, rows.weights[order])
    k, none = kernels("completion", _array.namespace(V)), np.empty(0, dtype)
    _, _, kept, _ = k.half_step(rows, V, none, np.full(rank, 0.1), none, np.empty((0, rank), dtype), True)
    systems = np.einsum("ij,ja,jb->iab", W, V, V, optimize=True) + 0.1 * np.eye(rank)
    R = (Y - U.astype(float) @ V.T) * mask
    coupled = W * (U.astype(float) @ D.T)
    wanted = {
        "gradient": (k.gradient(rows, U, V, none)[0], (W * R) @ V),
        "product": (k.multiply(rows, rows.y, V), Y @ V),
        "rows": (k.schur_rows(rows, U, V, D, kept), np.linalg.solve(systems, (coupled @ V)[:, :, None])[:, :, 0]),
        # Rows stand for columns here: the large factor is that of the other side.
        "columns": (k.schur_columns(rows, V, U, near, D), (W * (near.astype(float) @ V.T - U.astype(float) @ D.T)) @ V),
    }
    for name, (got, want) in wanted.items():
        tolerance = 1e-3 if dtype == "float32" else 1e-10
        assert np.abs(got - want).max() <= tolerance * np.abs(want).max(), name


def test_schur_complement_is_the_dense_one(xp, room):
    p = Pattern(xp, "float64", (8, 7), 2, share=0.9)
    V = np.linalg.qr(p.V)[0].astype(float)
    # A ridge keeps the empty row regular here; the kernel has one of 1e-13 of its own.
    _, _, kept, _ = p.k.half_step(p.rows, p.array(V), p.none, np.full(2, 0.1), p.none, p.no_base, True)
    S = naive.schur(p.W, p.U.astype(float), V, ridge=0.1)

    def apply(D):
        W = p.k.schur_rows(p.rows, p.array(p.U), p.array(V), p.array(D), kept)
        return p.backend.to_numpy(p.k.schur_columns(p.columns, p.array(p.U), p.array(V), p.array(D), W))

    rng = np.random.default_rng(2)
    A, B = rng.standard_normal((2, 7, 2))
    p.close(apply(A), (S @ A.reshape(-1)).reshape(7, 2), 1e-12)
    assert abs(np.sum(A * apply(B)) - np.sum(B * apply(A))) <= 1e-12 * np.abs(apply(A)).sum()


def test_gauge_directions_have_no_curvature(xp, room):
    p = Pattern(xp, "float64", (30, 25), 3, share=0.9, seed=3)
    V = np.linalg.qr(p.V)[0].astype(float)
    U, _, kept, _ = p.k.half_step(p.rows, p.array(V), p.none, np.zeros(3), p.none, p.no_base, True)
    D = V @ np.random.default_rng(0).standard_normal((3, 3))
    W = p.k.schur_rows(p.rows, U, p.array(V), p.array(D), kept)
    p.close(p.k.schur_columns(p.columns, U, p.array(V), p.array(D), W), np.zeros_like(D), 1e-10)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("shape", "rank"), [((16, 14), 3), ((24, 28), 6)])
def test_schur_systems_are_solved(xp, room, dtype, shape, rank, turned):
    p = Pattern(xp, dtype, shape, rank, share=0.9, seed=5)
    n = shape[1]
    V, rng, mu = np.linalg.qr(p.V)[0], np.random.default_rng(0), 0.2
    g = rng.standard_normal((n, rank)).astype(dtype)
    g -= V @ (V.T @ g)
    R = (np.eye(rank) + 0.3 * rng.standard_normal((rank, rank))).astype(dtype)
    make, U = (p.none, np.full(rank, 0.1), p.none, p.no_base, True), p.U @ R if turned else p.U
    systems, blocks = (p.k.half_step(*x, *make)[2] for x in ((p.rows, p.array(V)), (p.columns, p.array(p.U))))
    back = p.array(np.linalg.inv(R.T)) if turned else None

    def solved(accuracy, most):
        given = p.array(U), p.array(V), systems, blocks, back, p.array(g), mu, accuracy, most
        *found, steps = p.k.schur_solve(p.rows, p.columns, *given)
        return *map(p.backend.to_numpy, found), steps

    D, E, left, steps = solved(1e-5 if dtype == "float32" else 1e-12, 200)
    P = np.eye(n * rank) - np.kron(V @ V.T, np.eye(rank))
    S = P @ (naive.schur(p.W, U.astype(float), V.astype(float), ridge=0.1) + mu * np.eye(n * rank)) @ P
    want = np.linalg.lstsq(S, g.reshape(-1), rcond=1e-10)[0].reshape(n, rank)
    p.close(p.array(D), want, 1e-8)
    p.close(p.array(left), np.zeros_like(g), 1e-8)
    # E is what the rows of U make of D.
    p.close(p.array(E), p.backend.to_numpy(p.k.schur_rows(p.rows, p.array(U), p.array(V), p.array(D), systems)), 1e-8)
    assert 3 < steps < 200
    D, E, left, steps = solved(1e-9, 2)
    assert steps == 2
    p.close(p.array(left), g - (S @ D.reshape(-1)).reshape(n, rank), 1e-8)


def test_schur_systems_of_nothing_or_of_nan_end(xp, room):
    p = Pattern(xp, "float64", (30, 25), 3, share=0.9)
    V = np.linalg.qr(p.V)[0].astype(float)
    make = p.none, np.full(3, 0.1), p.none, p.no_base, True
    systems, blocks = (p.k.half_step(*x, *make)[2] for x in ((p.rows, p.array(V)), (p.columns, p.array(p.U))))
    for value in (0.0, np.nan):
        g = p.array(np.full((25, 3), value))
        factors = p.array(p.U), p.array(V), systems, blocks
        D, _, _, steps = p.k.schur_solve(p.rows, p.columns, *factors, None, g, 0.1, 0.1, 9)
        D = p.backend.to_numpy(D)
        assert steps == (0 if value == 0 else 1)
        assert np.array_equal(D, np.full((25, 3), value), equal_nan=True)


def test_gradient_is_that_of_the_objective_without_u(xp, room):
    p = Pattern(xp, "float64", (14, 9), 2, share=0.95, seed=4)
    V = p.V.astype(float)
    U, _, _, _ = p.k.half_step(p.rows, p.array(V), p.none, np.zeros(2), p.none, p.no_base, False)
    g, _, _ = p.k.gradient(p.columns, p.array(V), U, p.none)
    D, h = np.random.default_rng(0).standard_normal(V.shape), 1e-6
    slope = (naive.eliminated(p.Y, p.W, V + h * D) - naive.eliminated(p.Y, p.W, V - h * D)) / (2 * h)
    assert abs(slope + 2 * np.sum(p.backend.to_numpy(g) * D)) <= 1e-6 * abs(slope)


def test_entries_are_grouped_by_row_then_column(xp, room):
    rng = np.random.default_rng(0)
    rows, columns = rng.integers(0, 20, 300), rng.integers(0, 30, 300)
    k = kernels("completion", xp.xp)
    order, ptr = k.grouped(xp.asarray(rows, "int32"), xp.asarray(columns, "int32"), 20, 30)
    order = xp.to_numpy(order).astype(int)
    assert (np.diff(rows[order] * 30 + columns[order]) >= 0).all()
    assert (ptr == np.searchsorted(np.sort(rows), np.arange(21))).all()


@pytest.mark.parametrize(("n", "k", "q"), [(1, 1, 1), (3, 2, 3), (9, 1, 5), (40, 33, 20), (3000, 10, 7)])
def test_products_of_tall_factors(xp, room, dtype, n, k, q):
    rng = np.random.default_rng(0)
    X, Y, C, B = (rng.standard_normal(shape).astype(dtype) for shape in ((n, k), (n, q), (k, q), (n, q)))
    x, y, b = (xp.asarray(a) for a in (X, Y, B))
    found, close = kernels("completion", xp.xp), {"rtol": 0, "atol": (3e-5 if dtype == "float32" else 1e-13) * n**0.5}
    np.testing.assert_allclose(xp.to_numpy(found.products(x, y)), X.astype(float).T @ Y, **close)
    np.testing.assert_allclose(xp.to_numpy(found.turned(x, xp.asarray(C))), X @ C, **close)
    np.testing.assert_allclose(xp.to_numpy(found.turned(x, xp.asarray(C), b)), B + X @ C, **close)
    np.testing.assert_allclose(xp.to_numpy(found.added(y, -0.5, b)), Y - B / 2, **close)
    assert found.converted(x, x.dtype) is x
    for name in ("float32", "float64"):
        there = xp.to_numpy(found.converted(x, getattr(xp.xp, name)))
        assert there.dtype == name
        np.testing.assert_array_equal(there, X.astype(name))
    assert abs(_array.host(found.inner(y, b)) - np.sum(Y.astype(float) * B)) <= close["atol"]
    sums = found.moments(y[:, 0], xp.asarray(np.abs(B[:, 0])), 2.0, 0.25)
    moved, w = Y[:, 0].astype(float) / 2 - 0.25, np.abs(B[:, 0]).astype(float)
    np.testing.assert_allclose(sums, (w.sum(), w @ moved, w @ moved**2), **close)


@pytest.mark.parametrize("condition", [1.0, 1e4, 1e20])
@pytest.mark.parametrize("size", [300, 3000])
def test_orthonormal_bases(xp, room, dtype, condition, size):
    rng = np.random.default_rng(0)
    X = (rng.standard_normal((size, 7)) * np.geomspace(1, 1 / condition, 7)) @ rng.standard_normal((7, 7))
    Q, R = kernels("completion", xp.xp).orthonormal(xp.asarray(X.astype(dtype)))
    Q, R, near = xp.to_numpy(Q), xp.to_numpy(R), 1e-5 if dtype == "float32" else 1e-13
    assert np.abs(Q.T @ Q - np.eye(7)).max() <= near
    assert np.abs(Q @ R - X).max() <= 10 * near and np.abs(np.tril(R, -1)).max() == 0


@pytest.mark.parametrize("weighted", [False, True])
def test_columns_follow_from_rows(xp, room, dtype, weighted):
    p = Pattern(xp, dtype, shape=(60, 40), weighted=weighted)
    Y, W = naive.dense(Side(*(_array.host(x) for x in p.columns)), 60)
    assert (Y.T == p.Y).all() and (W.T == p.W).all()
    indices, indptr = _array.host(p.columns.indices), p.columns.indptr
    assert all((np.diff(indices[lo:hi]) > 0).all() for lo, hi in pairwise(indptr))


def test_pairs_rise_if_each_is_behind_the_last(xp, room):
    k = kernels("completion", xp.xp)
    for rows, columns, rising in (
        ([0, 0, 1], [1, 3, 0], True), ([0, 0, 1], [1, 1, 0], False), ([1, 0], [0, 1], False), ([4], [2], True)
    ):  # fmt: skip
        assert k.rising(xp.asarray(np.array(rows), "int32"), xp.asarray(np.array(columns), "int32")) is rising


def test_peeling_finds_what_is_not_determined(room):
    k = kernels("completion", _array.namespace(np.empty(0)))
    mask = np.ones((7, 8), bool)
    mask[3, 2:] = False  # 2 entries
    mask[:, 5] = False
    mask[:3, 5] = True  # 3 entries
    mask[6] = False  # none
    seen = entries(np.ones((7, 8)), mask)
    rows, columns = seen.sides()
    args = rows.indices, rows.indptr, columns.indices, columns.indptr
    determined_rows, determined_columns, components, left = k.peel(*args, 3)
    assert (~determined_rows).nonzero()[0].tolist() == [3, 6]
    assert determined_columns.all() and components == 1 and left == 12
    two = entries(np.ones((4, 4)), np.kron(np.eye(2), np.ones((2, 2))).astype(bool))
    rows, columns = two.sides()
    args = rows.indices, rows.indptr, columns.indices, columns.indptr
    assert k.peel(*args, 1)[2] == 2


def test_any_number_of_threads_gives_the_same_bits():
    rng = np.random.default_rng(0)
    mask = rng.random((500, 400)) < 0.3
    rows, columns = entries(rng.standard_normal(mask.shape), mask).sides()
    k, none = kernels("completion", _array.namespace(np.empty(0))), np.empty(0)
    V, U, tall = (rng.standard_normal((n, 12)) for n in (400, 500, 12_000))

    def everything():
        sums = k.inner(tall, tall), *k.moments(tall.reshape(-1), none, 2.0, 0.5)
        factors = k.products(tall, tall), k.turned(tall, V[:12], tall), k.added(tall, 0.3, tall), *k.orthonormal(tall)
        crossed = b"".join(x.tobytes() for x in (*k.crossed(rows, 400), np.array(sums), *factors))
        out = k.half_step(rows, V, none, np.zeros(12), none, np.empty((0, 12)), True)
        S = k.schur_columns(columns, U, V, V, k.schur_rows(rows, U, V, V, out[2]))
        solved = k.solve_kept(np.resize(out[2], (4000, out[2].shape[1])), tall[:4000])
        blocks = k.half_step(columns, U, none, np.zeros(12), none, np.empty((0, 12)), True)[2]
        S, *more, _ = k.schur_solve(rows, columns, U, V, out[2], blocks, None, S, 0.1, 1e-3, 20)
        passes = *out, S, *more, solved, *k.gradient(rows, U, V, none), k.multiply(rows, rows.y, V)
        return crossed + b"".join(x.tobytes() for x in passes)

    results = []
    for n in (1, 2, 4):
        with numopt.threads(n):
            results.append(everything())
    assert results[0] == results[1] == results[2]
