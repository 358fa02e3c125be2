"""On a device, no kernel of an inner loop waits for the host: CuPy is told to raise where one would."""

import warnings

import numpy as np
import pytest

from numopt import _kernels
from tests import conftest
from tests.kernels.ot_problems import moved, problem

pytestmark = pytest.mark.cuda


@pytest.fixture
def xp(request):
    """Only a device can be asked."""
    return conftest._cupy(request)


@pytest.fixture(params=["portable", "cuda"])
def k(request):
    """Return a function from families to kernels of a room."""
    return lambda family: _kernels._table(family, request.param)


@pytest.fixture
def alone(xp):
    """Return a function that calls another twice, the second time without the host."""
    import cupyx

    def call(function):
        function()  # compiles, and moves what is kept
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "cupyx.allow_synchronize")  # CuPy may miss some, and means to drop it
            with cupyx.allow_synchronize(False):
                return function()

    return call


def test_passes_over_a_cost(xp, k, alone):
    p = problem((130, 257))
    cost, a, f, g = moved(xp, (p.cost, p.a, p.f, p.g))
    alone(lambda: k("ot").row_pass(cost, a, f, g, p.reg, False))
    alone(lambda: k("ot").plan_sums(cost, f, g, p.reg))


def test_products_with_the_entries_of_a_plan(xp, k, alone):
    p = problem((130, 257))
    cost, a, b, f, g = moved(xp, (p.cost, p.a, p.b, p.f, p.g))
    K = k("ot").extract(cost, f, g, p.reg, *moved(xp, (np.log(p.a), np.log(p.b))), -6.0)
    w = xp.xp.ones_like(b)
    s, c = alone(lambda: k("ot").pattern_eval(*K, a, w))
    assert xp.owns(s) and xp.owns(c)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("simplex", [False, True])
def test_steps_of_pdhg(xp, k, alone, simplex, dtype):
    rng = np.random.default_rng(1)
    A, x, y, none = (xp.asarray(v) for v in (rng.random((45, 70)), rng.random(70), rng.random(45), np.empty(0)))
    A = xp.xp.astype(A, getattr(xp.xp, dtype))
    X = (1.0, none, none) if simplex else (0.0, x - 1, x + 1)
    point = x, y, A @ xp.xp.astype(x, A.dtype), xp.xp.astype(y, A.dtype) @ A
    point = tuple(xp.xp.astype(v, xp.xp.float64) for v in point)
    alone(lambda: k("monotone").pdhg_steps((A,), x, y, X, (0.0, y, y), point, point, 0, 0.1, 0.1, 5))


def test_half_steps(xp, k, alone):
    rng, ptr = np.random.default_rng(1), np.array([0, 40, 40, 90])
    index = np.concatenate([rng.permutation(60)[:c] for c in np.diff(ptr)])
    y, V, none, base = (xp.asarray(v) for v in (rng.random(90), rng.random((60, 5)), np.empty(0), np.empty((0, 5))))
    side, ridge = (y, xp.asarray(index, "int32"), ptr, none), xp.asarray(np.full(5, 0.1))
    if k("completion").half_step.__module__.endswith("cuda.completion"):  # the other moves what it is about to gather
        alone(lambda: k("completion").half_step(side, V, none, ridge, none, base, False))


def test_passes_over_the_matrix_of_the_splitting(xp, k, alone):
    rng = np.random.default_rng(1)
    T, V, w = (xp.asarray(v) for v in (rng.random((70, 70)), rng.random((70, 4)), rng.random(4)))
    alone(lambda: k("clustering").split_step(T, V, w, 1.8))
    alone(lambda: k("clustering").abs_times(T, V))
    alone(lambda: k("clustering").negative_times(T, V))
    alone(lambda: k("clustering").below_zero(V, w))


def test_passes_over_points_with_labels(xp, k, alone):
    rng = np.random.default_rng(1)
    X, labels, sizes = xp.asarray(rng.random((90, 4))), xp.asarray(np.arange(90) % 3), xp.asarray(np.full(3, 30.0))
    alone(lambda: k("clustering").lloyd_pass(X, X[:3, :]))
    alone(lambda: k("clustering").label_sums(X, labels, 3))
    if k("clustering").spread.__module__.endswith("cuda.clustering"):  # the others look for the points of a cluster
        alone(lambda: k("clustering").spread(X, labels, X[:3, :], sizes))
        alone(lambda: k("clustering").pair_grams(X, labels, X[:3, :], sizes, 1.0))


def test_steps_of_em(xp, k, alone):
    rng = np.random.default_rng(1)
    X, R = xp.asarray(rng.random((90, 4))), xp.asarray(rng.dirichlet(np.ones(3), (2, 90)))
    if k("mixture").em.__module__.endswith("cuda.mixture"):
        alone(lambda: k("mixture").em(X, R, 3, 1e-3, "oas", True))
