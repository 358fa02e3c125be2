"""Monotone inclusions beside PDLP, HiGHS, Clarabel, SCS, ECOS, nashpy and scikit-learn; see `_monotone_peers`.

Games are judged by the duality gap, sums by the residual relative to that of zero, linear programs by the largest
relative infeasibility or gap: all recomputed from the returned point.
"""

from __future__ import annotations

from typing import Any

from benchmarks.peers import Instance, Solver
from benchmarks.peers._monotone_figures import figures
from benchmarks.peers._monotone_instances import instances
from benchmarks.peers._monotone_ours import ours
from benchmarks.peers._monotone_peers import measure, peers, within

__all__ = ["PACKAGES", "figures", "instances", "ruler", "solvers", "within"]

PACKAGES = ("ortools", "clarabel", "scs", "ecos", "nashpy", "scikit-learn", "threadpoolctl")


def ruler(instance: Instance, point: Any) -> float:
    """Return the accuracy of a point: (x, y), or w for a sum."""
    return measure(instance, point)


def solvers() -> list[Solver]:
    """Return ours, and those of the peers that are installed."""
    return [*ours(), *peers()]
