"""Measure every solver of a family on every instance."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from types import ModuleType

from benchmarks.peers import Instance, Row, Solver, Table
from benchmarks.peers._measure import LATE, LIMIT, REPEATS, TimeLimit, best_of, probe


def compare(
    family: ModuleType,
    *,
    only: str = "",
    seconds: float = LIMIT,
    repeats: int = REPEATS,
    report: Callable[[Row], None] = lambda row: None,
) -> Table:
    """Measure `family`; `only` keeps instances by a part of their name, `report` sees each row when done."""
    getattr(family, "within", lambda limit: None)(seconds)
    pairs = [
        (instance, solver)
        for instance in family.instances()
        if only in instance.name
        for solver in family.solvers()
        if solver.applies(instance)
    ]
    slow: set[tuple[str, str]] = set()  # what ran into the limit
    # Probes come first, while this process has not started a thread pool.
    notes = [_probe(*pair, max(seconds, pair[0].least), slow) if pair[1].compiled else "" for pair in pairs]
    getattr(family, "prepare", lambda: None)()
    table = Table()
    for (instance, solver), note in zip(pairs, notes, strict=True):
        row = Row(instance.name, solver.name, solver.kind, instance.target, note=note)
        row.note = row.note or _hopeless(instance, solver, slow)
        if not row.note:
            _measure(row, instance, solver, family, max(seconds, instance.least), repeats)
        if row.note.startswith(LATE):
            slow.add((row.instance, row.solver))
        table.rows.append(row)
        report(row)
    table.rate()
    return table


def _hopeless(instance: Instance, solver: Solver, slow: set[tuple[str, str]]) -> str:
    """Return why the solver need not be tried, or ""; what is not tried counts as slow itself."""
    for name, other in solver.easier(instance):
        if (name, other) in slow:
            slow.add((instance.name, solver.name))
            return f"not tried: {LATE} with {other} on {name}"
    return ""


def _probe(instance: Instance, solver: Solver, seconds: float, slow: set[tuple[str, str]]) -> str:
    note = _hopeless(instance, solver, slow) or probe(lambda: _quiet(solver, instance), seconds)
    if note.startswith(LATE):
        slow.add((instance.name, solver.name))
    return note


def _quiet(solver: Solver, instance: Instance) -> None:
    with contextlib.suppress(Exception):  # comes again in the measured run, which reports it
        solver.solve(instance)


def _measure(
    row: Row, instance: Instance, solver: Solver, family: ModuleType, seconds: float, repeats: int
) -> None:
    try:
        enough = math.inf if solver.kind == "ours" else seconds / 3  # ours may have to compile
        timing = best_of(lambda: solver.solve(instance), repeats, seconds, enough)
        answer = timing.value
        row.accuracy = float(family.ruler(instance, answer.point))
    except TimeLimit:
        row.note = f"{LATE} of {seconds:g} s"
        return
    except Exception as error:  # a peer that fails gets a row that says so
        row.note = f"{type(error).__name__}: {error}".splitlines()[0][:100]
        return
    row.cpu, row.wall, row.runs, row.nit = timing.cpu, timing.wall, timing.runs, answer.nit
    if not math.isfinite(row.accuracy):
        row.note = "answer is not finite"
    elif not row.solved:
        row.note = f"misses {row.target:.0e}"
