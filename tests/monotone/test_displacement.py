"""Maps without a fixed point are told by their displacement; none that has one is."""

import numpy as np
import pytest

from numopt import Status
from numopt.monotone import fixed_point, monotone_root

METHODS = ["auto", "halpern", "iteration"]


def halfspaces(x):
    """Douglas and Rachford's map for x_0 <= 0 and x_0 >= 1, which do not meet: v = (1, 0, 0) but for the sign."""
    P = lambda z: np.r_[min(z[0], 0.0), z[1:]]  # noqa: E731
    Q = lambda z: np.r_[max(z[0], 1.0), 0.5 * z[1:]]  # noqa: E731
    p = P(x)
    return x + Q(2 * p - x) - p


def shifted(seed, n=8):
    """A symmetric contraction of all directions but one, in which it moves on by v."""
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    M, b = Q[:, 1:] @ np.diag(rng.uniform(-0.5, 0.5, n - 1)) @ Q[:, 1:].T, rng.standard_normal(n)
    v = Q[:, 0] * (Q[:, 0] @ b)
    return lambda x: Q[:, 0] * (Q[:, 0] @ x) + M @ x + b, v


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(6))
def test_the_infimal_displacement(method, seed):
    T, v = shifted(seed)
    x0 = np.random.default_rng(seed).standard_normal(8)
    result = fixed_point(T, x0, method=method, on_failure="ignore")
    assert result.status == Status.INFEASIBLE and not result.success, result.message
    np.testing.assert_allclose(result.displacement, v, rtol=1e-8, atol=1e-9 * np.linalg.norm(v))
    assert result.far > 1e10 * np.linalg.norm(v) and np.isfinite(result.x).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("T, v", [(lambda x: x + 1.0, [1, 1, 1]), (halfspaces, [1, 0, 0]),
                                  (lambda x: np.r_[np.maximum(x[0], 2.0) + 3, x[1:] / 2], [3, 0, 0])])  # fmt: skip
def test_disjoint_sets_and_shifts(T, v, method):
    result = fixed_point(T, np.array([2.0, 1.0, -1.0]), method=method, on_failure="ignore")
    assert result.status == Status.INFEASIBLE and "no fixed point" in result.message
    np.testing.assert_allclose(abs(result.displacement), v, atol=1e-8)


def with_fixed_points():
    """Yield nonexpansive maps with a fixed point, most of them slow, with a start."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        n = 6
        Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
        rates = 1 - 10.0 ** -rng.uniform(0, [1, 3, 6, 9, 10, 10.5][seed % 6], n)
        p = rng.standard_normal(n)
        yield f"affine {seed}", lambda x, Q=Q, rates=rates, p=p: p + Q @ (rates * (Q.T @ (x - p))), np.zeros(n)
        yield f"turning {seed}", lambda x, Q=Q, p=p: p + Q @ (x - p), 10 * rng.standard_normal(n)
    for power in range(1, 11):  # a shift until far away
        end = 10.0**power
        yield f"shift {power}", lambda x, end=end: np.minimum(x + 1, end), np.zeros(2)
        yield f"distant {power}", lambda x, end=end: x + 1 - x / end, np.zeros(2)
        yield f"soft {power}", lambda x, end=end: x - np.tanh((x - end) / end), np.zeros(2)
    for order in (2, 4, 8):  # sublinear
        yield f"flat {order}", lambda x, k=order: x - x ** (2 * k - 1) / (2 * k), np.ones(3)
    yield "square root", lambda x: x - (np.sqrt(1 + x**2) - 1) * np.sign(x) / 2, np.full(2, 1e6)
    yield "discs", lambda x: _disc(_disc(x, -1.0), 1.0), np.array([0.0, 50.0])  # they touch in 0
    yield "rounding", lambda x: x * (1 + 2.0**-52) - 1e-9 * (x - 1), np.full(2, 1.0)


def _disc(x, center):
    d = x - [center, 0.0]
    return [center, 0.0] + d / max(1.0, np.linalg.norm(d))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("method", METHODS)
def test_no_map_with_a_fixed_point_is_accused(method):
    accused = []
    for name, T, x0 in with_fixed_points():
        result = fixed_point(T, x0, method=method, xtol=0.0, maxiter=300, on_failure="ignore")
        if result.status == Status.INFEASIBLE or result.displacement is not None or result.far:
            accused.append(name)
    assert not accused


def test_a_map_that_is_defined_nearby_only():
    def T(x):
        if (abs(x) > 1e6).any():
            raise ValueError("outside")
        return x + 1.0

    result = fixed_point(T, np.zeros(2), on_failure="ignore")
    assert result.status in (Status.MAX_ITER, Status.STALLED) and result.displacement is None


def test_the_looks_are_cheap():
    calls = []
    for _, T, x0 in list(with_fixed_points())[:10]:
        result = fixed_point(
            lambda x, T=T: calls.append(1) or T(x), x0, method="halpern", xtol=0.0, on_failure="ignore"
        )
        assert len(calls) <= result.nit + 4 * 66 + 5
        calls.clear()


class Plain:
    """F as it comes, one component."""

    n, dim, lipschitz, kind = 1, 3, 1.0, "cocoercive"

    def __init__(self, full):
        self.full = full


@pytest.mark.parametrize("method", ["auto", "feg", "extragradient"])
def test_an_operator_without_a_zero_tells_where_it_leads(method):
    op = Plain(lambda z: np.r_[1.0 + np.logaddexp(0.0, z[0]), z[1:]])
    result = monotone_root(op, np.ones(3), method=method, max_iter=500, on_failure="ignore")
    assert not result.success and result.residual > 0.5, result.message
    np.testing.assert_allclose(result.displacement, [-1.0, 0.0, 0.0], atol=0.2)


def test_success_has_no_displacement():
    assert monotone_root(Plain(lambda z: z - 1.0), np.zeros(3)).displacement is None
