"""The hierarchy over clusters: a naive twin, scipy's linkage, ties, duplicates, one point."""

import array_api_strict
import numpy as np
import pytest
from scipy.cluster import hierarchy

from numopt._array import host
from numopt.clustering import kmeans_sdp, merge_tree
from numopt.exceptions import InvalidInputError
from tests.oracles import clustering as oracle


@pytest.mark.parametrize("seed", range(6))
def test_the_naive_twin_agrees(seed):
    rng = np.random.default_rng(seed)
    X, labels = rng.normal(size=(30, 1 + seed % 3)), rng.integers(0, 8, 30)
    tree, want = merge_tree(X, labels), oracle.merges(X, labels)
    assert tree.linkage == pytest.approx(want, rel=1e-12) and tree.success
    assert (tree.sizes == np.unique(labels, return_counts=True)[1]).all()


@pytest.mark.parametrize("seed", range(4))
def test_ties_go_to_the_first(seed):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 3, (16, 2)).astype(float)
    X = X - X[:1]  # sums, and means of two and four points, are exact
    assert merge_tree(X, np.arange(16) // 2).linkage == pytest.approx(oracle.merges(X, np.arange(16) // 2), rel=1e-12)


def test_it_is_scipy_s_average_linkage():
    X = np.random.default_rng(0).normal(size=(40, 3))
    tree, theirs = merge_tree(X, range(40)), hierarchy.linkage(X, "average", metric="sqeuclidean")
    assert tree.linkage[:, [0, 1, 3]] == pytest.approx(theirs[:, [0, 1, 3]])
    assert tree.linkage[:, 2] == pytest.approx(np.sqrt(theirs[:, 2]), rel=1e-12)
    assert hierarchy.is_valid_linkage(tree.linkage) and hierarchy.is_monotonic(tree.linkage)
    assert len(hierarchy.dendrogram(tree.linkage, no_plot=True)["leaves"]) == 40
    for k in (1, 2, 5, 17, 40):
        flat = hierarchy.fcluster(tree.linkage, k, "maxclust")
        cut = tree.cut(k)
        assert len({*zip(cut, flat, strict=True)}) == k == cut.max() + 1


def test_a_hierarchy_is_recovered():
    """Two groups of two clusters each, as certified by `kmeans_sdp`."""
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [9, 0], [40, 0], [49, 0]])
    X = np.repeat(centres, 40, axis=0) + rng.normal(size=(160, 2))
    found = kmeans_sdp(X, 4, rng=0)
    tree = merge_tree(X, found.labels)
    assert found.gap_kind == "exact"
    assert (tree.cut(2) == np.repeat([0, 1], 80)).all() and (tree.cut(4) == found.labels).all()
    assert (tree.cut(3) == np.repeat([0, 0, 1, 2], 40)).all() or (tree.cut(3) == np.repeat([0, 1, 2, 2], 40)).all()


def test_duplicates_constant_data_and_one_point():
    X = np.repeat(np.random.default_rng(0).normal(size=(4, 2)), 5, axis=0)
    tree = merge_tree(X, range(20))
    assert tree.success and tree.linkage[:16, 2] == pytest.approx(np.zeros(16)) and (tree.linkage[16:, 2] > 0).all()
    assert (tree.cut(4) == np.repeat(np.arange(4), 5)).all()
    constant = merge_tree(np.full((6, 2), 7.0), [0, 0, 1, 1, 2, 2])
    assert constant.success and (constant.linkage[:, 2] == 0).all()
    alone = merge_tree([[1.0, 2.0]], [3])
    assert alone.linkage.shape == (0, 4) and alone.success and (alone.cut(1) == [0]).all()


def test_offsets_units_and_any_labels():
    rng = np.random.default_rng(1)
    X, labels = rng.normal(size=(50, 2)), rng.integers(0, 6, 50)
    tree = merge_tree(X, labels)
    for points, other in ((X + 1e8, labels), (X, 10 * labels - 7), (np.asfortranarray(X), labels)):
        assert merge_tree(points, other).linkage == pytest.approx(tree.linkage, rel=1e-6)
    assert merge_tree(1e-120 * X, labels).linkage[:, 2] == pytest.approx(1e-120 * tree.linkage[:, 2], rel=1e-9)
    assert merge_tree(X.astype(np.float32), labels).linkage == pytest.approx(tree.linkage, rel=1e-5)


def test_other_arrays():
    X, labels = np.random.default_rng(2).normal(size=(12, 2)), np.arange(12) % 4
    at = array_api_strict.Device("device1")
    tree = merge_tree(array_api_strict.asarray(X, device=at), array_api_strict.asarray(labels, device=at))
    assert tree.linkage == pytest.approx(merge_tree(X, labels).linkage)
    assert tree.leaves.device == at == tree.cut(2).device == tree.sizes.device
    assert (host(tree.cut(2)) == merge_tree(X, labels).cut(2)).all()


@pytest.mark.parametrize(
    ("X", "labels", "message"),
    [
        ([[0.0], [1.0]], [0], "labels has shape"),
        ([[0.0], [np.nan]], [0, 1], r"X\[1, 0\] is nan"),
        ([[0.0], [1.0]], [0, np.nan], r"labels\[1\] is nan"),
        (np.empty((0, 2)), [], "X has shape"),
    ],
)
def test_refused(X, labels, message):
    with pytest.raises(InvalidInputError, match=message):
        merge_tree(X, labels)


def test_cuts_out_of_range_are_refused():
    tree = merge_tree([[0.0], [1.0], [5.0]], [0, 1, 2])
    for bad in (0, 4):
        with pytest.raises(InvalidInputError, match=f"n_clusters is {bad}"):
            tree.cut(bad)
