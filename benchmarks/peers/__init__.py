"""numopt beside the packages a user could pick instead.

A family is one module `benchmarks/peers/<family>.py` that offers

- `PACKAGES`: names of the distributions whose versions are reported;
- `instances()`: the instances (`Instance`), in the order of the table;
- `solvers()`: our solvers and theirs (`Solver`);
- `ruler(instance, answer) -> float`: the one accuracy by which all are judged, recomputed from the point;
- `figures(table)`: what the measurements are asked to reach (`Figure`);
- `prepare()`, if it likes: called once before anything is measured, to compile;
- `within(seconds)`, if it likes: told how long a run may take, for solvers that stop themselves.

Importing the module must not import a peer: that belongs inside `solvers()`, which leaves
out what is not installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from benchmarks.peers._measure import Timing, best_of

__all__ = ["Answer", "Figure", "Instance", "Row", "Solver", "Table", "Timing", "best_of"]


@dataclass(frozen=True)
class Instance:
    """A problem to solve: `data` is what the family's solvers take, `target` the accuracy asked.

    `least` is how many seconds a run on it may take at least, however small the limit of the others.
    """

    name: str
    data: Any
    target: float
    least: float = 0.0


@dataclass(frozen=True)
class Answer:
    """What a solver returns: a point for the ruler, and its iterations (None when it does not say)."""

    point: Any
    nit: int | None = None


@dataclass(frozen=True)
class Solver:
    """A way to solve instances.

    `kind` is "ours", "peer" (one of those we want to beat) or "context" (shown, but never the best peer).
    `compiled` says that the work happens outside Python, where a time limit cannot interrupt it: such a
    solver is tried in a process of its own first. `easier` names what takes this solver less time than the
    instance: pairs (instance, solver). After one of them ran into the limit, the solver is not tried.
    """

    name: str
    solve: Callable[[Instance], Answer]
    kind: Literal["ours", "peer", "context"] = "peer"
    compiled: bool = False
    applies: Callable[[Instance], bool] = lambda instance: True
    easier: Callable[[Instance], Iterable[tuple[str, str]]] = lambda instance: ()


@dataclass
class Row:
    """What was measured for one solver on one instance; without numbers, `note` says why."""

    instance: str
    solver: str
    kind: str
    target: float
    accuracy: float | None = None
    cpu: float | None = None
    wall: float | None = None
    nit: int | None = None
    runs: int = 0
    ratio: float | None = None
    note: str = ""

    @property
    def solved(self) -> bool:
        """Whether the accuracy asked for was reached (a NaN never is)."""
        return self.accuracy is not None and self.accuracy <= self.target


@dataclass(frozen=True)
class Figure:
    """A promise and what came of it; `holds` is None for a number that is only reported."""

    name: str
    asked: str
    seen: str
    holds: bool | None = None


@dataclass
class Table:
    """All rows of one run."""

    rows: list[Row] = field(default_factory=list)

    def row(self, instance: str, solver: str) -> Row | None:
        """Return the row of one solver on one instance, or None."""
        return next((r for r in self.rows if (r.instance, r.solver) == (instance, solver)), None)

    def best_peer(self, instance: str, name: Callable[[str], bool] = lambda solver: True) -> Row | None:
        """Return the peer with the least CPU time among those that solved the instance, or None."""
        solved = [r for r in self.rows if r.instance == instance and r.kind == "peer" and r.solved]
        return min((r for r in solved if name(r.solver)), key=lambda r: r.cpu, default=None)

    def rate(self) -> None:
        """Fill in each row's CPU time over the best peer's."""
        for row in self.rows:
            best = self.best_peer(row.instance)
            if best and row.cpu is not None:
                row.ratio = row.cpu / max(best.cpu, 1e-9)
