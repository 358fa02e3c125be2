"""Objective and constraints in any form that scipy takes, as functions with derivatives."""

from functools import partial

import numpy as np

from numopt import _array
from numopt._check import one_of, scalar
from numopt._given import as_array
from numopt.constrained._asked import (
    Asked,
    Gradient,
    Hessian,
    Jacobian,
    KeptGradient,
    Raw,
    RawMatrix,
    Value,
    ValueAndGradient,
    Values,
)
from numopt.constrained._functions import SCHEMES, differences
from numopt.exceptions import InvalidInputError, InvalidTypeError

_ROUGH = 100.0  # times their rounding errors: what to expect of differences by "2-point"


class Objective:
    """f with its gradient and, where the caller has one, its Hessian.

    Attributes
    ----------
    learns : str
        The quasi-Newton update that stands for the Hessian; "" where there is one.
    products : callable or None
        ``products(x, p)``, for operator mode.
    """

    __slots__ = ("gradient", "hess", "hessian", "jac", "joint", "learns", "product", "products", "value")

    def __init__(self, space, fun, jac, hess, hessp, args):
        fun = _function("fun", fun)
        self.joint, self.jac = jac is True, None if jac is True else _derivative(space, "jac", jac)
        self.products = None if hessp is None or hess is not None else _function("hessp", hessp)
        self.hess, self.learns = _hessian("hess", hess) if self.products is None else (None, "")
        if args:
            given = fun, jac, hess, hessp
            fun, jac, hess, hessp = (_with(one, args) if callable(one) else one for one in given)
        self.value = ValueAndGradient(space, "nfev", fun, "fun") if self.joint else Value(space, "nfev", fun, "fun")
        if self.joint:
            gradient = KeptGradient(space, self.value)
        elif isinstance(self.jac, str):
            raw, scheme = Raw(space, "nfev", fun, "fun"), self.jac
            gradient = Asked(space, "", lambda x: differences(space, raw, x, scheme)[0, :])
        else:
            gradient = Gradient(space, "njev", jac, "jac")
        self.gradient = gradient
        if callable(self.hess):
            self.hessian = Hessian(space, "nhev", hess, "hess")
        elif self.hess is None:  # there is none, or it is a matter of products
            self.hessian = Asked(space, "", lambda x: None)
        else:
            slope = gradient if hess != "cs" else _complex_gradient(space, fun, jac)
            self.hessian = Asked(space, "", lambda x: differences(space, slope, x, hess))
        if self.products is not None:
            self.product = Gradient(space, "nhev", hessp, "hessp")


class Block:
    """One constraint of the caller: some rows of c with Jacobian and, where there is one, Hessian of v.c."""

    __slots__ = ("hess", "hessian", "high", "jac", "jacobian", "label", "learns", "low", "value")

    def __init__(self, space, label, fun, jac, hess, low, high):
        self.label, self.jac, self.low, self.high = label, jac, low, high
        self.hess, self.learns = hess
        self.value = Values(space, "ncev", fun, f"{label}.fun")
        if isinstance(jac, str):
            raw = Raw(space, "ncev", fun, f"{label}.fun")
            jacobian = Asked(space, "", lambda x: differences(space, raw, x, jac))
        else:
            jacobian = Jacobian(space, "njev", jac, f"{label}.jac")
            jacobian.of = self.value
        self.jacobian, scheme = jacobian, self.hess
        if isinstance(scheme, str):
            slope = jacobian
            if scheme == "cs":
                _expect_function(f"{label}.hess", f"{label}.jac", jac)
                slope = RawMatrix(space, "njev", jac, f"{label}.jac")
                slope.of = self.value
            self.hessian = Asked(space, "", lambda x, v: _curvature(space, slope, x, v, scheme))
        else:
            self.hessian = Hessian(space, "nhev", scheme, f"{label}.hess")

    @property
    def size(self):
        return self.value.size


def _curvature(space, jacobian, x, v, scheme):
    """Return the Hessian of v.c by differences."""

    def product(y):
        J = jacobian(y)
        return v @ J if _array.is_array(J) else J.T @ v

    return differences(space, Asked(space, "", product, jacobian.name), x, scheme)


def _complex_gradient(space, fun, jac):
    """Return the caller's gradient for complex x."""
    if jac is True:
        return Raw(space, "nfev", lambda x: fun(x)[1], "fun (its gradient)")
    _expect_function("hess", "jac", jac)
    return Raw(space, "njev", jac, "jac")


def _expect_function(hess, name, jac):
    """Refuse complex steps through derivatives that are differences themselves."""
    if not callable(jac):
        raise InvalidInputError(
            f"{hess} is 'cs' and {name} is {jac!r}: a function for {name} is expected, called with complex x; pass "
            f"one, or choose '3-point' for {hess}"
        )


class LinearBlock(Block):
    """A x: the Jacobian is a constant and the Hessian zero."""

    __slots__ = ("A",)

    def __init__(self, space, label, A, low, high):
        super().__init__(space, label, None, None, (None, ""), low, high)
        A = as_array(f"{label}.A", A)
        if type(A) is np.ndarray:
            A = np.atleast_2d(A)
        A = A if len(A.shape) == 2 else A[None, :]
        if not _array.is_sparse(A):  # scipy keeps it as a NumPy array: it moves once
            A = _array.like(space.xp, A, space.device, space.dtype)
        self.A = space.matrix(f"{label}.A", A, (A.shape[0], A.shape[1]))
        values = self.A.data if _array.is_sparse(self.A) else self.A
        if not _array.host(space.xp.all(space.xp.isfinite(values))):
            raise InvalidInputError(f"{label}.A holds NaN or infinity: finite numbers are expected; replace them")
        self.value, A = Asked(space, "", partial(_product, label, self.A)), self.A
        self.jacobian = Asked(space, "", lambda x: A)

    @property
    def size(self):
        return self.A.shape[0]


def _product(label, A, x):
    if A.shape[1] != x.shape[0]:
        raise InvalidInputError(
            f"{label}.A has shape {A.shape}: {x.shape[0]} columns are expected, as many as x0 has entries"
        )
    return A @ x


def read_constraints(space, constraints):
    """Return the blocks of `constraints`: one or a list of scipy's objects and dicts."""
    if constraints is None:
        return []
    if isinstance(constraints, dict) or not isinstance(constraints, (list, tuple)):
        constraints = [constraints]
    blocks = []
    for i, given in enumerate(constraints):
        label = f"constraints[{i}]"
        if isinstance(given, dict):
            blocks.append(_from_dict(space, label, given))
        elif hasattr(given, "fun") and hasattr(given, "lb"):
            jac = _derivative(space, f"{label}.jac", given.jac)
            hess = _hessian(f"{label}.hess", given.hess)
            blocks.append(Block(space, label, _function(f"{label}.fun", given.fun), jac, hess, given.lb, given.ub))
        elif hasattr(given, "A") and hasattr(given, "lb"):
            blocks.append(LinearBlock(space, label, given.A, given.lb, given.ub))
        else:
            raise InvalidTypeError(
                f"{label} is {type(given).__name__}: a NonlinearConstraint, LinearConstraint or dict is expected; "
                f"use the classes of scipy.optimize"
            )
    return blocks


def _from_dict(space, label, given):
    kind = given.get("type")
    kind = one_of(f"{label}['type']", kind.lower() if isinstance(kind, str) else kind, ("eq", "ineq"))
    fun, jac = _function(f"{label}['fun']", given.get("fun")), _derivative(space, f"{label}['jac']", given.get("jac"))
    hess, learns = _hessian(f"{label}['hess']", given.get("hess"))
    args = given.get("args", ())
    args = tuple(args) if isinstance(args, (tuple, list)) else (args,)
    if args:
        fun = _with(fun, args)
        jac = jac if isinstance(jac, str) else _with(jac, args)
        hess = _with(hess, args) if callable(hess) else hess
    return Block(space, label, fun, jac, (hess, learns), 0.0, 0.0 if kind == "eq" else np.inf)


def _with(function, args):
    return lambda x, *more: function(x, *more, *args)


def _function(name, given):
    if not callable(given):
        raise InvalidTypeError(f"{name} is {given!r}: a function is expected; pass one")
    return given


def _derivative(space, name, given):
    """Return a function or the name of a difference scheme; None means central differences."""
    if callable(given):
        return given
    if given is None or given is False:
        return "3-point"
    scheme = one_of(name, given, SCHEMES) if isinstance(given, str) else _function(name, given)
    if scheme != "2-point":
        return scheme
    tol = scalar("tol", space.tol, low=0.0, remedy="pass a tolerance >= 0")
    return "3-point" if tol < _ROUGH * space.eps**0.5 else scheme


def _hessian(name, given):
    """Return (function or scheme or None, quasi-Newton update or "")."""
    if given is None:
        return None, "bfgs"
    if isinstance(given, str):
        return one_of(name, given, SCHEMES), ""
    if hasattr(given, "update") and (kind := type(given).__name__.lower()) in ("bfgs", "sr1"):
        return None, kind
    return _function(name, given), ""
