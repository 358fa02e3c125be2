"""Objective and constraints in any form that scipy takes, as functions with derivatives."""

import numpy as np

from numopt import _array
from numopt._check import one_of
from numopt.constrained._functions import SCHEMES, differences
from numopt.exceptions import InvalidInputError, InvalidTypeError, NumoptWarning, warn


class _Symmetric:
    """Looks at the first Hessian: if it is not symmetric it says so, and then makes every one so."""

    skew = None

    def symmetric(self, H, name):
        """Return H, or its symmetric part."""
        if self.skew is False or hasattr(H, "matvec"):
            return H
        if self.skew is None:
            self.skew = not is_symmetric(H)
            if self.skew:
                warn(f"{name} returned a matrix that is not symmetric: (H + H^T) / 2 is used; see check_derivatives",
                     NumoptWarning)  # fmt: skip
        return (H + H.T) / 2 if self.skew else H


class Objective(_Symmetric):
    """f with its gradient and, where the caller has one, its Hessian.

    Attributes
    ----------
    learns : str
        The quasi-Newton update that stands for the Hessian; "" where there is one.
    products : callable or None
        ``products(x, p)``, for operator mode.
    """

    def __init__(self, space, fun, jac, hess, hessp, args):
        self.space, self.fun, self.args = space, _function("fun", fun), args
        self.pair = None, None  # the point where fun returned its gradient too, and that gradient
        if jac is True:
            self.jac = None
        else:
            self.jac = _derivative("jac", jac)
        self.joint = jac is True
        self.products = None if hessp is None or hess is not None else _function("hessp", hessp)
        self.hess, self.learns = _hessian("hess", hess) if self.products is None else (None, "")

    def value(self, x):
        space = self.space
        f = space.call("nfev", self.fun, x, *self.args)
        if self.joint:
            f, g = f
            self.pair = x, space.vector("fun (its gradient)", g, x.shape[0])
        return space.scalar("fun", f)

    def gradient(self, x):
        space = self.space
        if self.joint:
            if self.pair[0] is not x:
                self.value(x)
            return self.pair[1]
        if isinstance(self.jac, str):
            return differences(space, self._one, x, self.jac)[0, :]
        g = space.call("njev", self.jac, x, *self.args)
        return space.vector("jac", g, x.shape[0])

    def hessian(self, x):
        """Return the Hessian, or None where there is none or it is a matter of products."""
        space, n = self.space, x.shape[0]
        if isinstance(self.hess, str):
            return differences(space, self.gradient, x, self.hess)
        if self.hess is None:
            return None
        return self.symmetric(space.matrix("hess", space.call("nhev", self.hess, x, *self.args), (n, n)), "hess")

    def product(self, x, p):
        return self.space.vector("hessp", self.space.call("nhev", self.products, x, p, *self.args), x.shape[0])

    def _one(self, x):
        """Return f as a vector of one entry, for differences."""
        f = self.space.call("nfev", self.fun, x, *self.args)
        return self.space.xp.reshape(self.space.xp.asarray(f, device=self.space.device), (1,))


class Block(_Symmetric):
    """One constraint of the caller: some rows of c with Jacobian and, where there is one, Hessian of v.c."""

    def __init__(self, space, label, fun, jac, hess, low, high):
        self.space, self.label, self.fun = space, label, fun
        self.names = [f"{label}.{part}" for part in ("fun", "jac", "hess")]
        self.jac, (self.hess, self.learns) = jac, hess
        self.low, self.high, self.size = low, high, None

    def value(self, x):
        space = self.space
        c = space.vector(self.names[0], space.call("ncev", self.fun, x), self.size)
        self.size = c.shape[0]
        return c

    def jacobian(self, x):
        space = self.space
        if isinstance(self.jac, str):
            return differences(space, self._raw, x, self.jac)
        return space.matrix(self.names[1], space.call("njev", self.jac, x), (self.size, x.shape[0]))

    def hessian(self, x, v):
        space, n = self.space, x.shape[0]
        if isinstance(self.hess, str):

            def gradient(y):
                J = self.jacobian(y)
                return v @ J if _array.is_array(J) else J.T @ v

            return differences(space, gradient, x, self.hess)
        if self.hess is None:
            return None
        H = space.matrix(self.names[2], space.call("nhev", self.hess, x, v), (n, n))
        return self.symmetric(H, self.names[2])

    def _raw(self, x):
        c = self.space.xp.asarray(self.space.call("ncev", self.fun, x), device=self.space.device)
        return self.space.xp.reshape(c, (-1,))


class LinearBlock(Block):
    """A x: the Jacobian is a constant and the Hessian zero."""

    def __init__(self, space, label, A, low, high):
        super().__init__(space, label, None, None, (None, ""), low, high)
        if not (_array.is_array(A) or _array.is_sparse(A)):
            A = np.atleast_2d(np.asarray(A))
        A = A if len(A.shape) == 2 else A[None, :]
        if not _array.is_sparse(A):  # scipy keeps it as a NumPy array: it moves once
            A = _array.like(space.xp, A, space.device, space.dtype)
        self.A = space.matrix(f"{label}.A", A, (A.shape[0], A.shape[1]))
        values = self.A.data if _array.is_sparse(self.A) else self.A
        if not _array.host(space.xp.all(space.xp.isfinite(values))):
            raise InvalidInputError(f"{label}.A holds NaN or infinity: finite numbers are expected; replace them")
        self.size = A.shape[0]

    def value(self, x):
        if self.A.shape[1] != x.shape[0]:
            raise InvalidInputError(
                f"{self.label}.A has shape {self.A.shape}: {x.shape[0]} columns are expected, as many as x0 has entries"
            )
        return self.A @ x

    def jacobian(self, x):
        return self.A

    def hessian(self, x, v):
        return None


def is_symmetric(H):
    """Say whether a matrix, dense or sparse, is symmetric up to 1e-8 of its largest entry."""
    if _array.is_sparse(H):
        return bool(abs(H - H.T).max() <= 1e-8 * abs(H).max()) if H.nnz else True
    xp = _array.namespace(H)
    off, size = _array.host(xp.max(xp.abs(H - H.T)), xp.max(xp.abs(H)))
    return not off > max(1e-8, 10 * float(xp.finfo(H.dtype).eps)) * size


def read_constraints(space, constraints):
    """Return the blocks of `constraints`: one or a list of scipy's objects and dicts."""
    if isinstance(constraints, dict) or not isinstance(constraints, (list, tuple)):
        constraints = [constraints]
    blocks = []
    for i, given in enumerate(constraints):
        label = f"constraints[{i}]"
        if isinstance(given, dict):
            blocks.append(_from_dict(space, label, given))
        elif hasattr(given, "A") and hasattr(given, "lb"):
            blocks.append(LinearBlock(space, label, given.A, given.lb, given.ub))
        elif hasattr(given, "fun") and hasattr(given, "lb"):
            jac = _derivative(f"{label}.jac", given.jac)
            hess = _hessian(f"{label}.hess", given.hess)
            blocks.append(Block(space, label, _function(f"{label}.fun", given.fun), jac, hess, given.lb, given.ub))
        else:
            raise InvalidTypeError(
                f"{label} is {type(given).__name__}: a NonlinearConstraint, LinearConstraint or dict is expected; "
                f"use the classes of scipy.optimize"
            )
    return blocks


def _from_dict(space, label, given):
    kind = one_of(f"{label}['type']", given.get("type"), ("eq", "ineq"))
    fun, jac = _function(f"{label}['fun']", given.get("fun")), _derivative(f"{label}['jac']", given.get("jac"))
    hess = _hessian(f"{label}['hess']", given.get("hess"))
    args = tuple(given.get("args", ()))
    if args:
        fun = _with(fun, args)
        jac = jac if isinstance(jac, str) else _with(jac, args)
    return Block(space, label, fun, jac, hess, 0.0, 0.0 if kind == "eq" else np.inf)


def _with(function, args):
    return lambda x: function(x, *args)


def _function(name, given):
    if not callable(given):
        raise InvalidTypeError(f"{name} is {given!r}: a function is expected; pass one")
    return given


def _derivative(name, given):
    """Return a function or the name of a difference scheme; None means central differences."""
    if given is None or given is False:
        return "3-point"
    return one_of(name, given, SCHEMES) if isinstance(given, str) else _function(name, given)


def _hessian(name, given):
    """Return (function or scheme or None, quasi-Newton update or "")."""
    if given is None:
        return None, "bfgs"
    if isinstance(given, str):
        return one_of(name, given, SCHEMES), ""
    kind = type(given).__name__.lower()
    if kind in ("bfgs", "sr1") and hasattr(given, "update"):
        return None, kind
    return _function(name, given), ""
