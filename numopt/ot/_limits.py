"""Problems whose numbers overflow or drown in rounding: refused before the first iteration."""

import sys

from numopt.exceptions import InvalidInputError

LEAST = 4 * sys.float_info.min  # of reg
DROWNED = 0.05  # marginal error left by rounding: no answer


def divided(xp, weights, mass):
    """Return weights / mass, where none that is positive becomes zero: its potential would be of another kind."""
    least, quotients = float(xp.finfo(weights.dtype).smallest_normal), weights / mass
    return xp.where((weights > 0) & (quotients < least), least, quotients)


def check_values(dtype, extent, reg, mass):
    """Raise if potentials, of a `dtype` given by its limits, or values of plans of this mass may overflow."""
    cost = max(map(abs, extent))
    largest = cost + 1e3 * reg  # of a potential
    if not max(largest / float(dtype.max), largest * mass / sys.float_info.max) < 1e-3:
        raise InvalidInputError(
            f"reg is {reg:.3g}, C has entries of up to {cost:.3g} and the mass is {mass:.3g}: values that do not "
            f"overflow are expected; rescale C and reg by one factor, or the weights"
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


def check_rounding(floor, extent, reg):
    """Raise if rounding leaves no plan to speak of, but a marginal error of `floor`."""
    if not floor < DROWNED:
        raise InvalidInputError(
            f"C has entries of {max(map(abs, extent)):.3g} and reg is {reg:.3g}: rounding alone leaves a marginal "
            f"error of {floor:.2g}; subtract a constant from C, move X towards Y, or raise reg"
        )
