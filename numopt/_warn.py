"""The one way to warn."""

import sys
import warnings


def warn(message, category):
    """Warn at the line of the user's code that called into numopt, however deep we are."""
    frame, depth = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("numopt."):
        frame, depth = frame.f_back, depth + 1
    warnings.warn(message, category, stacklevel=depth)
