"""Clustering over time: the relaxation, certificates, and groups of different shape."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks._common import Bench


class Relaxation(Bench):
    """The relaxation of Peng and Wei to 1e-4."""

    sizes = (200, 1000)

    def problem(self, size: int) -> tuple[np.ndarray, ...]:
        """Return overlapping spherical clusters."""
        from numopt.gallery import isotropic_clusters

        return isotropic_clusters(size, 20, 4, 5.0)[:1]

    def solve(self, X: Any) -> Any:
        """Solve to a gap of 1e-4."""
        from numopt.clustering import kmeans_sdp

        return kmeans_sdp(X, 4, method="dr", tol=1e-4, rng=0, on_failure="ignore")


class Cuts(Bench):
    """The relaxation with triangle inequalities, until its gap to the partition is 1e-3."""

    sizes = (100, 300)

    def problem(self, size: int) -> tuple[np.ndarray, ...]:
        """Return clusters that overlap so much that the relaxation alone leaves a gap of 1 to 3 %."""
        from numopt.gallery import isotropic_clusters

        return isotropic_clusters(size, 5, 4, 3.5)[:1]

    def solve(self, X: Any) -> Any:
        """Solve to a gap of 1e-3."""
        from numopt.clustering import kmeans_sdp

        return kmeans_sdp(X, 4, method="dr", cuts="triangle", rng=0, on_failure="ignore")


class Certificate(Bench):
    """K-means with its proof of optimality."""

    sizes = (10_000, 100_000)

    def problem(self, size: int) -> tuple[np.ndarray, ...]:
        """Return clusters that are far apart."""
        from numopt.gallery import isotropic_clusters

        return isotropic_clusters(size, 20, 4, 14.0)[:1]

    def solve(self, X: Any) -> Any:
        """Find and prove."""
        from numopt.clustering import kmeans_sdp

        return kmeans_sdp(X, 4, method="certify", rng=0, on_failure="ignore")


class Shapes(Bench):
    """Groups with covariances of their own."""

    sizes = ("line", "scale", "diag", "rot")
    param_names = ("backend", "kind", "dtype")

    def problem(self, kind: str) -> tuple[np.ndarray, ...]:
        """Return three groups of 200 points in 10 dimensions."""
        from numopt.gallery import heterogeneous_clusters

        return heterogeneous_clusters(kind, 10_000)[:1]

    def solve(self, X: Any) -> Any:
        """Cluster by the default method."""
        from numopt.clustering import ila_sdp

        return ila_sdp(X, 3, rng=0, on_failure="ignore")


class Selection(Bench):
    """The number of clusters, with its proof."""

    sizes = (200, 1000)

    def problem(self, size: int) -> tuple[np.ndarray, ...]:
        """Return four overlapping spherical clusters."""
        from numopt.gallery import isotropic_clusters

        return isotropic_clusters(size, 20, 4, 5.0)[:1]

    def solve(self, X: Any) -> Any:
        """Choose among one to six."""
        from numopt.clustering import ppp_select_k

        return ppp_select_k(X, 6, rng=0, on_failure="ignore")


class Tree(Bench):
    """A hierarchy over clusters."""

    sizes = (100, 400)
    param_names = ("backend", "clusters", "dtype")

    def problem(self, clusters: int) -> tuple[np.ndarray, ...]:
        """Return 20 points for each cluster."""
        return (np.random.default_rng(0).normal(size=(20 * clusters, 5)),)

    def solve(self, X: Any) -> Any:
        """Merge clusters of 20 successive points."""
        from numopt.clustering import merge_tree

        return merge_tree(X, np.arange(X.shape[0]) // 20)


class ManyDimensions(Bench):
    """Groups in more dimensions than a group has points."""

    sizes = ("line", "scale", "diag")
    param_names = ("backend", "kind", "dtype")

    def problem(self, kind: str) -> tuple[np.ndarray, ...]:
        """Return three groups of 200 points in 100 dimensions."""
        from numopt.gallery import heterogeneous_clusters

        return heterogeneous_clusters(kind, 10_000, p=100)[:1]

    def solve(self, X: Any) -> Any:
        """Cluster by the default method."""
        from numopt.clustering import ila_sdp

        return ila_sdp(X, 3, rng=0, on_failure="ignore")
