"""Problems whose numbers overflow or drown in rounding: refused before the first iteration."""

import sys

from numopt.exceptions import InvalidInputError

DROWNED = 0.05  # marginal error left by rounding: no answer


def check_values(p, mass):
    """Raise if potentials or values of plans of this mass may overflow."""
    largest = max(map(abs, p.extent)) + 1e3 * p.reg  # of a potential
    if not max(largest / float(p.xp.finfo(p.a.dtype).max), largest * mass / sys.float_info.max) < 1e-3:
        raise InvalidInputError(
            f"reg is {p.reg:.3g}, C has entries of up to {max(map(abs, p.extent)):.3g} and the mass is {mass:.3g}: "
            f"values that do not overflow are expected; rescale C and reg by one factor, or the weights"
        )


def check_spread(xp, dtype, extents, dim, cost):
    """Raise if the cost of two points may overflow, which would forbid the pair."""
    points = extents["X"], extents["Y"]
    spread = max(x.high for x in points) - min(x.low for x in points)
    largest = dim * spread * (1.0 if cost == "cityblock" else spread)
    if not largest < 1e-3 * float(xp.finfo(dtype).max):
        raise InvalidInputError(
            f"X and Y spread over {spread:.3g}: points whose costs do not overflow are expected; rescale X, Y and reg"
        )


def check_rounding(p):
    """Raise if rounding of the exponents leaves no plan to speak of."""
    if not p.floor < DROWNED:
        largest = max(map(abs, p.extent))
        raise InvalidInputError(
            f"C has entries of {largest:.3g} and reg is {p.reg:.3g}: rounding alone leaves a marginal error of "
            f"{p.floor:.2g}; subtract a constant from C, move X towards Y, or raise reg"
        )
