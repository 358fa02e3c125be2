"""
Clusters with a proof, and clusters that a mixture misses
=========================================================

The same points clustered twice: by labels alone, and by labels with a number that no partition undercuts. Then
groups of different shape, which K-means cannot see and a mixture finds only from lucky starts.
"""

import numpy as np
from matplotlib import pyplot as plt
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

from numopt.clustering import certify_kmeans, ila_sdp, kmeans_sdp

COLOURS = np.array(["#0b6e99", "#d9730d", "#4d6461", "#ad1a72"])

# %%
# A start that went wrong
# -----------------------
# K-means from one start often ends in a partition that merges two clusters and splits a third. Nothing in its
# output says so. ``certify_kmeans`` does, for anybody's labels.

rng = np.random.default_rng(3)
centres = np.array([[0, 0], [5, 0], [0, 5], [5, 5]])
X = np.concatenate([rng.normal(size=(100, 2)) * 0.8 + c for c in centres])

seeds = X[[0, 1, 2, 250]]  # three seeds in one cluster
unlucky = KMeans(4, init=seeds, n_init=1).fit(X)
judged = certify_kmeans(X, unlucky.labels_, on_failure="ignore")
print(f"labels alone: sum of squares {judged.fun:.1f}, proved within {judged.gap:.1%}")

sure = kmeans_sdp(X, 4, method="dr", tol=1e-5, rng=0)
print(f"with a proof: sum of squares {sure.fun:.1f}, bound {sure.lower_bound:.1f}")
print(sure.message)

figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
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
# Long, flat and round groups that cross. The iteration alternates between covariances and labels; from many
# starts, of which the best survive.

turn = np.array([[1.0, 1.0], [-1.0, 1.0]]) / np.sqrt(2)
Y = np.concatenate(
    [
        rng.normal(size=(150, 2)) * [4.0, 0.25],
        rng.normal(size=(150, 2)) * [4.0, 0.25] @ turn + [1.0, 3.0],
        rng.normal(size=(60, 2)) * 0.4 + [-4.0, 3.0],
        rng.normal(size=(150, 2)) * [0.25, 3.0] + [5.0, -1.0],
    ]
)
groups = ila_sdp(Y, 4, rng=0)
mixture = GaussianMixture(4, random_state=1).fit(Y)
print(f"log-likelihood {groups.log_likelihood:.1f}")
print(f"scikit-learn's mixture, one start: {mixture.score(Y) * len(Y):.1f}")

figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for ax, title, labels in (
    (axes[0], "a mixture from one start", mixture.predict(Y)),
    (axes[1], "ila_sdp", groups.labels),
):
    ax.scatter(*Y.T, c=COLOURS[labels], s=9)
    ax.set_title(title, loc="left", fontsize=11)
    ax.set_aspect("equal")
    ax.set_axis_off()
