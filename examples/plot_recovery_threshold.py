"""
Where clusters can be proved
============================

How far must clusters be apart, before a partition can be proved to be the best one? Theory knows the distance
beyond which the semidefinite relaxation recovers clusters of unit variance exactly, as their number of points
grows. Here the share of proved fits is counted on both sides of it.
"""

import numpy as np
from matplotlib import pyplot as plt

from numopt.clustering import certify_kmeans, kmeans_sdp
from numopt.gallery import isotropic_clusters

# %%
# Three clusters, ten seeds for each distance
# -------------------------------------------
# The threshold is that of Chen and Yang (2021): squared, 4 log n (1 + sqrt(1 + K p / (n log n))).
# The bound by pairs, that of ``certify_kmeans``, needs only sums over pairs of clusters. The relaxation proves more,
# and holds n^2 numbers. A fit counts as proved if its sum of squares and its bound agree to 1e-4.

n, p, k, seeds = 120, 10, 3, 10
threshold = 2 * np.sqrt(np.log(n) * (1 + np.sqrt(1 + k * p / (n * np.log(n)))))
ratios = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4])
proved = {"bound by pairs": [], "relaxation": [], "K-means finds the groups": []}
for ratio in ratios:
    counts = np.zeros(3)
    for seed in range(seeds):
        X, truth = isotropic_clusters(n, p, k, ratio * threshold, rng=seed)
        fit = kmeans_sdp(X, k, tol=1e-4, rng=seed, on_failure="ignore")
        pairs = certify_kmeans(X, fit.labels, on_failure="ignore")
        same = fit.labels[:, None] == fit.labels
        right = np.array_equal(same, truth[:, None] == truth)
        counts += [pairs.gap <= 1e-4, fit.gap <= 1e-4, right]
    for name, count in zip(proved, counts, strict=True):
        proved[name].append(count / seeds)
    print(f"{ratio:.1f} of the threshold: {counts[1]:.0f} of {seeds} proved")

# %%
# The theory is for many points, where the share of recovered clusters jumps from 0 to 1 at the threshold. With 120
# points it climbs: the relaxation proves some fits below the threshold, and all of them a fifth above it. The bound by
# pairs needs a little more distance.

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for (name, share), colour in zip(
    proved.items(), ("#0b6e99", "#d9730d", "#9b9a97"), strict=True
):
    ax.plot(ratios, share, marker="o", color=colour, label=name)
ax.axvline(1.0, color="black", linewidth=0.8, linestyle="dotted", label="threshold of the theory")
ax.set_xlabel("distance of the centres over the threshold")
ax.set_ylabel(f"share of {seeds} fits")
ax.set_ylim(-0.05, 1.05)
ax.legend(frameon=False)
