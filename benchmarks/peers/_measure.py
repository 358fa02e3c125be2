"""Time a call honestly, and survive one that hangs or crashes."""

from __future__ import annotations

import gc
import multiprocessing
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LIMIT = 60.0  # seconds a solver may take for one run
REPEATS = 3
BRIEF = 0.5  # seconds: short runs are the noisiest
LATE = "over the limit"  # how a note begins that tells of it


class TimeLimit(BaseException):
    """Raised inside a run at its limit; no Exception, lest a peer's `except Exception` swallow it."""


@dataclass(frozen=True)
class Timing:
    """Best CPU and wall seconds of `runs` runs; `value` is what the last one returned."""

    cpu: float
    wall: float
    runs: int
    value: Any


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Interrupt Python code after so many wall seconds (main thread; compiled code once it returns)."""

    def stop(signum: int, frame: object) -> None:
        raise TimeLimit

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def best_of(
    call: Callable[[], Any],
    repeats: int = REPEATS,
    seconds: float = LIMIT,
    enough: float = float("inf"),
) -> Timing:
    """Best of `repeats` runs after one to warm up; of REPEATS at least, as long as they took less than BRIEF in all.

    Each run may take `seconds`, and so may all timed runs together: what needs more than a third of it
    runs less often than asked, and `Timing.runs` says so. A first run of more than `enough` seconds is the
    only one: nothing that long has to be warmed up, unless it compiles.
    """
    value, cpu, wall = _timed(call, seconds)
    if wall > enough:
        return Timing(cpu, wall, 1, value)
    cpu = wall = float("inf")
    runs, spent = 0, 0.0
    while runs < (repeats if spent >= BRIEF else max(repeats, REPEATS)) and (
        runs == 0 or spent + spent / runs <= seconds
    ):
        value = None  # let the previous answer go before the next one is made
        value, last_cpu, last_wall = _timed(call, seconds)
        cpu, wall = min(cpu, last_cpu), min(wall, last_wall)
        runs, spent = runs + 1, spent + last_wall
    return Timing(cpu, wall, runs, value)


def _timed(call: Callable[[], Any], seconds: float) -> tuple[Any, float, float]:
    gc.collect()
    with limit(seconds):
        wall, cpu = time.perf_counter(), time.process_time()
        value = call()
        return value, time.process_time() - cpu, time.perf_counter() - wall


def probe(call: Callable[[], Any], seconds: float = LIMIT) -> str:
    """Run `call` once in a forked process; return what went wrong there, or "".

    Fork before any thread pool has started in this process: OpenMP does not survive a fork.
    """
    process = multiprocessing.get_context("fork").Process(target=call, daemon=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of any fork beside a thread
        process.start()
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()
        return f"{LATE} of {seconds:g} s"
    if process.exitcode < 0:
        return f"crashed ({signal.Signals(-process.exitcode).name})"
    return ""  # an exception there comes again here, with its text


def memory(field: str) -> float:
    """Return what Linux tells of this process in bytes, NaN elsewhere: VmRSS (now) or VmHWM (at most)."""
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")
    line = next(line for line in status.read_text(encoding="utf8").splitlines() if line.startswith(field))
    return 1024.0 * int(line.split()[1])
