"""Conjugate gradients preconditioned by symmetric relaxation, in Eisenstat's form."""

import math

import numpy as np

from numopt import _array
from numopt._check import flag
from numopt._loop import Iterate, Status, run
from numopt._solver import solver
from numopt.exceptions import InvalidInputError
from numopt.relax._call import checked_omega, columns, scipy_names, shown, stride
from numopt.relax._problem import DROWNED, linear_system
from numopt.relax._result import RelaxResult, ritz
from numopt.relax._theory import best_ssor, mu_from

_SKEW = 1e-6  # of sqrt(a_ii a_jj): more than rounding in float32
_EXTREME = 1e140
_FIRST, _TRIAL = 1.5, 20  # omega of a run that knows nothing, and steps after which it does


@solver(family="relax", sparse=True, arrays=("A", "b", "x0"))
def ssor_pcg(A, b, x0=None, *, omega="auto", rtol=1e-8, atol=0.0, max_iter=10_000, ordering="auto", ref="b",
             plan=None, assume_symmetric=False, max_time=None, callback=None, check_every=1, on_failure="warn",
             maxiter=None, M=None):  # fmt: skip
    """Solve A x = b, A symmetric positive definite, by conjugate gradients with symmetric relaxation.

    Parameters
    ----------
    A : sparse array or matrix of shape (n, n), or array_like
        Symmetric positive definite; SciPy or CuPy in any format, or dense.
    b, x0
        As for `sor`.
    omega : float or "auto", default "auto"
        Relaxation parameter in (0, 2) of the preconditioner. ``"auto"`` tries 20 steps with 1.5, learns the largest
        eigenvalue of ``D A^{-1}`` from them, and starts anew with the minimiser of Axelsson's bound if that is larger.
        Where the order of the rows rules out more than 1.5, as with few colours, it takes what the bound says at
        once: 1 for two colours.
    rtol, atol
        As for `sor`.
    max_iter : int, default 10000
        Steps.
    ordering : {"auto", "natural", "colour"} or array_like of shape (n,), default "auto"
        Order of the rows; see `relax_plan`. Colours cost steps, and the best omega is then near 1.
    ref, plan
        As for `sor`.
    assume_symmetric : bool, default False
        Trust that A is symmetric; otherwise entries that differ by more than 1e-6 of the diagonal are an error.
    max_time, callback, check_every, on_failure, maxiter, M
        As for `sor`.

    Returns
    -------
    RelaxResult
        With ``x``, ``residual_norm``, ``omega``, ``mu_estimate``, ``ritz_min``, ``ritz_max``, and what every
        result has.

    Raises
    ------
    InvalidInputError
        As for `sor`; or `A` is not symmetric.
    InvalidTypeError, SolverError
        As for `sor`.

    Warns
    -----
    ConvergenceWarning
        The tolerance was not met. If A is not positive definite the status is ``INVALID_MODEL``.
    PrecisionWarning
        As for `sor`.

    Notes
    -----
    *Success* means that ``||b - A x||``, recomputed from the matrix at the point returned, meets the tolerance. If the
    recursion disagrees, the iteration starts anew from the point reached.

    *Method*: with K = D/omega + L and c = (2 - omega)/omega the matrix is ``K + K^T - c D``, so that a product with
    ``K^{-1} A K^{-T}`` takes one solve with each triangle and no product (Eisenstat). The residual proper is K times
    the one that the recursion carries: it is formed in the pass over L, in every fourth step and near the end.
    Near the end the next residual is also predicted, lest a step be wasted.

    *Cost*: a step moves 12 bytes for each entry off the diagonal and 120 for each row, less than a step of plain
    conjugate gradients. *Memory*: beyond the plan, 12 bytes an entry and 72 a row. All is computed in float64.

    *When not to use it*: multigrid and sparse factorisations win where hundreds of steps are needed, and where many
    right-hand sides share a matrix.

    References
    ----------
    S. C. Eisenstat: Efficient implementation of a class of preconditioned conjugate gradient methods, SIAM J. Sci.
    Stat. Comput. 2, 1981. O. Axelsson: A class of iterative methods for finite element equations, 1976.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.gallery import laplacian_2d
    >>> from numopt.relax import ssor_pcg
    >>> A, b = laplacian_2d(100), np.ones(10_000)
    >>> result = ssor_pcg(A, b)
    >>> result.success, result.nit < ssor_pcg(A, b, omega=1.0).nit
    (True, True)
    """
    max_iter = scipy_names(max_iter, maxiter, M, "ssor_pcg is preconditioned by omega alone")
    omega = None if isinstance(omega, str) and omega == "auto" else checked_omega(omega)
    before = None

    def solve(b, x0, max_time, on_failure):
        nonlocal before
        problem = linear_system(A, b, x0, rtol=rtol, atol=atol, ref=ref, ordering=ordering, plan=plan, before=before)
        before = problem  # the next column has the same matrix
        if not flag("assume_symmetric", assume_symmetric):
            _expect_symmetry(problem)
        excess = _excess(problem)
        first = min(_FIRST, best_ssor(math.inf, excess))  # nothing can be learnt that would raise less than 1.5
        counts = {"nit": 0, "omega": omega or first, "restarts": 0}
        kept = {"coefficients": [], "mu": None, "excess": excess}
        trial = omega is None and first == _FIRST
        return run(
            _iterates(problem, trial, max_iter, stride(problem, check_every, callback), counts, kept),
            certify=problem.certificate,
            finish=lambda x, info, common: _finish(problem, x, counts, kept, common),
            tol=problem.tol, max_iter=max_iter, max_time=max_time, check_every=check_every,
            callback=shown(problem, callback), on_failure=on_failure, start=problem.start,
        )  # fmt: skip

    return columns(solve, A, b, x0, max_time, on_failure)


def _iterates(problem, trial, max_iter, stride, counts, kept):
    """Yield iterates; a `trial` run of a few steps finds the parameter for the rest."""
    xp, k, s, target = problem.xp, problem.kernels, problem.system, problem.target()
    if problem.lowest <= 0:
        return Status.INVALID_MODEL, "A is not positive definite: its diagonal is not positive"
    if not 1 / _EXTREME < problem.lowest < _EXTREME:
        return Status.NONFINITE, f"A has {problem.lowest:g} on its diagonal, whose square is no number; rescale A and b"
    x = _array.copied(problem.start)
    while True:
        omega, g = counts["omega"], xp.zeros_like(x)
        square = k.pcg_start(s, problem.rhs, x, omega, g)
        if problem.drowns(square):
            x[...] = 0.0
            square = k.pcg_start(s, problem.rhs, x, omega, g)
        y, p, t = (xp.zeros_like(x) for _ in range(3))
        carry, request, goal = np.zeros(3), None, max(target, DROWNED * square)
        yield Iterate(x, math.sqrt(square) / problem.scale, dict(counts), steps=0)
        kept.update(coefficients=[], begin=_array.copied(x))
        while request != "rebuild":
            budget = min(_TRIAL if trial else stride, max_iter - counts["nit"])
            squares, coefficients = np.empty(budget + 1), np.empty((budget, 2))
            steps, square = k.pcg(s, x, g, y, p, t, carry, omega, goal, budget, squares, coefficients)
            kept["coefficients"].append(coefficients[:steps])
            kept["energy"] = carry[2]
            counts["nit"] += steps
            if math.isnan(carry[0]):
                return Status.INVALID_MODEL, "A is not positive definite: a direction has no positive curvature", steps
            request = yield Iterate(x, math.sqrt(square) / problem.scale, dict(counts), steps=steps)
            if target < square <= goal or (trial and square > target and _better(counts, kept)):
                break
            trial = False
        trial = False
        counts["restarts"] += 1


def _better(counts, kept):
    """Put the parameter that the trial suggests in place; say whether it is worth a new start."""
    smallest, _ = ritz(np.concatenate(kept["coefficients"]))
    if smallest is None:
        return False
    kept["mu"] = mu_from(smallest, counts["omega"], kept["excess"])
    suggested = best_ssor(2 * kept["mu"], kept["excess"])  # after few steps the estimate is low
    if suggested > counts["omega"] + 0.05:
        counts["omega"] = suggested
        return True
    return False


def _excess(problem):
    """Return nu / mu as far as a constant vector tells, 0 in the order of the caller.

    A constant stands for the smooth vectors that converge last: of it, D^{-1} L^T makes the share of a row that comes
    behind it.
    """
    if problem.plan.ordering == "natural":
        return 0.0
    ones, d = problem.xp.ones_like(problem.rhs), problem.system.diagonal
    _, later = problem.kernels.products(problem.system, ones)
    sums = _array.host(problem.xp.sum(d * later * later), problem.xp.sum(d))
    return max(0.0, sums[0] / sums[1] - 0.25)


def _expect_symmetry(problem):
    plan = problem.plan
    if not plan.symmetric or problem.skew > _SKEW:
        kind = "in its pattern, where stored zeros count"
        kind = f"by {problem.skew:.1e} of the diagonal" if plan.symmetric else kind
        raise InvalidInputError(
            f"A is not symmetric ({kind}): a symmetric matrix is expected; use sor, or assume_symmetric=True if "
            f"only rounding differs"
        )


def _finish(problem, x, counts, kept, common):
    """Return the result at x, with what the run says about the matrix."""
    rayleigh, coefficients = None, None
    if kept["coefficients"]:
        coefficients = np.concatenate(kept["coefficients"])
        sums = problem.kernels.quotients(problem.system.diagonal, problem.rhs, x, kept["begin"])
        size, product, moved = _array.host(*sums)
        pairs = (size, product), (moved, kept["energy"])
        rayleigh = max((d / a for d, a in pairs if a > 0 and 0 < d < math.inf), default=None)
    n, nnz = problem.b.shape[0], problem.A.nnz
    return RelaxResult(
        x=problem.judged(x),
        residual_norm=common["certificate"]["residual"] * problem.scale,
        omega=float(counts["omega"]),
        nit_paper=counts["nit"],
        restarts=counts["restarts"],
        work=float((12 * nnz + 150 * n) * counts["nit"] + 60 * nnz),
        _rayleigh=rayleigh,
        _tried=kept["mu"],
        _coefficients=coefficients,
        _excess=kept["excess"],
        **common,
    )
