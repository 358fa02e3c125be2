"""Quadratically regularised and cardinality-constrained optimal transport."""

from numopt._check import Checks, controls
from numopt._loop import Status, run
from numopt._solver import solver
from numopt.exceptions import PrecisionWarning, warn
from numopt.ot._sparse_input import check_limit, checked
from numopt.ot._sparse_newton import ladder, newton
from numopt.ot._sparse_problem import State
from numopt.ot._sparse_topk import topk
from numopt.ot._sparse_window import NotFiniteError


@solver(family="ot", arrays=("a", "b", "C"))
def sparse_plan(a, b, C, *, reg, max_nonzeros=None, tol=None, max_iter=1000, max_time=None, init=None,
                callback=None, check_every=1, on_failure="warn"):  # fmt: skip
    """Transport plan with few non-zeros: quadratic regularisation, optionally a limit on each column.

    Minimises ``<C, P> + reg/2 ||P||_F^2`` over plans P >= 0 with ``P 1 = a``, ``P^T 1 = b`` and, with
    `max_nonzeros`, at most that many non-zeros in each column.

    Parameters
    ----------
    a : array_like of shape (n,)
        Mass of the rows, >= 0. float32 or float64 (anything else becomes float64).
    b : array_like of shape (m,)
        Mass of the columns, >= 0. Its sum must be that of `a` to a relative 1e-6; it is scaled to be equal.
    C : array_like of shape (n, m)
        Cost of moving one unit of mass; ``+inf`` forbids a pair.
    reg : float
        Regularisation > 0, in the unit of `C` per unit of mass (the same as ``reg`` in POT's ``ot.smooth``).
        Of the size of ``n * median(C) / sum(a)`` the plan has some tens of entries a column; it
        has fewer the smaller `reg` is.
    max_nonzeros : int, optional
        Largest number of non-zeros in a column, >= 1. None (default), like any number from n on, sets no
        limit. The problem is then no longer convex; see Notes.
    tol : float, optional
        For `marginal_error`, the l1 violation of the marginals relative to the mass. None (default): 1e-9,
        or what rounding allows if that is more.
    max_iter : int, default 1000
        Newton and L-BFGS steps together.
    max_time : float, optional
        Seconds.
    init : array_like of shape (n,) or SparsePlanResult, optional
        Potential `f` to start from, or an earlier result: solves at `reg` at once. None (default) works
        down from a larger `reg`.
    callback : callable, optional
        Called with each ``intermediate_result``; stops the run by raising ``StopIteration``.
    check_every : int, default 1
        Steps between two checks.
    on_failure : {"warn", "raise", "ignore"}, default "warn"
        What to do if `tol` is not met.

    Returns
    -------
    SparsePlanResult
        With ``f``, ``g``, ``plan``, ``value``, ``cost``, ``dual_value``, ``gap``, ``marginal_error``,
        ``kind``, ``nnz``, ``max_nnz_per_column``, ``rounded_cost``, and what every result has.

    Raises
    ------
    InvalidInputError
        Shapes that disagree, negative or non-finite weights, NaN or -inf in `C`, masses that differ, a row
        or column with mass whose pairs are all forbidden, `reg` out of range, `max_nonzeros` too small to fill the
        heaviest column or to reach all rows.
    InvalidTypeError
        Arrays of two libraries, complex or half-precision numbers.
    SolverError
        `tol` was not met and ``on_failure="raise"``.

    Warns
    -----
    ConvergenceWarning
        `tol` was not met.
    PrecisionWarning
        `tol` is below what rounding allows, about ``1.4e-17 (n + m) max(|C|, max C - min C) / (reg sum(a))``
        and, for float32 data, 1e-7.

    Notes
    -----
    *Success* means: the plan returned has marginals within `tol`, recomputed from its entries, and at most
    `max_nonzeros` non-zeros in a column. How good it is says ``gap``, with ``kind``:

    - ``"exact"``: the plan is the minimiser for its own marginals. Without `max_nonzeros` always; with it,
      when the plan without the limit keeps it, or when the dual has no gap.
    - ``"relaxed"``: the limit is active. ``dual_value`` is a true lower bound of the constrained problem,
      but the largest such bound is in general below the optimum: the plan is feasible (if ``success``) and
      within ``gap`` of optimal, never claimed optimal. If no plan with the right marginals was found,
      ``success`` is False, the plan is the one with the smallest violation seen, and ``gap`` compares
      with a rounded plan that may have more non-zeros in a column.

    *Method.* The dual function of `f`, with the columns eliminated by projections on simplices, is concave
    with piecewise linear gradient. Semismooth Newton maximises it along falling values of `reg`;
    directions come from preconditioned CG with the Laplacian of the active entries, and a sweep over the
    rows (exact maximisation over `f` for fixed `g`) repairs rows without entries. Between two passes over
    `C` only entries within a margin of being active are looked at, which is exact as long as `f` moves less
    than the margin. With `max_nonzeros`: L-BFGS on the dual with the limit, from there, then Newton confined
    to the entries it ends with.

    *Cost*: typically 20 to 100 passes over `C` of 4 to 6 ns an entry and 10 to 60 Newton steps of
    O(entries within the margin). *Memory*: `C` is not copied (Fortran order is); 12 to 24 bytes for each
    entry within the margin, at most n m of them when `reg` is so large that the plan is dense; O(n + m).
    float32 `C` is read as such, all else is float64; the results are float32.

    *When not to use it*: for the transport cost alone an exact linear-programming solver is faster; for a
    smooth, dense plan use entropy.

    References
    ----------
    M. Blondel, V. Seguy, A. Rolet: Smooth and sparse optimal transport, AISTATS 2018, arXiv:1710.06276.
    T. Liu, J. Puigcerver, M. Blondel: Sparsity-constrained optimal transport, ICLR 2023, arXiv:2209.15466.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.ot import sparse_plan
    >>> x, y = np.linspace(0, 1, 40), np.linspace(0, 1, 50) ** 2
    >>> a, b = np.full(40, 1 / 40), np.full(50, 1 / 50)
    >>> result = sparse_plan(a, b, (x[:, None] - y) ** 2, reg=0.1)
    >>> result.success, result.kind, result.marginal_error < 1e-9, result.gap < 1e-9
    (True, 'exact', True, True)
    >>> result.nnz, result.max_nnz_per_column
    (152, 6)
    """
    controls(tol=0.0 if tol is None else tol, max_iter=max_iter, max_time=max_time, check_every=check_every,
             callback=callback, on_failure=on_failure)  # fmt: skip
    problem = checked(a, b, C, reg, max_nonzeros, 1e-9 if tol is None else tol)
    if tol is None:
        tol = max(1e-9, 16 * problem.floor)  # at most eps max|C| / reg in each of n + m entries
    elif tol < problem.floor:
        warn(f"tol is {tol}: rounding allows about {problem.floor:.1e}; raise tol or reg", PrecisionWarning)
    check_limit(problem, tol)
    f = _start(problem, init)
    levels = [problem.reg]
    if f is None:
        f, levels = problem.xp.astype(problem.xp.min(problem.C, axis=1), problem.xp.float64), ladder(problem)
    return run(
        _iterates(problem, f, levels, tol),
        certify=problem.certificate,
        finish=problem.finish,
        tol=tol,
        max_iter=max_iter,
        max_time=max_time,
        check_every=check_every,
        callback=callback,
        on_failure=on_failure,
        start=State(f, f),
    )


def _iterates(problem, f, levels, tol):
    """Yield iterates; return why there are no more."""
    counts = {"n_cg": 0, "n_passes": 0}
    try:
        if problem.k < problem.C.shape[0]:
            return (yield from topk(problem, f, levels, tol, counts))
        _, status = yield from newton(problem, f, levels, tol, counts)
        return status
    except NotFiniteError:
        return Status.NONFINITE


def _start(problem, init):
    """Return the potential to start from, float64, on the rows that have weight; None if there is none."""
    xp, C = problem.xp, problem.whole.C
    if init is None:
        return None
    checks = Checks({"init": getattr(init, "f", init), "C": C}, dtype=xp.float64)
    f = checks.vector("init", size=C.shape[0], remedy="start from finite potentials, or without init")
    low, high, _ = checks.settle()["init"]
    if high / 2 - low / 2 > 1e3 * (problem.high - problem.low + problem.reg):  # no potential of this problem
        return None
    return f[problem.whole.rows] - (low / 2 + high / 2)
