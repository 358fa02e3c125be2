"""Successive over-relaxation, whose sweeps tell the exact residual for free."""

import math

import numpy as np

from numopt import _array
from numopt._loop import Iterate, Status, run
from numopt._solver import solver
from numopt.relax._call import checked_omega, columns, scipy_names, stride
from numopt.relax._problem import linear_system
from numopt.relax._rates import WINDOW, Rates
from numopt.relax._result import RelaxResult


GROWTH = 1e16  # of the squared residual: the kernels stop there too


@solver(family="relax", sparse=True, arrays=("A", "b", "x0"))
def sor(A, b, x0=None, *, omega="auto", rtol=1e-8, atol=0.0, max_iter=10_000, symmetric=False, ordering="auto",
        ref="b", plan=None, max_time=None, callback=None, check_every=1, on_failure="warn",
        maxiter=None, M=None):  # fmt: skip
    """Solve."""
    max_iter = scipy_names(max_iter, maxiter, M, "sor has no preconditioner")
    adapt = isinstance(omega, str) and omega == "auto"
    omega = 1.0 if adapt else checked_omega(omega)

    def solve(b, x0):
        problem = linear_system(A, b, x0, rtol=rtol, atol=atol, ref=ref, ordering=ordering, plan=plan)
        counts = {"nit": 0, "omega": omega, "restarts": 0}
        rates = Rates(omega)
        return run(
            _iterates(problem, adapt, symmetric, max_iter, stride(problem, check_every, callback), counts, rates),
            certify=problem.certificate,
            finish=lambda x, info, common: _finish(problem, counts, rates, common),
            tol=problem.tol, max_iter=max_iter, max_time=max_time, check_every=check_every, callback=callback,
            on_failure=on_failure, start=problem.start,
        )  # fmt: skip

    return columns(solve, b, x0)


def _iterates(problem, adapt, symmetric, max_iter, stride, counts, rates):
    k, s, x = problem.kernels, problem.system, _array.copied(problem.start)
    low, up = k.products(s, x)
    half = problem.xp.zeros_like(x) if symmetric else None
    while True:
        budget = min(WINDOW if adapt else stride, max_iter - counts["nit"])
        squares, omega, target = np.empty(budget), counts["omega"], problem.target()
        if symmetric:
            steps, square = k.ssor(s, problem.rhs, x, half, low, up, omega, target, budget, squares)
        else:
            steps, square = k.sor(s, problem.rhs, x, low, omega, target, budget, squares)
        counts["nit"] += steps
        if square > GROWTH * squares[0]:
            return Status.NONFINITE, "the residual grew by 1e8: the iteration diverges; change omega"
        rates.see(squares[:steps])
        yield Iterate(x, math.sqrt(square) / problem.scale, dict(counts), steps=steps)
        if adapt and (suggested := rates.suggestion()) is not None:
            counts["omega"], counts["restarts"] = suggested, counts["restarts"] + 1


def _finish(problem, counts, rates, common):
    n, nnz = problem.b.shape[0], problem.A.nnz
    return RelaxResult(
        x=problem.kept["point"],
        residual_norm=common["certificate"]["residual"] * problem.scale,
        omega=counts["omega"],
        nit_paper=max(counts["nit"] - 1, 0),
        restarts=counts["restarts"],
        work=float((12 * nnz + 60 * n) * counts["nit"] + 60 * nnz),
        beta_estimate=rates.beta(),
        **common,
    )
