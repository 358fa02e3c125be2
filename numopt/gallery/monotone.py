"""Linear programs, finite sums and a saddle problem."""

import math

import numpy as np

from numopt._array import default_rng
from numopt._check import integer, one_of, scalar


def transport_program(s=100, t=120, rng=0):
    """Return exact optimal transport between points of a square as a linear program: degenerate and sparse.

    Parameters
    ----------
    s, t : int, default 100 and 120
        Number of sources and of targets.
    rng : int, numpy.random.Generator or SeedSequence, default 0
        Source of the draws.

    Returns
    -------
    c : ndarray of shape (s t,), float64
        Euclidean distances.
    A_eq : scipy.sparse.csr_matrix of shape (s + t, s t)
        Row and column sums of the plan.
    b_eq : ndarray of shape (s + t,)
        Masses, each side with sum 1.

    Examples
    --------
    >>> from numopt.gallery import transport_program
    >>> c, A, b = transport_program(3, 4)
    >>> A.shape
    (7, 12)
    """
    import scipy.sparse as sp

    draws, s, t = default_rng(rng), integer("s", s, low=1), integer("t", t, low=1)
    p, q = draws.random((s, 2)), draws.random((t, 2))
    c = np.linalg.norm(p[:, None] - q, axis=2).ravel()
    a, b = draws.random(s) + 0.1, draws.random(t) + 0.1
    sums = sp.vstack([sp.kron(sp.eye(s), np.ones((1, t))), sp.kron(np.ones((1, s)), sp.eye(t))]).tocsr()
    return c, sums, np.concatenate([a / a.sum(), b / b.sum()])


def random_program(m=1500, n=4000, density=0.02, rng=0):
    """Return a random sparse linear program with equations, x >= 0 and a known optimal pair.

    Parameters
    ----------
    m, n : int, default 1500 and 4000
        Number of equations and of variables, m <= n.
    density : float, default 0.02
        Share of entries that are not zero; each row has one more.
    rng : int, numpy.random.Generator or SeedSequence, default 0
        Source of the draws.

    Returns
    -------
    c : ndarray of shape (n,), float64
        Costs.
    A_eq : scipy.sparse.csr_matrix of shape (m, n)
        Equations.
    b_eq : ndarray of shape (m,)
        Right-hand sides.

    Examples
    --------
    >>> from numopt.gallery import random_program
    >>> c, A, b = random_program(20, 50)
    >>> A.shape
    (20, 50)
    """
    import scipy.sparse as sp

    draws, m, n = default_rng(rng), integer("m", m, low=1), integer("n", n, low=1)
    A = sp.random(m, n, density=density, random_state=draws, data_rvs=draws.standard_normal, format="csr")
    A = (A + sp.csr_matrix((np.ones(m), (np.arange(m), draws.permutation(n)[:m])), shape=(m, n))).tocsr()
    x, held = np.zeros(n), draws.permutation(n)[: m // 2]
    x[held] = draws.random(len(held))
    y, reduced = draws.standard_normal(m), draws.random(n)
    reduced[held] = 0
    return A.T @ y + reduced, A, A @ x


def logistic_sum(n=20_000, d=50, condition=1.0, rng=0):
    """Return data of a logistic regression whose columns have scales from 1 to ``condition^(-1/2)``.

    Parameters
    ----------
    n, d : int, default 20000 and 50
        Number of rows and of columns.
    condition : float, default 1.0
        At least 1; of the covariance of the columns.
    rng : int, numpy.random.Generator or SeedSequence, default 0
        Source of the draws.

    Returns
    -------
    A : ndarray of shape (n, d), float64
        Rows, their mean norm 1.
    b : ndarray of shape (n,), float64
        Classes 0 and 1, drawn from the model.

    Examples
    --------
    >>> from numopt.gallery import logistic_sum
    >>> A, b = logistic_sum(100, 5)
    >>> A.shape, b.shape
    ((100, 5), (100,))
    """
    draws, n, d = default_rng(rng), integer("n", n, low=1), integer("d", d, low=1)
    scales = np.geomspace(1, 1 / math.sqrt(scalar("condition", condition, low=1.0)), d)
    A = draws.standard_normal((n, d)) * scales
    A /= np.sqrt((A**2).sum(axis=1)).mean()
    b = draws.random(n) < 1 / (1 + np.exp(-A @ (3 * draws.standard_normal(d))))
    return A, b.astype(float)


def coupling_sum(kind="20", n=20_000, d=40, rng=0):
    """Return a bilinear finite sum F_i = (u_i (v_i.y) - p, q - v_i (u_i.x)) for `numopt.monotone.BilinearSum`.

    Parameters
    ----------
    kind : {"20", "40", "152"}, default "20"
        Named by the ratio of the average Lipschitz constant to that of the sum: what sampling has to pay. "40": U = V
        normal; "152": V has correlation 0.28 with U; "20": U = V with column scales from 1 to 0.1 (variances).
    n, d : int, default 20000 and 40
        Number of components, and of unknowns on each side.
    rng : int, numpy.random.Generator or SeedSequence, default 0
        Source of the draws.

    Returns
    -------
    U, V : ndarray of shape (n, d), float64
        Factors.
    c, b : ndarray of shape (d,), float64
        Linear terms -p and q.

    Examples
    --------
    >>> from numopt.gallery import coupling_sum
    >>> U, V, c, b = coupling_sum("40", n=100)
    >>> bool((U == V).all())
    True
    """
    one_of("kind", kind, ("20", "40", "152"))
    draws, n, d = default_rng(rng), integer("n", n, low=1), integer("d", d, low=1)
    U = draws.standard_normal((n, d))
    if kind == "20":
        U = U * np.sqrt(np.geomspace(1, 0.1, d))
    V = 0.28 * U + math.sqrt(1 - 0.28**2) * draws.standard_normal((n, d)) if kind == "152" else U
    return U, V, -draws.standard_normal(d), draws.standard_normal(d)


def worst_case_saddle(n=200):
    """Return Ouyang and Xu's worst case for first-order methods, for `numopt.monotone.QuadraticSaddle`.

    Parameters
    ----------
    n : int, default 200
        Number of unknowns on each side.

    Returns
    -------
    P, A : ndarray of shape (n, n), float64
        Quadratic term and coupling: P = 2 B^T B, A = -B with the bidiagonal B of entries 1/4.
    b, c : ndarray of shape (n,), float64
        Linear terms.

    References
    ----------
    Y. Ouyang, Y. Xu, "Lower complexity bounds of first-order methods for convex-concave bilinear saddle-point
    problems", arXiv:1808.02901.

    Examples
    --------
    >>> from numopt.gallery import worst_case_saddle
    >>> P, A, b, c = worst_case_saddle(3)
    >>> A
    array([[-0.  ,  0.25, -0.25],
           [ 0.25, -0.25, -0.  ],
           [-0.25, -0.  , -0.  ]])
    """
    n = integer("n", n, low=2)
    B, i = np.zeros((n, n)), np.arange(n)
    B[i, n - 1 - i] = 0.25
    B[i[:-1], n - 2 - i[:-1]] = -0.25
    c = np.zeros(n)
    c[-1] = -0.25
    return 2 * B.T @ B, -B, np.full(n, -0.25), c
