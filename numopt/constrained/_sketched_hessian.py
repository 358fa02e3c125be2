"""Sketch and precondition: a Hessian B^T B with many rows in B is known well enough from a few random sums of them.

V. Rokhlin, M. Tygert, Proc. Natl. Acad. Sci. USA 105 (2008); the sketch adds rows up with random signs, each once.
"""

import numpy as np

from numopt import _array
from numopt._check import integer, scalar
from numopt._given import as_array
from numopt._loop import Breakdown
from numopt._status import Status
from numopt.constrained._functions import is_real
from numopt.constrained._kkt import Dense
from numopt.constrained._operator import Operator
from numopt.exceptions import InvalidInputError, InvalidTypeError


def sketched_preconditioner(root, jac, *, ridge=0.0, oversampling=4, rng=None):
    """Return a preconditioner for ``linear_solver="pcg"``, from a root of the Hessian.

    For Hessians H = B^T B + ridge I of sums over N samples, N much larger than n, whose products ``hessp`` gives. The
    rows of B are added up with random signs in ``oversampling * n`` sums; what these say of H is factored together
    with the Jacobian.

    Parameters
    ----------
    root : callable
        ``root(x)``, the matrix B of shape (N, n), an array of the library of x; rows of X times the roots of weights.
    jac : callable
        ``jac(x)``, the Jacobian of all constraints, dense, of shape (m, n).
    ridge : float, default 0
        What the Hessian has besides, at least 0.
    oversampling : int, default 4
        Sums for each variable; more make fewer iterations.
    rng : None, int, Generator or SeedSequence
        Source of the signs; fixed by an integer, the same for all steps.

    Returns
    -------
    callable
        For ``options={"preconditioner": ...}`` of `minimize_constrained`.

    Raises
    ------
    InvalidInputError, InvalidTypeError
        An argument is inadmissible, or a function returns an array of the wrong shape.

    Notes
    -----
    A step costs one pass over B, ``oversampling * n^3`` flops and n^2 numbers, then about ten products of the Hessian;
    forming it costs N n^2 flops. Against a Hessian that is formed it is a matter of a factor of two either way; against
    products without a preconditioner it saves most of them where the Hessian is ill-conditioned.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.optimize import LinearConstraint
    >>> from numopt.constrained import minimize_constrained, sketched_preconditioner
    >>> B = np.random.default_rng(0).standard_normal((500, 4)) * [1, 10, 100, 1000]
    >>> A, c = np.ones((1, 4)), np.ones(500)
    >>> res = minimize_constrained(
    ...     lambda x: (B @ x - c) @ (B @ x - c) / 2, np.ones(4), jac=lambda x: B.T @ (B @ x - c),
    ...     hessp=lambda x, p: B.T @ (B @ p), constraints=LinearConstraint(A, 1, 1), linear_solver="pcg",
    ...     options={"preconditioner": sketched_preconditioner(lambda x: B, lambda x: A, rng=0)}, tol=1e-6)
    >>> res.success, res.linear_solver
    (True, 'pcg')
    """
    oversampling = integer("oversampling", oversampling, low=1, remedy="pass the number of sums for each variable")
    ridge = scalar("ridge", ridge, low=0.0, remedy="pass what the Hessian has besides, 0 if nothing")
    rng, seeds = _array.default_rng(rng), {}

    def at(x, lam):
        B, J = as_array("root(x)", root(x)), as_array("jac(x)", jac(x))
        for name, A, what in (("root", B, "sample"), ("jac", J, "constraint")):
            if _array.is_sparse(A) or len(A.shape) != 2 or A.shape[1] != x.shape[0]:
                raise InvalidInputError(
                    f"{name} returned {type(A).__name__} of shape {tuple(A.shape)}: an array of shape "
                    f"(N, {x.shape[0]}) is expected; return a row for each {what}"
                )
            if not is_real(A.dtype):
                raise InvalidTypeError(f"{name} returned dtype {A.dtype}: real numbers are expected; return them")
        B, J = (A.astype(x.dtype, copy=False) if type(A) is np.ndarray else A for A in (B, J))
        if B.shape not in seeds:
            seeds[B.shape] = rng.integers(2, size=B.shape[0]) * 2.0 - 1.0
        S, xp = _sketched(B, seeds[B.shape], oversampling * B.shape[1]), _array.namespace(B)
        solver = Dense(xp)
        eye = xp.eye(B.shape[1], dtype=B.dtype, device=_array.device(B))
        solver.factor(S.T @ S + ridge * eye, J, 0.0, 0.0)
        if solver.zero:
            raise Breakdown(
                Status.BREAKDOWN,
                "the sketched preconditioner is singular: pass ridge, or leave out rows of jac that follow from others",
            )
        n, size = B.shape[1], sum(J.shape)
        return Operator((size, size), lambda r: xp.concat(solver.solve(r[:n], r[n:])))

    return at


def _sketched(B, signs, size):
    """Return `size` sums of the rows of B: row i goes with its sign to sum i modulo `size`."""
    xp = _array.namespace(B)
    signs = _array.like(xp, signs, _array.device(B), B.dtype)
    out = signs[:size, None] * B[:size, :]
    for begin in range(size, B.shape[0], size):
        rows = signs[begin : begin + size, None] * B[begin : begin + size, :]
        out[: rows.shape[0], :] += rows
    return out
