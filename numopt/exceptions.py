"""Every error and warning of numopt."""

from numopt._warn import warn as warn  # not public: the other modules take it from here

__all__ = [
    "BackendError",
    "ConvergenceWarning",
    "InvalidInputError",
    "InvalidTypeError",
    "NumoptError",
    "NumoptWarning",
    "PerformanceWarning",
    "PrecisionWarning",
    "SolverError",
]


class NumoptError(Exception):
    """Base class of all errors that numopt raises on purpose."""


class InvalidInputError(NumoptError, ValueError):
    """An argument has an inadmissible value; the message names it and the remedy."""


class InvalidTypeError(NumoptError, TypeError):
    """An argument has an inadmissible type, or arrays of two libraries or devices are mixed."""


class BackendError(NumoptError, RuntimeError):
    """An array library, its kernels or its device cannot do what was asked."""


class SolverError(NumoptError, RuntimeError):
    """A solver failed and ``on_failure="raise"`` was asked for, or it could not go on.

    Parameters
    ----------
    message : str
        Why.
    result : numopt._result.Result or None, optional
        What was reached: the best iterate with its certificate. None (default) when nothing finite
        was ever computed.

    Attributes
    ----------
    result : numopt._result.Result or None
        As the parameter.
    """

    def __init__(self, message, result=None):
        super().__init__(message)
        self.result = result


class NumoptWarning(UserWarning):
    """Base class of all warnings of numopt."""


class ConvergenceWarning(NumoptWarning):
    """The returned point does not meet the tolerance."""


class PrecisionWarning(NumoptWarning):
    """The tolerance is below what the dtype can reach."""


class PerformanceWarning(NumoptWarning):
    """A slower path is taken, for example a copy or a missing compiler."""
