"""numopt.constrained, called as anybody would."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.peers import Answer, Instance, Solver
from benchmarks.peers._constrained_instances import TARGET, Model, kkt_error
from benchmarks.peers._constrained_peers import INSIDE, STEPS, clocked, note

ESTIMATOR = "estimator"
FASTER = ", our sums"
STEP: dict[str, float] = {}  # least seconds a step of the estimator, input checks and layout of the samples left out


def ours() -> list[Solver]:
    """Return the default method; nothing where the family is not there."""
    try:
        from numopt.constrained import minimize_constrained  # noqa: F401
    except ImportError:
        return []

    def solve(instance: Instance) -> Answer:
        model = instance.data
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result, spent, called = clocked(model, prepared(model))
        note("numopt", model, spent - called, bool(result.success), int(result.nit))
        x, lam = np.asarray(result.x), np.asarray(result.v[0])
        INSIDE[model.name, "numopt"].error = kkt_error(model, x, lam)
        return Answer((x, lam), int(result.nit))

    return [
        Solver("numopt", solve, "ours"),
        Solver(ESTIMATOR, regression, "ours", applies=lambda instance: bool(instance.data.regression)),
    ]


def regression(instance: Instance) -> Answer:
    """Return the same point by the estimator, whose loss passes over the data as few times as it can."""
    from numopt.estimators import ConstrainedLogisticRegression

    X, y, A, b = instance.data.regression
    model = ConstrainedLogisticRegression(np.inf, A_eq=A, b_eq=b, norm=1.0, fit_intercept=False, tol=TARGET).fit(X, y)
    lam = np.concatenate([np.asarray(v) for v in model.result_.v])
    step = model.result_.time / max(1, model.n_iter_)
    STEP[instance.name] = min(step, STEP.get(instance.name, np.inf))
    return Answer((model.coef_[0], lam), model.n_iter_)


def minimize(model: Model, tol: float = TARGET, **options: Any) -> Any:
    """Return our result; the start of the multipliers is ours to choose unless the model has one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of dependent constraints, moved starts, capped inner solves: the ruler judges
        return prepared(model, tol, **options)()


def prepared(model: Model, tol: float = TARGET, **options: Any) -> Callable[[], Any]:
    """Return the call that solves a model, its constraints in SciPy's form."""
    from scipy.optimize import Bounds, NonlinearConstraint

    from numopt.constrained import minimize_constrained

    constraint = NonlinearConstraint(model.cons, model.cl, model.cu, jac=model.jac, hess=model.hess_c)
    bounds = Bounds(model.lb, model.ub) if model.bounded else None
    return partial(
        minimize_constrained, model.fun, model.x0, jac=model.grad, hess=model.hess, constraints=[constraint],
        bounds=bounds, tol=tol, max_iter=STEPS, on_failure="ignore", **options,
    )  # fmt: skip


def with_our_sums(solver: Solver) -> Solver:
    """Return the solver on the logistic regressions, given numopt's sums over the samples as its functions."""

    def solve(instance: Instance) -> Answer:
        model = instance.data.faster()
        return solver.solve(Instance(model.name, model, instance.target))

    return Solver(
        solver.name + FASTER, solve, solver.kind,
        applies=lambda instance: instance.data.faster is not None and solver.applies(instance),
    )  # fmt: skip
