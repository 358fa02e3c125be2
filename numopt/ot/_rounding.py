"""Where a tolerance below rounding ends."""

import math

from numopt._array import host
from numopt._loop import Relay, Status

NEAR, GAIN, PATIENCE = 32.0, 0.9, 8  # times the floor; of the error; iterations without it


def down_to(floor, tol, iterates):
    """Return the iterates or, if `tol` is below the error that rounding leaves, those that still gain on it."""
    return iterates if tol >= floor else _down_to(floor, iterates)


def _down_to(floor, iterates):
    relay, best, idle = Relay(iterates), math.inf, 0
    for at in relay:
        relay.request = yield at
        if at.measure is not None:
            error = host(at.measure)
            best, idle = (error, 0) if error < GAIN * best else (best, idle + 1)
            if best <= NEAR * floor and idle >= PATIENCE:
                return Status.STALLED, f"rounding leaves about {floor:.1g}"
    return relay.end
