"""CUDA sources run on the host: what must not depend on the order in which the threads of a block get on."""

import numpy as np
import pytest
import scipy.sparse

from numopt._kernels.cpu import completion as fast
from numopt._kernels.portable import clustering as portable
from numopt._kernels.portable import completion, monotone
from numopt._kernels.portable import mixture as portable_mixture
from numopt.gallery import laplacian_2d
from numopt.relax import relax_plan
from tests.kernels import cuda_host
from tests.kernels.ot_problems import problem

pytestmark = pytest.mark.skipif(cuda_host.COMPILER is None, reason="CUDA sources run on the host where there is a g++")


@pytest.fixture
def turned(monkeypatch):
    """Return a function that calls another with threads in both orders."""

    def both(call):
        results = []
        for order in (1, -1):
            monkeypatch.setattr(cuda_host.RawModule, "order", order)
            results.append(call())
        return results

    return both


def same(one, two):
    """Say whether results hold the same bits."""
    if isinstance(one, tuple):
        return len(one) == len(two) and all(map(same, one, two))
    return np.asarray(one).tobytes() == np.asarray(two).tobytes()


@pytest.mark.parametrize("kind", [0, 2])
def test_passes_over_a_cost(turned, kind):
    k, p = cuda_host.kernels("ot"), problem((40, 330), kind)
    logs = np.log(p.a), np.log(p.b), -4.0
    assert same(*turned(lambda: k.plan_pass(p.cost, p.a, p.f, p.g, p.reg, False)))
    assert same(*turned(lambda: k.plan_sums(p.cost, p.f, p.g, p.reg)))
    assert same(*turned(lambda: k.extract(p.cost, p.f, p.g, p.reg, *logs)))


def test_rows_of_a_cost_may_lie_apart(turned):
    k, p = cuda_host.kernels("ot"), problem((40, 33))
    every = p.cost[0][::3], *p.cost[1:]
    dense = np.ascontiguousarray(p.cost[0][::3]), *p.cost[1:]
    one, two = (k.row_pass(cost, p.a[::3], p.f, p.g, p.reg, False) for cost in (every, dense))
    assert same(one, two)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(45, 1), (45, 700), (1030, 33), (1, 9000)])
def test_steps_of_pdhg(turned, shape, dtype):
    k, rng, (m, n) = cuda_host.kernels("monotone"), np.random.default_rng(5), shape
    A, x, y = rng.standard_normal(shape).astype(dtype), rng.random(n), rng.random(m)
    none, point = np.empty(0), (x, y, A @ x, A.T @ y)
    flat, box = (1.0, none, none), (0.0, y - 1, y + 1)
    one, two = turned(lambda: k.pdhg_steps((A,), x, y, flat, box, point, point, 0, 0.1, 0.2, 3))
    assert same(one, two)
    wanted = monotone.pdhg_steps((A.astype(float),), x, y, flat, box, point, point, 0, 0.1, 0.2, 3)
    for got, want in zip((*one[0], *one[1], *one[2]), (*wanted[0], *wanted[1], *wanted[2]), strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-10 * max(1, np.abs(want).max()))
    assert np.isnan(k.project_simplex(np.full(n, np.nan), 1.0)).all()  # and it ends


@pytest.mark.parametrize("steps", [1, 2, 7])
@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize(("m", "n", "share"), [(1, 1, 1.0), (5, 700, 0.9), (300, 40, 0.05), (90, 1100, 0.002)])
def test_steps_of_pdhg_with_a_sparse_matrix_on_boxes(turned, m, n, share, index, steps):
    """All in one launch, of blocks that wait for one another; one row is full, others may have no entries."""
    rng, results = np.random.default_rng(6), []
    A = rng.random((m, n)) * (rng.random((m, n)) < share)
    A[m // 2] = 1.0
    A = scipy.sparse.csr_array(A)
    T = A.T.tocsr()
    matrix = tuple(v if v.dtype == float else v.astype(index) for M in (A, T) for v in (M.data, M.indices, M.indptr))
    c, b, x, y = (rng.standard_normal(size) for size in (n, m, n, m))
    X, Y = (0.0, x - 0.1, np.full(n, np.inf)), (0.0, np.where(y > 0, 0.0, -np.inf), np.full(m, np.inf))
    point, anchor = ((x, y, A @ x, A.T @ y), (2 * x, -y, A @ (2 * x), A.T @ -y))
    for blocks in (1, 3):
        k = cuda_host.kernels("monotone", blocks)
        results += turned(lambda k=k: k.pdhg_steps(matrix, c, b, X, Y, point, anchor, 4, 0.1, 0.2, steps))
    assert all(same(one, results[0]) for one in results)
    wanted = monotone.pdhg_steps(matrix, c, b, X, Y, point, anchor, 4, 0.1, 0.2, steps)
    for got, want in zip(sum(results[0], ()), sum(wanted, ()), strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-12 * max(1, np.abs(want).max()))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(1030, 36), (70, 260), (5, 33)])
@pytest.mark.parametrize("order", ["rows", "columns", "neither"])
def test_products_with_matrices_of_any_layout(turned, shape, order, dtype):
    k, rng, (m, n) = cuda_host.kernels("monotone"), np.random.default_rng(9), shape
    A = rng.standard_normal((m, 2 * n)).astype(dtype)[:, ::2]
    A = A if order == "neither" else np.array(A, order="C" if order == "rows" else "F")
    x, y = rng.random(n), rng.random(m)
    one, two = turned(lambda: k.products((A,), x, y))
    assert same(one, two)
    np.testing.assert_allclose(one[0], A.astype(float) @ x, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(one[1], y @ A.astype(float), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("across", [(True, True), (False, True), (False, False)])
def test_bidiagonal_matrix(turned, across):
    k, rng = cuda_host.kernels("monotone"), np.random.default_rng(10)
    A, x = rng.standard_normal((40, 60)), rng.standard_normal(60)
    normals = [
        np.full(size, size**-0.5) if there else np.empty(0) for size, there in zip((60, 40), across, strict=True)
    ]
    one, two = turned(lambda: k.bidiagonal((A,), x, *normals, 5))
    assert same(one, two)
    np.testing.assert_allclose(one, monotone.bidiagonal((A,), x, *normals, 5), rtol=1e-10)


@pytest.mark.parametrize("ordering", ["natural", "colour"])
def test_relaxation(turned, ordering):
    k, rng, A = cuda_host.kernels("relax"), np.random.default_rng(8), laplacian_2d(14)
    system, _ = relax_plan(A, ordering=ordering).system(A.data)
    b, start = rng.random(196), rng.random(196)

    def sweeps():
        x, squares = start.copy(), np.empty(9)
        k.ssor(system, b, x, np.zeros(196), *k.products(system, x), 1.3, 0.0, 9, squares)
        return x, squares

    def conjugate_gradients():
        x, (g, y, p, t) = start.copy(), np.zeros((4, 196))
        squares, coefficients = np.empty(9), np.empty((8, 2))
        k.pcg_start(system, b, x, 1.3, g)
        k.pcg(system, x, g, y, p, t, np.zeros(3), 1.3, 0.0, 8, squares, coefficients)
        return x, squares, coefficients

    assert same(*turned(sweeps)) and same(*turned(conjugate_gradients))


def test_directions_of_wide_plans(turned, monkeypatch):
    k, rng, P = cuda_host.kernels("ot"), np.random.default_rng(9), problem((70, 300)).cost[0]
    P, rest = (P / P.sum()).astype("float32"), (rng.standard_normal(300), 1e-3, 1e-8, 50)
    one, two = turned(lambda: k.plan_direction(P, None, 0, np.full(300, 1 / 300), *rest))
    monkeypatch.setattr(k.plan_direction.__globals__["_ot_newton"], "_WIDEST", 0)
    three, four = turned(lambda: k.plan_direction(P, None, 0, np.full(300, 1 / 300), *rest))
    assert same(one, two) and same(three, four)
    np.testing.assert_allclose(one[0], three[0], rtol=1e-3, atol=1e-3 * np.abs(one[0]).max())


def test_what_is_written_beside_an_array_shows():
    code = 'extern "C" __global__ void past(double *x, Int n) { x[n] = 0.0; }'
    past = cuda_host.RawModule("typedef long long Int;" + code).get_function("past")
    x = cuda_host.empty((5,), "float64")
    past((1,), (32,), (x, np.int64(4)))
    with pytest.raises(AssertionError, match="beside"):
        past((1,), (32,), (x, np.int64(5)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rank", [3, 20, 32, 40])
def test_half_steps(turned, dtype, rank):
    k, rng = cuda_host.kernels("completion"), np.random.default_rng(6)
    counts = np.array([0, 1, 31, 32, 33, 90])
    ptr = np.r_[0, np.cumsum(counts)]
    index = np.concatenate([rng.permutation(100)[:c] for c in counts]).astype("int32")
    y, V, none, base = (x.astype(dtype) for x in (
        rng.standard_normal(ptr[-1]), rng.standard_normal((100, rank)), np.empty(0), np.empty((0, rank)),
    ))  # fmt: skip
    side = y, index, ptr, none
    one, two = turned(lambda: k.half_step(side, V, none, np.full(rank, 0.1), none, base, False))
    views = (y, index, ptr, y[:0]), V, V[:0, 0], np.full(rank, 0.1), V[:0, 0], V[:0, :]  # of arrays that are not empty
    assert same(one, k.half_step(*views, False))
    offset = rng.standard_normal((100, 2)).astype(dtype)[:, 0]
    apart, dense = (k.half_step(side, V, o, np.full(rank, 0.1), none, base, False) for o in (offset, offset.copy()))
    assert same(apart, dense) and not same(apart[0], one[0])
    assert same(one, two) and np.isfinite(one[0]).all() and (one[0][0] == 0).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rank", [5, 20, 40])
@pytest.mark.parametrize("noise", [0.0, 1e-9, 1.0])  # with little, sums of residuals need a second look
def test_half_steps_of_short_and_long_rows(turned, monkeypatch, dtype, rank, noise):
    k, rng = cuda_host.kernels("completion"), np.random.default_rng(11)
    monkeypatch.setitem(k.half_step.__globals__, "_MANY", 100)
    counts = np.array([2 * rank, 101, 90, 0, 333])
    ptr = np.r_[0, np.cumsum(counts)]
    index = np.concatenate([rng.permutation(400)[:c] for c in counts]).astype("int32")
    V, U = (rng.standard_normal((n, rank)).astype(dtype) for n in (400, 5))
    row, base = np.repeat(np.arange(5), counts), rng.standard_normal((5, rank)).astype(dtype)
    y = ((U[row] * V[index]).sum(axis=1) + noise * rng.standard_normal(ptr[-1])).astype(dtype)
    w, none = (rng.random(ptr[-1]) + 0.5).astype(dtype), np.empty(0, dtype)
    arguments = (y, index, ptr, w), V, none, np.full(rank, 1e-12), none, base, False
    one, two = turned(lambda: k.half_step(*arguments))
    wanted = completion.half_step(*arguments)
    assert same(one, two)
    np.testing.assert_allclose(one[0], wanted[0], rtol=0, atol=2e-4 if dtype == "float32" else 1e-8)
    scale = np.add.reduceat(np.append(y, 0).astype(float) ** 2, ptr[:-1]).max()
    least = 1e-12 if dtype == "float32" else 1e-24
    np.testing.assert_allclose(one[1], wanted[1], rtol=1e-5 if dtype == "float32" else 1e-8, atol=least * scale)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rank", [5, 20, 40, 64])
@pytest.mark.parametrize("weighted", [False, True])
def test_looks_at_entries_of_short_and_long_rows(turned, monkeypatch, dtype, rank, weighted):
    k, rng = cuda_host.kernels("completion"), np.random.default_rng(12)
    monkeypatch.setitem(k.half_step.__globals__, "_MANY", 50)
    counts = np.array([3, 101, 0, 1, 333])
    ptr = np.r_[0, np.cumsum(counts)]
    index = np.concatenate([rng.permutation(400)[:c] for c in counts]).astype("int32")
    V, U = (rng.standard_normal((n, rank)).astype(dtype) for n in (400, 5))
    y, offset, w = rng.standard_normal(ptr[-1]), rng.standard_normal(400), rng.random(ptr[-1] if weighted else 0) + 0.5
    y, offset, w = (x.astype(dtype) for x in (y, offset, w))
    side = y, index, ptr, w
    tol = {"rtol": 1e-4, "atol": 1e-4} if dtype == "float32" else {"rtol": 1e-12, "atol": 1e-12}
    for name, arguments in (
        ("gradient", (side, U, V, offset)), ("gradient", (side, U, V, offset[:0], False)),
        ("residuals", (side, U, V, offset)), ("multiply", (side, y, V)), ("crossed", (side, 400)),
    ):  # fmt: skip
        one, two = turned(lambda name=name, arguments=arguments: getattr(k, name)(*arguments))
        wanted = getattr(completion, name)(*arguments)
        assert same(one, two)
        for got, want in zip(*((x if isinstance(x, tuple) else (x,)) for x in (one, wanted)), strict=True):
            assert got.dtype == want.dtype
            np.testing.assert_allclose(got, want, **tol)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("n", "rank"), [(1, 1), (33, 5), (64, 3), (65, 4), (198, 35)])
def test_passes_over_the_matrix_of_the_splitting(turned, dtype, n, rank):
    k, rng = cuda_host.kernels("clustering"), np.random.default_rng(7)
    T = rng.standard_normal((n, n)).astype(dtype)
    T, V = T + T.T, rng.standard_normal((n, 2 * rank)).astype(dtype)[:, rank:]
    w = rng.random(rank).astype(dtype)
    near = {"rtol": 1e-4 if dtype == "float32" else 1e-11, "atol": 1e-4 if dtype == "float32" else 1e-10}
    for name, arguments in (
        ("split_step", (T, V, w, 1.8)), ("below_zero", (V, w)), ("abs_times", (T, V)), ("negative_times", (T, V)),
    ):  # fmt: skip
        one, two = turned(lambda name=name, given=arguments: getattr(k, name)(given[0].copy(), *given[1:]))
        wanted = getattr(portable, name)(*arguments)
        assert same(one, two)
        for x, y in zip(*((r if isinstance(r, tuple) else (r,)) for r in (one, wanted)), strict=True):
            np.testing.assert_allclose(x, y, **near)


@pytest.mark.parametrize(("n", "p", "k"), [(3, 1, 1), (256, 2, 3), (700, 20, 5), (5000, 3, 2)])
def test_passes_over_points_with_labels(turned, n, p, k):
    kernels, rng = cuda_host.kernels("clustering"), np.random.default_rng(n)
    X, centres = rng.standard_normal((n, p)), rng.standard_normal((k, p))
    labels = rng.integers(0, k, n)
    labels[:k] = np.arange(k)
    sizes, sums = portable.label_sums(X, labels, k)
    given = X, labels, sums / sizes[:, None], sizes
    for name, arguments in (
        ("lloyd_pass", (X, centres)), ("label_sums", (X, labels, k)), ("spread", given), ("pair_grams", (*given, 3.0)),
    ):  # fmt: skip
        one, two = turned(lambda name=name, given=arguments: getattr(kernels, name)(*given))
        assert same(one, two)
        for x, y in zip(one, getattr(portable, name)(*arguments), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [50, 12000])
def test_orthonormal_columns(dtype, n):
    k, rng = cuda_host.kernels("clustering"), np.random.default_rng(9)
    V = rng.standard_normal((n, 12)).astype(dtype)
    V[:, 6:] = V[:, :6] + (1e-4 if dtype == "float32" else 1e-6) * V[:, 6:]
    for given in (V, np.concatenate([V, V[:, :3]], axis=1)):
        Q, near = k.orthonormal(given), 1e-5 if dtype == "float32" else 1e-13
        assert Q.dtype == dtype and Q.shape == given.shape
        np.testing.assert_allclose(Q.T @ Q, np.eye(Q.shape[1]), atol=near)
        np.testing.assert_allclose(Q @ (Q.T @ given), given, atol=30 * near)
    assert np.isnan(k.orthonormal(np.full((n, 2), np.nan))).any()


def test_nan_passes_through_the_products_of_the_splitting():
    k, T = cuda_host.kernels("clustering"), np.eye(70)
    T[3, 5] = T[5, 3] = np.nan
    for name in ("abs_times", "negative_times"):
        out = getattr(k, name)(T, np.ones((70, 2)))
        assert np.isnan(out[[3, 5]]).all() and np.isfinite(np.delete(out, [3, 5], axis=0)).all()
    V = np.ones((70, 2))
    V[9, 1] = np.nan
    assert np.isnan(k.below_zero(V, np.ones(2))).all()
    sse = k.lloyd_pass(V, V[:2])[3], *k.spread(V, np.arange(70) % 2, V[:2], np.array([35.0, 35.0]))
    assert np.isnan(sse).all()


@pytest.mark.parametrize("colours", [2, 5, 9])
def test_blocks_that_wait_for_one_another(monkeypatch, colours):
    A, rng = laplacian_2d(24), np.random.default_rng(9)
    order = np.argsort(sum(np.divmod(np.arange(576), 24)) % colours, kind="stable")
    system, _ = relax_plan(A, ordering=order).system(A.data)
    b, start, results = rng.random(576), rng.random(576), []
    for blocks in (1, 3):
        k = cuda_host.kernels("relax", blocks)
        for name, value in (("_ALONE", 0), ("_THREADS", 32), ("_WORKERS", 5)):
            monkeypatch.setitem(k.sor.__globals__, name, value)
        values = system.lower.values.copy()  # so that the system is laid out anew
        s = system._replace(lower=system.lower._replace(values=values))
        x, (g, y, p, t, low, half), squares = start.copy(), np.zeros((6, 576)), np.empty((4, 30))
        low[:], up = k.products(s, x)
        k.sor(s, b, x, low, 1.3, 0.0, 7, squares[0])
        k.ssor(s, b, x, half, low, up, 1.3, 0.0, 7, squares[1])
        squares[2, 0], coefficients = k.pcg_start(s, b, x, 1.3, g), np.empty((20, 2))
        steps, _ = k.pcg(s, x, g, y, p, t, np.zeros(3), 1.3, 1e-8 * squares[2, 0], 20, squares[3], coefficients)
        results.append((x, g, squares[0, :7], squares[1, :7], squares[3, : steps + 1], coefficients[:steps]))
    assert same(*results)  # sums do not depend on the number of blocks


@pytest.mark.parametrize(("share", "parts"), [(0.5, 1), (0.5, 2), (0.06, 1)])
def test_patterns_are_peeled_as_elsewhere(share, parts):
    k, rng = cuda_host.kernels("completion"), np.random.default_rng(13)
    seen = rng.random((60, 90)) < share
    if parts == 2:
        seen[:30, 45:] = seen[30:, :45] = False
    ptr = [np.r_[0, np.cumsum(seen.sum(axis=axis))] for axis in (1, 0)]
    arguments = np.nonzero(seen)[1].astype("int32"), ptr[0], np.nonzero(seen.T)[1].astype("int32"), ptr[1], 4
    for got, want in zip(k.peel(*arguments), fast.peel(*arguments), strict=True):
        assert np.array_equal(got, want)


@pytest.mark.parametrize(("n", "p", "k", "b"), [(9, 1, 2, 1), (300, 20, 3, 2), (1500, 5, 5, 1), (70, 32, 2, 1)])
@pytest.mark.parametrize(("kind", "weighted"), [("oas", True), ("none", False), ("tied", True)])
def test_mixtures(turned, n, p, k, b, kind, weighted):
    kernels, rng = cuda_host.kernels("mixture"), np.random.default_rng(n)
    X, R = rng.standard_normal((n, p)) + 3, rng.dirichlet(np.ones(k), (b, n))
    for name, arguments in (
        ("em", (X, R, 3, 1e-3, kind, weighted)), ("m_step", (X, R, 1e-3, kind)),
        ("log_densities", (X, *portable_mixture.m_step(X, R, 1e-3, kind)[1:])),
    ):  # fmt: skip
        one, two = turned(lambda name=name, given=arguments: getattr(kernels, name)(*given))
        wanted = getattr(portable_mixture, name)(*arguments)
        assert same(one, two)
        for x, y in zip(*((r if isinstance(r, tuple) else (r,)) for r in (one, wanted)), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-12)


def test_mixtures_too_large_for_a_block_and_covariances_without_a_factor():
    kernels, rng = cuda_host.kernels("mixture"), np.random.default_rng(3)
    X, R = rng.standard_normal((90, 40)), rng.dirichlet(np.ones(3), (1, 90))
    assert same(kernels.em(X, R, 2, 1e-3, "oas", True), portable_mixture.em(X, R, 2, 1e-3, "oas", True))
    assert np.isnan(kernels.em(np.full((9, 2), np.nan), rng.random((1, 9, 2)), 1, 1e-3, "none", True)[1]).all()


@pytest.mark.parametrize(("shape", "marks"), [
    ((1, 1), 2**24), ((33, 31), 1), ((70, 300), 2**24), ((70, 300), 400), ((300, 65), 300),
])  # fmt: skip
def test_entries_by_columns(turned, monkeypatch, shape, marks):
    """In slabs of rows where not all words have room."""
    k, rng = cuda_host.kernels("ot"), np.random.default_rng(5)
    newton = k.plan_direction.__globals__["_ot_newton"]
    monkeypatch.setattr(newton, "_MARKS", marks)
    dense = rng.random(shape) < 0.2
    rows, indices = (x.astype("int32") for x in np.nonzero(dense))
    indptr = np.r_[0, np.cumsum(dense.sum(axis=1))]
    order, row, start = turned(lambda: newton.by_columns(indices.copy(), indptr, shape[1]))[0]
    wanted = np.lexsort((rows, indices))
    np.testing.assert_array_equal(order, wanted)
    np.testing.assert_array_equal(row, rows[wanted])
    np.testing.assert_array_equal(start, np.r_[0, np.cumsum(dense.sum(axis=0))])


@pytest.mark.skipif(cuda_host.COMPILER is None, reason="CUDA sources run on the host as C++ where there is a g++")
def test_a_launch_may_share_as_much_as_before_after_one_that_shares_less():
    prepared = cuda_host.kernels("monotone").forward.__globals__["prepared"]
    code = 'typedef long long Int;\nextern "C" __global__ void toy(Int n) { shared_room()[n - 1] = 1.0; }'
    module = prepared.__globals__["cupy"].RawModule(code=code)
    large, small = (prepared(module, "toy", 1, 32, size // 8, shared=size) for size in (200_000, 60_000))
    small()
    large()
