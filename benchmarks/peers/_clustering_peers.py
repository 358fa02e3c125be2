"""SCS, Clarabel and scikit-learn at the best settings that we found.

- SCS gets the relaxation in its standard form, Z in the cone by its lower triangle, Z >= 0 off the diagonal only, the
  cost divided by the largest squared singular value of the centred points. `scale` 5 of 0.1, 1, 2, 3, 5, 8 and 10;
  the run that warms up halves the tolerance until the ruler agrees. With the cost as it is, as one would write it
  down, SCS takes several times as long, which is shown once.
- Clarabel gets the same; a second-order method, its factors grow like n^6. n = 60 takes 3 s, n = 80 already 13.
- The mixture model of scikit-learn has full covariances; `n_init` 1 and 10. Spectral clustering joins 10 neighbours.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp

from benchmarks.peers import Answer, Instance, Solver
from benchmarks.peers._clustering_instances import BRUTE, Mixtures, Relaxation, Solved, dual_bound, relative_gap

EPS, SCALE = 5e-6, 5.0  # of SCS, in front of the halving; 1e-5 is never enough


def solvers() -> list[Solver]:
    """Return those that are installed."""
    found = []
    for name, solve, applies in (("SCS", halved(scs), few), ("Clarabel", clarabel, brute)):
        try:
            __import__(name.lower())
        except ImportError:
            continue
        found.append(Solver(name, solve, compiled=True, applies=applies))
        if name == "SCS":
            plain = halved(partial(scs, scaled=False))
            found.append(Solver("SCS, cost as it is", plain, "context", compiled=True, applies=middle))
    from sklearn.cluster import AgglomerativeClustering, KMeans, SpectralClustering
    from sklearn.mixture import GaussianMixture

    def gaussian(k: int, seed: int, n_init: int) -> Any:
        return GaussianMixture(k, n_init=n_init, max_iter=300, random_state=seed)

    def spectral(k: int, seed: int) -> Any:
        return SpectralClustering(k, affinity="nearest_neighbors", n_neighbors=10, random_state=seed)

    estimators: dict[str, Callable[[int, int], Any]] = {
        "GaussianMixture, n_init 1": partial(gaussian, n_init=1),
        "GaussianMixture, n_init 10": partial(gaussian, n_init=10),
        "SpectralClustering": spectral,
        "KMeans, n_init 10": lambda k, seed: KMeans(k, n_init=10, random_state=seed),
        "AgglomerativeClustering": lambda k, seed: AgglomerativeClustering(k),
    }
    return [*found, *(Solver(name, each_set(make), applies=mixture) for name, make in estimators.items())]


def mixture(instance: Instance) -> bool:
    """Whether labels are to be found."""
    return isinstance(instance.data, Mixtures)


def relaxation(instance: Instance) -> bool:
    """Whether the relaxation is to be solved."""
    return isinstance(instance.data, Relaxation)


def few(instance: Instance) -> bool:
    """Whether a general solver can do it in minutes."""
    return relaxation(instance) and len(instance.data.X) <= 200


def middle(instance: Instance) -> bool:
    """Whether it is the relaxation of 200 points."""
    return relaxation(instance) and len(instance.data.X) == 200


def brute(instance: Instance) -> bool:
    """Whether a second-order solver can."""
    return relaxation(instance) and len(instance.data.X) <= BRUTE


def each_set(make: Callable[[int, int], Any]) -> Callable[[Instance], Answer]:
    """Return what labels every set by the estimator `make(k, seed)`."""

    def solve(instance: Instance) -> Answer:
        p: Mixtures = instance.data
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of graphs that fall apart, and iterations that end
            return Answer([make(p.k, seed).fit_predict(X) for seed, (X, _) in enumerate(p.sets)])

    return solve


# The relaxation in standard form


class Standard:
    """The relaxation with Z as a vector: its triangle column by column, off the diagonal times sqrt(2)."""

    def __init__(self, p: Relaxation, upper: bool) -> None:
        n = len(p.X)
        Xc = p.X - p.X.mean(axis=0)
        # Row and column of each entry: columns of the lower triangle, or of the upper.
        self.i, self.j = np.tril_indices(n)[::-1] if upper else np.triu_indices(n)[::-1]
        self.off, size = self.i != self.j, self.i.size
        self.weight = np.where(self.off, np.sqrt(2), 1.0)
        self.unit, self.p = np.linalg.norm(Xc, 2) ** 2, p
        self.cost = -(Xc @ Xc.T)[self.i, self.j] * self.weight / self.unit
        at, other, share = np.arange(size), self.off, 1 / self.weight
        entries = np.r_[share, share[other]], (np.r_[self.i, self.j[other]], np.r_[at, at[other]])
        sums = sp.csr_array(entries, shape=(n, size))
        trace = sp.csr_array((1.0 * ~other)[None, :])
        positive = -sp.eye_array(size, format="csr")[np.flatnonzero(other)]
        self.A = sp.csc_array(sp.vstack([sums, trace, positive, -sp.eye_array(size)]))
        self.equalities, self.signs, self.n = n + 1, int(other.sum()), n
        self.b = np.concatenate([np.ones(n), [p.k], np.zeros(self.signs + size)])

    def solved(self, x: np.ndarray, dual: np.ndarray) -> Solved:
        """Return the matrix, and the bound that the multipliers of Z >= 0 prove."""
        Z, N = np.zeros((self.n, self.n)), np.zeros((self.n, self.n))
        i, j = self.i[self.off], self.j[self.off]
        Z[self.i, self.j] = Z[self.j, self.i] = x / self.weight
        N[i, j] = N[j, i] = dual[self.equalities : self.equalities + self.signs] * self.unit / np.sqrt(2)
        return Solved(Z, dual_bound(self.p, N))


def halved(solve: Callable[[Instance, float], Answer]) -> Callable[[Instance], Answer]:
    """Return the solver at the loosest of a few tolerances with which the ruler agrees."""
    known: dict[str, float] = {}

    def solve_to_target(instance: Instance) -> Answer:
        eps = known.get(instance.name, EPS)
        answer = solve(instance, eps)
        while instance.name not in known and eps > 1e-7 and relative_gap(instance.data, answer.point) > instance.target:
            eps /= 2
            answer = solve(instance, eps)
        known[instance.name] = eps
        return answer

    return solve_to_target


def scs(instance: Instance, eps: float, scaled: bool = True) -> Answer:
    """Return what SCS finds, with the cost scaled or as it is and at SCS's own `scale`."""
    from scs import SCS

    form = Standard(instance.data, upper=False)
    unit, options = (1.0, {"scale": SCALE}) if scaled else (form.unit, {})
    data = {"A": sp.csc_matrix(form.A), "b": form.b, "c": form.cost * unit}
    cone = {"z": form.equalities, "l": form.signs, "s": [form.n]}
    found = SCS(data, cone, eps_abs=eps, eps_rel=eps, max_iters=10**6, verbose=False, **options).solve()
    return Answer(form.solved(found["x"], found["y"] / unit), int(found["info"]["iter"]))


def clarabel(instance: Instance) -> Answer:
    """Return what Clarabel finds."""
    import clarabel as package

    form = Standard(instance.data, upper=True)
    settings = package.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 0.1 * instance.target
    cones = [
        package.ZeroConeT(form.equalities),
        package.NonnegativeConeT(form.signs),
        package.PSDTriangleConeT(form.n),
    ]
    size = form.i.size
    solver = package.DefaultSolver(
        sp.csc_matrix((size, size)), form.cost, sp.csc_matrix(form.A), form.b, cones, settings
    )
    found = solver.solve()
    return Answer(form.solved(np.array(found.x), np.array(found.z)), int(found.iterations))
