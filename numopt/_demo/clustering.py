"""A hundred thousand points clustered and proved optimal; overlapping ones, bounded; a picture of both.

The example ``plot_certified_clusters.py`` of the documentation says more.
"""

from time import perf_counter

import numpy as np

from numopt._demo import drawn, say


def main(size=100_000, folder="."):
    """Cluster `size` points far apart, and a few that overlap; write the picture into `folder`."""
    from numopt.clustering import certify_kmeans, kmeans_sdp
    from numopt.gallery import isotropic_clusters

    kmeans_sdp(isotropic_clusters(50, 2, 2, 3.0)[0], 2, method="dr", tol=0.01, rng=0, on_failure="ignore")
    X, _ = isotropic_clusters(size, 20, 4, 14.0)
    say("problem", f"{size} points in 20 dimensions, four clusters at distance 14")
    began = perf_counter()
    result = kmeans_sdp(X, 4, rng=0, on_failure="ignore")
    say("solved", f"in {perf_counter() - began:.2f} s: {result.message}")

    worse = result.labels.copy()
    worse[: size // 100] = 0
    judged = certify_kmeans(X, worse, on_failure="ignore")
    say("beside", f"one label in a hundred spoilt: {judged.fun / result.fun - 1:.1%} worse, within {judged.gap:.1%}")

    Y, _ = isotropic_clusters(500, 2, 2, 3.0)
    began = perf_counter()
    overlap = kmeans_sdp(Y, 2, method="dr", tol=1e-4, rng=0, on_failure="ignore")
    say("overlap", f"500 points at distance 3, in {perf_counter() - began:.2f} s: sum of squares {overlap.fun:.2f}")
    say("certain", f"no partition is below {overlap.lower_bound:.2f} ({overlap.gap_kind}), {overlap.gap:.1e} away")
    with drawn(folder, "numopt-demo-clustering.png", (9, 4)) as figure:
        _draw(figure, [(X[:2000], result.labels[:2000], "optimal"), (Y, overlap.labels, f"within {overlap.gap:.1e}")])
    return 0 if result.success and overlap.success else 1


def _draw(figure, sets):
    for ax, (X, labels, title) in zip(figure.subplots(1, 2), sets, strict=True):
        X = X - X.mean(axis=0)
        plane = X @ np.linalg.svd(X, full_matrices=False)[2][:2].T
        ax.scatter(*plane.T, c=labels, s=5, cmap="viridis")
        ax.set_title(title, loc="left")
        ax.set_axis_off()
