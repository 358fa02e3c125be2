"""The map of a fixed-point problem: checked, counted, certified; and the result."""

import math
from dataclasses import dataclass

from numopt._array import device, float_dtype, host, is_array, like, namespace
from numopt._check import Checks
from numopt._given import as_array
from numopt._loop import Iterate, Status
from numopt._result import Result, result_class
from numopt.exceptions import InvalidInputError, InvalidTypeError
from numopt.monotone._displacement import running_off
from numopt.monotone._tolerance import at_least_rounding, expect_norm, expect_real


@result_class
class FixedPointResult(Result):
    """A point that a map hardly moves.

    Attributes
    ----------
    x : ndarray
        The point, of the shape of `x0`.
    residual : float
        ``|T(x) - x|``, recomputed.
    n_evaluations : int
        Calls of T, those for certificates among them.
    displacement : ndarray or None
        With ``status`` INFEASIBLE, an estimate of the infimal displacement vector: T(x) - x tends to it.
    far : float
        With ``status`` INFEASIBLE, no fixed point is nearer to `x0` if T is nonexpansive; otherwise 0.
    """

    x: object
    residual: float
    n_evaluations: int
    displacement: object
    far: float


@dataclass(slots=True, eq=False)
class Map:
    """The map on flat float64 vectors; counts its evaluations."""

    function: object
    args: tuple
    xp: object
    shape: tuple
    dtype: object
    first: object = None  # T(x0)
    scale: float = 1.0
    n: int = 0
    start: object = None
    runner: object = None  # a point that T moves on and on, from the start
    displacement: object = None
    far: float = 0.0

    def __call__(self, x):
        """Return T(x)."""
        xp = self.xp
        self.n += 1
        y = self.function(xp.reshape(xp.astype(x, self.dtype, copy=False), self.shape), *self.args)
        given, y = is_array(y), expect_real("func", y, xp)
        if tuple(y.shape) != self.shape:
            raise InvalidInputError(f"func returned shape {tuple(y.shape)}: {self.shape} is expected, that of x0")
        y = xp.astype(y, xp.float64, copy=False) if given else like(xp, y, device(x), xp.float64)
        return xp.reshape(y, (-1,))

    def certificate(self, x):
        """Evaluate the map anew at what will be returned."""
        xp = self.xp
        x = xp.astype(xp.astype(x, self.dtype), xp.float64)
        Tx = self(x)
        return {"relative_residual": self.error(x, Tx) / self.scale, "residual": xp.linalg.vector_norm(Tx - x)}

    def error(self, x, Tx):
        """Return |T(x) - x| and what rounding may hide: x + 1 is x where x is large."""
        norm = self.xp.linalg.vector_norm
        return norm(Tx - x) + norm(0.5 * float(self.xp.finfo(self.dtype).eps) * x)

    def iterate(self, x, Tx):
        """Return x with its measure."""
        return Iterate(x, self.error(x, Tx) / self.scale)

    def finish(self, state, info, common):
        """Return the result."""
        xp = self.xp
        x, d = (
            None if v is None else xp.reshape(xp.astype(v, self.dtype), self.shape) for v in (state, self.displacement)
        )
        return FixedPointResult(
            **common,
            x=x,
            residual=common["certificate"]["residual"],
            n_evaluations=self.n,
            displacement=d,
            far=self.far,
        )

    def looks(self):
        """Return the status of a map without a fixed point in reach, if it is seen that this is one, or None."""
        xp = self.xp
        self.runner, self.displacement, far = running_off(xp, self, self.runner, float(xp.finfo(self.dtype).eps))
        if self.displacement is None:
            return None
        self.far = far - host(xp.linalg.vector_norm(self.runner - self.start))
        return Status.INFEASIBLE, f"no fixed point within {self.far:.3g} of x0 if func is nonexpansive"


def start_map(func, x0, args, tol):
    """Check the start; return the map and the flat start."""
    if not isinstance(args, (tuple, list)):
        raise InvalidTypeError(f"args is {args!r}: a tuple is expected; put a comma behind a single argument")
    xp, x0 = namespace(x0=x0), as_array("x0", x0)
    dtype = float_dtype(xp, x0=x0)
    checks = Checks({"x0": xp.reshape(x0, (-1,))})
    x = checks.vector("x0")
    checks.settle()
    T, x = Map(func, tuple(args), xp, tuple(x0.shape), dtype), xp.astype(x, xp.float64)
    T.first, T.start, T.runner = T(x), x, x
    expect_norm("func(x0) - x0", xp, T.first - x)
    size = host(xp.linalg.vector_norm(T.first - x))
    if not math.isfinite(size):
        raise InvalidInputError("func(x0) is not finite: a finite start is expected; pass another x0")
    T.scale = at_least_rounding(size, float(xp.finfo(dtype).eps) * host(xp.linalg.vector_norm(x)), tol)
    return T, x
