"""A hierarchy over given clusters, from the bottom up by average linkage."""

import numpy as np

from numopt._array import device, host, like, namespace
from numopt._check import integer
from numopt._loop import Iterate, run
from numopt._result import Result, result_class
from numopt.clustering._problem import checked_labels, finite, kmeans_problem


@result_class
class MergeTree(Result):
    """A binary tree over K clusters, in the format of `scipy.cluster.hierarchy`.

    Attributes
    ----------
    linkage : ndarray of shape (K - 1, 4), float64
        A NumPy array for `scipy.cluster.hierarchy.dendrogram` and its relatives. Row t merges the clusters
        ``linkage[t, 0] < linkage[t, 1]`` into cluster K + t at height ``linkage[t, 2]``, which then has
        ``linkage[t, 3]`` leaves. The height is the root mean square distance between points of the one and points of
        the other, in the unit of X; heights never fall.
    leaves : ndarray of shape (n,), int64
        The leaf of every point: the j-th smallest of the given labels is leaf j.
    sizes : ndarray of shape (K,), int64
        Points of the leaves.
    """

    linkage: object
    leaves: object
    sizes: object

    def cut(self, n_clusters):
        """Return the partition into so many clusters: the tree without its last merges.

        Parameters
        ----------
        n_clusters : int
            From 1 to K.

        Returns
        -------
        ndarray of int64 of shape (n,)
            Clusters 0, ..., n_clusters - 1 of the points, in the order of their first leaves.

        Raises
        ------
        InvalidInputError
            The tree has fewer leaves.
        """
        k = self.sizes.shape[0]
        integer("n_clusters", n_clusters, low=1, high=k, remedy="ask for no more clusters than leaves")
        owner = np.arange(k)
        for t, (i, j) in enumerate(self.linkage[: k - n_clusters, :2].astype(int)):
            owner[(owner == i) | (owner == j)] = k + t
        _, first, number = np.unique(owner, return_index=True, return_inverse=True)
        number = np.argsort(np.argsort(first))[number]
        xp, at = namespace(self.leaves), device(self.leaves)
        return xp.take(like(xp, number, at, xp.int64), self.leaves)


def merge_tree(X, labels, *, tol=1e-9, on_failure="warn"):
    r"""Merge clusters from the bottom up, the two of least mean squared distance first.

    Parameters
    ----------
    X : array_like of shape (n, p)
        Points; a centred copy in float64 is made.
    labels : array_like of shape (n,)
        Anybody's labels, any numbers; K is how many are different. ``range(n)`` makes every point a leaf.
    tol : float, default 1e-9
        For the squares of the heights, relative to the largest: how far they may be from those recomputed.
    on_failure : {"warn", "raise", "ignore"}, default "warn"
        What to do when `tol` is not reached.

    Returns
    -------
    MergeTree
        `linkage`, as of `scipy.cluster.hierarchy.linkage` with method ``"average"``; ``cut(k)`` gives labels.
        ``success`` is true only if the heights agree with those recomputed from the moments of the merged clusters.

    Raises
    ------
    InvalidInputError, InvalidTypeError
        An argument is inadmissible; the message names it, the index and the remedy.
    SolverError
        `tol` was not reached and ``on_failure="raise"``; or a number was not finite.

    Warns
    -----
    ConvergenceWarning
        `tol` was not reached.

    Notes
    -----
    The mean of \|x_i - x_j\|^2 over i in a and j in b is \|m_a - m_b\|^2 + S_a / n_a + S_b / n_b, S the sums of squares
    within: all distances between points are counted, none is formed. Merging weighs by sizes, so heights never fall
    (no inversions, as cuts from the top down can have). Ties go to the clusters that came first.

    Cost: two passes over the points, and K^3 / 3 comparisons; memory 8 n p bytes and 16 K^2. On the host, but for the
    passes. Not for many leaves (K > 2000): `scipy.cluster.hierarchy.linkage` needs K^2 operations.

    Certified: the heights. That the tree is the right one is a theorem for clusters that are right, in a
    hierarchical block model, where merging from the bottom needs less separation than cutting from the top.

    References
    ----------
    M. Dreveton, D. Kuroda, M. Grossglauser, P. Thiran, "When does bottom-up beat top-down in hierarchical community
    detection?", arXiv:2306.00833.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.clustering import merge_tree
    >>> X = np.array([[0.0], [1.0], [4.0], [5.0], [20.0]])
    >>> tree = merge_tree(X, [0, 0, 1, 1, 2])
    >>> tree.linkage[:, [0, 1, 3]].astype(int)
    array([[0, 1, 2],
           [2, 3, 3]])
    >>> tree.cut(2)
    array([0, 0, 0, 0, 1])
    """
    p = kmeans_problem(X, 1)
    labels, k = checked_labels(p, labels)
    means, sizes, spread = _leaves(p, labels, k)

    def certify(linkage):
        squares = linkage[:, 2] ** 2
        off = np.abs(_squares(linkage, means, sizes, spread) - squares).max(initial=0.0)
        return {"error": off / (squares.max(initial=0.0) or 1.0)}

    def finish(linkage, info, common):
        return MergeTree(**common, linkage=linkage * [1, 1, p.scale, 1], leaves=labels, sizes=_counts(p, labels, sizes))

    return run(
        _merged(means, sizes, spread), certify=certify, finish=finish, tol=tol, max_iter=1, on_failure=on_failure
    )


def _leaves(p, labels, k):
    """Return means (k, p), sizes (k,) and variances about the mean (k,) of the clusters, on the host."""
    means, sizes = p.means(labels, k)
    off = p.X - p.xp.take(means, labels, axis=0)
    _, squares = p.kernels.label_sums(p.xp.sum(off * off, axis=1)[:, None], labels, k)
    finite(p.xp.sum(squares), "a sum over clusters")
    means, sizes, squares = host(means, sizes, squares)
    return means, sizes, squares[:, 0] / sizes


def _counts(p, labels, sizes):
    return like(p.xp, sizes.astype(np.int64), device(labels), p.xp.int64)


def _merged(means, sizes, spread):
    """Yield the linkage: the closest two of all clusters, again and again."""
    from scipy.spatial.distance import cdist

    k = len(sizes)
    D = cdist(means, means, "sqeuclidean") + spread[:, None] + spread
    D[np.tril_indices(k)] = np.inf  # pairs (i, j), i < j, in the order of their numbers
    names, sizes, leaves = np.arange(k), np.array(sizes), np.ones(k)
    linkage, height = np.empty((k - 1, 4)), 0.0
    for t in range(k - 1):
        i, j = np.unravel_index(np.argmin(D), D.shape)
        height = max(height, D[i, j] ** 0.5)  # rounding alone could let it fall
        linkage[t] = names[i], names[j], height, leaves[i] + leaves[j]
        full = np.minimum(D, D.T)
        new = (sizes[i] * full[i] + sizes[j] * full[j]) / (sizes[i] + sizes[j])
        rest = np.delete(np.arange(len(names)), [i, j])
        m = len(rest)
        E = np.full((m + 1, m + 1), np.inf)
        E[:m, :m], E[:m, m] = D[np.ix_(rest, rest)], new[rest]
        D = E
        names = np.append(names[rest], k + t)
        sizes, leaves = (np.append(x[rest], x[i] + x[j]) for x in (sizes, leaves))
    yield Iterate(linkage, 0.0)


def _squares(linkage, means, sizes, spread):
    """Return the mean squared distances between the points of the merged clusters, from their moments."""
    moments = [*zip(sizes, sizes[:, None] * means, sizes * (spread + (means**2).sum(axis=1)), strict=True)]
    squares = np.empty(len(linkage))
    for t, (i, j) in enumerate(linkage[:, :2].astype(int)):
        (n, a, s), (m, b, r) = moments[i], moments[j]
        squares[t] = s / n + r / m - 2 * (a / n) @ (b / m)
        moments.append((n + m, a + b, s + r))
    return squares
