"""The public solver: scipy's call, numopt's certificate."""

from functools import partial

import numpy as np

from numopt import _array
from numopt._check import integer, lone_vector, one_of
from numopt._loop import run
from numopt._solver import solver
from numopt._status import Status
from numopt.constrained._adasketch import CAP, adasketch
from numopt.constrained._certificate import certificate
from numopt.constrained._constraints import Objective, read_constraints
from numopt.constrained._exact import exact_newton
from numopt.constrained._functions import Space
from numopt.constrained._interior import interior
from numopt.constrained._kkt import DIRECT, KKT
from numopt.constrained._layout import read_bounds
from numopt.constrained._problem import Problem
from numopt.constrained._regular import Regulariser
from numopt.constrained._result import finisher
from numopt.constrained._sketch import KINDS
from numopt.exceptions import InvalidInputError

_OF_SCIPY = ("slsqp", "trust-constr", "cobyla", "cobyqa")
_STRONG = 10.0  # barrier of a second path
_OPTIONS = ("maxiter", "lam0", "z0", "preconditioner", "superlinear", "max_sketches", "disp", "verbose")


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
        Start. Its library, device and dtype are those of all that follows. Moved inside `bounds` if need be.
    args : tuple, default ()
        Further arguments of `fun`, `jac`, `hess` and `hessp`.
    jac : callable, True or {"2-point", "3-point", "cs"}, optional
        Gradient ``jac(x, *args)`` of shape (n,), or differences. None (default): "3-point", 2 n calls of `fun`.
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
    method : {"auto", "adasketch"}, default "auto"
        Newton's method on an exact augmented Lagrangian, which hands over to an interior-point filter method where it
        makes short steps and where there are bounds or inequalities; or AdaSketch-Newton as published (equalities
        alone, dense). Names of scipy's constrained methods stand for "auto".
    linear_solver : str, default "auto"
        For "auto": "ldl" (dense), "sparse-ldl" (NumPy alone), "minres"; chosen from sizes and kinds. "pcg": projected
        conjugate gradients, with products of the Hessian and a factorisation of the constraints alone. For
        "adasketch": "kaczmarz" (its "auto"), "gaussian", "block-kaczmarz", "block-gaussian".
    tol : float, default 1e-8
        What `kkt_error` must reach.
    max_iter : int, default 300
        Steps.
    max_time : float, optional
        Seconds.
    options : dict, optional
        "maxiter": as `max_iter`. "lam0": multipliers to start from, one for each row of the constraints. "z0": pair of
        multipliers of lower and upper bounds; with "lam0" a warm start. "preconditioner": an operator with ``matvec``
        of order n + m, or a function of (x, multipliers) that returns one: for MINRES symmetric positive definite, for
        "pcg" the inverse of [[G, J^T], [J, 0]] with G positive definite on the null space of J.
        "superlinear": for "adasketch", the power p of the KKT residual that sharpens inner solves. "max_sketches": cap
        of its inner solves, 100000 by default. "disp" and "verbose" of scipy have no effect.
    rng : None, int, Generator or SeedSequence
        Source of sketches, for "adasketch" alone.
    check_every : int, default 1
        Steps between looks at the error.
    callback : callable, optional
        Called as ``callback(intermediate_result)``; the point is ``intermediate_result.state.x``. Raise StopIteration
        to stop.
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
        `x0` lies outside `bounds`; a Hessian is not symmetric; constraints are dependent at the solution (dense
        factorisation alone), so that their multipliers are not unique.

    Notes
    -----
    A step evaluates each function once, factors one matrix of order n + m (several where the curvature is wrong) and
    solves with it; slacks of inequalities are eliminated. Dense: (n + m)^3 / 3 flops, 24 (n + m)^2 bytes. Sparse: 11
    bytes for each entry of the factor, with one ordering for all steps of a pattern. Products: 20 vectors.

    Certified: first-order optimality to `tol`; `second_order` says what the inertia of the KKT matrix adds. Locally
    infeasible problems end as ``Status.INFEASIBLE`` at a point of least violation.

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
    sketched = _sketched(method, linear_solver)
    options = _options(options) if options else {}
    if sketched or rng is not None:
        rng = _array.default_rng(rng)
    x0, *where = lone_vector("x0", x0)
    space = Space(*where)
    objective = Objective(space, fun, jac, hess, hessp, args if isinstance(args, tuple) else (args,))
    lower, upper = read_bounds(x0, bounds)
    p = Problem(space, objective, read_constraints(space, constraints), x0, lower, upper, scaled=not sketched)
    kkt = KKT(p.xp, "auto" if sketched else linear_solver, options.get("preconditioner"), k=p.k if p.plain else None)
    lam = _multipliers(p, options.get("lam0"))
    if sketched:
        if p.bounded:
            raise InvalidInputError("method is 'adasketch': it takes equality constraints alone; choose 'auto'")
        cap = integer("max_sketches", options.get("max_sketches", CAP), low=1, remedy="allow at least one sketch")
        kind = "kaczmarz" if linear_solver == "auto" else linear_solver
        lam0 = 0.0 * p.start.c if lam is None else lam
        iterates = adasketch(p, kkt, kind, rng, lam0, options.get("superlinear"), cap)
    else:
        iterates = _auto(p, kkt, tol, lam, options.get("z0"))
    return run(
        iterates, certify=partial(certificate, p), finish=finisher(p, kkt, sketched), tol=tol,
        max_iter=options.get("maxiter", max_iter), max_time=max_time, check_every=check_every, callback=callback,
        on_failure=on_failure, start=p.start,
    )  # fmt: skip


def _auto(p, kkt, tol, lam, z0):
    """Choose between the merit function and the filter; the filter goes on where the merit function gets stuck."""
    if p.bounded or p.secant is not None:
        return _paths(p, kkt, tol, lam, z0)
    regular = Regulariser(kkt, p.m)
    return exact_newton(p, kkt, regular, lam, lambda state: interior(p, kkt, regular, state, tol, lam=state.lam))


def _paths(p, kkt, tol, lam, z0):
    """Go the way of the interior, and where it ends for no reason another one."""
    start, warm = p.start, {}
    if z0 is not None and lam is not None:
        warm = {"z": p.inner_bound_multipliers(z0, lam), "push": 1e-8}
    end = yield from interior(p, kkt, Regulariser(kkt, p.m), start, tol, lam=lam, **warm)
    # Perhaps there is no interior: half of tol makes one. A path that ended for no reason gives way to another.
    failed = Status.BREAKDOWN, Status.INFEASIBLE
    if p.bounded and end[0] == Status.BREAKDOWN:
        again = Regulariser(kkt, p.m)
        end = yield from interior(p, kkt, again, start, tol, mu=_STRONG, relax=tol / 2, insist=True)
    if p.bounded and end[0] in failed:
        end = yield from interior(p, kkt, Regulariser(kkt, p.m), start, tol, relax=tol / 2)
    return end


def _sketched(method, linear_solver):
    """Check the two names; say whether the method is that of the paper."""
    if type(method) is type(linear_solver) is str and method == linear_solver == "auto":
        return False
    if isinstance(method, str) and method.lower() in _OF_SCIPY:
        method = "auto"
    sketched = one_of("method", method, ("auto", "adasketch")) == "adasketch"
    one_of("linear_solver", linear_solver, ("auto", *KINDS) if sketched else DIRECT)
    return sketched


def _options(options):
    """Return the options, all of them known."""
    options = dict(options)
    if unknown := sorted(set(options) - set(_OPTIONS)):
        raise InvalidInputError(
            f"options holds {unknown[0]!r}: some of {', '.join(map(repr, _OPTIONS))} are expected; others are keywords"
        )
    return options


def _multipliers(p, lam0):
    """Return the caller's start of the multipliers as it is inside, or None."""
    if lam0 is None:
        return None
    v = p.space.vector("options['lam0']", lam0, p.layout.m_user)
    if not np.isfinite(_array.host(v)).all():
        raise InvalidInputError("options['lam0'] holds NaN or infinity: finite numbers are expected; replace them")
    return p.inner_multipliers(v)
