"""The K-means problem as its semidefinite relaxation sees it: centred, scaled points and exact sums over clusters."""

import math
from dataclasses import dataclass

from numopt._array import device, host, like
from numopt._check import Checks, integer
from numopt._kernels import kernels
from numopt.exceptions import InvalidInputError, SolverError


@dataclass(frozen=True)
class KMeansProblem:
    """Minimise over partitions into K clusters the squared distances to their means.

    Relaxed: minimise <C, Z>, C_ij = |x_i - x_j|^2 / 2, over Z psd, Z >= 0, Z 1 = 1, tr Z = K (Peng and Wei 2007), where
    Z = sum_a 1_a 1_a' / n_a stands for a partition.

    `X` are the points in float64, less their `mean`, divided by `scale`, a power of two. `total` is |X|_F^2.
    """

    xp: object
    X: object
    k: int
    dtype: object
    mean: object
    scale: float
    total: float

    @property
    def kernels(self):
        return kernels("clustering", self.xp)

    @property
    def size(self):
        return self.X.shape[0]

    @property
    def trivial(self):
        """What counts as a sum of squares of zero: what the rounding of sums leaves of equal points."""
        return (1e-15 * self.size) ** 2 * self.total

    def apart(self, value, bound):
        """Return the relative distance of a value of the relaxation from a bound of it."""
        return abs(value - bound) / max(abs(value), self.trivial)

    def original(self, sse):
        """Return a sum of squares, a float, in the units of the caller."""
        return sse * self.scale**2

    def place(self, points):
        """Return host or device points of the caller's space as points of this problem."""
        points = like(self.xp, points, device(self.X), self.xp.float64)
        return (points - self.mean) / self.scale

    def back(self, points):
        """Return points of this problem in the caller's space and dtype."""
        return self.xp.astype(points * self.scale + self.mean, self.dtype)

    def means(self, labels, k=None):
        """Return (centres, sizes) of a labelling."""
        sizes, sums = self.kernels.label_sums(self.X, labels, k or self.k)
        finite(self.xp.sum(sums), "a sum over clusters")
        return sums / sizes[:, None], sizes

    def subset(self, rows, k=None):
        """Return the problem on some of the points, centred and scaled anew: its original units are those of this."""
        X = self.xp.take(self.X, rows, axis=0)
        return centred(self.xp, X, k or self.k, self.dtype)


def kmeans_problem(X, n_clusters):
    """Check the data of a K-means problem, centre and scale it."""
    integer("n_clusters", n_clusters, low=1, remedy="ask for at least one cluster")
    checks = Checks({"X": X})
    points = checks.matrix("X")
    n = points.shape[0]
    extent = checks.settle()["X"]
    if n_clusters > n:
        raise InvalidInputError(
            f"n_clusters is {n_clusters} for X with {n} rows: at most {n} is expected; ask for fewer clusters"
        )
    span = extent.high - extent.low
    if span != 0 and not 1e-150 < span < 1e150:  # squares are costs, and covariances
        raise InvalidInputError(f"X has a range of {span:.3g}: one between 1e-150 and 1e150 is expected; rescale X")
    return centred(checks.xp, points, int(n_clusters), checks.dtype)


def centred(xp, X, k, dtype):
    """Return the problem of these clean points, a copy of which is centred in float64."""
    X = xp.astype(X, xp.float64)
    first = X[0, :]  # a huge common offset would drown the sum
    mean = xp.mean(X - first, axis=0)
    X = (X - first) - mean
    largest = host(xp.max(xp.abs(X)))
    scale = 2.0 ** math.ceil(math.log2(largest)) if largest > 0 else 1.0
    X = X / scale
    return KMeansProblem(xp, X, k, dtype, first + mean, scale, host(xp.sum(X * X)))


def checked_labels(p, labels, name="labels"):
    """Return the labels, any numbers, as 0, 1, ... in the order of their values, and how many there are."""
    checks = Checks({"X": p.X, name: labels}, dtype=p.xp.float64)
    values = checks.vector(name, size=p.size)
    checks.settle()
    values, inverse = p.xp.unique_inverse(values)
    return p.xp.astype(inverse, p.xp.int64), values.shape[0]


def expect_squares(p):
    """Raise for points whose covariances their dtype does not hold."""
    limits = p.xp.finfo(p.dtype)
    low, high = 1e4 * float(limits.smallest_normal) ** 0.5, 0.1 * float(limits.max) ** 0.5
    if p.total > 0 and not low < p.scale < high:
        raise InvalidInputError(
            f"X is up to {p.scale:.2g} from its mean: for covariances in its dtype between {low:.1g} and {high:.1g} is "
            f"expected; rescale X, or convert it to float64"
        )


def finite(value, what):
    """Return a host number, or stop: a sum that is not finite must not choose between clusterings."""
    value = host(value)
    if not math.isfinite(value):
        raise SolverError(f"{what} is {value}: the computation broke down; rescale the data")
    return value
