"""What an operator is, and one made of plain functions."""

import numpy as np

from numopt._array import device, float_dtype, host, is_array, like, namespace
from numopt._check import integer, one_of, positive_scalar
from numopt._given import as_array
from numopt.exceptions import InvalidInputError, InvalidTypeError, PerformanceWarning, warn
from numopt.monotone._inclusion import KINDS
from numopt.monotone._tolerance import expect_real


class Operator:
    """A finite sum F = (1/n) sum_i F_i of single-valued operators: the protocol, and defaults for a subclass.

    A solver asks for nothing but these attributes; a class of yours need not derive from this one.

    Attributes
    ----------
    dim : int
        Length d of the vectors.
    n : int, default 1
        Number of components.
    kind : {"monotone", "cocoercive", "bilinear"}, default "monotone"
        What is known of F. Gradients of smooth convex functions are cocoercive; "bilinear" stands for
        F(x, y) = (A^T y + c, b - A x).
    lipschitz : float or None, default None
        Lipschitz constant of F. None: it is estimated.
    component_lipschitz : array of shape (n,) or None, default None
        Lipschitz constants of the F_i. Methods that sample need them.
    saddle : bool, default False
        Whether <F(z), z - z'> bounds differences of a convex-concave function.
    split : int or None, default None
        Length of x in z = (x, y).

    Notes
    -----
    The methods are ``full(z)``, F(z) as a fresh vector; ``batch_difference(z, w, index, weights)``, the sum over k of
    ``weights[k] * (F_i(z) - F_i(w))`` with ``i = index[k]``, both NumPy arrays; and for reading, ``component(i, z)``.
    Vectors are float64 whatever the dtype of the data.
    """

    n = 1
    kind = "monotone"
    lipschitz = None
    component_lipschitz = None
    saddle = False
    split = None


class FiniteSumOperator(Operator):
    """A finite sum made of a plain function of (i, z).

    Parameters
    ----------
    n : int
        Number of components, at least 1.
    dim : int
        Length of the vectors, at least 1.
    component : callable
        ``component(i, z)`` returns F_i(z), an array of shape (dim,).
    kind : {"monotone", "cocoercive", "bilinear"}, default "monotone"
        What is known of F.
    lipschitz : float, optional
        Lipschitz constant of F; None: it is estimated.
    component_lipschitz : float or array_like of shape (n,), optional
        Those of the components.
    full : callable, optional
        ``full(z)`` returns F(z), if there is a faster way than the sum.

    Warns
    -----
    PerformanceWarning
        Once: each component costs a call of Python.

    Examples
    --------
    >>> import numpy as np
    >>> import warnings
    >>> from numopt.monotone import FiniteSumOperator, monotone_root
    >>> c = np.array([[1.0, 0.0], [3.0, 4.0]])
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     op = FiniteSumOperator(2, 2, lambda i, z: z - c[i], lipschitz=1.0)
    >>> monotone_root(op).z.round(4)
    array([2., 2.])
    """

    def __init__(self, n, dim, component, *, kind="monotone", lipschitz=None, component_lipschitz=None, full=None):
        self.n, self.dim = integer("n", n, low=1), integer("dim", dim, low=1)
        self.kind = one_of("kind", kind, KINDS)
        for name, function in (("component", component), ("full", component if full is None else full)):
            if not callable(function):
                raise InvalidTypeError(f"{name} is {function!r}: a function is expected; pass one")
        self.component, self._full = component, full
        self.lipschitz = None if lipschitz is None else positive_scalar("lipschitz", lipschitz)
        if component_lipschitz is not None:
            constants = as_array("component_lipschitz", component_lipschitz)
            float_dtype(namespace(constants), component_lipschitz=constants)  # or raise for what is no number
            if tuple(constants.shape) not in ((), (1,), (n,)):
                raise InvalidInputError(
                    f"component_lipschitz has shape {tuple(constants.shape)}: () or ({n},) is expected; give one for "
                    f"all components, or one for each"
                )
            constants = np.broadcast_to(np.asarray(host(constants), dtype=float), (n,))
            if not (np.isfinite(constants).all() and (constants >= 0).all()):
                at = int(np.argmin(np.isfinite(constants) & (constants >= 0)))
                raise InvalidInputError(
                    f"component_lipschitz[{at}] is {constants[at]}: a finite number >= 0 is expected; replace it"
                )
            self.component_lipschitz = constants
        if full is None:
            warn("a FiniteSumOperator calls Python for each component: slow", PerformanceWarning)

    def full(self, z):
        """Return F(z).

        Parameters
        ----------
        z : array of shape (dim,), float64
            Where to evaluate F.

        Returns
        -------
        array of shape (dim,), float64
            What ``full`` gave, else the mean of the components.
        """
        if self._full is not None:
            return _checked(self._full(z), z, "full")
        return sum(_checked(self.component(i, z), z, "component") for i in range(self.n)) / self.n

    def batch_difference(self, z, w, index, weights):
        """Return the weighted sum of F_i(z) - F_i(w).

        Parameters
        ----------
        z, w : array of shape (dim,), float64
            The two points.
        index : ndarray of shape (k,), int64
            Numbers i of the components, from 0 to n - 1; they may repeat.
        weights : ndarray of shape (k,), float64
            A weight for each of them.

        Returns
        -------
        array of shape (dim,), float64
            The sum over k of ``weights[k] * (F_i(z) - F_i(w))`` with ``i = index[k]``.
        """
        parts = (
            float(c) * (_checked(self.component(int(i), z), z, "component") - self.component(int(i), w))
            for i, c in zip(index, weights, strict=True)
        )
        return sum(parts)


def _checked(value, z, name):
    """Return what a function of the caller gave as an array beside z."""
    given, value = is_array(value), expect_real(name, value, namespace(z))
    if tuple(value.shape) != tuple(z.shape):
        raise InvalidInputError(
            f"{name} returned shape {tuple(value.shape)}: {tuple(z.shape)} is expected; return a vector like z"
        )
    return value if given else like(namespace(z), value, device(z), z.dtype)
