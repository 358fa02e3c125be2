"""Where a tolerance below rounding ends."""

import math

from numopt._array import host
from numopt._loop import Status

NEAR, GAIN, PATIENCE = 10.0, 0.9, 8  # times the floor; of the error; iterations without it


def down_to(floor, tol, iterates):
    """Return the iterates or, if `tol` is below the error that rounding leaves, those that still gain on it."""
    return iterates if tol >= floor else _down_to(floor, iterates)


def _down_to(floor, iterates):
    request, best, idle = None, math.inf, 0
    while True:
        try:
            at = iterates.send(request)
        except StopIteration as end:
            return end.value
        request = yield at
        if at.measure is not None:
            error = host(at.measure)
            best, idle = (error, 0) if error < GAIN * best else (best, idle + 1)
            if best <= NEAR * floor and idle >= PATIENCE:
                return Status.STALLED, f"rounding leaves about {floor:.1g}"
