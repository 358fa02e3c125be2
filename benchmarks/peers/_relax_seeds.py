"""The paper's systems of 100 unknowns over many seeds: iterations of each learner beside Young's omega.

Runs of 5000 systems get few seeds in a comparison.
`python -m benchmarks.peers._relax_seeds [FILE.rst [low|high]]` gives all of them to each length and each policy, in
three minutes of an idle core, and writes a table for the docs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

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
# Means of the spec's replay, (low, high) variance, from one to three seeds.
REPLAY = {
    "tsallis-inf": {100: (119, 232), 500: (88.0, 179)},
    "tsallis-inf-binned": {100: (130, 239), 500: (93.7, 174)},
    "cheb-cb": {100: (108, 207), 500: (66.5, 102)},
}
FEW = range(3)  # seeds of the longest runs and of the peers; the means of 100 systems differ by a tenth among seeds
GRID = np.linspace(1.0, 1.98, 96)


def costs(start: Callable[[Sequence], Step], sequence: Sequence) -> np.ndarray:
    """Return the iterations for each system."""
    step = start(sequence)
    return np.array([step(A, b, None, context)[1] for context, A, b in sequence], dtype=float)


def seeds(long: range = FEW) -> Iterator[Figure]:
    """Yield one figure for each policy, variance and length, the longest for the seeds `long`; then the peers."""
    for column, variance in enumerate(("low", "high")):
        young = yield from _beside_young(variance, column, long)
        yield from _replayed(variance, column)
        yield from _few(variance, young[0])


def _beside_young(variance: str, column: int, long: range) -> Iterator[Figure]:
    """Yield the figures of our policies; return the runs at Young's omega."""
    from numopt.relax import sor

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
    return runs["Young"]


def _replayed(variance: str, column: int) -> Iterator[Figure]:
    """Yield the paper's policies beside the replay, all seeds, counted as there: our last sweep is one more."""
    from numopt.relax import sor

    sequences = [shifted(500, variance, seed) for seed in SEEDS]
    for policy, expected in REPLAY.items():
        runs = np.array([costs(tuned(sor, policy, rng=seed), s) for seed, s in enumerate(sequences)]) - 1
        asked, seen, close = [], [], True
        for length, by_variance in expected.items():
            means, wanted = runs[:, :length].mean(axis=1), by_variance[column]
            asked.append(f"T {length}: {wanted:g}")
            seen.append(f"T {length}: {means.mean():.4g}, seeds differ by {means.std():.2g}")
            close &= bool(abs(means.mean() / wanted - 1) <= 0.1)
        yield Figure(
            f"5, {variance} variance, {len(SEEDS)} seeds, {policy}",
            f"within a tenth of the replay's {', '.join(asked)}", ", ".join(seen), close,
        )  # fmt: skip


def _few(variance: str, young: np.ndarray) -> Iterator[Figure]:
    """Yield what takes long, on few seeds and up to 500 systems: the best omegas and the peers."""
    sequences = [shifted(500, variance, seed) for seed in FEW]
    table = _by_omega(sequences[0])  # (omega, system)
    best, fixed = table.min(axis=0).mean(), table.mean(axis=1).min()
    seen = f"{best:.4g} for each system, {fixed:.4g} the best for all, Young {young[:500].mean():.4g}"
    name = f"5, {variance} variance, T 500, seed 0, best of {GRID.size} omegas"
    yield Figure(name, "iterations in hindsight", seen)
    for peer, make in learners().items():
        runs = np.array([costs(learning(make, bind_sor), s) for s in sequences])
        seen = f"T 100: {runs[:, :100].mean():.4g}, T 500: {runs.mean():.4g}"
        yield Figure(f"5, {variance} variance, {len(FEW)} seeds, {peer} with our sor", "iterations", seen)


def _by_omega(sequence: Sequence) -> np.ndarray:
    """Return the iterations for each omega of `GRID` and each system."""
    solve = bind_sor(next(iter(sequence))[1])
    return np.array([[solve(A, b, None, omega)[1] for _, A, b in sequence] for omega in GRID])


# What learning costs a round


def overheads() -> Figure:
    """Return the time of each policy beyond that of the same solves without it, each the best of three."""
    from numopt.relax import sor

    sequence, found = shifted(1000, "low"), {}
    for policy in ("auto", *POLICIES):
        played: list[float] = []
        _seconds(tuned(sor, policy, record=played), sequence)  # compiles

        def again(sequence: Sequence, played: list[float] = played) -> Step:
            solve, omegas = bind_sor(next(iter(sequence))[1]), iter(played)
            return lambda A, b, x0, context: solve(A, b, x0, next(omegas))

        pairs = [(_seconds(tuned(sor, policy), sequence), _seconds(again, sequence)) for _ in range(3)]
        with_it, without = map(min, zip(*pairs, strict=True))
        found[policy] = 1e6 * (with_it - without) / sequence.length
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


def main(file: str = "", only: str = "low high") -> None:
    """Print all figures of the seeds, the peers' aside, and write them to a file that the docs include."""
    from benchmarks.peers._report import figure_line, figures_rst, heading

    found = []
    for variance in only.split():
        column = ("low", "high").index(variance)
        for figures in (_beside_young(variance, column, SEEDS), _replayed(variance, column)):
            for figure in figures:
                print(figure_line(figure), flush=True)
                found.append(figure)
    if file:
        Path(file).write_text(figures_rst(heading((), 1), found), encoding="utf8")


if __name__ == "__main__":
    main(*sys.argv[1:3])
