"""Problems whose plan is held neither whole nor by its large entries: the limits are lowered instead of large sizes."""

import numpy as np
import pytest

from numopt.ot import _large, sinkhorn_newton
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
