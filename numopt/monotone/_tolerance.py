"""What the range and the rounding of numbers allow."""

import math

from numopt._array import extremes, host, is_array, namespace
from numopt._check import Extent, scalar
from numopt._given import as_array
from numopt.exceptions import InvalidInputError, InvalidTypeError, PrecisionWarning, warn

ROUNDING = 4.0  # rounding errors that a residual may be, whatever it was at the start


def check_tolerance(tol, xp, dtype):
    """Check `tol`; warn if rounding in this dtype does not allow it."""
    scalar("tol", tol, low=0.0, remedy="pass a tolerance >= 0")
    eps = float(xp.finfo(dtype).eps)
    single = eps > 1e-10
    floor = 50 * eps if single else 1e-14
    if 0 < tol < floor:
        remedy = "raise it" + (" or use float64" if single else "")
        warn(f"tol is {tol}: rounding allows about {floor:.1g}; {remedy}", PrecisionWarning)


def expect_squares(name, extent, xp, dtype):
    """Raise for data whose squares overflow, or all underflow: their norms would be infinite, or 0."""
    largest, most = max(-extent.low, extent.high), float(xp.finfo(dtype).max) ** 0.5 / 1e3
    if largest > 0 and not 1 / most < largest < most:
        raise InvalidInputError(
            f"{name} reaches {largest:.3g}: between {1 / most:.0e} and {most:.0e} is expected, since its entries are "
            f"squared; rescale it"
        )


def expect_norm(name, xp, v):
    """Raise for a finite vector whose entries have no squares: its norm would be infinite, or 0."""
    low, high = host(*extremes(xp, v))
    if math.isfinite(low + high):
        expect_squares(name, Extent(low, high, math.nan), xp, xp.float64)


def expect_real(name, answer, xp):
    """Return what a function of the caller gave, without a mask; raise if it is no array of real numbers, of `xp`."""
    if is_array(answer) and namespace(answer) is not xp:
        raise InvalidTypeError(
            f"{name} returned a {type(answer).__module__} array and was given one of another library: that one is "
            f"expected; convert the answer"
        )
    answer = as_array(f"what {name} returned", answer)
    if getattr(answer.dtype, "kind", "c" if "complex" in str(answer.dtype) else "f") not in "biufO":
        raise InvalidTypeError(f"{name} returned dtype {answer.dtype}: real numbers are expected; return them")
    return answer


def at_least_rounding(start, error, tol):
    """Return what a tolerance is relative to: a residual at the start, but so that 4 rounding errors of it will do."""
    return max(start, ROUNDING * error / tol if tol > 0 else 0.0) or 1.0
