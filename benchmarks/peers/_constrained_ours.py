"""numopt.constrained, called as anybody would."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from benchmarks.peers import Answer, Instance, Solver
from benchmarks.peers._constrained_instances import TARGET, Model, kkt_error
from benchmarks.peers._constrained_peers import INSIDE, watched


def ours() -> list[Solver]:
    """Return the default method; nothing where the family is not there."""
    try:
        from numopt.constrained import minimize_constrained  # noqa: F401
    except ImportError:
        return []

    def solve(instance: Instance) -> Answer:
        model = instance.data
        with watched("numopt", model) as told:
            result = minimize(model)
            told |= {"success": bool(result.success), "nit": int(result.nit)}
        x, lam = np.asarray(result.x), np.asarray(result.v[0])
        INSIDE[model.name, "numopt"].error = kkt_error(model, x, lam)
        return Answer((x, lam), int(result.nit))

    return [Solver("numopt", solve, "ours")]


def minimize(model: Model, tol: float = TARGET, **options: Any) -> Any:
    """Return our result; the start of the multipliers is ours to choose unless the model has one."""
    from scipy.optimize import Bounds, NonlinearConstraint

    from numopt.constrained import minimize_constrained

    constraint = NonlinearConstraint(model.cons, model.cl, model.cu, jac=model.jac, hess=model.hess_c)
    bounds = Bounds(model.lb, model.ub) if model.bounded else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of dependent constraints, moved starts, capped inner solves: the ruler judges
        return minimize_constrained(
            model.fun, model.x0, jac=model.grad, hess=model.hess, constraints=[constraint], bounds=bounds, tol=tol,
            on_failure="ignore", **options,
        )  # fmt: skip
