"""The public solver of linear programs."""

import math

import numpy as np

from numopt._array import host, is_numpy
from numopt._check import one_of
from numopt._given import as_array
from numopt._loop import Iterate, Status, run
from numopt._solver import solver
from numopt.exceptions import InvalidInputError, InvalidTypeError
from numopt.monotone._lp_polish import price, sifted, simplex
from numopt.monotone._lp_problem import linear_program
from numopt.monotone._lp_rays import infeasible, least_violation, steepest, unbounded
from numopt.monotone._pdhg import Bilinear, pace, pdhg
from numopt.monotone._tolerance import check_tolerance

FIRST = 200  # passes before a ray is looked for; then whenever they have doubled
FEASIBLE = 1e-6  # the violation of a point, relative: enough for an unbounded program
STEADY = 0.5  # neither the displacement nor the error of an infeasible program falls by this while passes double
_OF_SCIPY = ("highs", "highs-ds", "highs-ipm")
_OPTIONS = ("maxiter", "time_limit", "disp", "presolve")


@solver(family="monotone", sparse=True, arrays=("c", "A_ub", "b_ub", "A_eq", "b_eq", "x0"))
def linprog_pd(c, A_ub=None, b_ub=None, A_eq=None, b_eq=None, bounds=None, method="auto", callback=None, options=None,
               x0=None, integrality=None, *, tol=1e-6, max_iter=100_000, max_time=None, check_every=1,
               on_failure="warn"):  # fmt: skip
    """Linear program by a first-order method, with a certificate for each outcome.

    Minimises c.x subject to ``A_ub x <= b_ub``, ``A_eq x = b_eq`` and bounds. Stands in for `scipy.optimize.linprog`:
    arguments, their order, and marginals are the same.

    Parameters
    ----------
    c : array_like of shape (n,)
        Costs; float32 or float64, anything else becomes float64. As in SciPy a vector may be a row, a column, or, if it
        has one entry, a number.
    A_ub : array_like or sparse of shape (m_ub, n), optional
        Rows of the inequalities ``A_ub x <= b_ub``.
    b_ub : array_like of shape (m_ub,), optional
        Their right-hand sides.
    A_eq : array_like or sparse of shape (m_eq, n), optional
        Rows of the equations ``A_eq x = b_eq``. If one of the two matrices is sparse, the other one becomes so.
    b_eq : array_like of shape (m_eq,), optional
        Their right-hand sides.
    bounds : pair, or sequence or array of n pairs, optional
        ``(lower, upper)``, one for all variables or one for each, with None or infinity for no bound. None (default)
        or an empty list: x >= 0.
    method : {"auto", "pdhg"}, default "auto"
        ``"pdhg"``: restarted reflected Halpern PDHG alone. ``"auto"``: on the host and for up to 1000 rows, the
        variables that it finds in use are then given to SciPy's exact solver, HiGHS' dual simplex method. SciPy's
        ``"highs"``, ``"highs-ds"`` and ``"highs-ipm"`` stand for ``"auto"``.
    callback : callable, optional
        Called with each ``intermediate_result``; stops the run by raising ``StopIteration``.
    options : dict, optional
        ``"maxiter"`` and ``"time_limit"`` go before `max_iter` and `max_time`; ``"disp"`` and ``"presolve"`` have no
        effect. SciPy's tolerances are absolute: give `tol`.
    x0 : array_like of shape (n,), optional
        Start; it is moved to the bounds first. None (default): zeros.
    integrality : None or zeros
        There is no branching: anything else is refused.
    tol : float, default 1e-6
        For the largest of three relative errors, see Notes.
    max_iter : int, default 100000
        Checks of the method; there are 20 to 40 passes over the matrix between two.
    max_time : float, optional
        Seconds.
    check_every : int, default 1
        Checks of the method between two of the loop.
    on_failure : {"warn", "raise", "ignore"}, default "warn"
        What to do if there is no optimal pair within `tol`, also when that has been proved.

    Returns
    -------
    LPResult
        With ``x``, ``fun``, ``slack``, ``con``, ``ineqlin``, ``eqlin``, ``lower``, ``upper``, ``primal_infeasibility``,
        ``dual_infeasibility``, ``gap``, ``ray``, ``far``, and what every result has.

    Raises
    ------
    InvalidInputError
        NaN or infinity in the data, shapes that disagree, lower bounds above upper ones, integers asked for, an option
        that is not known; data so far apart that x, c.x or the multipliers would not be in the range of float64.
    InvalidTypeError
        Complex numbers, arrays of two libraries.
    SolverError
        No optimal pair, and ``on_failure="raise"``.

    Warns
    -----
    ConvergenceWarning
        No optimal pair within `tol`.
    PrecisionWarning
        `tol` is below 1e-14, or 50 rounding errors of float32.

    Notes
    -----
    *Certified*, at the returned pair and from the data: the violation of the rows relative to ``b``; the part of the
    reduced costs that no bound pays for, relative to ``c``; and the difference of the two values relative to the sums
    of the absolute terms of ``c.x``, ``b.y`` and the part of the bounds. The first two are taken in norms twice, in
    your units and with rows and columns scaled as in the method, their largest entries about 1; the worse one counts.
    (A vector that is zero counts as 1; but where b is, finite bounds, through the absolute values of A, stand for it.)
    Bounds hold exactly. The least cost may be 0: the difference is relative to no less than a thousandth of ``|c| |x| +
    |b| |y|``, in norms of scaled rows and columns. Where c is 0, any feasible point is optimal and all multipliers are
    0.

    ``status`` INFEASIBLE comes with multipliers in ``ray``, UNBOUNDED with a direction; both were tested relative to
    the scale of the data, entry by entry, so that no badly scaled program is called infeasible. They come from the way
    that the iterates run off, or, where that is not exact enough, from one linear program for SciPy's exact
    solver, which copies nothing from a device: on CuPy arrays there is only the former. So does the point, feasible to
    1e-6, that UNBOUNDED needs beside the direction.

    *Units*: data beyond 1e-100 and 1e100 are divided by powers of two, and the results multiplied by them.

    *Method*: restarted reflected Halpern PDHG on a scaled program; then sifting, by SciPy's exact solver. *Cost*: two
    products with A a step. *Memory*: a scaled copy of the matrix; sparse ones by rows and by columns, 24 bytes for each
    non-zero and copy.

    *When not to use it*: when many digits are asked of a program with thousands of rows, an interior-point solver is
    faster.

    References
    ----------
    H. Lu, J. Yang, "Restarted Halpern PDHG for linear programming", arXiv:2407.16144. D. Applegate et al.,
    "Infeasibility detection with primal-dual hybrid gradient for large-scale linear programming", arXiv:2102.04592.

    Examples
    --------
    >>> from numopt.monotone import linprog_pd
    >>> result = linprog_pd([-1, 4], A_ub=[[-3, 1], [1, 2]], b_ub=[6, 4], bounds=[(None, None), (-3, None)], tol=1e-8)
    >>> result.x.round(4), round(result.fun, 4)
    (array([10., -3.]), -22.0)
    """
    if isinstance(method, str) and method in _OF_SCIPY:
        method = "auto"
    one_of("method", method, ("auto", "pdhg"))
    options = _known(options)
    _expect_no_integers(integrality)
    p, x = linear_program(c, A_ub, b_ub, A_eq, b_eq, bounds, x0)
    check_tolerance(tol, p.xp, p.dtype)
    xp, (A, _, columns) = p.xp, p.scaled
    start = (xp.minimum(xp.maximum(x / columns, p.low / columns), p.high / columns), A.vector(A.shape[0]))
    return run(
        _iterates(p, *start, method),
        certify=p.certificate,
        finish=p.finish,
        start=start,
        tol=tol,
        max_iter=options.get("maxiter", max_iter),
        max_time=options.get("time_limit", max_time),
        check_every=check_every,
        callback=callback,
        on_failure=on_failure,
    )


def _known(options):
    """Return the options, all of them known."""
    if not isinstance(options, (dict, type(None))):
        raise InvalidTypeError(f"options is {options!r}: a dict is expected; pass names with their values")
    options = {name: value for name, value in dict(options or {}).items() if value is not None}
    if unknown := sorted(set(options) - set(_OPTIONS)):
        raise InvalidInputError(
            f"options holds {unknown[0]!r}: some of {', '.join(map(repr, _OPTIONS))} are expected; others are "
            f"keywords, such as tol"
        )
    return options


def _expect_no_integers(integrality):
    if integrality is not None and np.any(host(as_array("integrality", integrality))):
        raise InvalidInputError(
            f"integrality is {integrality!r}: None or zeros are expected; use scipy.optimize.milp for integers"
        )


def _iterates(p, x, y, method):
    xp, (A, rows, columns) = p.xp, p.scaled
    c, b = p.c * columns, p.b * rows
    X = 0.0, p.low / columns, p.high / columns
    Y = 0.0, p.signs(), A.vector(A.shape[0], math.inf)
    norm = A.norm()

    def errors(x, y, Ax, ATy):
        return p.errors(x * columns, y * rows, Ax / rows, ATy / columns)

    def measure(*hat):
        return errors(*hat)[0]

    weight = p.costs[1] / p.sides[1] if p.costly else 1.0
    problem = Bilinear(A, c, b, X, Y, measure, errors)
    looked, before, old = FIRST, (math.inf, math.inf), (x, y)
    at, cost = pace(norm, weight), price(p) if method == "auto" else math.inf
    for step in pdhg(problem, x, y, at):
        yield Iterate(step.state, step.measure, step.info)
        if at.work > cost:
            for x, y in sifted(p, c, b, *X[1:], step.state[1]):
                yield Iterate((x, y), measure(x, y, *A.products(x, y)), step.info)
            cost = 8 * at.work
        if step.info["n_passes"] >= looked:
            looked, last = 2 * looked, (step.info["displacement"], step.measure)
            way = [new - z for new, z in zip(step.state, old, strict=True)]
            steady = all(now > STEADY * then for now, then in zip(last, before, strict=True))
            before, old = last, step.state
            status = _outcome(p, step.state, way, steady and is_numpy(xp) and at.work > simplex(p))
            if status is not None:
                return status
    return Status.NONFINITE


def _outcome(p, state, way, exactly):
    """Return the status that the way of the iterates proves, or else SciPy's exact solver, or None."""
    for x, r, d in _evidence(p, state, way, exactly):
        proven, far = infeasible(p, r)
        if proven:
            p.found |= {"ray": p.xp.maximum(r, p.signs()), "far": far}
            return Status.INFEASIBLE, "proved by multipliers"
        ray = d()
        proven, ray = (False, None) if ray is None else unbounded(p, ray)
        if proven and host(p.certificate((x, state[1]))["primal_infeasibility"]) <= FEASIBLE:
            p.found |= {"ray": ray}
            return Status.UNBOUNDED, "proved by a direction"
    return None


def _evidence(p, state, way, exactly):
    """Yield (point, multipliers, function that returns a direction)."""
    _, rows, columns = p.scaled
    yield state[0], way[1] * rows, lambda: way[0] * columns
    found = least_violation(p) if exactly else None
    if found is not None:
        yield found[0] / columns, found[1], lambda: steepest(p)
