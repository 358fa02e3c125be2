"""Clustering that proves its answer, beside SCS, Clarabel and scikit-learn; their settings are in `_clustering_peers`.

Two kinds of instances. For the relaxation of K-means all are judged by the larger of relative duality gap and
violations: value and violations are recomputed from the matrix, the bound of the peers from their multipliers, while
ours is what the result certifies. For mixtures all are judged by the mean share of wrongly labelled points.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import numopt
from benchmarks.peers import Answer, Instance, Solver, _clustering_peers
from benchmarks.peers._clustering_figures import figures
from benchmarks.peers._clustering_instances import Relaxation, Solved, instances, misclustering, relative_gap
from benchmarks.peers._clustering_peers import each_set, mixture, relaxation

__all__ = ["PACKAGES", "figures", "instances", "prepare", "ruler", "solvers"]

PACKAGES = ("scs", "clarabel", "scikit-learn")


def ruler(instance: Instance, point: Any) -> float:
    """Return the relative duality gap of a relaxation, or the mis-clustering of mixtures."""
    judge = relative_gap if isinstance(instance.data, Relaxation) else misclustering
    return judge(instance.data, point)


def solvers() -> list[Solver]:
    """Return ours, and those of the peers that are installed."""
    return [*ours(), *_clustering_peers.solvers()]


def prepare() -> None:
    """Compile our kernels."""
    numopt.warmup("float64")


def ours() -> list[Solver]:
    """Return the relaxation to two tolerances, and the estimator for mixtures."""
    found = []
    try:
        from numopt.clustering import kmeans_sdp  # noqa: F401
    except ImportError:
        pass
    else:
        found.append(Solver("numopt", solve_relaxation(), "ours", applies=relaxation))
        found.append(Solver("numopt to 1e-4", solve_relaxation(1e-4), "ours", applies=relaxation))
    try:
        from numopt.estimators import LASDPClustering
    except ImportError:
        return found

    def estimator(k: int, seed: int) -> Any:
        return LASDPClustering(k, random_state=seed)

    return [*found, Solver("numopt", each_set(estimator), "ours", applies=mixture)]


def solve_relaxation(tol: float | None = None) -> Callable[[Instance], Answer]:
    """Return our solver of the relaxation; to the target of the instance if no `tol` is given."""
    from numopt.clustering import kmeans_sdp

    def solve(instance: Instance) -> Answer:
        p: Relaxation = instance.data
        result = kmeans_sdp(
            p.X, p.k, method="dr", tol=tol or instance.target, max_iter=20_000, rng=0, on_failure="ignore"
        )
        Z = membership(result.labels) if result.membership is None else result.membership
        return Answer(Solved(Z, result.lower_bound), result.nit)

    return solve


def membership(labels: np.ndarray) -> np.ndarray:
    """Return the matrix of a partition: the inverse of its size where two points share a cluster."""
    return (labels[:, None] == labels) / np.bincount(labels)[labels]
