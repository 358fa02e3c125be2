"""scikit-learn's validation, without its blind spot for masks."""

import numpy as np
from sklearn.utils.validation import validate_data

from numopt._given import unmasked


def validated(estimator, X, y="no_validation", **wanted):
    """Return what `validate_data` does; it would take for data what lies under a mask, so that is refused."""
    return validate_data(estimator, unmasked("X", X), unmasked("y", y), **wanted)


def nan_for_masked(X):
    """Return X with NaN where a masked array has a mask: scikit-learn would take what lies under it."""
    if not isinstance(X, np.ma.MaskedArray):
        return X
    return (X if X.dtype.kind == "f" else X.astype(np.float64)).filled(np.nan)
