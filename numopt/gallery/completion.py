"""Problems of matrix completion: some entries of a matrix of low rank, and others to test with."""

from typing import NamedTuple

import numpy as np

from numopt._array import default_rng
from numopt._check import integer, positive_scalar, scalar

_TESTS = 200_000


class Completion(NamedTuple):
    """Observed entries of a matrix of `shape`, and entries to test a completion with."""

    rows: np.ndarray
    cols: np.ndarray
    values: np.ndarray
    shape: tuple
    test_rows: np.ndarray
    test_cols: np.ndarray
    test_values: np.ndarray


def low_rank(m=1000, n=1000, rank=10, *, oversampling=3.0, condition=1.0, noise=0.0, outliers=0.0, rng=0):
    """Return some entries of a matrix of low rank: Haar factors, a geometric spectrum, uniform positions.

    Parameters
    ----------
    m, n : int, default 1000
        Shape, at least 1.
    rank : int, default 10
        From 1 to min(m, n).
    oversampling : float, default 3
        Entries for each of the ``rank (m + n - rank)`` degrees of freedom, > 0; at most 95 % of all are given.
    condition : float, default 1
        Largest over smallest of the `rank` singular values, >= 1.
    noise : float, default 0
        Standard deviation added to the observed entries, whose root mean square is 1.
    outliers : float, default 0
        Share of the observed entries to which a uniform number from -10 to 10 is added.
    rng : int, numpy.random.Generator or SeedSequence, default 0
        Source of the draws, for ``numpy.random.default_rng``; None draws afresh each time.

    Returns
    -------
    Completion
        Row-major entries; 200 000 test entries are of the clean matrix, at uniform positions. The first four fields
        are what ``matrix_completion`` takes as X.

    Raises
    ------
    InvalidInputError, InvalidTypeError
        An argument is out of range.

    Examples
    --------
    >>> from numopt.gallery import low_rank
    >>> p = low_rank(50, 40, 2, oversampling=4)
    >>> p.values.size, p.shape
    (704, (50, 40))
    """
    m, n = (integer(name, size, low=1, remedy="ask for at least one line") for name, size in (("m", m), ("n", n)))
    rank = integer("rank", rank, low=1, high=min(m, n), remedy="lower it")
    oversampling = positive_scalar("oversampling", oversampling)
    condition = scalar("condition", condition, low=1.0)
    noise, outliers = scalar("noise", noise, low=0.0), scalar("outliers", outliers, low=0.0, high=1.0)
    rng = default_rng(rng)
    U, V = (np.linalg.qr(rng.standard_normal((size, rank)))[0] for size in (m, n))
    s = np.geomspace(1.0, 1.0 / condition, rank)
    s *= np.sqrt(m * n) / np.linalg.norm(s)
    U, V = U * np.sqrt(s), V * np.sqrt(s)
    count = min(int(oversampling * rank * (m + n - rank)), int(0.95 * m * n))
    flat = np.sort(rng.permutation(_distinct(count, lambda size: rng.integers(0, m * n, int(1.2 * size) + 16)))[:count])
    rows, cols = (x.astype(np.int32) for x in np.divmod(flat, n))
    values = np.einsum("ij,ij->i", U[rows], V[cols])
    if noise:
        values = values + noise * rng.standard_normal(count)
    if outliers:
        hit = rng.random(count) < outliers
        values[hit] += rng.uniform(-10, 10, hit.sum())
    test_rows, test_cols = rng.integers(0, m, _TESTS), rng.integers(0, n, _TESTS)
    truth = np.einsum("ij,ij->i", U[test_rows], V[test_cols])
    return Completion(rows, cols, values, (m, n), test_rows, test_cols, truth)


def ratings(m=6000, n=3700, count=1_000_000, rank=12, rng=0):
    """Return ratings from 1 to 5: users of uneven activity, items of uneven popularity, biases, tastes and noise.

    Parameters
    ----------
    m, n : int, default 6000, 3700
        Users and items, at least 1.
    count : int, default 1 000 000
        Ratings, a tenth of which is for testing; at least 10, at most half of m n.
    rank : int, default 12
        Of the tastes, at least 1.
    rng : int, numpy.random.Generator or SeedSequence, default 0
        Source of the draws, for ``numpy.random.default_rng``; None draws afresh each time.

    Returns
    -------
    Completion
        In random order. With the default sizes it resembles a public set of a million ratings of films.

    Raises
    ------
    InvalidInputError, InvalidTypeError
        An argument is out of range.

    Examples
    --------
    >>> from numopt.gallery import ratings
    >>> p = ratings(60, 50, 1000)
    >>> p.values.size, p.test_values.size, float(p.values.max())
    (900, 100, 5.0)
    """
    m, n = (integer(name, size, low=1, remedy="ask for at least one") for name, size in (("m", m), ("n", n)))
    count = integer("count", count, low=10, high=m * n // 2, remedy="ask for fewer, or for more users or items")
    rank = integer("rank", rank, low=1)
    rng = default_rng(rng)
    active, popular = rng.lognormal(0, 1.1, m), (1 + np.arange(n)) ** -0.75
    active, popular = active / active.sum(), popular / popular.sum()

    def draw(missing):
        size = int(1.6 * missing) + 64
        return rng.choice(m, size, p=active) * n + rng.choice(n, size, p=popular)

    flat = rng.permutation(_distinct(count, draw))[:count]
    rows, cols = (x.astype(np.int32) for x in np.divmod(flat, n))
    s = 0.75 * np.geomspace(1, 0.2, rank)
    P, Q = (0.55 * rng.standard_normal((size, rank)) * np.sqrt(s) for size in (m, n))
    taste = np.einsum("ij,ij->i", P[rows], Q[cols])
    values = 3.5 + 0.45 * rng.standard_normal(m)[rows] + 0.5 * rng.standard_normal(n)[cols] + taste
    values = np.clip(np.rint(values + 0.75 * rng.standard_normal(count)), 1, 5)
    test, train = slice(count // 10), slice(count // 10, None)
    return Completion(rows[train], cols[train], values[train], (m, n), rows[test], cols[test], values[test])


def _distinct(count, draw):
    """Return at least `count` distinct numbers of those that ``draw(how many are missing)`` gives, sorted."""
    found = np.empty(0, np.int64)
    while found.size < count:
        found = np.unique(np.concatenate((found, draw(count - found.size))))
    return found
