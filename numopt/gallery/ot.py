"""Problems of optimal transport: two weight vectors and a cost matrix, or two weighted point clouds."""

import numpy as np

from numopt._array import default_rng
from numopt._check import integer, one_of

_SIDE = 28  # pixels a side of a digit


def assignment(n=500, rng=0):
    """Return a random assignment problem: independent uniform costs, uniform weights.

    Parameters
    ----------
    n : int, default 500
        Number of sources and of targets, at least 1.
    rng : int, numpy.random.Generator or SeedSequence, default 0
        Source of the draws, for ``numpy.random.default_rng``; None draws afresh each time.

    Returns
    -------
    a, b : ndarray of shape (n,), float64
        Weights 1 / n.
    C : ndarray of shape (n, n), float64
        Costs in [0, 1). Memory: 8 n^2 bytes.

    Raises
    ------
    InvalidInputError, InvalidTypeError
        `n` is out of range or no integer, or `rng` no source of random numbers.

    Notes
    -----
    With n = 500 and reg = 1 / 1200 this is the first experiment of [1]_. There is hardly any structure
    that a solver could use; for geometry take `gaussian_mixtures` or `digit_images`.

    References
    ----------
    .. [1] Tang et al., "Accelerating Sinkhorn algorithm with sparse Newton iterations", ICLR 2024,
       arXiv:2401.12253.

    Examples
    --------
    >>> from numopt.gallery import assignment
    >>> a, b, C = assignment(4)
    >>> a
    array([0.25, 0.25, 0.25, 0.25])
    >>> C.shape
    (4, 4)
    """
    n = integer("n", n, low=1, remedy="ask for at least one point")
    C = default_rng(rng).random((n, n))
    return np.full(n, 1.0 / n), np.full(n, 1.0 / n), C


def digit_images(metric="l2", i=0, j=1):
    """Return the transport between two handwritten digits, seen as mass on a grid of 28 x 28 pixels.

    Parameters
    ----------
    metric : {"l2", "l1"}, default "l2"
        Ground cost between pixels: squared Euclidean distance or l1 distance, scaled to a maximum of 1.
    i, j : int, default 0 and 1
        Which of the 1797 images of scikit-learn's ``load_digits`` are source and target.

    Returns
    -------
    a, b : ndarray of shape (784,), float64
        Grey values of the 8 x 8 images, interpolated linearly, plus 1 % of uniform background, so that
        every weight is positive. They sum to 1.
    C : ndarray of shape (784, 784), float64
        Cost in [0, 1], zero on the diagonal.

    Raises
    ------
    InvalidInputError, InvalidTypeError
        `metric` is unknown; `i` or `j` is out of range or no integer.

    Notes
    -----
    The l1 cost on a grid has very many optimal plans, which makes it the hardest of the gallery at small
    regularisation.

    Examples
    --------
    >>> from numopt.gallery import digit_images
    >>> a, b, C = digit_images("l1", 3, 8)
    >>> C.shape, float(C.max())
    ((784, 784), 1.0)
    """
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits

    one_of("metric", metric, ("l2", "l1"))
    images = load_digits().images
    weights = []
    for name, index in (("i", i), ("j", j)):
        index = integer(name, index, high=len(images) - 1, remedy=f"there are {len(images)} images")
        grey = np.clip(zoom(images[index], _SIDE / 8, order=1), 0, None).ravel()
        grey = grey / grey.sum() + 0.01 / grey.size
        weights.append(grey / grey.sum())
    u = np.arange(_SIDE) / (_SIDE - 1.0)
    pixels = np.stack(np.meshgrid(u, u, indexing="ij"), axis=-1).reshape(-1, 2)
    C = _distances(pixels, pixels, np.square if metric == "l2" else np.abs)
    return *weights, C / C.max()


def gaussian_clouds(n, rng=0, dim=2):
    """Return points of two Gaussian mixtures, of four and of five components.

    Parameters
    ----------
    n : int
        Number of points of either cloud, at least 1.
    rng : int, numpy.random.Generator or SeedSequence, default 0
        Source of the draws, for ``numpy.random.default_rng``; None draws afresh each time.
    dim : int, default 2
        Dimension of the space, at least 1.

    Returns
    -------
    X, Y : ndarray of shape (n, dim), float64
        Points. Centres have standard deviation 2 (those of `Y` around 1), points 0.3 around them.
    a, b : ndarray of shape (n,), float64
        Weights that sum to 1: uniform ones, and uneven ones with ratios up to 3.

    Raises
    ------
    InvalidInputError, InvalidTypeError
        An argument is out of range or no integer.

    See Also
    --------
    gaussian_mixtures : the same problem with its cost matrix.

    Examples
    --------
    >>> from numopt.gallery import gaussian_clouds
    >>> X, Y, a, b = gaussian_clouds(100, dim=3)
    >>> X.shape, Y.shape, float(round(b.sum(), 12))
    ((100, 3), (100, 3), 1.0)
    """
    n = integer("n", n, low=1, remedy="ask for at least one point")
    dim = integer("dim", dim, low=1, remedy="ask for at least one dimension")
    rng = default_rng(rng)

    def cloud(components, shift):
        centres = 2.0 * rng.normal(size=(components, dim)) + shift
        chosen = rng.integers(components, size=n)
        return centres[chosen] + 0.3 * rng.normal(size=(n, dim))

    X, Y = cloud(4, 0.0), cloud(5, 1.0)
    b = rng.random(n) + 0.5
    return X, Y, np.full(n, 1.0 / n), b / b.sum()


def gaussian_mixtures(n, rng=0, dim=2):
    """Return the transport between two Gaussian mixtures with squared Euclidean cost.

    Parameters
    ----------
    n : int
        Number of points of either cloud, at least 1.
    rng : int, numpy.random.Generator or SeedSequence, default 0
        Source of the draws, for ``numpy.random.default_rng``; None draws afresh each time.
    dim : int, default 2
        Dimension of the space, at least 1.

    Returns
    -------
    a, b : ndarray of shape (n,), float64
        Weights that sum to 1.
    C : ndarray of shape (n, n), float64
        Squared distances divided by their median, so that a regularisation is relative to the median.
        Memory: 8 n^2 bytes, and as much again while it is made.

    Raises
    ------
    InvalidInputError, InvalidTypeError
        An argument is out of range or no integer.

    See Also
    --------
    gaussian_clouds : the points themselves, in their own units, for problems too large for a matrix.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.gallery import gaussian_mixtures
    >>> a, b, C = gaussian_mixtures(100)
    >>> float(np.median(C))
    1.0
    """
    X, Y, a, b = gaussian_clouds(n, rng, dim)
    C = _distances(X, Y, np.square)
    return a, b, C / np.median(C)



def _distances(X, Y, term):
    """Return the sums over the coordinates of term(x_i - y_j)."""
    C = np.zeros((len(X), len(Y)))
    for x, y in zip(X.T, Y.T, strict=True):
        C += term(x[:, None] - y)
    return C
