"""The kernels of mixtures and of low-rank factors, in every room, against naive twins."""

import numpy as np
import pytest

from numopt._kernels import kernels, use_kernels
from tests.oracles import mixture as oracle


@pytest.fixture(params=["fast", "portable"])
def room(request):
    if request.param == "portable":
        with use_kernels("portable"):
            yield request.param
    else:
        yield request.param


@pytest.mark.parametrize(("n", "p", "k", "b"), [(9, 1, 2, 1), (40, 3, 1, 3), (41, 5, 3, 4)])
@pytest.mark.parametrize(("kind", "weighted"), [("oas", True), ("none", True), ("oas", False), ("tied", True)])
def test_em(xp, room, n, p, k, b, kind, weighted):
    rng = np.random.default_rng(n)
    X, R = rng.normal(size=(n, p)), rng.random((b, n, k))
    R /= R.sum(axis=2, keepdims=True)
    want, value = zip(*(oracle.em_step(X, r, 0.01, kind, weighted) for r in R), strict=True)
    got, values = kernels("mixture", xp.xp).em(xp.asarray(X), xp.asarray(R), 1, 0.01, kind, weighted)
    assert xp.to_numpy(got) == pytest.approx(np.array(want), abs=1e-12)
    alive = np.array(want).sum(axis=1).min(axis=1) >= 2
    assert xp.to_numpy(values)[alive] == pytest.approx(np.array(value)[alive], rel=1e-12)
    assert np.isneginf(xp.to_numpy(values)[~alive]).all()


def test_the_gradient_of_the_lagrangian(xp):
    rng = np.random.default_rng(0)
    F, h, U, y = rng.normal(size=(2, 7, 3)), rng.normal(size=(2, 7)), rng.random((2, 7, 2)), rng.normal(size=7)
    k = kernels("low_rank", xp.xp)
    call = lambda U: k.lagrangian(xp.asarray(F), xp.asarray(h), xp.asarray(U), xp.asarray(y), 0.7)  # noqa: E731
    value, G, g = call(U)
    C = [h[b][:, None] + h[b] - F[b] @ F[b].T for b in range(2)]
    Z = [U[b] @ U[b].T for b in range(2)]
    off = sum(Z).sum(axis=1) - 1
    assert xp.to_numpy(g) == pytest.approx(off, abs=1e-12)
    want = sum((c * z).sum() for c, z in zip(C, Z, strict=True)) + y @ off + 0.35 * off @ off
    assert xp.to_numpy(value) == pytest.approx(want, rel=1e-12)
    step = 1e-6
    for index in [(0, 0, 0), (1, 3, 1), (1, 6, 0)]:
        E = np.zeros_like(U)
        E[index] = step
        slope = (xp.to_numpy(call(U + E)[0]) - xp.to_numpy(call(U - E)[0])) / (2 * step)
        assert xp.to_numpy(G)[index] == pytest.approx(slope, rel=1e-6)


def test_descent_in_both_rooms(xp):
    rng = np.random.default_rng(1)
    F, h, U, y = rng.normal(size=(3, 9, 2)), rng.normal(size=(3, 9)), rng.random((3, 9, 2)), np.zeros(9)
    norms = np.array([1.0, 2.0, 0.5])
    with use_kernels("portable"):
        plain = kernels("low_rank", xp.xp).descend(*map(xp.asarray, (F, h, U, norms, y)), 0.5, 1e-9, 12)
    fast = kernels("low_rank", xp.xp).descend(*map(xp.asarray, (F, h, U, norms, y)), 0.5, 1e-9, 12)
    for one, other in zip(plain[::2], fast[::2], strict=True):
        assert xp.to_numpy(one) == pytest.approx(xp.to_numpy(other), abs=1e-7)
    V = xp.to_numpy(fast[0])
    assert V.min() >= 0 and (V**2).sum(axis=(1, 2)) == pytest.approx(norms, rel=1e-12)
