"""The factor of bipartite graph Laplacians, against dense solves."""

import numpy as np
import pytest
import scipy.linalg

from numopt._kernels.cpu._laplacian import factor, solve
from tests.oracles.ot import bipartite_laplacian


def csr(W):
    rows, columns = np.nonzero(W)
    start = np.concatenate(([0], np.cumsum(np.count_nonzero(W, axis=1))))
    return W[rows, columns], columns.astype(np.uint32), start.astype(np.int64)


def forest(rng, n, m):
    """Each column hangs on one row, each row but the first on one column: no fill at all."""
    W = np.zeros((n, m))
    W[rng.integers(n, size=m), np.arange(m)] = rng.random(m) + 0.1
    W[np.arange(1, n), rng.integers(m, size=n - 1)] = rng.random(n - 1) + 0.1
    return W


def thinned(share):
    def make(rng, n, m):
        return rng.random((n, m)) * (rng.random((n, m)) < share)

    return make


def banded(rng, n, m):
    distance = np.abs(np.arange(n)[:, None] / n - np.arange(m) / m)
    return np.exp(-50 * distance) * (distance < 0.06)


def empty(rng, n, m):
    return np.zeros((n, m))


GRAPHS = {"forest": forest, "thin": thinned(0.03), "dense": thinned(0.9), "band": banded, "empty": empty}


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (33, 21), (130, 257)], ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("excess", [1.0, 1e-6])
def test_solutions(graph, shape, excess):
    rng = np.random.default_rng(0)
    n, m = shape
    W = GRAPHS[graph](rng, n, m)
    extra = excess * (rng.random(n) + 0.5), excess * (rng.random(m) + 0.5)
    L = bipartite_laplacian(W, *extra)
    nodes = factor(n, m, *csr(W), *extra)
    assert nodes[0].size + nodes[5].size == n + m
    for rhs in rng.normal(size=n + m), np.concatenate((np.zeros(n), rng.normal(size=m))):
        x = rhs.copy()
        solve(nodes, x)
        wanted = scipy.linalg.solve(L, rhs, assume_a="pos")
        # M-matrices factored without subtraction: small errors at any conditioning
        np.testing.assert_allclose(L @ x, rhs, atol=1e-12 * max(1.0, np.abs(L).max() * np.abs(x).max()))
        np.testing.assert_allclose(x, wanted, rtol=1e-7, atol=1e-8 * np.abs(wanted).max())


def test_weights_of_all_sizes():
    rng = np.random.default_rng(1)
    W = forest(rng, 60, 80) * np.exp(rng.uniform(-30, 0, (60, 80)))
    extra = np.full(60, 1e-3), np.full(80, 1e-3)
    rhs = rng.normal(size=140)
    x = rhs.copy()
    solve(factor(60, 80, *csr(W), *extra), x)
    np.testing.assert_allclose(x, np.linalg.solve(bipartite_laplacian(W, *extra), rhs), rtol=1e-10)


def test_a_graph_without_nodes_has_an_empty_factor():
    nodes = factor(0, 0, np.empty(0), np.empty(0, np.uint32), np.zeros(1, np.int64), np.empty(0), np.empty(0))
    assert all(part.size == 0 for part in nodes)


def test_too_much_work_is_refused_by_an_empty_factor():
    n = 2500  # a random graph of degree 6: the core fills in
    rng = np.random.default_rng(0)
    columns = np.argsort(rng.random((n, n)), axis=1)[:, :6]
    W = np.zeros((n, n))
    np.put_along_axis(W, columns, 1.0, axis=1)
    nodes = factor(n, n, *csr(W), np.ones(n), np.ones(n))
    assert nodes[0].size == 0 or nodes[0].size + nodes[5].size == 2 * n
