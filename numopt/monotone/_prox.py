"""Sets and penalties by their resolvents: ``prox(v, t)`` is the minimiser of ``t G(z) + |z - v|^2 / 2``.

For a set that is its nearest point, whatever t. `least(g)`, where a set has it, is the minimum of <g, z> over the set:
with it a gap can be bounded.
"""

import math
from dataclasses import dataclass

import numpy as np

from numopt._array import device, float_dtype, host, is_array, namespace
from numopt._check import positive_scalar, scalar
from numopt._given import as_array
from numopt._kernels import kernels
from numopt.exceptions import InvalidInputError


@dataclass(frozen=True, slots=True, eq=False)
class Free:
    """No constraint and no penalty.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.monotone import Free
    >>> Free()(np.array([-1.0, 2.0]), 0.5)
    array([-1.,  2.])
    """

    def __call__(self, v, t):
        """Return v."""
        return v


@dataclass(frozen=True, slots=True, eq=False)
class Simplex:
    """The simplex {z >= 0, sum z = total}.

    Parameters
    ----------
    total : float, default 1.0
        Above 0.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.monotone import Simplex
    >>> Simplex()(np.array([0.9, 0.5, -3.0]), 1.0)
    array([0.7, 0.3, 0. ])
    """

    total: float = 1.0

    def __post_init__(self):
        """Check the total."""
        positive_scalar("total", self.total, remedy="a simplex needs a positive total")

    def __call__(self, v, t):
        """Return the nearest point of the simplex."""
        xp = namespace(v)
        w = kernels("monotone", xp).project_simplex(xp.astype(v, xp.float64, copy=False), float(self.total))
        return xp.astype(w, v.dtype, copy=False)

    def least(self, g):
        """Return the minimum of <g, z>.

        Parameters
        ----------
        g : array of shape (d,), float64
            Costs.

        Returns
        -------
        array of shape (), float64
            ``total`` times the smallest entry of g.
        """
        return self.total * namespace(g).min(g)


@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """The box {lower <= z <= upper}.

    Parameters
    ----------
    lower, upper : float or array_like of shape (d,), default 0.0 and 1.0
        Bounds; -inf and inf stand for none.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.monotone import Box
    >>> Box(-1.0, 1.0)(np.array([-3.0, 0.5]), 1.0)
    array([-1. ,  0.5])
    """

    lower: object = 0.0
    upper: object = 1.0

    def __post_init__(self):
        """Check that the bounds are numbers in order."""
        ends = {name: as_array(name, getattr(self, name)) for name in ("lower", "upper")}
        float_dtype(namespace(**ends), **ends)  # or raise for what is no number
        low, high = host(*ends.values())
        bad = np.argwhere(~(np.atleast_1d(low) <= np.atleast_1d(high)))
        if bad.size:
            at = int(bad[0, 0])
            lows, highs = np.broadcast_arrays(np.atleast_1d(low), np.atleast_1d(high))
            raise InvalidInputError(
                f"lower[{at}] is {lows[at]} and upper[{at}] is {highs[at]}: lower <= upper is expected; exchange them"
            )

    def __call__(self, v, t):
        """Return the nearest point of the box."""
        xp = namespace(v)
        low, high = (_as(xp, w, v) for w in (self.lower, self.upper))
        return xp.minimum(xp.maximum(v, low), high)

    def least(self, g):
        """Return the minimum of <g, z>; -inf if there is none.

        Parameters
        ----------
        g : array of shape (d,), float64
            Costs.

        Returns
        -------
        array of shape (), float64
            The sum of the minima of ``g_i z_i``; -inf where a cost points to a missing bound.
        """
        xp = namespace(g)
        low, high = (_as(xp, w, g) for w in (self.lower, self.upper))
        bound = xp.where(g > 0, low, high)
        return xp.sum(xp.where(g == 0, xp.zeros_like(g), g * bound))


def NonNegative():
    """Return the box {z >= 0}.

    Returns
    -------
    Box
        The one with bounds 0 and inf.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.monotone import NonNegative
    >>> NonNegative()(np.array([-3.0, 0.5]), 1.0)
    array([0. , 0.5])
    """
    return Box(0.0, math.inf)


@dataclass(frozen=True, slots=True, eq=False)
class Ball:
    """The ball ``{|z| <= radius}``.

    Parameters
    ----------
    radius : float, default 1.0
        Above 0.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.monotone import Ball
    >>> Ball(5.0)(np.array([6.0, 8.0]), 1.0)
    array([3., 4.])
    """

    radius: float = 1.0

    def __post_init__(self):
        """Check the radius."""
        positive_scalar("radius", self.radius)

    def __call__(self, v, t):
        """Return the nearest point of the ball."""
        xp = namespace(v)
        norm = xp.linalg.vector_norm(v)
        return v * (self.radius / xp.maximum(norm, xp.full_like(norm, self.radius)))

    def least(self, g):
        """Return the minimum of <g, z>.

        Parameters
        ----------
        g : array of shape (d,), float64
            Costs.

        Returns
        -------
        array of shape (), float64
            Minus ``radius`` times the Euclidean norm of g.
        """
        return -self.radius * namespace(g).linalg.vector_norm(g)


@dataclass(frozen=True, slots=True, eq=False)
class L1:
    """The penalty ``weight * sum |z|``.

    Parameters
    ----------
    weight : float, default 1.0
        At least 0.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.monotone import L1
    >>> L1(2.0)(np.array([-3.0, 0.5]), 0.5)
    array([-2.,  0.])
    """

    weight: float = 1.0

    def __post_init__(self):
        """Check the weight."""
        scalar("weight", self.weight, low=0.0)

    def __call__(self, v, t):
        """Return v, shrunk by t weight."""
        xp = namespace(v)
        size = xp.abs(v) - t * self.weight
        return xp.sign(v) * xp.maximum(size, xp.zeros_like(size))


def _as(xp, bound, v):
    """Return a bound, a number or a vector, as an array beside v."""
    bound = bound if is_array(bound) else xp.asarray(bound, dtype=v.dtype, device=device(v))
    if tuple(bound.shape) not in ((), (1,), tuple(v.shape)):
        raise InvalidInputError(
            f"a bound of a Box has shape {tuple(bound.shape)}: () or {tuple(v.shape)} is expected, that of the vector; "
            f"give a number, or one for each entry"
        )
    return bound
