"""The paper's systems of 100 unknowns over many seeds: iterations of each learner beside Young's omega.

The longest runs get few seeds in a comparison; `python -m benchmarks.peers._relax_seeds` gives them all, in minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.peers import Figure
from benchmarks.peers._relax_instances import Sequence, shifted
from benchmarks.peers._relax_learners import learners
from benchmarks.peers._relax_ours import POLICIES, tuned, youngs
from benchmarks.peers._relax_peers import Step, bind_sor, learning

SEEDS = range(20)
LENGTHS = (100, 500, 5000)
# Iterations at most over those at Young's omega, (low, high) variance, by policy and length.
ASKED = {
    "auto": {100: (1.03, 1.07), 500: (1.015, 1.02), 5000: (1.005, 1.005)},
    "surface": {500: (1.22, 1.28), 5000: (1.08, 1.13)},
}
# Means of the spec's replay, (low, high), one to three seeds; None where it gives none.
REPLAY = {
    "tsallis-inf": {100: (119, 232), 500: (88.0, 179)},
    "tsallis-inf-binned": {100: (130, 239), 500: (93.7, 174)},
    "cheb-cb": {100: (108, 207), 500: (66.5, 102)},
}
FEW = range(3)  # seeds of the replay and of the peers
GRID = np.linspace(1.0, 1.98, 96)


def costs(start: Callable[[Sequence], Step], sequence: Sequence) -> np.ndarray:
    """Return the iterations for each system."""
    step = start(sequence)
    return np.array([step(A, b, None, context)[1] for context, A, b in sequence], dtype=float)


def seeds(long: range = FEW) -> Iterator[Figure]:
    """Yield one figure for each policy, variance and length, the longest for the seeds `long`; then what takes long."""
    from numopt.relax import sor

    for column, variance in enumerate(("low", "high")):
        runs: dict[str, list[np.ndarray]] = {name: [] for name in ("Young", *ASKED)}
        for seed in SEEDS:
            sequence = shifted(LENGTHS[-1 if seed in long else -2], variance, seed)
            runs["Young"].append(costs(youngs, sequence))
            for policy in ASKED:
                runs[policy].append(costs(tuned(sor, policy, rng=seed), sequence))
        for policy, by_length in ASKED.items():
            for length, most in by_length.items():
                young, ours = (
                    np.array([run[:length].mean() for run in runs[name] if len(run) >= length])
                    for name in ("Young", policy)
                )
                ratio, worst = ours.mean() / young.mean(), (ours / young).max()
                seen = f"{ratio:.4g}: {ours.mean():.4g}, Young {young.mean():.4g}; worst seed {worst:.3g}"
                yield Figure(
                    f"5, {policy}, {variance} variance, T {length}, {len(ours)} seeds",
                    f"at most {most[column]:g} of the iterations at Young's omega", seen, ratio <= most[column],
                )  # fmt: skip
        yield from _few(variance, column, runs["Young"])


def _few(variance: str, column: int, youngs_runs: list[np.ndarray]) -> Iterator[Figure]:
    """Yield what takes long, on few seeds and up to 500 systems: the best omegas, the paper's policies, peers."""
    from numopt.relax import sor

    sequences = [shifted(500, variance, seed) for seed in FEW]
    table = _by_omega(sequences[0])  # (omega, system)
    best, fixed, young = table.min(axis=0).mean(), table.mean(axis=1).min(), youngs_runs[0][:500].mean()
    seen = f"{best:.4g} for each system, {fixed:.4g} the best for all, Young {young:.4g}"
    name = f"5, {variance} variance, T 500, seed 0, best of {GRID.size} omegas"
    yield Figure(name, "iterations in hindsight", seen)
    name = f"5, {variance} variance, {len(FEW)} seeds"
    for policy, expected in REPLAY.items():
        runs = np.array([costs(tuned(sor, policy, rng=seed), s) for seed, s in enumerate(sequences)])
        found = {length: runs[:, :length].mean() for length in expected}
        asked = ", ".join(f"T {length}: {mean[column]:g}" for length, mean in expected.items())
        seen = ", ".join(f"T {length}: {mean:.4g}" for length, mean in found.items())
        close = all(abs(mean / expected[length][column] - 1) <= 0.1 for length, mean in found.items())
        yield Figure(f"{name}, {policy}", f"within a tenth of the replay's {asked}", seen, close)
    for peer, make in learners().items():
        runs = np.array([costs(learning(make, bind_sor), s) for s in sequences])
        seen = f"T 100: {runs[:, :100].mean():.4g}, T 500: {runs.mean():.4g}"
        yield Figure(f"{name}, {peer} with our sor", "iterations", seen)


def _by_omega(sequence: Sequence) -> np.ndarray:
    """Return the iterations for each omega of `GRID` and each system."""
    solve = bind_sor(next(iter(sequence))[1])
    return np.array([[solve(A, b, None, omega)[1] for _, A, b in sequence] for omega in GRID])


# What learning costs a round


def overheads() -> Figure:
    """Return the time of each policy beyond that of the same solves without it."""
    from numopt.relax import sor

    sequence, found = shifted(1000, "low"), {}
    for policy in ("auto", *POLICIES):
        _seconds(tuned(sor, policy), shifted(30, "low"))  # compiles
        played: list[float] = []
        with_it = _seconds(tuned(sor, policy, record=played), sequence)
        omegas = iter(played)

        def again(sequence: Sequence, omegas: Iterator[float] = omegas) -> Step:
            solve = bind_sor(next(iter(sequence))[1])
            return lambda A, b, x0, context: solve(A, b, x0, next(omegas))

        found[policy] = 1e6 * (with_it - _seconds(again, sequence)) / sequence.length
    seen = ", ".join(f"{policy} {micros:.3g}" for policy, micros in found.items())
    return Figure(
        "5, overhead", "at most 50 microseconds a round for the default", seen, found["auto"] <= 50
    )  # fmt: skip


def _seconds(start: Callable[[Sequence], Step], sequence: Sequence) -> float:
    step = start(sequence)
    before = time.process_time()
    for context, A, b in sequence:
        step(A, b, None, context)
    return time.process_time() - before


if __name__ == "__main__":
    from benchmarks.peers._report import figure_line

    for found in seeds(SEEDS):
        print(figure_line(found), flush=True)
