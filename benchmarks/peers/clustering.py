"""Clustering: the Peng-Wei relaxation, certificates for a million points, and groups of different shape."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from benchmarks.peers import Answer, Figure, Instance, Solver, Table
from benchmarks.peers._clustering_sdp import clarabel_sdp, relaxation_gap, scs_sdp

PACKAGES = ("scs", "clarabel", "scikit-learn", "scipy", "numba")
SEEDS = range(20)
GROUPS = {  # the six generators of heterogeneous groups: kind and arguments
    "line 10": ("line", {"p": 10, "sep": 6.0}),
    "line 20": ("line", {"p": 20, "sep": 6.0}),
    "scale": ("scale", {"p": 10, "sep": 3.0}),
    "diag": ("diag", {"p": 10, "sep": 4.0}),
    "rot": ("rot", {"n": 240, "p": 20, "k": 4, "sep": 5.0}),
    "imbalanced": ("line", {"n": 300, "p": 6, "sep": 8.0, "weights": (0.7, 0.2, 0.1)}),
}
REAL = ("iris", "wine", "breast_cancer", "digits")


class Problem(NamedTuple):
    """Points (a list of sets for "groups"), the number of clusters, what is asked, and the true groups if known."""

    kind: str
    X: Any
    k: int
    truth: Any = None


@cache
def instances() -> list[Instance]:
    """Return relaxations of growing size, real data, a million points apart and not, and the six generators."""
    from numopt.gallery import heterogeneous_clusters, isotropic_clusters

    found = []
    for n, target in ((200, 1e-5), (1000, 1e-5), (2000, 1e-4), (2000, 1e-5)):
        X, _ = isotropic_clusters(n, 20, 4, 5.0)
        found.append(Instance(f"relaxation {n} to {target:.0e}", Problem("sdp", X, 4), target))
    for name in REAL:
        found.append(Instance(name, Problem("sdp", *real(name)), 1e-4))
    for name, sep, kind in (("apart", 14.0, "labels"), ("overlapping", 5.0, "sketch")):
        X, _ = isotropic_clusters(1_000_000, 20, 4, sep)
        found.append(Instance(f"million {name}", Problem(kind, X, 4), 1e-9 if kind == "labels" else 1e-2))
    for name, (kind, arguments) in GROUPS.items():
        sets = [heterogeneous_clusters(kind, 10_000 + seed, **arguments) for seed in SEEDS]
        k = arguments.get("k", 3)
        found.append(Instance(name, Problem("groups", [X for X, _ in sets], k, [g for _, g in sets]), 0.05))
    return found


def real(name: str) -> tuple[np.ndarray, int]:
    """Return the points of one of scikit-learn's sets, standardised but for iris, and its number of classes."""
    from sklearn import datasets

    data = getattr(datasets, f"load_{name}")()
    X = data.data.astype(float)
    if name in ("wine", "breast_cancer"):
        X = (X - X.mean(axis=0)) / X.std(axis=0)
    return X, len(data.target_names)


def ruler(instance: Instance, point: Any) -> float:
    """Return the duality gap of (Z, N), what `certify_kmeans` leaves of labels, or the share of misplaced points."""
    p = instance.data
    if p.kind == "sdp":
        return relaxation_gap(p.X, p.k, *point)
    if p.kind == "labels":
        from numopt.clustering import certify_kmeans

        return certify_kmeans(p.X, point, on_failure="ignore").gap
    if p.kind == "sketch":
        return float(point)
    return float(np.mean([misplaced(labels, truth, p.k) for labels, truth in zip(point, p.truth, strict=True)]))


def misplaced(labels: np.ndarray, truth: np.ndarray, k: int) -> float:
    """Return the share of points in the wrong group, groups matched at best."""
    from scipy.optimize import linear_sum_assignment

    counts = np.zeros((k, k))
    np.add.at(counts, (labels, truth), 1)
    rows, columns = linear_sum_assignment(-counts)
    return 1.0 - counts[rows, columns].sum() / len(labels)


def _numopt(instance: Instance) -> Answer:
    from numopt.clustering import ila_sdp, kmeans_sdp

    p = instance.data
    if p.kind == "sdp":
        result = kmeans_sdp(
            p.X, p.k, method="dr", tol=instance.target, max_iter=4000, rng=0, on_failure="ignore"
        )
        if result.basis is None:  # proved optimal before the relaxation was solved
            return Answer((_integral(result.labels), None), result.nit)
        return Answer((result.membership, result.multiplier), result.nit)
    if p.kind == "labels":
        result = kmeans_sdp(p.X, p.k, method="certify", rng=0)
        return Answer(result.labels, result.nit)
    if p.kind == "sketch":
        result = kmeans_sdp(p.X, p.k, method="sketch", tol=1e-2, rng=0, on_failure="ignore")
        return Answer(result.gap, result.nit)
    return Answer([ila_sdp(X, p.k, rng=0, on_failure="ignore").labels for X in p.X])


def _integral(labels: np.ndarray) -> np.ndarray:
    same = (labels[:, None] == labels).astype(float)
    return same / same.sum(axis=1)


def _certificate(instance: Instance) -> Answer:
    """Time the certificate alone, on labels that were found before."""
    from numopt.clustering import certify_kmeans

    labels = _known_labels(instance.name)
    certify_kmeans(instance.data.X, labels)
    return Answer(labels)


@cache
def _known_labels(name: str) -> np.ndarray:
    from numopt.clustering import kmeans_sdp

    p = next(i.data for i in instances() if i.name == name)
    return kmeans_sdp(p.X, p.k, method="certify", rng=0).labels


def _paper(instance: Instance) -> Answer:
    from numopt.clustering import ila_sdp

    p = instance.data
    return Answer([ila_sdp(X, p.k, method="ila-sdp", rng=0, on_failure="ignore").labels for X in p.X])


def _scikit(make):
    def solve(instance: Instance) -> Answer:
        p = instance.data
        sets = p.X if p.kind == "groups" else [p.X]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            labels = [make(p.k).fit_predict(X) for X in sets]
        return Answer(labels if p.kind == "groups" else labels[0])

    return solve


def _of(*kinds: str):
    return lambda instance: instance.data.kind in kinds


def _small(instance: Instance) -> bool:
    return instance.data.kind == "sdp" and len(instance.data.X) <= 200


def solvers() -> list[Solver]:
    """Return numopt, then SCS, Clarabel and scikit-learn where they are installed."""
    from sklearn.cluster import AgglomerativeClustering, KMeans, SpectralClustering

    found = [
        Solver("numopt", _numopt, kind="ours"),
        Solver("numopt ila-sdp", _paper, kind="ours", applies=_of("groups")),
        Solver("numopt certificate alone", _certificate, kind="context", applies=_of("labels")),
    ]
    for name, solve in (("SCS", scs_sdp), ("Clarabel", clarabel_sdp)):
        try:
            __import__(name.lower())
        except ImportError:
            continue
        found.append(
            Solver(name, lambda i, solve=solve: Answer(*solve(i.data.X, i.data.k)), compiled=True, applies=_small)
        )
    groups = _of("groups")
    kmeans = _scikit(lambda k: KMeans(k, n_init=10, random_state=0))
    spectral = _scikit(lambda k: SpectralClustering(k, affinity="nearest_neighbors", n_neighbors=10, random_state=0))
    return [
        *found,
        Solver("KMeans n_init=10", kmeans, applies=_of("groups", "labels")),
        *(Solver(f"GaussianMixture n_init={starts}", _mixture(starts), applies=groups) for starts in (1, 10)),
        Solver("SpectralClustering kNN", spectral, applies=groups),
        Solver("AgglomerativeClustering", _scikit(AgglomerativeClustering), applies=groups),
    ]


def _mixture(starts: int):
    from sklearn.mixture import GaussianMixture

    return _scikit(lambda k: GaussianMixture(k, n_init=starts, random_state=0))


def figures(table: Table) -> list[Figure]:
    """Return the figures of the issue that a table can show."""
    from benchmarks.peers._clustering_figures import figures_of

    return figures_of(table, GROUPS)
