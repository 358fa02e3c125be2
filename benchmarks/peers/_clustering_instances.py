"""What is clustered, and the rulers: the relaxation of K-means on points, and sets of mixtures with known labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from benchmarks.peers import Instance

SEEDS = range(20)
TIGHT = 1e-5  # relative duality gap and violations asked of the relaxation
GOOD = 0.05  # mean mis-clustering asked of a mixture
BRUTE = 60  # points up to which a second-order solver is tried

CLUSTERS = {"iris": 3, "wine": 3, "breast_cancer": 2, "digits": 10}  # as many as the data sets have classes

# Keywords of the generator: covariances differ by group.
MIXTURES: dict[str, dict[str, Any]] = {
    "line, p 10": {"kind": "line", "p": 10, "sep": 6.0},
    "line, p 20": {"kind": "line", "p": 20, "sep": 6.0},
    "scale, p 10": {"kind": "scale", "p": 10, "sep": 3.0},
    "diagonal, p 10": {"kind": "diag", "p": 10, "sep": 4.0},
    "rotated, p 20": {"kind": "rot", "n": 240, "p": 20, "k": 4, "sep": 5.0},
    "uneven lines, p 6": {"kind": "line", "n": 300, "p": 6, "sep": 8.0, "weights": (0.7, 0.2, 0.1)},
}


@dataclass(frozen=True, eq=False)
class Relaxation:
    """Points for which Peng's and Wei's semidefinite relaxation is to be solved."""

    X: np.ndarray
    k: int


@dataclass(frozen=True, eq=False)
class Mixtures:
    """Sets of points, one for each seed, and their true labels."""

    sets: tuple[tuple[np.ndarray, np.ndarray], ...]
    k: int


class Solved(NamedTuple):
    """A matrix that should be feasible for the relaxation, and a number below which no feasible one gets."""

    Z: np.ndarray
    bound: float


@lru_cache
def instances() -> list[Instance]:
    """Return relaxations by size, then the mixtures."""
    from numopt.gallery import heterogeneous_clusters

    points = {f"relaxation n {n}": isotropic(n, 5.0) for n in (BRUTE, 200, 1000, 2000)}
    found = [Instance(name, Relaxation(X, 4), TIGHT) for name, X in points.items()]
    found += [Instance(f"relaxation {name}", Relaxation(X, 3), TIGHT) for name, X in real("iris", "wine").items()]
    for name, options in MIXTURES.items():
        sets = tuple(heterogeneous_clusters(rng=10_000 + seed, **options) for seed in SEEDS)
        found.append(Instance(name, Mixtures(sets, options.get("k", 3)), GOOD))
    return found


def isotropic(n: int, sep: float, seed: int = 0) -> np.ndarray:
    """Return points of four spherical clusters with unit variance in 20 dimensions, centres at distance `sep`."""
    from numopt.gallery import isotropic_clusters

    return isotropic_clusters(n, 20, 4, sep, rng=seed)[0]


def real(*names: str) -> dict[str, np.ndarray]:
    """Return data sets of scikit-learn by name; iris as it is, the others standardised."""
    from sklearn import datasets

    found = {}
    for name in names:
        X = getattr(datasets, f"load_{name}")().data
        scale = X.std(axis=0)
        found[name] = X if name == "iris" else (X - X.mean(axis=0)) / np.where(scale > 0, scale, 1.0)
    return found


# Rulers


def relative_gap(p: Relaxation, found: Solved) -> float:
    """Return the larger of relative duality gap and violations; inf where the bound is above the value."""
    Z, k, n = 0.5 * (found.Z + found.Z.T), p.k, len(p.X)
    value, size = sdp_value(p, Z), np.linalg.norm(Z)
    spectrum = np.linalg.eigvalsh(Z)
    violations = (
        np.linalg.norm(np.minimum(Z, 0)) / size,
        np.linalg.norm(np.minimum(spectrum, 0)) / size,
        np.linalg.norm(Z.sum(axis=1) - 1) / np.sqrt(n),
        abs(np.trace(Z) - k) / k,
    )
    gap = (value - found.bound) / value
    return np.inf if gap < -10 * max(violations) - 1e-9 else float(max(gap, *violations))


def sdp_value(p: Relaxation, Z: np.ndarray) -> float:
    """Return the value of the relaxation at a matrix whose rows sum to one."""
    Xc = p.X - p.X.mean(axis=0)
    return float((Xc**2).sum() - ((Z @ Xc) * Xc).sum())


def dual_bound(p: Relaxation, N: np.ndarray) -> float:
    """Return the bound that a multiplier of Z >= 0 proves: no matrix of the relaxation has a smaller value."""
    Xc, n = p.X - p.X.mean(axis=0), len(p.X)
    N = np.maximum(N, 0.0)
    M = -Xc @ Xc.T - 0.5 * (N + N.T)
    row = M.mean(axis=0)
    M = M - row - row[:, None] + row.mean()
    M += np.abs(M).sum() / n  # moves the vector 1 to the top of the spectrum
    return float((Xc**2).sum() - N.sum() / n + np.linalg.eigvalsh(M)[: p.k - 1].sum())


def misclustering(p: Mixtures, labellings: list[np.ndarray]) -> float:
    """Return the mean share of wrongly labelled points, clusters matched at best."""
    if len(labellings) != len(p.sets):
        return np.inf
    return float(np.mean([_wrong(true, found, p.k) for (_, true), found in zip(p.sets, labellings, strict=True)]))


def _wrong(true: np.ndarray, found: np.ndarray, k: int) -> float:
    from scipy.optimize import linear_sum_assignment

    table = np.zeros((k, k))
    np.add.at(table, (true, found), 1)
    return 1 - table[linear_sum_assignment(table, maximize=True)].sum() / true.size
