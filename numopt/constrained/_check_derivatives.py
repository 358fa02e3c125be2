"""Whether the caller's derivatives are those of the caller's functions."""

import math

import numpy as np

from numopt import _array
from numopt._check import Checks
from numopt.constrained._constraints import Objective, read_constraints
from numopt.constrained._functions import Space
from numopt.constrained._operator import times, transposed_times

_DIRECTIONS = 3


def check_derivatives(fun, x0, args=(), *, jac=None, hess=None, hessp=None, constraints=(), rng=0):
    """Compare derivatives with central differences along random directions.

    Parameters
    ----------
    fun, x0, args, jac, hess, hessp, constraints
        As in `minimize_constrained`; only functions are checked, not differences and updates.
    rng : None, int, Generator or SeedSequence, default 0
        Source of three directions and of the multipliers for Hessians of constraints.

    Returns
    -------
    dict of str to float
        The worst error of each function, ``|difference - derivative| / max(1, |derivative|)`` over its components, by
        name: "jac", "hess", "constraints[0].jac", ... Right ones show 1e-10 to 1e-6, wrong ones mostly more than 1e-3,
        and what is not finite inf.

    Raises
    ------
    InvalidInputError, InvalidTypeError
        A function returns something of the wrong shape or library.

    Notes
    -----
    Six calls of each function and one of each derivative; a Hessian takes six more of the gradient or Jacobian.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.constrained import check_derivatives
    >>> errors = check_derivatives(lambda x: (x**4).sum(), [1.0, 2.0], jac=lambda x: 3 * x**3)
    >>> errors["jac"] > 0.1
    True
    >>> check_derivatives(lambda x: (x**4).sum(), [1.0, 2.0], jac=lambda x: 4 * x**3)["jac"] < 1e-6
    True
    """
    checks = Checks({"x0": x0})
    x = checks.vector("x0")
    checks.settle()
    space, rng = Space(checks.xp, checks.device, checks.dtype), _array.default_rng(rng)
    objective = Objective(space, fun, jac, hess, hessp, args if isinstance(args, tuple) else (args,))
    draw = _Draw(space, rng, x)
    out = {}
    if objective.joint or not isinstance(objective.jac, str):
        g = objective.gradient(x)
        out["jac"] = draw.worst(
            lambda y: space.xp.reshape(draw.scalar(objective.value(y)), (1,)), lambda d: draw.scalar(g @ d)
        )
    if callable(objective.hess) or objective.products is not None:
        H = objective.hessian(x)
        along = (lambda d: objective.product(x, d)) if H is None else (lambda d: times(H, d))
        out["hess" if H is not None else "hessp"] = draw.worst(objective.gradient, along)
    for block in read_constraints(space, constraints):
        block.value(x)
        if callable(block.jac):
            J = block.jacobian(x)
            out[f"{block.label}.jac"] = draw.worst(block.value, lambda d, J=J: times(J, d))
        if callable(block.hess):
            v = draw.vector(block.size)
            H = block.hessian(x, v)

            def gradient(y, block=block, v=v):
                return transposed_times(block.jacobian(y), v)

            out[f"{block.label}.hess"] = draw.worst(gradient, lambda d, H=H: times(H, d))
    return out


class _Draw:
    """Random vectors in the caller's library, and the comparison along them."""

    def __init__(self, space, rng, x):
        self.space, self.rng, self.x = space, rng, x
        size = float(np.max(np.abs(_array.host(x))))
        self.h = space.eps ** (1 / 3) * max(1.0, size)

    def vector(self, n):
        return _array.like(self.space.xp, self.rng.standard_normal(n), self.space.device, self.space.dtype)

    def scalar(self, value):
        return self.space.xp.asarray(value, dtype=self.space.dtype, device=self.space.device)

    def worst(self, function, along):
        """Return the worst error of ``along(d)``, the derivative of `function` along d."""
        xp, worst = self.space.xp, 0.0
        for _ in range(_DIRECTIONS):
            d = self.vector(self.x.shape[0])
            d = d / xp.max(xp.abs(d))
            claimed = along(d)
            seen = (function(self.x + self.h * d) - function(self.x - self.h * d)) / (2 * self.h)
            off = _array.host(xp.max(xp.abs(seen - claimed) / xp.clip(xp.abs(claimed), 1.0, None)))
            worst = max(worst, off) if off == off else math.inf
        return worst
