"""The public solver: scipy's call, numopt's certificate."""

from numopt import _array
from numopt._check import Checks, one_of
from numopt._loop import run
from numopt._solver import solver
from numopt.constrained._constraints import Objective, read_constraints
from numopt.constrained._exact import LineSearchFailed, exact_newton
from numopt.constrained._functions import Space
from numopt.constrained._interior import Interior, interior, least_squares_multipliers
from numopt.constrained._kkt import Dense
from numopt.constrained._problem import Problem, State, read_bounds
from numopt.constrained._regular import Regulariser
from numopt.constrained._result import ConstrainedResult


@solver(family="constrained", arrays=("x0",))
def minimize_constrained(fun, x0, args=(), *, jac=None, hess=None, hessp=None, constraints=(), bounds=None, method="auto",
                         linear_solver="auto", tol=1e-8, max_iter=300, max_time=None, options=None, rng=None,
                         check_every=1, callback=None, on_failure="warn"):  # fmt: skip
    """Minimise."""
    one_of("method", method, ("auto", "adasketch"))
    checks = Checks({"x0": x0})
    x0 = checks.vector("x0")
    checks.settle()
    space = Space(checks.xp, checks.device, checks.dtype)
    args = args if isinstance(args, tuple) else (args,)
    objective = Objective(space, fun, jac, hess, hessp, args)
    lower, upper = read_bounds(x0.shape[0], bounds, _array.host(x0))
    p = Problem(space, objective, read_constraints(space, constraints), x0, lower, upper)
    kkt = Dense(p.xp)
    return run(
        _auto(p, kkt, tol), certify=p.certificate, finish=_finisher(p, kkt), tol=tol, max_iter=max_iter,
        max_time=max_time, check_every=check_every, callback=callback, on_failure=on_failure,
    )  # fmt: skip


def _auto(p, kkt, tol):
    regular = Regulariser(kkt, p.n, p.m)
    if p.bounded or p.secant is not None:
        return (yield from interior(p, kkt, regular, p.start, tol))
    zero = p.xp.zeros_like(p.start.x)
    lam = least_squares_multipliers(p, Interior(p, kkt), p.start, zero, zero)
    try:
        yield from exact_newton(p, kkt, regular, State(p.start, lam))
    except LineSearchFailed as failed:
        state = failed.args[0]
    return (yield from interior(p, kkt, regular, state.point, tol, lam=state.lam, seen=True))


def _finisher(p, kkt):
    def finish(state, info, common):
        certificate = common["certificate"]
        z_lower, z_upper = p.bound_multipliers(state)
        rows, v, at = p.row_multipliers(state.lam), [], 0
        for block in p.blocks:
            v.append(rows[at : at + block.size])
            at += block.size
        full = p.full(state.x)
        return ConstrainedResult(
            **common, x=full, fun=state.point.f / p.sf, jac=state.point.g / p.sf, v=v, z_lower=z_lower, z_upper=z_upper,
            **certificate, second_order="not verified", linear_solver=kkt.name, n_factor=kkt.n_factor, n_sketch=0, inner_capped=0,
            **p.space.counts, time_eval=p.space.seconds,
        )

    return finish
