"""Zero-sum games, by their matrices."""

import numpy as np

from numopt._array import default_rng
from numopt._check import integer, positive_scalar, scalar


def police_game(n=500, theta=0.8, seed=1):
    """Return Nemirovski's game of a policeman and a burglar.

    The burglar chooses house j of wealth w_j, the policeman house i; the burglar gets away with the wealth times the
    probability ``1 - exp(-theta |i - j|)``.

    Parameters
    ----------
    n : int, default 500
        Number of houses.
    theta : float, default 0.8
        Above 0; how fast the policeman's chances fall with the distance.
    seed : int, default 1
        Of NumPy's old generator, for ``w = |N(0, 1)|``. The defaults are the game of the paper's first experiment.

    Returns
    -------
    ndarray of shape (n, n), float64
        A_ij.

    References
    ----------
    A. Nemirovski, "Mini-course on convex programming algorithms", 2013; arXiv:2310.02987.

    Examples
    --------
    >>> from numopt.gallery import police_game
    >>> police_game(3).round(2)
    array([[0.  , 0.34, 0.42],
           [0.89, 0.  , 0.29],
           [1.3 , 0.34, 0.  ]])
    """
    n, theta = integer("n", n, low=1), positive_scalar("theta", theta)
    wealth = np.abs(np.random.RandomState(integer("seed", seed)).randn(n))
    i = np.arange(n)
    return (1.0 - np.exp(-theta * np.abs(i[:, None] - i))) * wealth


def gaussian_game(m, n, rng=0):
    """Return a game of independent standard normal entries: about half of all strategies are in use.

    Parameters
    ----------
    m, n : int
        Number of rows and of columns.
    rng : int, numpy.random.Generator or SeedSequence, default 0
        Source of the draws.

    Returns
    -------
    ndarray of shape (m, n), float64
        A.

    Examples
    --------
    >>> from numopt.gallery import gaussian_game
    >>> gaussian_game(2, 3).shape
    (2, 3)
    """
    return default_rng(rng).standard_normal((integer("m", m, low=1), integer("n", n, low=1)))


def power_game(n=500, alpha=2.0):
    """Return Nemirovski's game ``((i + j - 1) / (2 n - 1))^alpha``: nearly additive, with a pure equilibrium.

    Parameters
    ----------
    n : int, default 500
        Number of rows and of columns.
    alpha : float, default 2.0
        Above 0.

    Returns
    -------
    ndarray of shape (n, n), float64
        A.

    Examples
    --------
    >>> from numopt.gallery import power_game
    >>> power_game(2).round(3)
    array([[0.111, 0.444],
           [0.444, 1.   ]])
    """
    n, alpha = integer("n", n, low=1), positive_scalar("alpha", alpha)
    i = np.arange(1, n + 1)
    return ((i[:, None] + i - 1) / (2 * n - 1.0)) ** alpha


def toeplitz_game(n=500, rng=0):
    """Return a game that is constant along its diagonals, with standard normal values.

    Parameters
    ----------
    n : int, default 500
        Number of rows and of columns.
    rng : int, numpy.random.Generator or SeedSequence, default 0
        Source of the draws.

    Returns
    -------
    ndarray of shape (n, n), float64
        A_ij = t_(i - j).

    Examples
    --------
    >>> from numopt.gallery import toeplitz_game
    >>> A = toeplitz_game(4)
    >>> bool(A[0, 1] == A[2, 3])
    True
    """
    n = integer("n", n, low=1)
    t = default_rng(rng).standard_normal(2 * n - 1)
    i = np.arange(n)
    return t[i[:, None] - i + n - 1]


def sparse_game(m=4000, n=4000, density=0.005, rng=0):
    """Return a sparse game with uniform entries in [-1, 1].

    Parameters
    ----------
    m, n : int, default 4000
        Number of rows and of columns.
    density : float, default 0.005
        Share of entries that are not zero.
    rng : int, numpy.random.Generator or SeedSequence, default 0
        Source of the draws.

    Returns
    -------
    scipy.sparse.csr_matrix of shape (m, n), float64
        A.

    Examples
    --------
    >>> from numopt.gallery import sparse_game
    >>> sparse_game(40, 50, 0.1).nnz
    200
    """
    import scipy.sparse as sp

    draws = default_rng(rng)
    return sp.random(
        integer("m", m, low=1), integer("n", n, low=1), density=scalar("density", density, low=0.0, high=1.0),
        random_state=draws, data_rvs=lambda k: draws.uniform(-1, 1, k), format="csr",
    )  # fmt: skip
