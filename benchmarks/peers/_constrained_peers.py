"""Ipopt through casadi, and SciPy's two solvers, with exact derivatives and at the best settings that we found.

Ipopt gets symbols where the instance has them (then its derivatives are compiled code), else the same Python functions
as all others, through casadi's buffers. Building is not timed. What is timed is the call of the solver; `INSIDE` keeps
the CPU seconds less those in the Python functions and in the clock around them, for Ipopt less what casadi reports as
spent in evaluations, which is more.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

from benchmarks.peers import Answer, Instance, Solver
from benchmarks.peers._constrained_instances import Model, kkt_error

STEPS = 1000
THRESHOLDS = (1e-8, 1e-10, 1e-12, 1e-14)
PATIENCE = 2.0  # seconds after which no tighter threshold is tried


@dataclass
class Inside:
    """Of one solver on one instance: least CPU seconds outside the callbacks, what it said, and the ruler's error."""

    seconds: float
    success: bool
    nit: int
    error: float = 0.0


INSIDE: dict[tuple[str, str], Inside] = {}


def clocked(model: Model, call: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return what a call of a solver answers, its CPU seconds, and those of them that are charged to the callbacks."""
    called, begin = model.clock.charged, time.process_time()
    answer = call()
    spent = time.process_time() - begin
    return answer, spent, model.clock.charged - called


def note(name: str, model: Model, seconds: float, success: bool, nit: int) -> None:
    """Keep the least seconds."""
    before = INSIDE.get((model.name, name))
    INSIDE[model.name, name] = Inside(min(seconds, before.seconds) if before else seconds, success, nit)


# Ipopt


def ipopt() -> list[Solver]:
    """Return Ipopt: as it is it tests scaled errors, and where that is not enough the unscaled ones too."""
    try:
        import casadi  # noqa: F401
    except ImportError:
        return []

    def run(model: Model, threshold: float) -> Answer:
        solver = built(model, threshold)
        lb = -np.inf if model.lb is None else model.lb
        ub = np.inf if model.ub is None else model.ub
        call = partial(solver, x0=model.x0, lbx=lb, ubx=ub, lbg=model.cl, ubg=model.cu)
        found, spent, called = clocked(model, call)
        if INTERRUPTED:
            raise INTERRUPTED.pop()
        stats = solver.stats()
        evaluated = sum(seconds for key, seconds in stats.items() if key.startswith("t_proc_nlp_"))
        note("Ipopt", model, spent - max(evaluated, called), bool(stats["success"]), int(stats["iter_count"]))
        x, lam = (np.asarray(found[k], float).ravel() for k in ("x", "lam_g"))
        return Answer((x, lam), int(stats["iter_count"]))

    return [Solver("Ipopt", tightened(run, (np.inf, 1e-8, 1e-9)))]


OPTIONS = {
    "print_time": False,
    "no_nlp_grad": True,
    "ipopt.print_level": 0,
    "ipopt.sb": "yes",
    "ipopt.max_iter": STEPS,
}


@cache
def built(model: Model, threshold: float) -> Any:
    """Return casadi's solver of the model; an infinite threshold leaves Ipopt's as they are."""
    import casadi

    options = OPTIONS | model.ipopt
    if threshold < np.inf:
        tests = ("tol", "dual_inf_tol", "constr_viol_tol", "compl_inf_tol")
        options |= {f"ipopt.{test}": threshold for test in tests} | {"ipopt.bound_relax_factor": 0.0}
    if model.symbolic:
        x, f, g = model.symbolic()
        return casadi.nlpsol("solver", "ipopt", {"x": x, "f": f, "g": g}, options)
    problem, derivatives = _functions(model)
    return casadi.nlpsol("solver", "ipopt", problem, options | derivatives)


def _functions(model: Model) -> tuple[Any, dict]:
    """Return the problem as functions on casadi's buffers, and the options that hand over its derivatives."""
    import casadi

    m, n = model.shape
    dense = casadi.Sparsity.dense
    low = np.tril_indices(n)

    class Function(casadi.Callback):
        def __init__(self, name: str, ins: dict, outs: dict, evaluate: Callable) -> None:
            super().__init__()
            self.ins, self.outs, self.evaluate = list(ins.items()), list(outs.items()), evaluate
            self.construct(name, {})

        def get_n_in(self) -> int:
            return len(self.ins)

        def get_n_out(self) -> int:
            return len(self.outs)

        def get_name_in(self, i: int) -> str:
            return self.ins[i][0]

        def get_name_out(self, i: int) -> str:
            return self.outs[i][0]

        def get_sparsity_in(self, i: int) -> Any:
            return self.ins[i][1]

        def get_sparsity_out(self, i: int) -> Any:
            return self.outs[i][1]

        def has_eval_buffer(self) -> bool:
            return True

        def eval_buffer(self, given: Any, wanted: Any) -> int:
            if INTERRUPTED:  # casadi swallows what is raised here: ask Ipopt to end, then raise again
                return 1
            try:
                values = self.evaluate(*(np.frombuffer(a or b"", float).copy() for a in given))
            except BaseException as error:
                INTERRUPTED.append(error)
                return 1
            for buffer, value in zip(wanted, values, strict=True):
                if buffer is not None and len(buffer):
                    np.frombuffer(buffer, float)[:] = value
            return 0

    def hessian(x: np.ndarray, p: np.ndarray, s: np.ndarray, v: np.ndarray) -> list:
        H = s[0] * model.hess(x) + model.hess_c(x, v)
        return [H[low]]  # H is symmetric: its lower triangle by rows is the upper one by columns

    start = {"x": dense(n, 1), "p": dense(0, 1)}
    f, g = {"f": dense(1, 1)}, {"g": dense(m, 1)}
    problem = Function("nlp", start, f | g, lambda x, p: [model.fun(x), model.cons(x)])
    gradient = Function("grad_f", start, f | {"grad_f_x": dense(n, 1)}, lambda x, p: [model.fun(x), model.grad(x)])
    jacobian = Function(
        "jac_g", start, g | {"jac_g_x": dense(m, n)}, lambda x, p: [model.cons(x), model.jac(x).T.ravel()]
    )
    lagrangian = Function(
        "hess_lag", start | {"lam_f": dense(1, 1), "lam_g": dense(m, 1)},
        {"triu_hess_gamma_x_x": casadi.Sparsity.upper(n)}, hessian,
    )  # fmt: skip
    KEPT.extend((problem, gradient, jacobian, lagrangian))
    return problem, {"grad_f": gradient, "jac_g": jacobian, "hess_lag": lagrangian}


INTERRUPTED: list[BaseException] = []
KEPT: list = []  # casadi does not hold on to Python functions


# SciPy


def scipy_solvers() -> list[Solver]:
    """Return trust-constr and SLSQP, with the loosest threshold that reaches what is asked."""
    from scipy.optimize import Bounds, NonlinearConstraint, minimize

    def run(name: str, model: Model, **options: Any) -> Answer:
        second = name == "trust-constr"
        constraint = NonlinearConstraint(
            model.cons, model.cl, model.cu, jac=model.jac, **({"hess": model.hess_c} if second else {})
        )
        call = partial(
            minimize, model.fun, model.x0, jac=model.grad, hess=model.hess if second else None,
            constraints=[constraint], bounds=Bounds(model.lb, model.ub) if model.bounded else None, method=name,
            options=options,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result, spent, called = clocked(model, call)
        note(name, model, spent - called, bool(result.success), int(result.nit))
        lam = np.asarray(result.v[0], float).ravel() if second else None
        return Answer((result.x, lam), int(result.nit))

    # Its other rules, of the length of the step and of the barrier, are not to stop it first.
    def trust(model: Model, threshold: float) -> Answer:
        return run("trust-constr", model, gtol=threshold, barrier_tol=1e-2 * threshold, xtol=1e-15, maxiter=STEPS)

    # It looks at changes of f, which are squares of the error.
    def slsqp(model: Model, threshold: float) -> Answer:
        return run("SLSQP", model, ftol=1e-2 * threshold, maxiter=500)

    return [
        Solver("trust-constr", tightened(trust, THRESHOLDS), applies=lambda instance: instance.data.x0.size < 10_000),
        Solver("SLSQP", tightened(slsqp, THRESHOLDS), applies=lambda instance: instance.data.x0.size <= 300),
    ]


def tightened(run: Callable[[Model, float], Answer], ladder: tuple[float, ...]) -> Callable[[Instance], Answer]:
    """Return the run with the loosest threshold that is enough, which the first run finds."""
    known: dict[str, float] = {}

    def solve(instance: Instance) -> Answer:
        model, begin = instance.data, time.process_time()
        if instance.name in known:
            return run(model, known[instance.name])
        found = []
        for threshold in ladder:
            answer = run(model, threshold)
            found.append((kkt_error(model, *answer.point), threshold, answer))
            if found[-1][0] <= instance.target or time.process_time() - begin > PATIENCE:
                break
        _, known[instance.name], answer = min(found, key=lambda trial: trial[:2])
        return answer

    return solve
