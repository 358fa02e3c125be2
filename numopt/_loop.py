"""The only iteration loop: it stops a method, records it, certifies it and returns the result."""

import contextlib
import math
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from numbers import Real
from time import perf_counter

import numpy as np

from numopt._array import host
from numopt._check import controls
from numopt._iterate import Breakdown, Iterate, Relay
from numopt._judge import Judge
from numopt._status import Status
from numopt.exceptions import ConvergenceWarning, SolverError, warn

__all__ = ["Breakdown", "Intermediate", "Iterate", "Relay", "Status", "judged", "run", "time_left"]

_deadline = ContextVar("deadline", default=math.inf)
_FLOAT = frozenset({float})
_CONVERGED = Status.CONVERGED


@dataclass(slots=True)
class Intermediate:
    """What a callback is given; `state` belongs to the run: copy what you want to keep, write nothing.

    `began`, the clock at the start, tells one run from another.
    """

    nit: int
    measure: float
    time: float
    state: object
    info: dict
    tol: float
    began: float


def run(iterates, *, certify, finish, tol, max_iter, max_time=None, check_every=1, callback=None,
        on_failure="warn", quiet=False, start=None):  # fmt: skip
    """Advance a method until it is certified, stopped, or no longer makes progress.

    Parameters
    ----------
    iterates : generator of Iterate
        May return a `Status`, or ``(Status, reason)``, or ``(Status, reason, steps)`` with the iterations done in vain,
        or raise ``Breakdown(Status, reason)``; the state yielded last is then still valid.
        It is sent ``"rebuild"`` when its measure met `tol` and the certificate did not: quantities
        updated recursively should then be recomputed. Methods without any ignore it.
    certify : callable
        ``certify(state) -> dict of scalars`` computed from the problem data; `tol` judges the first.
    finish : callable
        ``finish(state, info, common) -> Result``; `info` is that of the last iterate and `common` holds
        the fields of `Result`, ``message`` and ``history`` as functions that make them.
    tol, max_iter, max_time, check_every, callback, on_failure
        As in every solver. `max_time` in seconds, callbacks included.
    quiet : bool, default False
        For a run inside a method: no history, no warning, Ctrl-C goes to the outer run. The outer
        deadline holds for all runs inside.
    start : object, optional
        The state to return if no iterate is finite. Without it that case is a `SolverError`.

    Returns
    -------
    Result
        At the iterate with the best certificate among those checked.

    Raises
    ------
    SolverError
        The run failed and ``on_failure="raise"``; or nothing finite was computed.
    Exception
        Whatever the caller's functions raise, with the best result so far as its attribute ``result``; a
        `SolverError` in place of ``StopIteration``.
    """
    controls(tol=tol, max_iter=max_iter, max_time=max_time, check_every=check_every, callback=callback,
             on_failure=on_failure)  # fmt: skip
    loop = _Loop(iterates, Judge(certify, float(tol)), callback, quiet)
    until, token = _deadline.get(), None
    if max_time is not None:
        until = min(until, loop.began + float(max_time))
        token = _deadline.set(until)
    try:
        try:
            status, reason = loop.advance(until, max_iter, check_every)
        except KeyboardInterrupt:
            if quiet or (loop.at is _NOTHING and start is None):  # there is nothing to return
                raise
            status, reason = Status.INTERRUPTED, ""
        result = loop.conclude(status, reason, finish, loop.judge.best(loop.at.state, start))
    except Exception as raised:
        error = _told(raised)
        if not quiet:
            loop.attach(error, finish, start)
        if error is raised:
            raise
        raise error from raised
    finally:
        if token is not None:
            _deadline.reset(token)
        iterates.close()
    return result if quiet else judged(result, on_failure)


def judged(result, on_failure):
    """Return a result; warn or raise, as asked, if the run failed."""
    if not (result.success or result.status == Status.CALLBACK_STOP or on_failure == "ignore"):
        if on_failure == "raise":
            raise SolverError(result.message, result)
        warn(result.message, ConvergenceWarning)
    return result


def time_left():
    """Return the seconds until the deadline of the run at work, inf without one; 0 or less when it has passed."""
    return _deadline.get() - perf_counter()


_NOTHING = Iterate(None)


class _Loop:
    """The state of one run: the iterate at hand, the clock, the records."""

    __slots__ = ("at", "began", "callback", "iterates", "judge", "nit", "paused", "quiet", "records")

    def __init__(self, iterates, judge, callback, quiet):
        self.iterates, self.judge, self.callback, self.quiet = iterates, judge, callback, quiet
        self.began, self.paused = perf_counter(), 0.0
        self.nit, self.at, self.records = 0, _NOTHING, []

    def advance(self, until, max_iter, check_every):
        """Iterate to the end; return (status, reason)."""
        nit, request, send, judge = 0, None, self.iterates.send, self.judge.judge
        while True:
            try:
                self.at = at = send(request)
            except StopIteration as end:
                status, reason, *steps = end.value if isinstance(end.value, tuple) else (end.value, "")
                self.nit += sum(steps)
                return (Status.STALLED if status is None else status), reason
            except Breakdown as end:
                return end.args
            before, now, request = nit, perf_counter(), None
            self.nit = nit = before + at.steps
            last = now >= until or nit >= max_iter
            if check_every == 1 or last or nit // check_every > before // check_every or at.steps == 0:
                verdict, measure, info, time = None, at.measure, at.info, now - self.began - self.paused
                if not (at.plain or (type(measure) is float and _FLOAT.issuperset(map(type, info.values())))):
                    measure, info = _brought(measure, info)  # something is on a device
                if not self.quiet:
                    self.records.append((nit, time, measure, info, at.names))
                if at.measure is not None:
                    verdict, request = judge(at.state, measure, at.plain)
                if self.callback is not None and verdict != Status.NONFINITE:
                    verdict = self.show(at, measure, time, verdict)
                if verdict is not None:
                    return verdict, ""
            if last:
                return (Status.TIME_LIMIT if now >= until else Status.MAX_ITER), ""

    def show(self, at, measure, time, verdict):
        """Call the callback; return the status that ends the run or None."""
        began = perf_counter()
        try:
            self.callback(Intermediate(self.nit, measure, time, at.state, at.named, self.judge.tol, self.began))
        except StopIteration:
            return Status.CALLBACK_STOP if verdict is None else verdict
        finally:
            self.paused += perf_counter() - began
        return verdict

    def attach(self, error, finish, start):
        """Give an exception the best result; the function that raised it may be needed for a certificate too."""
        best, salvage = partial(self.judge.best, self.at.state, start), partial(self.judge.salvage, start)
        for choose in (best, salvage):
            with contextlib.suppress(Exception):
                error.result = self.conclude(Status.EVALUATION_ERROR, repr(error), finish, choose())
                return

    def conclude(self, status, reason, finish, best):
        """Build the result at the best (certificate, state)."""
        certificate, state = best
        if state is None:
            raise SolverError(f"{status.sentence(reason)}; no finite iterate in {self.nit} iterations")
        (name, value), tol = next(iter(certificate.items())), self.judge.tol
        status = status.given(value <= tol)
        common = {
            "success": status is _CONVERGED,
            "status": status,
            "message": partial(_message, status, reason, name, value, tol, self.nit),
            "nit": self.nit,
            "time": self.clock(),
            "certificate": certificate,
            "history": partial(_history, self.records),
        }
        return finish(state, {} if self.at.names else self.at.info, common)

    def clock(self):
        return perf_counter() - self.began - self.paused


def _told(error):
    """Return an exception, or for ``StopIteration``, which no generator lets through, one that tells what happened."""
    stop = error.__cause__ if isinstance(error, RuntimeError) else error
    if not isinstance(stop, StopIteration):
        return error
    return SolverError(f"a function of the caller raised {stop!r}: only a callback stops a run so; raise another error")


def _brought(measure, info):
    """Bring measure and scalars of an iterate to the host, in one transfer."""
    scalars = {
        name: value
        for name, value in info.items()
        if isinstance(value, (float, int, Real)) or getattr(value, "ndim", None) == 0
    }
    measure, *values = host(math.nan if measure is None else measure, *scalars.values(), 0.0)  # 0.0: always a tuple
    return measure, dict(zip(scalars, values, strict=False))


def _message(status, reason, name, value, tol, nit):
    return f"{status.sentence(reason)}; {name} = {value:.3g}, tol = {tol:.3g}, {nit} iterations"


def _history(records):
    if not records:
        return {}
    nits, times, measures, infos, named = zip(*records, strict=True)
    infos = [dict(zip(names, info, strict=True)) if names else info for info, names in zip(infos, named, strict=True)]
    names = [*infos[0]]
    for info in infos:
        if [*info] != names:
            names = dict.fromkeys(name for info in infos for name in info)
            infos = [{name: info.get(name, math.nan) for name in names} for info in infos]
            break
    rows = [(*head, *info.values()) for *head, info in zip(nits, times, measures, infos, strict=True)]
    columns = np.array(rows).T.copy()
    return {"nit": columns[0].astype(int), **dict(zip(["time", "measure", *names], columns[1:], strict=True))}
