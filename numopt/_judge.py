"""Which iterate is the best so far, and is it good enough: measures propose, certificates decide."""

import math
from collections import defaultdict
from functools import partial

from numopt._array import copied, host
from numopt._status import Status

_INFINITE = math.inf  # found sooner than an attribute of a module
_ENDED = Status.CONVERGED, None
_PATIENCE = 100  # checks that may pass without a gain of 0.1 %, or half of the run if that is longer
_NEAR_MISSES = 3


class Judge:
    """Judges the iterates of one run and keeps copies of the best.

    Parameters
    ----------
    certify : callable
        ``certify(state) -> dict of scalars`` from the problem data; the first value is judged.
    tol : float
        What it must reach.
    """

    __slots__ = (
        *("certified", "certify", "promising", "tol"),
        *("_checks", "_doubt", "_mark", "_marked", "_near", "_trigger"),
    )

    def __init__(self, certify, tol):
        self.certify, self.tol = certify, tol
        self.promising = math.inf, None  # measure, copy of the state
        self.certified = {"": math.inf}, None  # certificate, state: the best whose truth is known
        self._doubt = math.inf  # the last certificate that contradicted a measure
        self._near = 0  # how many certificates contradicted one by less than a factor of 2
        self._trigger = tol  # the measure from which on a certificate is worth its cost
        self._mark, self._marked, self._checks = math.inf, 0, 0  # for stagnation

    def judge(self, state, measure, lasting=False):
        """Judge an iterate by its measure, a float; return (status that ends the run or None, request).

        A `lasting` state will not be written to: it needs no copy.
        """
        if not -_INFINITE < measure < _INFINITE:  # a first call of isfinite after others' code is slow: cold caches
            return Status.NONFINITE, None
        if measure <= self._trigger:
            return self._try(state, measure)
        self._checks += 1
        if measure < 0.999 * self._mark:
            self._mark, self._marked = measure, self._checks
        elif self._checks - self._marked > max(_PATIENCE, self._checks // 2):
            return self._try(state, measure)
        if measure > self.tol:  # the method has rebuilt its measure, which may be trusted again
            self._trigger = self.tol
        if measure < self.promising[0]:
            self.promising = measure, state if lasting else copied(state)
        return None, None

    def best(self, state, start):
        """Return (certificate, state) of the best iterate: `state`, a kept one, or at worst `start`."""
        if not first(self.certified[0]) <= self.tol:
            self._look_again(state, start)
        certificate, candidate = self.certified
        for value in certificate.values():
            if value != value:
                return {k: math.inf if v != v else v for k, v in certificate.items()}, candidate
        return certificate, candidate

    def salvage(self, start):
        """Return (certificate, state) of the best iterate without another certificate: inf, if there is none."""
        if self.certified[1] is not None:
            return self.certified
        state = start if self.promising[1] is None else self.promising[1]
        return defaultdict(partial(float, "inf"), {"residual": _INFINITE}), state

    def _look_again(self, state, start):
        for candidate, claim in ((state, -math.inf), reversed(self.promising)):
            known = first(self.certified[0])
            if candidate is not None and known > self.tol and claim < known:
                certificate = floats(self.certify(candidate))
                if first(certificate) < known:  # false for NaN
                    self.certified = certificate, candidate
        if self.certified[1] is None and start is not None:
            self.certified = floats(self.certify(start)), start

    def _try(self, state, measure):
        """Let the certificate decide: converged, worth a rebuild, or stalled."""
        try:
            certificate = floats(self.certify(state))
        except Exception:
            self.promising = measure, state  # the run ends here: no copy
            raise
        value = first(certificate)
        if not -_INFINITE < value < _INFINITE:
            return Status.NONFINITE, None
        if value <= self.tol:
            self.certified = certificate, state  # the run ends here: no copy
            return _ENDED
        if value < first(self.certified[0]):
            self.certified = certificate, copied(state)
        # A measure that is nearly right need not fall far: a few near misses are neither doubted nor punished.
        near = measure <= self.tol and value <= 2 * self.tol and self._near < _NEAR_MISSES
        if value > self._doubt / 2 and not near:
            return Status.STALLED, None
        # One in fixed proportion to the certificate gets the chance to fall as far as is missing.
        self._near += near
        self._doubt = value
        self._trigger = measure * (0.9 * self.tol / value if near else min(self.tol / value, 0.25))
        self._mark, self._marked = math.inf, self._checks
        return None, "rebuild"


def first(certificate):
    """Return the value that the tolerance judges."""
    return next(iter(certificate.values()))


def floats(named):
    """Bring a dict of scalars to the host in one transfer."""
    for value in named.values():
        if type(value) is not float:
            break
    else:
        return named
    return dict(zip(named, host(*named.values(), 0.0), strict=False))  # 0.0: always a tuple
