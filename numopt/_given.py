"""What a caller passes as an array: lists become arrays, and no mask is overlooked."""

import numpy as np

from numopt._array import is_array, is_sparse
from numopt.exceptions import InvalidInputError


def as_array(name, x):
    """Turn what counts as NumPy into an array; leave arrays and sparse arrays alone."""
    if type(x) is np.ndarray:
        return x
    x = unmasked(name, x)
    if is_sparse(x) or is_array(x):
        return x
    try:
        return np.asarray(x)
    except ValueError as error:
        raise InvalidInputError(
            f"{name} is no rectangular array: {error}; give all rows the same length"
        ) from None


def unmasked(name, x):
    """Return `x` without a mask that hides nothing; raise for the first hidden entry, which would be read as data."""
    if isinstance(x, (list, tuple)):
        for i, row in enumerate(x):
            if isinstance(row, (list, tuple, np.ma.MaskedArray)):
                unmasked(f"{name}[{i}]", row)
    if not isinstance(x, np.ma.MaskedArray):
        return x
    if np.ma.is_masked(x):
        index = ", ".join(map(str, np.argwhere(np.ma.getmaskarray(x))[0]))
        where = f"{name}[{index}]" if index else name
        raise InvalidInputError(f"{where} is masked: a number is expected; fill it by filled(), or drop it")
    return np.ma.getdata(x, subok=False)
