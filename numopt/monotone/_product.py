"""Products of sets and penalties."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from numopt._array import namespace
from numopt._check import integer
from numopt.exceptions import InvalidInputError, InvalidTypeError
from numopt.monotone._prox import Free, Simplex


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """A product of sets and penalties on consecutive pieces of the vector.

    Parameters
    ----------
    parts : sequence of (prox, int)
        A prox, such as those here or a function ``prox(v, t)``, and the length of its piece.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.monotone import Box, Product, Simplex
    >>> Product([(Simplex(), 2), (Box(0, 1), 1)])(np.array([3.0, 3.0, 7.0]), 1.0)
    array([0.5, 0.5, 1. ])
    """

    parts: tuple

    def __post_init__(self):
        """Check the parts."""
        try:
            pairs = [(prox, size) for prox, size in self.parts]
        except (TypeError, ValueError):
            raise InvalidTypeError(
                f"parts is {self.parts!r}: pairs (prox, length) are expected; pass a list of them"
            ) from None
        object.__setattr__(self, "parts", tuple((p, integer("the length of a part", s, low=0)) for p, s in pairs))
        for prox, _ in self.parts:
            if not callable(prox):
                raise InvalidTypeError(f"parts holds {prox!r}: a function prox(v, t) is expected; pass one")

    @property
    def dim(self):
        """The length of the whole vector."""
        return sum(size for _, size in self.parts)

    def pieces(self, v):
        """Yield (prox, piece of v).

        Parameters
        ----------
        v : array of shape (dim,), float64
            The whole vector.

        Yields
        ------
        prox : callable
            The prox of a part.
        piece : array of shape (size,), float64
            The entries of v that it works on.
        """
        at = 0
        for prox, size in self.parts:
            yield prox, v[at : at + size]
            at += size

    def __call__(self, v, t):
        """Return the resolvents of the pieces."""
        return namespace(v).concat([_of_length(w, prox(w, t)) for prox, w in self.pieces(v)])

    def least(self, g):
        """Return the minimum of <g, z>; -inf if a part does not know it.

        Parameters
        ----------
        g : array of shape (dim,), float64
            Costs.

        Returns
        -------
        float or array of shape (), float64
            The sum of the minima of the parts.
        """
        if not all(hasattr(prox, "least") for prox, _ in self.parts):
            return -math.inf
        return sum(prox.least(w) for prox, w in self.pieces(g))


def _of_length(w, image):
    """Return what a prox makes of w, if it has the shape of w."""
    if getattr(image, "shape", None) != w.shape:
        raise InvalidInputError(
            f"a prox returns {type(image).__name__} for a vector of shape {tuple(w.shape)}: one of that shape is "
            f"expected; return what becomes of it"
        )
    return image


def Simplices(sizes, total=1.0):
    """Return a product of simplices.

    Parameters
    ----------
    sizes : sequence of int
        Lengths of the pieces.
    total : float, default 1.0
        Sum of each piece.

    Returns
    -------
    Product
        One `Simplex` for each piece.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.monotone import Simplices
    >>> Simplices([2, 3])(np.array([5.0, 4.0, 0.0, 0.0, 9.0]), 1.0)
    array([1., 0., 0., 0., 1.])
    """
    if not isinstance(sizes, Iterable) or getattr(sizes, "ndim", 1) == 0:
        raise InvalidTypeError(f"sizes is {sizes!r}: a sequence of lengths is expected; put it into brackets")
    return Product([(Simplex(total), size) for size in sizes])


def check_prox(prox, dim, name="prox"):
    """Return `prox`, or one that does nothing for None."""
    if prox is None:
        return Free()
    if not callable(prox):
        raise InvalidTypeError(f"{name} is {prox!r}: a function prox(v, t) is expected; pass one, or None")
    if isinstance(prox, Product) and prox.dim != dim:
        raise InvalidInputError(
            f"{name} has parts for {prox.dim} numbers: the operator has {dim}; make the lengths of its parts agree"
        )
    return prox
