"""Sequences of linear systems: our tuned relaxation beside SciPy, PyAMG, mabwiser and optuna.

All are judged by the largest residual relative to the right-hand side; what a solver has to learn or to set up counts.
Peers and their settings are told in `_relax_peers`, learners in `_relax_learners`.
"""

from __future__ import annotations

import numpy as np

import numopt
from benchmarks.peers import Instance, Solver, _relax_peers
from benchmarks.peers._relax_figures import figures
from benchmarks.peers._relax_instances import instances, worst_residual
from benchmarks.peers._relax_ours import ours

__all__ = ["PACKAGES", "figures", "instances", "prepare", "ruler", "solvers"]

PACKAGES = ("pyamg", "mabwiser", "optuna")


def ruler(instance: Instance, solutions: list[np.ndarray]) -> float:
    """Return the largest of the relative residuals."""
    return worst_residual(instance.data, solutions)


def solvers() -> list[Solver]:
    """Return ours, and those of the peers that are installed."""
    return [*ours(), *_relax_peers.solvers()]


def prepare() -> None:
    """Compile our kernels."""
    numopt.warmup("float64")
