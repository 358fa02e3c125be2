"""Names and options of the call: which are ours, which are scipy's, and what they must be."""

import numpy as np

from numopt import _array
from numopt._check import one_of, positive_scalar, scalar
from numopt.constrained._asked import Hessian
from numopt.constrained._kkt import DIRECT
from numopt.constrained._sketch import KINDS
from numopt.exceptions import InvalidInputError, InvalidTypeError, NumoptWarning, PrecisionWarning, warn

_OF_SCIPY = ("slsqp", "trust-constr", "cobyla", "cobyqa")
_OURS = (
    *("maxiter", "lam0", "z0", "hess_lagrangian", "preconditioner", "superlinear", "max_sketches", "disp", "verbose"),
)
_IDLE = {  # of SLSQP and trust-constr: they mean nothing here
    *("ftol", "gtol", "xtol", "barrier_tol", "eps", "finite_diff_rel_step", "workers", "sparse_jacobian"),
    *("factorization_method", "initial_tr_radius", "initial_constr_penalty", "initial_barrier_parameter"),
    "initial_barrier_tolerance",
}


def is_sketched(method, linear_solver):
    """Check the two names; say whether the method is that of the paper."""
    if type(method) is type(linear_solver) is str and method == linear_solver == "auto":
        return False
    if method is None or (isinstance(method, str) and method.lower() in _OF_SCIPY):
        method = "auto"
    sketched = one_of("method", method, ("auto", "adasketch")) == "adasketch"
    one_of("linear_solver", linear_solver, ("auto", *KINDS) if sketched else DIRECT)
    return sketched


def read_options(options):
    """Return the options, checked as far as they can be without the problem; those that mean nothing here are told."""
    if not isinstance(options, dict):
        raise InvalidTypeError(f"options is {type(options).__name__}: a dict is expected; pass names with their values")
    names = set(map(str, options))
    if idle := sorted(_IDLE & names):
        warn(
            f"options holds {', '.join(map(repr, idle))}, which has no effect here: tol judges the KKT error; leave it "
            f"out",
            NumoptWarning,
        )
    if unknown := sorted(names - _IDLE - set(_OURS)):
        raise InvalidInputError(
            f"options holds {unknown[0]!r}: some of {', '.join(map(repr, _OURS))} are expected; others are keywords"
        )
    if options.get("superlinear") is not None:
        positive_scalar("options['superlinear']", options["superlinear"], remedy="pass a power, 0.5 say")
    M = options.get("preconditioner")
    if not (M is None or callable(M) or hasattr(M, "matvec")):
        raise InvalidTypeError(
            f"options['preconditioner'] is {type(M).__name__}: an operator with matvec, or a function giving one, is "
            f"expected; wrap a matrix by scipy.sparse.linalg.aslinearoperator"
        )
    return options


def expect_precision(tol, eps):
    """Warn of a tolerance that rounding does not allow."""
    if scalar("tol", tol, low=0.0, remedy="pass a tolerance >= 0") < 50 * eps:
        warn(f"tol is {tol}: float32 allows about {50 * eps:.0e}; raise it, or start from float64", PrecisionWarning)


def whole_hessian(space, function, objective, blocks, other):
    """Return the Hessian of the Lagrangian as one function of the caller, which stands for those of all parts."""
    name = "options['hess_lagrangian']"
    if not callable(function):
        raise InvalidTypeError(f"{name} is {function!r}: a function of (x, v) is expected; pass one")
    if other is not None:
        raise InvalidInputError(f"hess or hessp is given beside {name}: one of them is expected; leave one out")
    for part in (objective, *blocks):
        part.hess, part.learns = None, ""
    return Hessian(space, "nhev", function, name)


def multipliers(p, lam0):
    """Return the caller's start of the multipliers as it is inside, or None."""
    return None if lam0 is None else p.inner_multipliers(_start(p, "options['lam0']", lam0, p.layout.m_user))


def bound_multipliers(p, z0, lam):
    """Return the caller's start of the multipliers of bounds, on (x, slacks) as they are inside, or None."""
    if z0 is None:
        return None
    if lam is None and p.m:
        raise InvalidInputError("options holds 'z0' without 'lam0': both are expected for a warm start; pass both")
    if not hasattr(z0, "__len__") or len(z0) != 2:
        raise InvalidInputError(
            "options['z0'] is no pair: multipliers >= 0 of lower and of upper bounds are expected; pass (z_lower, "
            "z_upper) of a result"
        )
    found, xp = [], p.xp
    for i, (z, side, sign) in enumerate(zip(z0, (p.l, p.u), (-1.0, 1.0), strict=True)):
        z = p.layout.reduced(_start(p, f"options['z0'][{i}]", z, p.layout.whole.shape[0], low=0.0))
        z = xp.where(xp.isfinite(side), z, 0.0 * z) * p.sf
        found.append(xp.concat([z, xp.clip(sign * lam[p.n_eq :], 0.0, None)]) if p.m > p.n_eq else z)
    return tuple(found)


def _start(p, name, values, size, low=-np.inf):
    """Return a vector of finite numbers to start from."""
    v = p.space.vector(name, values, size)
    known = _array.host(v)
    if (bad := np.flatnonzero(~(np.isfinite(known) & (known >= low)))).size:
        least = "" if low < 0 else " >= 0"
        raise InvalidInputError(f"{name}[{bad[0]}] is {known[bad[0]]}: a finite number{least} is expected; replace it")
    return v
