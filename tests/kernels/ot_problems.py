"""Problems, and comparisons of the rooms, for the tests of the transport kernels."""

from types import SimpleNamespace

import numpy as np
import pytest

from numopt._kernels import kernels
from numopt._kernels.portable import ot as portable
from tests.kernels import cuda_host
from tests.oracles import ot as oracle

SHAPES = [(1, 1), (1, 7), (7, 1), (33, 21), (130, 257)]
TOLERANCE = {"float64": 1e-12, "float32": 2e-5}
each_cost = pytest.mark.parametrize("kind", [0, 1, 2, 3], ids=["matrix", "sqeuclidean", "euclidean", "l1"])
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda s: f"{s[0]}x{s[1]}")
each_dtype = pytest.mark.parametrize("dtype", ["float64", "float32"])


def rooms(xp):
    """Return the kernels for these arrays; for NumPy's, the portable ones and those for CUDA devices too."""
    found = [kernels("ot", xp.xp)] + [portable] * (xp.name in ("numpy", "readonly"))
    return found + cuda_host.rooms("ot", xp)


def weights(rng, size):
    w = rng.random(size) + 0.1
    return w / w.sum()


def plan_direction(k, kept, cost, f, b, rhs, regularization, rtol, max_iter):
    return k.plan_direction(kept, *k.groups(cost, f), b, rhs, regularization, rtol, max_iter)


def pattern_direction(k, K, cost, f, a, b, w, s, drop, rhs, regularization, rtol, max_iter):
    groups = k.groups(cost, f)
    return k.pattern_direction(*K, a, b, w, s, *groups, drop, rhs, regularization, rtol, max_iter)


def as_kept(k, K, cost, f, a, b):
    return k.pattern_kept(*K, a, b, *k.groups(cost, f))


def problem(shape=(33, 21), kind=0, dtype="float64", spread=1.0, seed=0):
    """Return NumPy arrays in `dtype`, and the cost matrix D of the rounded arrays in float64."""
    rng = np.random.default_rng(seed)
    n, m = shape
    X, Y = rng.random((n, 3)).astype(dtype), rng.random((m, 3)).astype(dtype)
    C = (spread * rng.random(shape)).astype(dtype)
    D = oracle.distances(X, Y, kind) if kind else C.astype(np.float64)
    empty = np.empty((0, 0), dtype)
    return SimpleNamespace(
        cost=(empty, X, np.ascontiguousarray(Y.T), kind) if kind else (C, empty, empty, 0),
        D=D,
        reg=0.2,
        a=weights(rng, n).astype(dtype),
        b=weights(rng, m).astype(dtype),
        f=rng.normal(size=n).astype(dtype),
        g=rng.normal(size=m).astype(dtype),
        dtype=dtype,
    )


def moved(xp, x):
    """Return copies of the arrays in `x` as arrays of the backend."""
    if isinstance(x, tuple):
        return tuple(moved(xp, v) for v in x)
    return xp.asarray(x, x.dtype.name) if isinstance(x, np.ndarray) else x


def check(xp, found, wanted, tolerance, dtype=None):
    """Compare a kernel's array with NumPy's, relative to the entry, and its dtype."""
    assert xp.owns(found) or np.isscalar(found)
    if dtype is not None:
        assert found.dtype == getattr(xp.xp, dtype)
    np.testing.assert_allclose(xp.to_numpy(found), wanted, rtol=tolerance, atol=tolerance * 1e-6)


def fitted(shape, kind=0, dtype="float64", reg=0.05):
    """Return a problem whose potentials give a plan with entries of all sizes, and this plan."""
    p = problem(shape, kind, dtype)
    p.reg = reg
    p.g = (0.1 * p.g).astype(dtype)
    p.f = oracle.half_step(p.D, p.a.astype(np.float64), p.g.astype(np.float64), reg).astype(dtype)
    return p, oracle.plan(p.D, p.f.astype(np.float64), p.g.astype(np.float64), reg)


def csr(K):
    rows, columns = np.nonzero(K)
    indptr = np.concatenate(([0], np.cumsum(np.count_nonzero(K, axis=1))))
    return K[rows, columns], columns.astype(np.int32), indptr
