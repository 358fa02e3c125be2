"""Why a run ended, as a code and as a sentence."""

from enum import IntEnum


class Status(IntEnum):
    """Why a run ended; only ``CONVERGED`` (0) is a success."""

    CONVERGED = 0
    MAX_ITER = 1
    TIME_LIMIT = 2
    CALLBACK_STOP = 3
    STALLED = 4
    BREAKDOWN = 5
    INFEASIBLE = 6
    NONFINITE = 7
    UNBOUNDED = 8
    INVALID_MODEL = 9
    EVALUATION_ERROR = 10
    PRECISION = 11
    INTERRUPTED = 12

    def sentence(self, reason=""):
        """Return what happened and what to do, with the reason a method gave."""
        return _SENTENCES[self] + (f" ({reason})" if reason else "")

    def given(self, met):
        """Return the status once it is known whether the returned point meets the tolerance.

        A run that was merely cut short or stuck has converged all the same if the certificate says so,
        and none has if it does not.
        """
        if self is _CONVERGED:
            return self if met else Status.STALLED
        return _CONVERGED if met and self in _CUT_SHORT else self


_CONVERGED = Status.CONVERGED  # a member is a property of its class, called whenever it is looked up
_CUT_SHORT = {Status.MAX_ITER, Status.TIME_LIMIT, Status.STALLED, Status.BREAKDOWN, Status.PRECISION}

_SENTENCES = {
    Status.CONVERGED: "converged",
    Status.MAX_ITER: "stopped by max_iter: raise it, or go on from the returned point",
    Status.TIME_LIMIT: "stopped by max_time: raise it, or go on from the returned point",
    Status.CALLBACK_STOP: "stopped by the callback",
    Status.STALLED: "no further progress: raise tol if it is near rounding, or rescale the problem",
    Status.BREAKDOWN: "the method broke down: try another method",
    Status.INFEASIBLE: "the problem has no feasible point",
    Status.NONFINITE: "a number was not finite: the best finite iterate is returned; rescale the data",
    Status.UNBOUNDED: "the problem is unbounded",
    Status.INVALID_MODEL: "the data lack a property that the method needs",
    Status.EVALUATION_ERROR: "a function of the caller raised an exception",
    Status.PRECISION: "tol is below what the dtype can reach: raise it or use float64",
    Status.INTERRUPTED: "interrupted from the keyboard: the best iterate is returned",
}
