"""The functions of the caller, each with what it takes to read its answers.

Nothing here knows the objective or the constraint that it belongs to: what is known of a function lies with it, so that
no circle keeps a finished problem in memory.
"""

import numpy as np

from numopt import _array
from numopt.exceptions import InvalidTypeError, NumoptWarning, warn


class Asked:
    """A function that answers at x: called by itself, or together with others by `Space.ask`.

    Parameters
    ----------
    kind : str
        What a call counts as; "" where nothing is counted, because `call` asks others.
    call : callable
        ``call(x, *more)``, the caller's.
    name : str
        What messages call it.

    Attributes
    ----------
    size : int or None
        How long the first vector was, for `Values`; None before one was seen.
    skew : bool or None
        Whether the first Hessian was not symmetric; None before one was seen, and for what is none.
    """

    __slots__ = ("call", "kind", "name", "of", "pair", "size", "skew", "space")

    def __init__(self, space, kind, call, name=""):
        self.space, self.kind, self.call, self.name = space, kind, call, name
        self.size = self.skew = None

    def read(self, answer, x):
        """Return the answer, checked; here it comes from others, which have done that."""
        return answer

    def plain(self, answer, shape):
        """Say whether an answer is a NumPy array of this shape and the dtype of the variables: it needs only a copy."""
        return type(answer) is np.ndarray and answer.dtype is self.space.native and answer.shape == shape

    def __call__(self, x, *more):
        return self.space.ask((self,), x, (more,))[0]


class Value(Asked):
    """A scalar."""

    __slots__ = ()

    def read(self, answer, x):
        return self.space.scalar(self.name, answer)


class ValueAndGradient(Asked):
    """A scalar and its gradient, which is kept with its point."""

    __slots__ = ()

    def __init__(self, space, kind, call, name):
        super().__init__(space, kind, call, name)
        self.pair = None, None

    def read(self, answer, x):
        if not isinstance(answer, (tuple, list)) or len(answer) != 2:
            raise InvalidTypeError(
                f"{self.name} returned {type(answer).__name__} and jac is True: a pair (value, gradient) is expected; "
                f"return both, or pass jac"
            )
        f, g = answer
        self.pair = x, self.space.vector(f"{self.name} (its gradient)", g, x.shape[0])
        return self.space.scalar(self.name, f)


class KeptGradient(Asked):
    """The gradient that came with a value."""

    __slots__ = ()

    def __init__(self, space, of):
        super().__init__(space, "", lambda x: None)
        self.of = of

    def read(self, answer, x):
        if self.of.pair[0] is not x:
            self.of(x)
        return self.of.pair[1]


class Gradient(Asked):
    """A vector as long as x."""

    __slots__ = ()

    def read(self, answer, x):
        return answer.copy() if self.plain(answer, x.shape) else self.space.vector(self.name, answer, x.shape[0])


class Values(Asked):
    """A vector, of whatever size the first one has."""

    __slots__ = ()

    def read(self, answer, x):
        if type(answer) is np.ndarray and answer.dtype is self.space.native and answer.ndim == 1:
            if self.size is None:
                self.size = answer.shape[0]
            if answer.shape[0] == self.size:
                return answer.copy()
        values = self.space.vector(self.name, answer, self.size)
        self.size = values.shape[0]
        return values


class Raw(Asked):
    """A vector for differences: complex, or of the dtype of the variables."""

    __slots__ = ()

    def read(self, answer, x):
        xp = self.space.xp
        if "complex" in str(x.dtype):
            return xp.reshape(xp.asarray(answer, device=self.space.device), (-1,))
        return self.space.vector(self.name, answer)


class RawMatrix(Asked):
    """A matrix of any dtype with a row for each of the values `of`, for differences."""

    __slots__ = ()

    def read(self, answer, x):
        if _array.is_sparse(answer):
            return answer
        xp = self.space.xp
        return xp.reshape(xp.asarray(answer, device=self.space.device), (self.of.size, -1))


class Jacobian(Asked):
    """A matrix with a row for each of the values `of`, which are read before it."""

    __slots__ = ()

    def read(self, answer, x):
        shape = self.of.size, x.shape[0]
        return answer.copy() if self.plain(answer, shape) else self.space.matrix(self.name, answer, shape)


class Hessian(Asked):
    """A symmetric matrix. If the first one is not, a warning says so, and then all are made so."""

    __slots__ = ()

    def read(self, answer, x):
        H, shape = answer, x.shape * 2
        if not self.plain(answer, shape):
            H = self.space.matrix(self.name, answer, shape)
            if hasattr(H, "matvec"):
                return H
        if self.skew is None:
            self.skew = not is_symmetric(H)
            if self.skew:
                warn(f"{self.name} returned a matrix that is not symmetric: (H + H^T) / 2 is used; see "
                     f"check_derivatives", NumoptWarning)  # fmt: skip
        if self.skew:
            return (H + H.T) / 2
        return H.copy() if H is answer else H


def is_symmetric(H):
    """Say whether a matrix, dense or sparse, is symmetric up to 1e-8 of its largest entry."""
    if type(H) is np.ndarray and H.tobytes() == H.T.tobytes():  # for small ones ten times as fast as differences
        return True
    if _array.is_sparse(H):
        return bool(abs(H - H.T).max() <= 1e-8 * abs(H).max()) if H.nnz else True
    xp = _array.namespace(H)
    off, size = _array.host(xp.max(xp.abs(H - H.T)), xp.max(xp.abs(H)))
    return not off > max(1e-8, 10 * float(xp.finfo(H.dtype).eps)) * size
