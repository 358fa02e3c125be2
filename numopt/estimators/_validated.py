"""scikit-learn's validation, without its blind spot for masks."""

from sklearn.utils.validation import validate_data

from numopt._given import unmasked


def validated(estimator, X, y="no_validation", **wanted):
    """Return what `validate_data` does; it would take for data what lies under a mask, so that is refused."""
    return validate_data(estimator, unmasked("X", X), unmasked("y", y), **wanted)
