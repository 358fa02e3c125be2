"""Whole solvers as the arms of a tuner: sparse LU, multigrid, SSOR-PCG."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from benchmarks.peers import Figure
from benchmarks.peers._relax_instances import RTOL, Sequence, finite_elements, heat
from benchmarks.peers._relax_peers import factored

LENGTH = 100
SAMPLE = 10  # every 10th system tells what an arm costs


class Solved(NamedTuple):
    """A solve as a tuner by seconds wants it."""

    x: np.ndarray


def arms() -> Iterator[Figure]:
    """Yield one figure for each sequence."""
    try:
        import pyamg  # noqa: F401
    except ImportError:
        return
    sequences = {
        "heat, n 39 601": lambda: heat(200, LENGTH),
        "anisotropic, n 90 000": lambda: finite_elements("anisotropic", LENGTH),
        "elasticity, n 28 800": lambda: finite_elements("elasticity", LENGTH),
    }
    for name, make in sequences.items():
        yield _figure(f"4, {name}, T {LENGTH}", make())


def _figure(name: str, sequence: Sequence) -> Figure:
    solve = _solver(sequence)
    # Each arm on some of the systems; then the best of them on all, and the tuner, by turns, twice.
    sampled = {arm: SAMPLE * sum(_seconds(sequence, solve, arm, step=SAMPLE)) for arm in ("LU", "AMG", "SSOR-PCG")}
    best = min(sampled, key=sampled.get)
    runs = [(sum(_seconds(sequence, solve, best)), *_tuned(sequence, solve, list(sampled))) for _ in range(2)]
    whole = min(seconds for seconds, _, _ in runs)
    spent, chosen = min((seconds, chosen) for _, seconds, chosen in runs)
    counts = ", ".join(f"{arm} {chosen.count(arm)}" for arm in sampled)
    others = ", ".join(f"{arm} {seconds:.3g} s" for arm, seconds in sampled.items() if arm != best)
    seen = f"{spent / whole:.3g}: {spent:.3g} s ({counts} times), {best} {whole:.3g} s; by {SAMPLE} systems {others}"
    return Figure(name, "at most 1.1 of the best arm's CPU time", seen, spent <= 1.1 * whole)


def _tuned(sequence: Sequence, solve: Callable[..., Any], arms: list[str]) -> tuple[float, list[str]]:
    """Return the CPU seconds of a tuner that has seen nothing, and the arms that it chose."""
    from numopt.relax import Tuner

    tuner = Tuner(solve, {"arm": arms}, cost="seconds", context=1, rng=0)
    spent, chosen, x = 0.0, [], None
    for context, A, b in sequence:
        before = time.process_time()
        done = tuner.run([((A, b, x), context)])
        spent += time.process_time() - before
        x = done.results[0].x if sequence.warm else None
        chosen.append(done.params[0]["arm"])
    return spent, chosen


def _solver(sequence: Sequence) -> Callable[..., Any]:
    """Return what solves a system by the arm asked for; the pattern is analysed once for each size.

    Leading blocks of the system, which the tuner looks at first, are systems too.
    """
    import pyamg

    from numopt.relax import relax_plan, ssor_pcg

    plans = {sequence.n: relax_plan(next(iter(sequence))[1])}
    elastic = pyamg.gallery.linear_elasticity((120, 120))[1] if sequence.n == 28_800 else None

    def solve(A: Any, b: np.ndarray, x0: np.ndarray | None = None, *, arm: str) -> Any:
        if arm == "SSOR-PCG":
            if b.size not in plans:
                plans[b.size] = relax_plan(A)
            return ssor_pcg(A, b, x0, rtol=RTOL, plan=plans[b.size])
        if arm == "LU":
            return Solved(factored(A, b))
        if elastic is None:
            hierarchy = pyamg.smoothed_aggregation_solver(A)
        else:
            hierarchy = pyamg.smoothed_aggregation_solver(A.tobsr((2, 2)), B=elastic[: b.size])
        return Solved(hierarchy.solve(b, x0=x0, tol=RTOL, accel="cg", maxiter=200))

    return solve


def _seconds(sequence: Sequence, solve: Callable[..., Any], arm: str, step: int = 1) -> list[float]:
    """Return CPU seconds of the arm for every `step`-th system."""
    spent, x = [], None
    for _, A, b in islice(sequence, 0, None, step):
        before = time.process_time()
        result = solve(A, b, x, arm=arm)
        spent.append(time.process_time() - before)
        x = result.x if sequence.warm else None
    return spent
