"""What rounding allows of a tolerance."""

from numopt._check import scalar
from numopt.exceptions import PrecisionWarning, warn


def check_tolerance(tol, xp, dtype):
    """Check `tol`; warn if rounding in this dtype does not allow it."""
    scalar("tol", tol, low=0.0, remedy="pass a tolerance >= 0")
    eps = float(xp.finfo(dtype).eps)
    single = eps > 1e-10
    floor = 50 * eps if single else 1e-14
    if 0 < tol < floor:
        remedy = "raise it" + (" or use float64" if single else "")
        warn(f"tol is {tol}: rounding allows about {floor:.1g}; {remedy}", PrecisionWarning)
