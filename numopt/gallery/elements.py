"""Sequences of systems from bilinear finite elements."""

import numpy as np
import scipy.sparse as sparse

from numopt._array import default_rng
from numopt._check import integer, one_of


def finite_elements(kind, T, m=None, rng=3):
    """Yield systems A (1 + sin(t)/2) + c_t d I from bilinear finite elements, d the mean of A's diagonal.

    Parameters
    ----------
    kind : {"anisotropic", "elasticity"}
        Diffusion that is a hundred times weaker across a direction at 30 degrees; plane strain (Poisson's ratio
        0.3, Young's modulus 1e5) with two unknowns a node.
    T : int
        How many.
    m : int, optional
        Interior nodes a side: 300 by default (n = 90 000), or 120 (n = 28 800).
    rng : None, int, SeedSequence or Generator, default 3
        Source of the draws.

    Yields
    ------
    c : float
        The shift, 10 to a power uniform on [-5, -3].
    A : csr_array of shape (n, n)
    b : ndarray of shape (n,)
        Uniform on [-1, 1].

    Examples
    --------
    >>> from numopt.gallery import finite_elements
    >>> [A.shape for c, A, b in finite_elements("elasticity", 2, m=10)]
    [(200, 200), (200, 200)]
    """
    anisotropic = one_of("kind", kind, ("anisotropic", "elasticity")) == "anisotropic"
    T = integer("T", T, low=1, remedy="ask for at least one system")
    m = integer("m", (300 if anisotropic else 120) if m is None else m, low=1, remedy="ask for at least one node")
    rng, A = default_rng(rng), _assembled(m, _anisotropic(0.01, np.pi / 6) if anisotropic else _elastic(1e5, 0.3))
    n = A.shape[0]
    on_diagonal = A.indices == np.repeat(np.arange(n), np.diff(A.indptr))
    mean = A.diagonal().mean()
    for t in range(T):
        c = 10.0 ** rng.uniform(-5, -3)
        data = A.data * (1 + 0.5 * np.sin(t)) + c * mean * on_diagonal
        yield c, sparse.csr_array((data, A.indices, A.indptr), shape=A.shape), rng.uniform(-1, 1, n)


_CORNERS = np.array([(0, 0), (0, 1), (1, 0), (1, 1)])  # (row, column) of the nodes of an element


def _gradients():
    """Yield the gradients (4, 2) of the bilinear functions by x (column) and y (row) at Gauss's points, weight 1/4."""
    for v in 0.5 - 0.5 / np.sqrt(3), 0.5 + 0.5 / np.sqrt(3):
        for u in 0.5 - 0.5 / np.sqrt(3), 0.5 + 0.5 / np.sqrt(3):
            r, c = _CORNERS.T
            in_row, in_column = np.where(r, v, 1 - v), np.where(c, u, 1 - u)
            yield np.stack([in_row * (2 * c - 1), in_column * (2 * r - 1)], axis=1)


def _anisotropic(epsilon, angle):
    """Return the matrix (4, 4) of an element for diffusion 1 at `angle` to the first axis and `epsilon` across."""
    e = np.array([np.sin(angle), np.cos(angle)])
    tensor = np.outer(e, e) + epsilon * (np.eye(2) - np.outer(e, e))
    return sum(G @ tensor @ G.T for G in _gradients()) / 4


def _elastic(young, poisson):
    """Return the matrix (8, 8) of an element for plane strain; unknowns are x, y of each node in turn."""
    lam, mu = young * poisson / ((1 + poisson) * (1 - 2 * poisson)), young / (2 * (1 + poisson))
    C = np.array([[lam + 2 * mu, lam, 0], [lam, lam + 2 * mu, 0], [0, 0, mu]])
    K = np.zeros((8, 8))
    for G in _gradients():
        B = np.zeros((3, 8))
        B[0, 0::2], B[1, 1::2], B[2, 0::2], B[2, 1::2] = G[:, 0], G[:, 1], G[:, 1], G[:, 0]
        K += B.T @ C @ B / 4
    return K


def _assembled(m, K):
    """Return the matrix of m x m interior nodes, elements K, zero on the boundary."""
    each = len(K) // 4
    row, column = np.divmod(np.arange((m + 1) ** 2), m + 1)
    nodes = np.stack([row[:, None] + _CORNERS[:, 0] - 1, column[:, None] + _CORNERS[:, 1] - 1])  # -1, m: boundary
    inside = ((nodes >= 0) & (nodes < m)).all(axis=0)
    number = ((nodes[0] * m + nodes[1])[..., None] * each + np.arange(each)).reshape(len(row), -1)
    inside = np.repeat(inside, each, axis=1)
    pair = inside[:, :, None] & inside[:, None, :]
    i, j = np.broadcast_to(number[:, :, None], pair.shape)[pair], np.broadcast_to(number[:, None, :], pair.shape)[pair]
    values = np.broadcast_to(K, pair.shape)[pair]
    n = m * m * each
    A = sparse.csr_array(sparse.coo_array((values, (i, j)), shape=(n, n)))
    A.sum_duplicates()
    A.data[np.abs(A.data) < 1e-12 * np.abs(A.data).max()] = 0.0  # where elements cancel
    A.eliminate_zeros()
    return A
