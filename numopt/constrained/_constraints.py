"""Objective and constraints in any form that scipy takes, as functions with derivatives."""

import numpy as np

from numopt import _array
from numopt._check import one_of
from numopt.constrained._functions import SCHEMES, Asked, differences
from numopt.exceptions import InvalidInputError, InvalidTypeError, NumoptWarning, warn


class _Symmetric:
    """Looks at the first Hessian: if it is not symmetric it says so, and then makes every one so."""

    skew = None

    def symmetric(self, asked, answer, H, name):
        """Return H, read from an answer, or its symmetric part."""
        if self.skew is None and not hasattr(H, "matvec"):
            self.skew = not is_symmetric(H)
            if self.skew:
                warn(f"{name} returned a matrix that is not symmetric: (H + H^T) / 2 is used; see check_derivatives",
                     NumoptWarning)  # fmt: skip
        return (H + H.T) / 2 if self.skew and not hasattr(H, "matvec") else asked.seen(answer, H)


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
        def of(function):
            return (lambda x, *more: function(x, *more, *args)) if args else function

        self.space, fun = space, of(_function("fun", fun))
        self.pair = None, None  # the point where fun returned its gradient too, and that gradient
        self.joint, self.jac = jac is True, None if jac is True else _derivative("jac", jac)
        self.products = None if hessp is None or hess is not None else _function("hessp", hessp)
        self.hess, self.learns = _hessian("hess", hess) if self.products is None else (None, "")
        self.value = Asked(space, "nfev", fun, self._read_value)
        if self.joint:
            self.gradient = Asked(space, "", lambda x: None, self._joint_gradient)
        elif isinstance(self.jac, str):
            one = Asked(space, "nfev", fun, self._read_one)
            self.gradient = Asked(space, "", lambda x: differences(space, one, x, self.jac)[0, :])
        else:
            self.gradient = Asked(space, "njev", of(self.jac), self._read_gradient)
        if callable(self.hess):
            self.hessian = Asked(space, "nhev", of(self.hess), self._read_hessian)
        elif self.hess is None:  # there is none, or it is a matter of products
            self.hessian = Asked(space, "", lambda x: None)
        else:
            self.hessian = Asked(space, "", lambda x: differences(space, self.gradient, x, self.hess))
        if self.products is not None:
            self.product = Asked(space, "nhev", of(self.products), self._read_product)

    def _read_value(self, f, x):
        if self.joint:
            f, g = f
            self.pair = x, self.space.vector("fun (its gradient)", g, x.shape[0])
        return self.space.scalar("fun", f)

    def _read_one(self, f, x):
        """Return f as a vector of one entry, for differences."""
        return self.space.xp.reshape(self.space.xp.asarray(f, device=self.space.device), (1,))

    def _joint_gradient(self, _, x):
        if self.pair[0] is not x:
            self.value(x)
        return self.pair[1]

    def _read_gradient(self, g, x):
        return self.gradient.seen(g, self.space.vector("jac", g, x.shape[0]))

    def _read_hessian(self, H, x):
        return self.symmetric(self.hessian, H, self.space.matrix("hess", H, (x.shape[0],) * 2), "hess")

    def _read_product(self, Hp, x):
        return self.space.vector("hessp", Hp, x.shape[0])


class Block(_Symmetric):
    """One constraint of the caller: some rows of c with Jacobian and, where there is one, Hessian of v.c."""

    def __init__(self, space, label, fun, jac, hess, low, high):
        self.space, self.label = space, label
        self.jac, (self.hess, self.learns) = jac, hess
        self.low, self.high, self.size = low, high, None
        self.value = Asked(space, "ncev", fun, self._read_value)
        if isinstance(jac, str):
            raw = Asked(space, "ncev", fun, self._read_raw)
            self.jacobian = Asked(space, "", lambda x: differences(space, raw, x, jac))
        else:
            self.jacobian = Asked(space, "njev", jac, self._read_jacobian)
        if isinstance(self.hess, str):
            self.hessian = Asked(space, "", self._differences)
        else:
            self.hessian = Asked(space, "nhev", self.hess, self._read_hessian)

    def _read_value(self, c, x):
        values = self.value.seen(c, self.space.vector(f"{self.label}.fun", c, self.size))
        self.size = values.shape[0]
        return values

    def _read_jacobian(self, J, x):
        return self.jacobian.seen(J, self.space.matrix(f"{self.label}.jac", J, (self.size, x.shape[0])))

    def _read_hessian(self, H, x):
        name = f"{self.label}.hess"
        return self.symmetric(self.hessian, H, self.space.matrix(name, H, (x.shape[0],) * 2), name)

    def _read_raw(self, c, x):
        return self.space.xp.reshape(self.space.xp.asarray(c, device=self.space.device), (-1,))

    def _differences(self, x, v):
        def gradient(y):
            J = self.jacobian(y)
            return v @ J if _array.is_array(J) else J.T @ v

        return differences(self.space, gradient, x, self.hess)


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
        self.value, self.jacobian = Asked(space, "", self._product), Asked(space, "", lambda x: self.A)

    def _product(self, x):
        if self.A.shape[1] != x.shape[0]:
            raise InvalidInputError(
                f"{self.label}.A has shape {self.A.shape}: {x.shape[0]} columns are expected, as many as x0 has entries"
            )
        return self.A @ x


def is_symmetric(H):
    """Say whether a matrix, dense or sparse, is symmetric up to 1e-8 of its largest entry."""
    if _array.is_sparse(H):
        return bool(abs(H - H.T).max() <= 1e-8 * abs(H).max()) if H.nnz else True
    if type(H) is np.ndarray and H.tobytes() == H.T.tobytes():  # for small ones ten times as fast as differences
        return True
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
    if hasattr(given, "update") and (kind := type(given).__name__.lower()) in ("bfgs", "sr1"):
        return None, kind
    return _function(name, given), ""
