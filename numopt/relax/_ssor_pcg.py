"""Conjugate gradients preconditioned by symmetric relaxation, in Eisenstat's form."""

import math

import numpy as np

from numopt import _array
from numopt._loop import Iterate, Status, run
from numopt._solver import solver
from numopt.exceptions import InvalidInputError
from numopt.relax._call import checked_omega, columns, scipy_names, stride
from numopt.relax._problem import linear_system
from numopt.relax._result import RelaxResult

_SKEW = 1e-6  # of sqrt(a_ii a_jj): more than rounding in float32
_FIRST = 1.5  # omega of a run that knows nothing


@solver(family="relax", sparse=True, arrays=("A", "b", "x0"))
def ssor_pcg(A, b, x0=None, *, omega="auto", rtol=1e-8, atol=0.0, max_iter=10_000, ordering="auto", ref="b",
             plan=None, assume_symmetric=False, max_time=None, callback=None, check_every=1, on_failure="warn",
             maxiter=None, M=None):  # fmt: skip
    """Solve."""
    max_iter = scipy_names(max_iter, maxiter, M, "ssor_pcg is preconditioned by omega alone")
    omega = _FIRST if omega == "auto" else checked_omega(omega)

    def solve(b, x0):
        problem = linear_system(A, b, x0, rtol=rtol, atol=atol, ref=ref, ordering=ordering, plan=plan)
        if not assume_symmetric:
            _expect_symmetry(problem)
        counts = {"nit": 0, "omega": omega, "restarts": 0}
        kept = {"coefficients": []}
        return run(
            _iterates(problem, omega, max_iter, stride(problem, check_every, callback), counts, kept),
            certify=problem.certificate,
            finish=lambda x, info, common: _finish(problem, x, counts, kept, common),
            tol=problem.tol, max_iter=max_iter, max_time=max_time, check_every=check_every, callback=callback,
            on_failure=on_failure, start=problem.start,
        )  # fmt: skip

    return columns(solve, b, x0)


def _iterates(problem, omega, max_iter, stride, counts, kept):
    """Yield iterates until the residual, carried along exactly, meets the tolerance; then the run certifies it."""
    xp, k, s, target = problem.xp, problem.kernels, problem.system, problem.target()
    if problem.lowest <= 0:
        return Status.INVALID_MODEL, "A is not positive definite: its diagonal is not positive"
    x = _array.copied(problem.start)
    while True:
        g = xp.zeros_like(x)
        square = _array.host(k.pcg_start(s, problem.rhs, x, omega, g))
        y, p, t = (xp.zeros_like(x) for _ in range(3))
        carry, request = np.zeros(3), None
        if square <= target:
            yield Iterate(x, math.sqrt(square) / problem.scale, dict(counts), steps=0)
        kept["coefficients"], kept["from"] = [], _array.copied(x)
        while request != "rebuild":
            budget = min(stride, max_iter - counts["nit"])
            squares, coefficients = np.empty(budget + 1), np.empty((budget, 2))
            steps, square = k.pcg(s, x, g, y, p, t, carry, omega, target, budget, squares, coefficients)
            kept["coefficients"].append(coefficients[:steps])
            kept["energy"] = carry[2]
            counts["nit"] += steps
            if math.isnan(carry[0]):
                return Status.INVALID_MODEL, "A is not positive definite: a direction has no positive curvature"
            request = yield Iterate(x, math.sqrt(square) / problem.scale, dict(counts), steps=steps)
        counts["restarts"] += 1


def _expect_symmetry(problem):
    plan = problem.plan
    if not plan.symmetric or problem.skew > _SKEW:
        kind = f"by {problem.skew:.1e} of the diagonal" if plan.symmetric else "in its pattern"
        raise InvalidInputError(
            f"A is not symmetric ({kind}): a symmetric matrix is expected; use sor, or assume_symmetric=True if "
            f"only rounding differs"
        )


def _finish(problem, x, counts, kept, common):
    """Return the result at x, with what the run says about the matrix."""
    rayleigh, coefficients = None, None
    if kept["coefficients"]:
        coefficients = np.concatenate(kept["coefficients"])
        s, begin = problem.system, kept["from"]
        size, product, moved = _array.host(*problem.kernels.quotients(s.diagonal, problem.rhs, x, begin))
        pairs = (size, product), (moved, kept["energy"])
        rayleigh = max((d / a for d, a in pairs if 0 < a < math.inf and 0 < d < math.inf), default=None)
    n, nnz = problem.b.shape[0], problem.A.nnz
    return RelaxResult(
        x=problem.kept["point"],
        residual_norm=common["certificate"]["residual"] * problem.scale,
        omega=counts["omega"],
        nit_paper=counts["nit"],
        restarts=counts["restarts"],
        work=float((12 * nnz + 150 * n) * counts["nit"] + 60 * nnz),
        _rayleigh=rayleigh,
        _coefficients=coefficients,
        **common,
    )
