"""The public solver: scipy's call, numopt's certificate."""

from functools import partial

from numopt import _array
from numopt._check import integer, lone_vector
from numopt._loop import run
from numopt._solver import solver
from numopt._status import Status
from numopt.constrained._adasketch import CAP, adasketch
from numopt.constrained._certificate import certificate
from numopt.constrained._constraints import Objective, read_constraints
from numopt.constrained._exact import exact_newton
from numopt.constrained._functions import Space
from numopt.constrained._interior import interior
from numopt.constrained._kkt import KKT
from numopt.constrained._layout import read_bounds
from numopt.constrained._options import (
    bound_multipliers,
    expect_precision,
    is_sketched,
    multipliers,
    read_options,
    whole_hessian,
)
from numopt.constrained._problem import Problem
from numopt.constrained._regular import Regulariser
from numopt.constrained._result import finisher, shown
from numopt.exceptions import InvalidInputError

_STRONG = 10.0  # barrier of a second path
_DOUBLE = 1e-10  # no rounding error of float64 is as large


@solver(family="constrained", arrays=("x0",))
def minimize_constrained(fun, x0, args=(), *, jac=None, hess=None, hessp=None, constraints=(), bounds=None,
                         method="auto", linear_solver="auto", tol=1e-8, max_iter=300, max_time=None, options=None,
                         rng=None, check_every=1, callback=None, on_failure="warn"):  # fmt: skip
    """Minimise a smooth function under smooth constraints, and certify the answer.

    Minimises f(x) subject to lb <= c(x) <= ub and bounds on x, to a local solution. It takes the arguments of
    ``scipy.optimize.minimize``, so that a script for "SLSQP" or "trust-constr" runs with one changed import.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args)``, a scalar; with ``jac=True`` the pair (f, gradient).
    x0 : array_like of shape (n,)
        Start. Its library, device and dtype are those of all that follows. Moved inside `bounds` if need be. A number
        is a vector of one entry.
    args : tuple, default ()
        Further arguments of `fun`, `jac`, `hess` and `hessp`.
    jac : callable, True or {"2-point", "3-point", "cs"}, optional
        Gradient ``jac(x, *args)`` of shape (n,), or differences. None (default): "3-point", 2 n calls of `fun`, for
        which "2-point", scipy's default in constraints, stands too where `tol` is below 1.5e-6: it is too rough.
    hess : callable, {"2-point", "3-point", "cs"} or scipy's BFGS() or SR1(), optional
        Hessian ``hess(x, *args)`` of shape (n, n), dense, sparse or a LinearOperator. None (default): a damped BFGS
        matrix that learns the Hessian of the Lagrangian.
    hessp : callable, optional
        ``hessp(x, p, *args)``, the Hessian times p: nothing is factored then, and MINRES solves the systems.
    constraints : NonlinearConstraint, LinearConstraint, dict, or list of these, default ()
        As scipy takes them. Jacobians are dense, sparse or LinearOperators; ``hess(x, v)`` is that of v.c. In a dict,
        "jac" and "hess" are optional. lb = ub makes an equality.
    bounds : scipy.optimize.Bounds or list of (low, high), optional
        Bounds on x; None in a pair is no bound. Equal ones fix a variable.
    method : {"auto", "adasketch"} or None, default "auto"
        Newton's method on an exact augmented Lagrangian, which hands over to an interior-point filter method where it
        makes short steps and where there are bounds or inequalities; or AdaSketch-Newton as published (equalities
        alone, dense). None and the names of scipy's constrained methods stand for "auto".
    linear_solver : str, default "auto"
        For "auto": "ldl" (dense), "sparse-ldl" (NumPy alone), "minres"; chosen from sizes and kinds. "pcg": projected
        conjugate gradients, with products of the Hessian and a factorisation of the constraints alone. For
        "adasketch": "kaczmarz" (its "auto"), "gaussian", "block-kaczmarz", "block-gaussian".
    tol : float, default 1e-8
        What `kkt_error` must reach, in the units of your gradients and constraints; None is the default.
    max_iter : int, default 300
        Steps.
    max_time : float, optional
        Seconds.
    options : dict, optional
        "maxiter": as `max_iter`. "lam0": multipliers to start from, one for each row of the constraints. "z0": pair of
        multipliers of lower and upper bounds; with "lam0" a warm start. "hess_lagrangian": ``function(x, v)``, the
        Hessian of f + v.c, v over all rows, in place of `hess` and of those of the constraints. "preconditioner": an
        operator with ``matvec`` of order n + m, or a function of (x, multipliers) that returns one: for MINRES
        symmetric positive definite, for "pcg" the inverse of [[G, J^T], [J, 0]] with G positive definite on the null
        space of J. "superlinear": for "adasketch", the power p of the KKT residual that sharpens inner solves.
        "max_sketches": cap of its inner solves, 100000 by default. "disp" and "verbose" of scipy have no effect, its
        tolerances and other options a warning.
    rng : None, int, Generator or SeedSequence
        Source of sketches, for "adasketch" alone.
    check_every : int, default 1
        Steps between looks at the error.
    callback : callable, optional
        Called as ``callback(intermediate_result)``, which has `x`, `fun`, `nit`, `measure` (the KKT error) and `time`.
        Raise StopIteration to stop.
    on_failure : {"warn", "raise", "ignore"}, default "warn"
        What to do when `tol` is not reached.

    Returns
    -------
    ConstrainedResult
        `x`, `fun`, `jac`, multipliers `v`, `z_lower`, `z_upper`, `kkt_error` and its three parts, `second_order`,
        counts. ``success`` is true only if `kkt_error`, computed from your functions at the returned point and not
        scaled, meets `tol`.

    Raises
    ------
    InvalidInputError
        An argument or the answer of a function is inadmissible; the message names it and the remedy.
    InvalidTypeError
        Answers of another library than that of `x0`.
    SolverError
        `tol` was not reached and ``on_failure="raise"``.

    Warns
    -----
    ConvergenceWarning
        `tol` was not reached, or inner solves of "adasketch" ran into their cap.
    NumoptWarning
        `x0` lies outside `bounds`; an option of scipy's has no effect; a Hessian is not symmetric; constraints are
        dependent at the solution (dense factorisation alone), so that their multipliers are not unique.
    PrecisionWarning
        `x0` is float32 and `tol` below 6e-6.

    Notes
    -----
    A step evaluates each function once, factors one matrix of order n + m (several where the curvature is wrong) and
    solves with it; slacks of inequalities are eliminated. Dense: (n + m)^3 / 3 flops, 24 (n + m)^2 bytes. Sparse: 11
    bytes for each entry of the factor, with one ordering for all steps of a pattern. Products: 20 vectors.

    Certified: first-order optimality to `tol`; `second_order` says what the inertia of the KKT matrix adds. Where
    derivatives are differences, the certificate is theirs: good to about 1e-8 ("2-point"), 1e-10 ("3-point") or
    rounding ("cs") of the function's size. Locally infeasible problems end as ``Status.INFEASIBLE`` at a point of
    least violation.

    On CuPy arrays all functions must return CuPy arrays; sparse matrices and their factorisation are NumPy's alone,
    and below some thousand unknowns NumPy is faster.

    Not for: linear or convex quadratic programs with thousands of bounds (take a solver for those), functions without
    derivatives, integers.

    References
    ----------
    I. Hong, S. Na, M. W. Mahoney, M. Kolar, "Constrained optimization via exact augmented Lagrangian and randomized
    iterative sketching", ICML 2023, arXiv:2305.18379. A. Wächter, L. T. Biegler, Math. Program. 106 (2006), 25-57.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.optimize import NonlinearConstraint
    >>> from numopt.constrained import minimize_constrained
    >>> circle = NonlinearConstraint(lambda x: x @ x, 1, 1, jac=lambda x: 2 * x, hess=lambda x, v: 2 * v[0] * np.eye(2))
    >>> res = minimize_constrained(lambda x: x[0] + x[1], [-1.0, 0.0], jac=lambda x: np.ones(2),
    ...                            hess=lambda x: np.zeros((2, 2)), constraints=circle)
    >>> res.success, res.x.round(6), res.second_order
    (True, array([-0.707107, -0.707107]), 'min')
    """
    sketched = is_sketched(method, linear_solver)
    options, tol = read_options(options) if options else {}, 1e-8 if tol is None else tol
    if sketched or rng is not None:
        rng = _array.default_rng(rng)
    x0, *where = lone_vector("x0", [x0] if isinstance(x0, (int, float)) else x0[None] if _is_number(x0) else x0)
    space = Space(*where)
    space.tol = tol
    if space.eps > _DOUBLE:
        expect_precision(tol, space.eps)
    objective = Objective(space, fun, jac, hess, hessp, args if isinstance(args, tuple) else (args,))
    lower, upper = read_bounds(x0, bounds)
    space.box = None if lower is None else (lower, upper)
    blocks, whole = read_constraints(space, constraints), options.get("hess_lagrangian")
    if whole is not None:
        whole = whole_hessian(space, whole, objective, blocks, hess or hessp)
    p = Problem(space, objective, blocks, x0, lower, upper, scaled=not sketched, whole=whole)
    kkt = KKT(p.xp, "auto" if sketched else linear_solver, options.get("preconditioner"), k=p.k if p.plain else None)
    lam = multipliers(p, options.get("lam0"))
    if sketched:
        if p.bounded:
            raise InvalidInputError("method is 'adasketch': it takes equality constraints alone; choose 'auto'")
        cap = integer("max_sketches", options.get("max_sketches", CAP), low=1, remedy="allow at least one sketch")
        kind = "kaczmarz" if linear_solver == "auto" else linear_solver
        lam0 = 0.0 * p.start.c if lam is None else lam
        iterates = adasketch(p, kkt, kind, rng, lam0, options.get("superlinear"), cap)
    else:
        iterates = _auto(p, kkt, tol, lam, bound_multipliers(p, options.get("z0"), lam))
    return run(
        iterates, certify=partial(certificate, p), finish=finisher(p, kkt, sketched), tol=tol,
        max_iter=options.get("maxiter", max_iter), max_time=max_time, check_every=check_every,
        callback=shown(p, callback), on_failure=on_failure, start=p.start,
    )  # fmt: skip


def _is_number(x0):
    """Say whether `x0` is a scalar of an array library."""
    return getattr(x0, "shape", None) == () and not _array.is_sparse(x0)


def _auto(p, kkt, tol, lam, z):
    """Choose between the merit function and the filter; the filter goes on where the merit function gets stuck."""
    if p.bounded or p.secant is not None:
        return _paths(p, kkt, tol, lam, z)
    regular = Regulariser(kkt, p.m)
    return exact_newton(p, kkt, regular, lam, lambda state: interior(p, kkt, regular, state, tol, lam=state.lam))


def _paths(p, kkt, tol, lam, z):
    """Go the way of the interior, and where it ends for no reason another one."""
    start, warm = p.start, {} if z is None else {"z": z, "push": 1e-8}
    end = yield from interior(p, kkt, Regulariser(kkt, p.m), start, tol, lam=lam, **warm)
    # Perhaps there is no interior: half of tol makes one. A path that ended for no reason gives way to another.
    failed = Status.BREAKDOWN, Status.STALLED, Status.INFEASIBLE
    if p.bounded and end[0] in failed[:2]:
        again = Regulariser(kkt, p.m)
        end = yield from interior(p, kkt, again, start, tol, mu=_STRONG, relax=tol / 2, insist=True)
    if p.bounded and end[0] in failed:
        end = yield from interior(p, kkt, Regulariser(kkt, p.m), start, tol, relax=tol / 2)
    return end

