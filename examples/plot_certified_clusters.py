"""
Clusters with a proof, and clusters that a mixture misses
=========================================================

The same points clustered twice: by labels alone, and by labels with a number that no partition undercuts. Then
groups of different shape, which K-means cannot see and a mixture finds only from lucky starts. At last, how many
clusters there are, with a proof, and how they belong together.
"""

import numpy as np
from matplotlib import pyplot as plt
from scipy.cluster.hierarchy import dendrogram
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

from numopt.clustering import certify_kmeans, ila_sdp, kmeans_sdp, merge_tree, ppp_select_k
from numopt.gallery import heterogeneous_clusters

COLOURS = np.array(["#0b6e99", "#d9730d", "#4d6461", "#ad1a72"])

# %%
# A start that went wrong
# -----------------------
# K-means from one start often ends in a partition that merges two clusters and splits a third. Nothing in its
# output says so. ``certify_kmeans`` does, for anybody's labels. Here is the worst of twenty starts.

rng = np.random.default_rng(3)
centres = np.array([[0, 0], [5, 0], [0, 5], [5, 5]])
X = np.concatenate([rng.normal(size=(100, 2)) * 0.8 + c for c in centres])

fits = [
    KMeans(4, init="random", n_init=1, random_state=seed).fit(X)
    for seed in range(20)
]
unlucky = max(fits, key=lambda fit: fit.inertia_)
judged = certify_kmeans(X, unlucky.labels_, on_failure="ignore")
print(f"labels alone: sum of squares {judged.fun:.1f}, proved within {judged.gap:.1%}")

sure = kmeans_sdp(X, 4, method="dr", tol=1e-5, rng=0)
print(f"with a proof: sum of squares {sure.fun:.1f}, bound {sure.lower_bound:.1f}")
print(sure.message)

figure, axes = plt.subplots(1, 2, figsize=(9, 4.3), layout="constrained")
figure.suptitle("sum of squares, and how far it can be from the least one", x=0.01, ha="left", fontsize=11)
for ax, title, found in (
    (axes[0], "labels alone", judged),
    (axes[1], "labels with a proof", sure),
):
    ax.scatter(*X.T, c=COLOURS[found.labels], s=9)
    ax.scatter(*found.centers.T, marker="x", color="black")
    kind = "optimal" if found.gap < 1e-4 else f"at most {found.gap:.1%} off"
    ax.set_title(f"{title}: {found.fun:.0f}, {kind}", loc="left", fontsize=11)
    ax.set_aspect("equal")
    ax.set_axis_off()

# %%
# Groups of different shape
# -------------------------
# Three groups in twenty dimensions, each long in a direction of its own. scikit-learn's Gaussian mixture, from ten
# starts, follows the long directions of K-means clusters. ``ila_sdp`` finds the groups, from many starts at once and
# with shrunk covariances. They are drawn in the plane of their means, misplaced points in circles.

Y, truth = heterogeneous_clusters("line", 10_001, p=20, sep=6.0)
groups = ila_sdp(Y, 3, rng=0)
mixture = GaussianMixture(3, n_init=10, random_state=0).fit_predict(Y)


def renamed(labels):
    """Return the labels under the names of the true groups that they match best."""
    counts = np.zeros((3, 3))
    np.add.at(counts, (labels, truth), 1)
    return linear_sum_assignment(-counts)[1][labels]


found = {"a mixture": renamed(mixture), "ila_sdp": renamed(groups.labels)}
for name, labels in found.items():
    print(f"misplaced by {name}: {np.mean(labels != truth):.1%}")
means = np.stack([Y[truth == k].mean(axis=0) for k in range(3)])
plane = (Y - means.mean(axis=0)) @ np.linalg.svd(means - means.mean(axis=0))[2][:2].T

figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for ax, (name, labels) in zip(axes, found.items(), strict=True):
    wrong = labels != truth
    ax.scatter(*plane.T, c=COLOURS[labels], s=9)
    ax.scatter(*plane[wrong].T, s=60, facecolor="none", edgecolor="black", linewidth=0.8)
    ax.set_title(f"{name}: {wrong.mean():.1%} misplaced", loc="left", fontsize=11)
    ax.set_aspect("equal")
    ax.set_axis_off()

# %%
# How many clusters
# -----------------
# Six clusters in three pairs. For each number of clusters K-means gives a criterion, and the relaxation a bound that
# no partition into so many undercuts. The choice is proved if all other bounds are above its criterion. The tree over
# the six, in SciPy's format, shows the pairs.

middles = np.array([[0, 0], [5, 0], [20, 3], [20, 8], [6, 18], [11, 18]])
V = np.concatenate([rng.normal(size=(60, 2)) * 0.8 + c for c in middles])
chosen = ppp_select_k(V, 8, rng=0)
tree = merge_tree(V, chosen.labels)
print(chosen.message)

figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
six = np.array([*COLOURS, "#8a6d00", "#3b3f8f"])
axes[0].scatter(*V.T, c=six[chosen.labels % 6], s=9)
for k, centre in enumerate(chosen.centers):
    axes[0].annotate(str(k), centre, fontsize=14, ha="center", va="center", weight="bold")
axes[0].set_title(f"{chosen.n_clusters} clusters{', proved' if chosen.proved else ''}", loc="left", fontsize=11)
axes[0].set_aspect("equal")
axes[0].set_axis_off()

numbers = list(chosen.bic)
best = chosen.bic[chosen.n_clusters]
axes[1].vlines(
    numbers,
    [chosen.bic_bound[k] for k in numbers],
    [chosen.bic[k] for k in numbers],
    color="0.6",
    linewidth=5,
    label="from bound to partition",
)
axes[1].plot(numbers, list(chosen.bic.values()), "o", color=COLOURS[0], label="criterion")
axes[1].axhline(best, color=COLOURS[1], linewidth=1, label="the choice")
axes[1].set_xlabel("clusters")
axes[1].legend(frameon=False)
axes[1].set_title("criterion (BIC), and its bound", loc="left", fontsize=11)

dendrogram(tree.linkage, ax=axes[2], color_threshold=0, above_threshold_color="0.3")
axes[2].set_title("how they merge: distance (rms)", loc="left", fontsize=11)
for ax in axes[1:]:
    ax.spines[["top", "right"]].set_visible(False)
