"""How a problem of the gallery is told from any other."""

import numpy as np


def fingerprint(x):
    """Return the sum, the sum of squares and a position-weighted sum."""
    x = np.asarray(x).ravel()
    return x.sum(), (x * x).sum(), (x * np.cos(np.arange(x.size))).sum()
