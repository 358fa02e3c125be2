"""Low-rank matrix completion beside cmfrec, pymanopt, libmf and scikit-surprise; their settings: `_completion_peers`.

All are judged on entries that nobody saw: by the relative error of a clean matrix, or by the root mean square error of
ratings. The instances are those of seed 1, except where a figure says how many seeds it counts. What takes too long
for one run is a program of its own:

- `python -m benchmarks.peers._completion_seeds`: the peers on all seeds, not ours alone, and the false successes;
- `python -m benchmarks.peers._completion_ratings`: how the models of ratings were tuned;
- `python -m benchmarks.peers._completion_figures`: the cost of half steps, and its picture;
- `python -m benchmarks.peers._completion_out_of_core`: 1e8 entries in files.

With `--write` all but the second write what the docs include.

cmfrec needs over 12 seconds for the large instance, on which a run may take 30, however small the limit: once, since a
run of more than a third of that is not repeated.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numopt
from benchmarks.peers import Answer, Instance, Solver
from benchmarks.peers._completion_figures import figures
from benchmarks.peers._completion_instances import error, instances
from benchmarks.peers._completion_ours import OURS, RATED, complete, rate
from benchmarks.peers._completion_peers import peers, rated, recovers

__all__ = ["PACKAGES", "figures", "instances", "prepare", "ruler", "solvers"]

PACKAGES = ("cmfrec", "pymanopt", "libmf", "scikit-surprise", "threadpoolctl")


def ruler(instance: Instance, model: Any) -> float:
    """Return the error on entries that nobody saw."""
    return error(instance.data, model)


def solvers() -> list[Solver]:
    """Return ours, and those of the peers that are installed."""
    found = []
    if hasattr(numopt.completion, "matrix_completion"):
        found = [
            Solver("numopt", _ours(), "ours", applies=recovers),
            Solver("numopt", _rated, "ours", applies=rated),
            *(Solver(f"numopt {name}", _ours(name), "ours", applies=_shown(here)) for name, here in OURS.items()),
        ]
    return [*found, *peers()]


def prepare() -> None:
    """Compile our kernels, lest that run into the limit; those of this family alone."""
    kernels = importlib.import_module("numopt._kernels.cpu.completion")
    for dtype in ("float32", "float64"):
        kernels.warmup(dtype)


def _ours(method: str = "auto") -> Callable[[Instance], Answer]:
    def solve(instance: Instance) -> Answer:
        model, result = complete(instance.data, method)
        return Answer(model, result.nit)

    return solve


def _rated(instance: Instance) -> Answer:
    model, result = rate(instance.data, *RATED)
    return Answer(model, result.nit)


def _shown(names: tuple[str, ...]) -> Callable[[Instance], bool]:
    return lambda instance: instance.name in names
