"""Our solvers along a sequence: one `Tuner`, empty at first, and what it is to be measured against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from benchmarks.peers import Instance, Solver
from benchmarks.peers._relax_instances import Sequence
from benchmarks.peers._relax_peers import Step, along, bind_sor, large, ours_is_here, small

TOP = 2 - 2e-3  # omega closer to 2 only where asked for
LOWEST = 8 * np.sin(np.pi / 22) ** 2  # eigenvalue of the Laplacian of 10 x 10 points
POLICIES = ("surface", "young", "tsallis-inf", "tsallis-inf-binned", "cheb-cb")


def ours() -> list[Solver]:
    """Return the default, the other policies, and SOR as Young would have it."""
    if not ours_is_here():
        return []
    from numopt.relax import sor, ssor_pcg

    def solver(name: str, start: Callable[[Sequence], Step], applies: Callable[[Instance], bool]) -> Solver:
        return Solver(name, along(start), "ours", applies=applies)

    return [
        solver("numopt", tuned(ssor_pcg), large),
        solver("numopt, surface", tuned(ssor_pcg, "surface"), large),
        solver("numopt", tuned(sor), small),
        *(solver(f"numopt, {policy}", tuned(sor, policy), small) for policy in POLICIES),
        solver("sor at Young's omega", youngs, small),
    ]


def tuned(
    solve: Callable, policy: str = "auto", rng: int = 0, record: list[float] | None = None
) -> Callable[[Sequence], Step]:
    """Return a start of `along`: a `Tuner` of omega that has seen nothing; what it plays is appended to `record`."""

    def start(sequence: Sequence) -> Step:
        tuner = new_tuner(solve, sequence, policy, rng)

        def step(A: sp.csr_array, b: np.ndarray, x0: np.ndarray | None, context: float) -> tuple[np.ndarray, int]:
            done = tuner.run([((A, b, x0), context)])
            if record is not None:
                record.append(done.results[0].omega)
            return done.results[0].x, round(done.total)

        return step

    return start


def new_tuner(solve: Callable, sequence: Sequence, policy: str = "auto", rng: int = 0) -> Any:
    """Return a tuner of omega by iterations; the paper's policies get the paper's grid and bounds of the context."""
    from numopt.relax import Tuner

    if not policy.startswith(("tsallis", "cheb")):
        return Tuner(solve, {"omega": (1.0, TOP, "sor")}, policy=policy, cost="nit", context=1, rng=rng)
    contexts = sequence.bounds or [context for context, _, _ in sequence]
    space = {"omega": list(np.linspace(1.0, 1.95, 20))}
    return Tuner(solve, space, policy=policy, cost="nit", context=[(min(contexts), max(contexts))], rng=rng)


def youngs(sequence: Sequence) -> Step:
    """Return SOR at the best omega of Young's theory for each shifted Laplacian, its spectrum known."""
    solve = bind_sor(next(iter(sequence))[1])
    return lambda A, b, x0, context: solve(A, b, x0, youngs_omega(context))


def youngs_omega(shift: float) -> float:
    """Return the best omega for the Laplacian of 10 x 10 points plus a shift."""
    beta = (4 - LOWEST) / (4 + shift)
    return 1 + (beta / (1 + np.sqrt(1 - beta**2))) ** 2
