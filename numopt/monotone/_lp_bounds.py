"""Bounds of the variables of a linear program, in the forms that SciPy takes."""

import numpy as np

from numopt._array import host, is_array
from numopt._given import unmasked
from numopt.exceptions import InvalidInputError, InvalidTypeError


def ends_of(bounds, n):
    """Return lower and upper bounds as vectors."""
    pairs = [] if bounds is None else unmasked("bounds", bounds)
    pairs = host(pairs) if is_array(pairs) else pairs
    pairs = list(pairs) if np.iterable(pairs) else pairs
    if isinstance(pairs, list) and not any(map(np.size, pairs)):
        pairs = [(0, None)]
    elif isinstance(pairs, list) and len(pairs) == 2 and all(v is None or np.ndim(v) == 0 for v in pairs):
        pairs = [pairs]
    try:
        ends = [[-np.inf if low is None else low, np.inf if high is None else high] for low, high in pairs]
        ends = np.array(ends, dtype=float)
    except (TypeError, ValueError):
        raise InvalidTypeError(
            f"bounds is {bounds!r}: pairs (lower, upper) of numbers or None are expected; pass one, or a list of them"
        ) from None
    if len(ends) not in (1, n):
        raise InvalidInputError(
            f"bounds has {len(ends)} entries: one pair (lower, upper), or {n} of them, is expected; pass as many"
        )
    low, high = (np.ascontiguousarray(end) for end in np.broadcast_to(ends, (n, 2)).T)
    bad = np.flatnonzero(~((low <= high) & (low < np.inf) & (high > -np.inf)))
    if bad.size:
        j = int(bad[0])
        raise InvalidInputError(f"bounds[{j}] is ({low[j]}, {high[j]}): lower <= upper is expected; exchange them")
    return low, high
