"""Entropic optimal transport beside POT and regot; what each of them gets is told in `_ot_peers`.

All are judged by the l1 violation of both marginals of the returned plan. Ours is returned unformed, theirs
formed: what forming costs is printed with the third figure.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import numopt
from benchmarks.peers import Answer, Instance, Solver
from benchmarks.peers._ot_figures import figures
from benchmarks.peers._ot_instances import TARGET, instances, violation
from benchmarks.peers._ot_peers import ENDLESS, lighter, pot, regot

__all__ = ["PACKAGES", "figures", "instances", "prepare", "ruler", "solvers"]

PACKAGES = ("pot", "regot", "scikit-learn", "threadpoolctl")


def ruler(instance: Instance, plan: Any) -> float:
    """Return the l1 violation of both marginals of a plan of mass 1."""
    return violation(instance.data, plan if isinstance(plan, np.ndarray) else plan.todense())


def solvers() -> list[Solver]:
    """Return ours, and those of the peers that are installed."""
    return [
        Solver("numopt", ours(tol=TARGET), "ours"),
        Solver("numopt to 1e-12", ours(tol=1e-12), "ours"),
        *pot(),
        *regot(),
        Solver("numopt sns", ours(method="sns"), "ours", applies=_in_paper),
        Solver("numopt sinkhorn", ours(method="sinkhorn", max_iter=ENDLESS), "ours", easier=lighter("numopt sinkhorn")),
    ]


def prepare() -> None:
    """Compile our kernels, lest that run into the limit."""
    numopt.warmup("float64")


def _in_paper(instance: Instance) -> bool:
    return instance.data.reg == 1 / 1200


def ours(tol: float = TARGET, method: str = "auto", **options: Any) -> Callable[[Instance], Answer]:
    """Return our solver; the paper's method gets the paper's parameters."""
    from numopt.ot import sinkhorn_newton

    def solve(instance: Instance) -> Answer:
        p = instance.data
        paper = {"n_sinkhorn": 700, "density": 30.0} if (method, instance.name) == ("sns", "digits l1") else {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # 1e-12 is close to what rounding leaves: the ruler judges
            result = sinkhorn_newton(
                p.a, p.b, p.C, reg=p.reg, tol=tol, method=method, on_failure="ignore", **options, **paper
            )
        return Answer(result.plan, result.nit)

    return solve
