"""Successive over-relaxation, whose sweeps tell the exact residual for free."""

import math

import numpy as np

from numopt import _array
from numopt._check import flag
from numopt._loop import Iterate, Status, run
from numopt._solver import solver
from numopt.relax._call import checked_omega, columns, scipy_names, shown, stride
from numopt.relax._problem import linear_system
from numopt.relax._rates import WINDOW, Rates
from numopt.relax._result import RelaxResult

GROWTH = 1e16  # of the squared residual: the kernels stop there too


@solver(family="relax", sparse=True, arrays=("A", "b", "x0"))
def sor(A, b, x0=None, *, omega="auto", rtol=1e-8, atol=0.0, max_iter=10_000, symmetric=False, ordering="auto",
        ref="b", plan=None, max_time=None, callback=None, check_every=1, on_failure="warn",
        maxiter=None, M=None):  # fmt: skip
    """Solve A x = b by successive over-relaxation.

    Parameters
    ----------
    A : sparse array or matrix of shape (n, n), or array_like
        SciPy or CuPy in any format, or dense. Its diagonal must have no zero; symmetry is not needed.
    b : array_like of shape (n,), (n, 1) or (n, k)
        Right-hand sides; k of them are solved one after the other, until the first that is stopped: then the others
        take a sweep each.
    x0 : array_like of shape (n,) or (n, k), optional
        Start; None (default) is 0, and so is one that is so far off that the answer would drown in its rounding.
    omega : float or "auto", default "auto"
        Relaxation parameter in (0, 2). ``"auto"`` sweeps with 1 until the rate at which the residual falls has
        settled, then with Young's optimum for that rate, raised again if it proves too small.
    rtol, atol : float, default 1e-8 and 0.0
        Converged is ``||b - A x|| <= max(rtol ||b||, atol)``.
    max_iter : int, default 10000
        Sweeps.
    symmetric : bool, default False
        Count a sweep forward and one backward as an iteration.
    ordering : {"auto", "natural", "colour"} or array_like of shape (n,), default "auto"
        Order of the rows; see `relax_plan`.
    ref : {"b", "r0"}, default "b"
        What `rtol` is relative to: the right-hand side, or the residual of the start.
    plan : RelaxPlan, optional
        From `relax_plan`, for matrices of one pattern. None (default) makes one for this call.
    max_time : float, optional
        Seconds, for all right-hand sides together.
    callback : callable, optional
        Called as ``callback(intermediate_result)``, which has `state` (a copy of x), `nit`, `measure` (the relative
        residual) and `time`; stops the run by raising ``StopIteration``.
    check_every : int, default 1
        Sweeps between two calls of it; ``omega="auto"`` makes ten at once.
    on_failure : {"warn", "raise", "ignore"}, default "warn"
        What to do if the tolerance is not met.
    maxiter : int, optional
        SciPy's name for `max_iter`.
    M : None
        So that calls of SciPy's ``cg`` carry over; preconditioners are refused.

    Returns
    -------
    RelaxResult
        With ``x``, ``residual_norm``, ``omega``, ``beta_estimate``, and what every result has.

    Raises
    ------
    InvalidInputError
        `A` is not square, its diagonal has a zero (the row is named), a number is not finite, shapes disagree,
        `omega` is out of range, both tolerances are 0, or `plan` does not fit.
    InvalidTypeError
        Arrays of two libraries, complex or half-precision numbers.
    SolverError
        The tolerance was not met and ``on_failure="raise"``.

    Warns
    -----
    ConvergenceWarning
        The tolerance was not met.
    PrecisionWarning
        The input is float32 and the tolerance below 6e-6, which the rounding of the result mostly rules out.

    Notes
    -----
    *Success* means that ``||b - A x||``, recomputed from the matrix at the point returned, meets the tolerance.
    A sweep that diverges (the residual grew by 1e8) ends with the status ``NONFINITE``, at the best point seen.

    *Method*: ``x += (D/omega + L)^{-1} (b - A x)``, row by row. When a sweep comes to a row it has the upper half of
    the residual of the iterate before, and the sweep before has left the lower half behind: the exact residual
    costs no pass over the matrix. It is known one sweep late, so that the point returned is one sweep better.

    *Cost*: a sweep moves 12 bytes for each entry off the diagonal and 48 for each row: half of what a
    product with A and two updates would. Rows of up to 4 entries on each side of the diagonal are stored in equal
    width. *Memory*: beyond the plan, 12 bytes an entry and 48 a row, and on a CUDA device as many again for the
    entries, laid out for warps. All is computed in float64; float32 input gets float32 results. There a launch takes
    ten sweeps, whose blocks wait for one another between levels: CuPy arrays are ordered by colours unless `ordering`
    says otherwise.

    *When not to use it*: for a symmetric positive definite system alone `ssor_pcg` needs far fewer passes.

    References
    ----------
    D. M. Young: Iterative Solution of Large Linear Systems, 1971; L. A. Hageman, D. M. Young: Applied Iterative
    Methods, 1981 (the adaptive parameter).

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.gallery import laplacian_2d
    >>> from numopt.relax import sor
    >>> A, b = laplacian_2d(20), np.ones(400)
    >>> result = sor(A, b)
    >>> result.success, bool(result.residual_norm <= 1e-8 * np.linalg.norm(b))
    (True, True)
    >>> result.nit < sor(A, b, omega=1.0).nit / 2
    True
    """
    max_iter = scipy_names(max_iter, maxiter, M, "sor has no preconditioner")
    adapt = isinstance(omega, str) and omega == "auto"
    omega, symmetric = 1.0 if adapt else checked_omega(omega), flag("symmetric", symmetric)
    before = None

    def solve(b, x0, max_time, on_failure):
        nonlocal before
        problem = linear_system(A, b, x0, rtol=rtol, atol=atol, ref=ref, ordering=ordering, plan=plan, before=before)
        before = problem  # the next column has the same matrix
        counts = {"nit": 0, "omega": omega, "restarts": 0}
        rates = Rates(omega)
        return run(
            _iterates(problem, adapt, symmetric, max_iter, stride(problem, check_every, callback), counts, rates),
            certify=problem.certificate,
            finish=lambda x, info, common: _finish(problem, x, counts, rates, common),
            tol=problem.tol, max_iter=max_iter, max_time=max_time, check_every=check_every,
            callback=shown(problem, callback), on_failure=on_failure, start=problem.start,
        )  # fmt: skip

    return columns(solve, A, b, x0, max_time, on_failure)


def _iterates(problem, adapt, symmetric, max_iter, stride, counts, rates):
    k, s, zeros = problem.kernels, problem.system, problem.xp.zeros_like
    if not problem.from_zero:
        x = _array.copied(problem.start)
        low, up = k.products(s, x)
        with np.errstate(all="ignore"):
            r = s.diagonal * (problem.rhs - x - low - up)
            square = _array.host(problem.xp.sum(r * r))
        if problem.drowns(square):
            problem.start, problem.from_zero = zeros(x), True
    if problem.from_zero:
        x, low, up = zeros(problem.start), zeros(problem.start), None
    first = None  # the squared residual of the start
    if symmetric:
        half, up = zeros(x), zeros(x) if up is None else up
    if problem.solved:
        yield Iterate(x, 0.0, dict(counts), steps=0)
    while True:
        budget = min(WINDOW if adapt else stride, max_iter - counts["nit"])
        squares, omega, target = np.empty(budget), counts["omega"], problem.target()
        if symmetric:
            steps, square = k.ssor(s, problem.rhs, x, half, low, up, omega, target, budget, squares)
        else:
            steps, square = k.sor(s, problem.rhs, x, low, omega, target, budget, squares)
        counts["nit"] += steps
        first = squares[0] if first is None else first
        if first < math.inf and not square / GROWTH <= first:
            x[...] = problem.start  # the best of all, unless a sweep was better
            return Status.NONFINITE, "the residual grew by 1e8: the iteration diverges; change omega", steps
        rates.see(squares[:steps])
        yield Iterate(x, math.sqrt(square) / problem.scale, dict(counts), steps=steps)
        if adapt and (suggested := rates.suggestion()) is not None:
            counts["omega"], counts["restarts"] = suggested, counts["restarts"] + 1


def _finish(problem, x, counts, rates, common):
    n, nnz = problem.b.shape[0], problem.A.nnz
    return RelaxResult(
        x=problem.judged(x),
        residual_norm=common["certificate"]["residual"] * problem.scale,
        omega=float(counts["omega"]),
        nit_paper=max(counts["nit"] - 1, 0),
        restarts=counts["restarts"],
        work=float((12 * nnz + 60 * n) * counts["nit"] + 60 * nnz),
        _rates=rates,
        **common,
    )
