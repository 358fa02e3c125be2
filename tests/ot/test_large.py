"""Problems whose plan is held neither whole nor by its large entries: the limits are lowered instead of large sizes."""

from types import SimpleNamespace

import numpy as np
import pytest

from numopt import _array
from numopt.ot import _large, sinkhorn_newton
from numopt.ot._problem import transport_problem
from tests.ot.measure import certified


@pytest.fixture(autouse=True)
def short_of_memory(monkeypatch):
    monkeypatch.setattr(_large, "LARGEST", 2**16)
    monkeypatch.setattr(_large, "MOST", 2**13)


def cloud(n, d, seed=0):
    rng = np.random.default_rng(seed)
    a, b = rng.random(n) + 0.1, rng.random(n) + 0.1
    return a / a.sum(), b / b.sum(), rng.random((n, d)), rng.random((n, d))


def clusters(n):
    """Return two clusters far apart, of masses that do not fit: some mass must go all the way."""
    a, b, X, Y = cloud(n, 2)
    X[: n // 2, 0] += 2.0
    Y[: n // 3, 0] += 2.0
    return a, b, X, Y


PROBLEMS = {
    "smooth": (*cloud(1200, 3), 1e-2), "sharper": (*cloud(1200, 3), 2e-3), "plane": (*cloud(1200, 2), 1e-3),
    "clusters": (*clusters(900), 3e-2),
}  # fmt: skip


@pytest.mark.parametrize("name", PROBLEMS)
def test_directions_by_passes_lead_to_the_end(name):
    a, b, X, Y, reg = PROBLEMS[name]
    result = sinkhorn_newton(a, b, X=X, Y=Y, reg=reg, tol=1e-9)
    certified(result, a, b, ((X[:, None] - Y) ** 2).sum(-1), 1e-9)
    assert result.n_passes <= 250


def test_in_float32():
    a, b, X, Y = (x.astype("float32") for x in cloud(1200, 3))
    assert sinkhorn_newton(a, b, X=X, Y=Y, reg=1e-2, tol=1e-4).success


def test_what_earlier_steps_changed_is_removed_by_them(xp):
    """On a linear residual, and up to the part that none of them changed."""
    rng = np.random.default_rng(3)
    S, b = rng.random((7, 7)), rng.random(7) + 0.5
    x, r = rng.random((5, 7)), rng.random(7)
    residuals = r - x @ S
    secants = _large.Secants(SimpleNamespace(xp=_array.namespace(xp.asarray(b)), b=xp.asarray(b)))
    for v, q in zip(x, residuals, strict=True):
        known, rest = (xp.to_numpy(part) for part in secants.applied(xp.asarray(v), xp.asarray(q)))
        assert secants.basis is not None or (not known.any() and (rest == q).all())
    np.testing.assert_allclose(residuals[-1] - known @ S, rest, atol=1e-10)
    np.testing.assert_allclose((np.diff(residuals, axis=0) / b) @ rest, 0.0, atol=1e-10)


@pytest.mark.parametrize("depth", [1e-12, 1e-3])
def test_entries_that_matter_are_counted_on_some_rows(depth):
    a, b, X, Y = cloud(900, 2)
    p = transport_problem(a, b, X=X, Y=Y, reg=1e-2)
    f, _ = p.kernels.row_pass(p.cost, a, 0 * a, 0 * b, 1e-2, False)
    found = p.kernels.extract(p.cost, f, 0 * b, 1e-2, np.log(a), np.log(b), np.log(depth))[0].size
    assert 0.7 * found < _large.matter(p, 0 * b, 1e-2, (0.0, depth))[1] < 1.4 * found


def test_samples_of_rows_lead_to_the_end():
    """51 passes are needed where steps do not learn from those before."""
    a, b, X, Y = cloud(1000, 2)
    result = sinkhorn_newton(a, b, X=X, Y=Y, reg=3e-2, tol=1e-9)
    certified(result, a, b, ((X[:, None] - Y) ** 2).sum(-1), 1e-9)
    assert result.nnz == 0 and result.n_passes <= 40
