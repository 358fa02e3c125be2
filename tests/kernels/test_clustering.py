"""The kernels of K-means and of the splitting, in every room, against naive twins."""

import numpy as np
import pytest

from numopt._kernels import kernels, use_kernels


@pytest.fixture(params=["fast", "portable"])
def room(request):
    if request.param == "portable":
        with use_kernels("portable"):
            yield request.param
    else:
        yield request.param


@pytest.mark.parametrize(("n", "p", "k"), [(1, 1, 1), (7, 3, 2), (4097, 2, 5), (20000, 4, 3)])
def test_a_pass_of_lloyd(xp, room, n, p, k):
    rng = np.random.default_rng(n)
    X, centres = rng.normal(size=(n, p)), rng.normal(size=(k, p))
    D = ((X[:, None] - centres) ** 2).sum(axis=2)
    got = kernels("clustering", xp.xp).lloyd_pass(xp.asarray(X), xp.asarray(centres))
    labels, sizes, sums, sse = (xp.to_numpy(x) for x in got)
    assert (labels == D.argmin(axis=1)).all() and (sizes == np.bincount(labels, minlength=k)).all()
    assert sums == pytest.approx(np.array([X[labels == a].sum(axis=0) for a in range(k)]), abs=1e-9)
    assert sse == pytest.approx(D.min(axis=1).sum(), rel=1e-12)


@pytest.mark.parametrize("n", [1, 2, 65, 300])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_passes_over_the_matrix(xp, room, n, dtype):
    rng = np.random.default_rng(n)
    T = rng.normal(size=(n, n))
    T = (T + T.T).astype(dtype)
    V, w, Y = rng.normal(size=(n, 2)).astype(dtype), rng.random(2).astype(dtype), rng.normal(size=(n, 3)).astype(dtype)
    k, near = kernels("clustering", xp.xp), 1e-4 if dtype == "float32" else 1e-11
    Z = (V * w) @ V.T + 1 / n
    assert xp.to_numpy(k.abs_times(xp.asarray(T), xp.asarray(Y))) == pytest.approx(abs(T) @ Y, abs=near * n)
    got = k.negative_times(xp.asarray(T), xp.asarray(Y))
    assert xp.to_numpy(got) == pytest.approx(np.maximum(-T, 0) @ Y, abs=near * n)
    square, least = k.below_zero(xp.asarray(V), xp.asarray(w))
    assert xp.to_numpy(square) == pytest.approx((np.minimum(Z, 0) ** 2).sum(), rel=1e-3, abs=near)
    assert xp.to_numpy(least) == pytest.approx(Z.min(), abs=near)
    new = T + 1.7 * (Z - np.maximum(T, 0))
    given = xp.xp.asarray(xp.asarray(T), copy=True)  # it may be overwritten
    got, moved = k.split_step(given, xp.asarray(V), xp.asarray(w), 1.7)
    assert xp.to_numpy(got) == pytest.approx(new, abs=near)
    parts = [np.maximum(new, 0), np.minimum(new, 0)]
    changes = [np.maximum(new, 0) - np.maximum(T, 0), np.minimum(new, 0) - np.minimum(T, 0)]
    assert xp.to_numpy(moved) == pytest.approx([(x**2).sum() for x in parts + changes], rel=1e-3, abs=near)


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_the_number_of_threads_does_not_matter(threads):
    import numopt

    rng = np.random.default_rng(0)
    X, centres = rng.normal(size=(30000, 3)), rng.normal(size=(4, 3))
    Z = rng.normal(size=(70, 70))
    k, triangles = kernels("clustering", np), kernels("triangles", np)
    with numopt.threads(1):
        one = *k.lloyd_pass(X, centres), *triangles.worst_triangles(Z)
    with numopt.threads(threads):
        other = *k.lloyd_pass(X, centres), *triangles.worst_triangles(Z)
    assert all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("n", [1, 2, 3, 30])
def test_triangles(xp, room, n):
    """Gather and scatter are adjoint, and no triangle is overlooked."""
    rng = np.random.default_rng(n)
    Z = rng.normal(size=(n, n))
    Z = 0.1 * (Z + Z.T)
    k = kernels("triangles", xp.xp)
    values, second = (xp.to_numpy(x) for x in k.worst_triangles(xp.asarray(Z)))
    want = np.full((n, n), -1.0)
    for i in range(n):
        for b in set(range(n)) - {i}:
            for a in set(range(b)) - {i}:
                want[i, b] = max(want[i, b], Z[i, a] + Z[i, b] - Z[i, i] - Z[a, b])
    assert values == pytest.approx(want, abs=1e-14)
    i, b = np.nonzero(values > -1)
    cuts, q = np.column_stack([i, second[i, b], b]).astype(np.int64), rng.random(len(i))
    at = xp.asarray(cuts)
    assert xp.to_numpy(k.triangle_values(xp.asarray(Z), at, -1.0)) == pytest.approx(values[i, b], abs=1e-14)
    for sign in (-1.0, 1.0):
        S = xp.to_numpy(k.triangle_matrix(at, xp.asarray(q), n, sign))
        got = xp.to_numpy(k.triangle_values(xp.asarray(Z), at, sign))
        assert pytest.approx(S.T, abs=0) == S and (S * Z).sum() == pytest.approx(q @ got, abs=1e-11)
