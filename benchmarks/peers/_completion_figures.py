"""What matrix completion promises, and what came of it."""

from __future__ import annotations

import math
import re
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers import Figure, Instance, Table, best_of
from benchmarks.peers._alone import ROOT, alone
from benchmarks.peers._completion_instances import LARGE, Completion, case, error, instances, low_rank, seeds
from benchmarks.peers._completion_ours import RATED, complete, rate
from benchmarks.peers._completion_peers import CG, rating
from benchmarks.peers._measure import LATE
from benchmarks.peers._threads import two_threads

SEEDS = 20
WRONG = 1e-4  # relative error beyond which a completion is another one, not a rough one
FALSE = 200  # runs at the limit of what can be identified
EDGE_STEPS = 200  # of each of these


def figures(table: Table) -> Iterator[Figure]:
    """Yield all figures."""
    if table.row("A", "numopt") is None:
        return
    yield from _recovery(table)
    yield from _hard(table)
    yield false_successes()
    yield from _outliers(table)
    yield from _ratings(table)
    yield from _gram_rates()
    yield from _large(table)
    yield from _two_threads()
    yield from half_steps((8, 32))  # more of them: `main`


# 1, 2, 3: recovery on many seeds


@dataclass(frozen=True)
class Count:
    """How many of the seeds were recovered, the median CPU seconds of all, and successes that were none."""

    solved: int
    of: int
    cpu: float
    false: int

    def __str__(self) -> str:
        false = f", {self.false} false successes" if self.false else ""
        return f"{self.solved} of {self.of} seeds, median {self.cpu:.3g} s{false}"


def count(problems: Iterable[Instance], target: float = 1e-6, **options: Any) -> Count:
    """Run ours once on each; whatever it is asked elsewhere, `target` is what counts here."""
    times, errors, claims = [], [], []
    for instance in problems:
        if not times:
            complete(instance.data, **options)  # kernels are compiled for a rank when it first comes
        start = time.process_time()
        model, result = complete(instance.data, **options)
        times.append(time.process_time() - start)
        errors.append(error(instance.data, model))
        claims.append(result.success)
    found = np.array(errors)
    false = np.count_nonzero((found > WRONG) & np.array(claims))
    return Count(int(np.count_nonzero(found <= target)), len(times), float(np.median(times)), int(false))


@lru_cache
def _counted(name: str) -> Count:
    return count(seeds(name, SEEDS))


def _against(mine: float, table: Table, instance: str, share: float) -> tuple[str, bool | None]:
    """Return how our seconds compare with the best peer's, and whether they are at most a share of it."""
    best = table.best_peer(instance)
    if best is None:
        return "no peer within the limit", None
    text = f"1/{best.cpu / mine:.3g} of {best.solver}'s {best.cpu:.3g} s (seed 1)"
    repaired = [row for row in table.rows if (row.instance, row.kind) == (instance, "context") and row.solved]
    if repaired:
        better = min(repaired, key=lambda row: row.cpu)
        text += f", 1/{better.cpu / mine:.3g} of {better.solver}'s"
    return text, mine <= share * best.cpu


def _recovery(table: Table) -> Iterator[Figure]:
    for name, share in (("A", 6), ("B", 6), ("C", 4)):
        seen, (text, fast) = _counted(name), _against(_counted(name).cpu, table, name, 1 / share)
        asked = f"1e-6 on {SEEDS} of {SEEDS} seeds in at most 1/{share} of the best peer's time"
        yield Figure(f"1, {name}", asked, f"{seen}; {text}", fast and seen.solved == SEEDS)


def _hard(table: Table) -> Iterator[Figure]:
    least = math.ceil(0.9 * SEEDS)
    best, seen = table.best_peer("D"), _counted("D")
    text = f"{best.solver} got there too" if best else "no peer got there (seed 1)"
    yield Figure("2, D", f"1e-6 on {least} of {SEEDS} seeds", f"{seen}; {text}", seen.solved >= least)
    seen, (text, fast) = _counted("G"), _against(_counted("G").cpu, table, "G", 1 / 15)
    asked = f"1e-6 on {least} of {SEEDS} seeds in at most 1/15 of the best peer's time to 1e-5"
    notes = {row.note for row in table.rows if row.instance == "G" and row.kind == "peer"}
    late = table.best_peer("G") is None and any("limit" in note for note in notes)
    holds = seen.solved >= least and (None if late else fast)
    yield Figure("2, G", asked, f"{seen}; {text}", holds)
    for name in ("D, condition 100", "D, oversampling 1.5"):
        yield Figure(f"2, {name}", "seeds", str(_counted(name)))


def false_successes() -> Figure:
    """Count them where the entries hardly determine the matrix: n = 300, rank 3, oversampling 2."""
    conditions = (1.0, 10.0, 100.0)
    problems = (
        Instance("edge", low_rank(300, 3, 2.0, conditions[seed % 3], 0.0, seed), 1e-6) for seed in range(FALSE)
    )
    seen = count(problems, max_iter=EDGE_STEPS)
    name = "2, n = 300, rank 3, oversampling 2, condition 1, 10, 100 by turns"
    return Figure(name, f"no false success in {FALSE} runs", f"{seen.false}; {seen}", seen.false == 0)


def _outliers(table: Table) -> Iterator[Figure]:
    best, least = table.best_peer("B", lambda solver: solver.startswith("cmfrec")), math.ceil(0.9 * SEEDS)
    for name in ("F5, condition 1", "F5, condition 10", "F3, condition 1", "F3, condition 10"):
        seen = _counted(name)
        asked = f"1e-6 on {least} of {SEEDS} seeds in at most twice cmfrec's time on B"
        if best is None:
            yield Figure(f"3, {name}", asked, f"{seen}; cmfrec not measured", None if seen.solved >= least else False)
            continue
        text = f"{seen.cpu / best.cpu:.3g} times {best.solver}'s {best.cpu:.3g} s on B"
        yield Figure(f"3, {name}", asked, f"{seen}; {text}", seen.solved >= least and seen.cpu <= 2 * best.cpu)


# 4: ratings


def _ratings(table: Table) -> Iterator[Figure]:
    p = next(instance.data for instance in instances() if instance.name == "ratings")
    rows = [row for row in table.rows if row.instance == "ratings" and row.kind == "peer" and row.cpu is not None]
    asked = "test RMSE of the best tuned peer, in at most half of its time"
    if not rows:
        yield Figure("4, ratings", asked, "no peer measured")
        return
    best = min(rows, key=lambda row: row.accuracy)
    ridge, most = RATED
    for sweeps in range(1, 2 * most + 1):
        timing = best_of(partial(rate, p, ridge, sweeps), 1)
        found = error(p, timing.value[0])
        if found <= best.accuracy:
            break
    seen = f"{found:.4f} in {timing.cpu:.3g} s ({sweeps} sweeps); {best.solver} {best.accuracy:.4f} in {best.cpu:.3g} s"
    yield Figure("4, ratings", asked, seen, found <= best.accuracy and timing.cpu <= best.cpu / 2)
    theirs = rating().get(CG)
    if theirs is None:
        return
    mine, other = (_slope(partial(call, p, ridge)) for call in (rate, theirs))
    seen = f"1/{other / mine:.3g}: {mine:.3g} s, {other:.3g} s"
    yield Figure("4, a sweep over the ratings", f"at most 1/5 of {CG}'s", seen, mine <= other / 5)


def _slope(run: Any, few: int = 2, more: int = 8) -> float:
    """Return the seconds of one more step."""
    return (best_of(partial(run, more), 2).cpu - best_of(partial(run, few), 2).cpu) / (more - few)


# 5, 8: half steps


def _sweeps(p: Completion, count: int, **options: Any) -> Any:
    """Run so many sweeps of alternating least squares."""
    return complete(p, "als", tol=1e-15, max_iter=count, check_every=10**6, init="random", **options)


def _half_step(p: Completion, **options: Any) -> float:
    """Return the CPU seconds of half a sweep, with all that belongs to it."""
    return _slope(partial(_sweeps, p, **options), 1, 3) / 2


def _gram_rates(rounds: int = 5, few: int = 2, more: int = 12) -> Iterator[Figure]:
    """Compare half sweeps with the machine's gemm, by turns: the least of each, as the machine's hour weighs on all."""
    A = np.random.default_rng(0).standard_normal((1500, 1500))
    for k, share in ((20, 0.3), (32, 0.5), (64, 0.5)):
        p = low_rank(40 * k, k, 5.0)
        calls = (lambda: A @ A, partial(_sweeps, p, few), partial(_sweeps, p, more))
        turns = [[best_of(call, 1).cpu for call in calls] for _ in range(rounds if k < 64 else 3)]
        product, start, end = map(min, zip(*turns, strict=True))
        gemm, half = 2 * A.shape[0] ** 3 / product, (end - start) / (more - few) / 2
        # What is needed: half of a symmetric Gram matrix and the right-hand side, then Cholesky.
        achieved = (p.values.size * k * (k + 3) + p.shape[0] * k**3 / 3) / half
        seen = f"{achieved / gemm:.0%}: {achieved / 1e9:.3g} of {gemm / 1e9:.3g} GF/s"
        yield Figure(f"5, half sweep, k = {k}", f"{share:.0%} of gemm's rate", seen, achieved >= share * gemm)


def half_steps(ranks: Iterable[int]) -> Iterator[Figure]:
    """Yield what half a sweep costs with each of the inner solvers, at ten entries a row for each factor."""
    for k, entries, costs in half_step_costs(ranks):
        seen = ", ".join(f"{inner} {1e6 * cost:.3g}" for inner, cost in costs.items())
        yield Figure(f"8, half step, k = {k}, n_i = {entries}", "microseconds a row", seen)


def half_step_costs(ranks: Iterable[int]) -> Iterator[tuple[int, int, dict[str, float]]]:
    """Yield the rank, the entries of a row, and the seconds a row for each inner solver."""
    for k in ranks:
        p = low_rank(max(300, 20 * k), k, 5.0)  # 10 k entries a row
        costs = {inner: _half_step(p, inner=inner) / p.shape[0] for inner in ("direct", "cg", "sketch")}
        yield k, p.values.size // p.shape[0], costs


# 6: large


def _large(table: Table) -> Iterator[Figure]:
    name = "6, large: n = {}, k = {}, oversampling {:g}".format(*LARGE)
    asked = "1e-6 in at most 1/6 of cmfrec's time"
    ours, best = table.row("large", "numopt"), table.best_peer("large", lambda solver: solver.startswith("cmfrec"))
    if ours is None or not ours.solved:
        yield Figure(name, asked, f"no solution: {ours.note if ours else 'not run'}", False)
    elif best is None:
        row = table.row("large", CG)
        late = re.search(rf"{LATE} of (\S+) s", row.note if row else "")
        least = float(late[1]) if late else 0.0  # seconds that cmfrec takes more than
        text = f"less than 1/{least / ours.cpu:.3g} of {CG}'s, cut off at {least:g} s" if late else "not measured"
        yield Figure(name, asked, f"{ours.cpu:.3g} s; {text}", True if least >= 6 * ours.cpu else None)
    else:
        seen = f"{ours.cpu:.3g} s; 1/{best.cpu / ours.cpu:.3g} of {best.solver}'s {best.cpu:.3g} s"
        yield Figure(name, asked, seen, ours.cpu <= best.cpu / 6)
    asked = "below 350 MB of extra memory"
    try:
        it = alone("_completion_memory", *LARGE)
    except RuntimeError as failure:
        yield Figure(name, asked, f"failed: {failure}", False)
        return
    text = f"{it['extra'] / 1e6:.0f} MB beside {it['input'] / 1e6:.0f} MB of input, {it['cpu']:.3g} s"
    yield Figure(name, asked, f"{text}, error {it['error']:.1e}", it["extra"] <= 350e6 and it["error"] <= 1e-6)


# 7: threads


def _two_threads() -> Iterator[Figure]:
    p = {instance.name: instance.data for instance in instances()}
    yield two_threads("7, G", partial(complete, case("G").data))
    yield two_threads("7, ratings", partial(rate, p["ratings"], *RATED))
    yield two_threads("7, large", partial(complete, p["large"]), 12)


def draw(costs: list[tuple[int, int, dict[str, float]]], file: Path) -> None:
    """Draw the cost of half steps against the rank."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    ranks = [k for k, _, _ in costs]
    names = {"direct": "Gram matrix and Cholesky", "cg": "CG, one QR for all rows", "sketch": "sketch of each row"}
    for (inner, label), marker in zip(names.items(), "osd", strict=True):
        axes.loglog(ranks, [1e6 * cost[inner] for _, _, cost in costs], marker=marker, label=label)
    axes.set(xlabel="rank k, at 10 k entries a row", ylabel="microseconds a row", xticks=ranks, xticklabels=ranks)
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(file, dpi=120)


def main(*args: str) -> None:
    """Print the last figure; with `--write`, make its table and picture for the docs too."""
    from benchmarks.peers import _report
    from numopt import threads

    costs = []
    with threads(1):
        for found in half_step_costs((8, 16, 32, 64, 128)):
            costs.append(found)
            k, entries, cost = found
            print(f"k = {k}, n_i = {entries}: {({name: round(1e6 * x, 2) for name, x in cost.items()})}", flush=True)
    if "--write" in args:
        lines = [(str(k), str(n), *(f"{1e6 * x:.3g}" for x in cost.values())) for k, n, cost in costs]
        text = _report.grid_rst(_report.heading((), 1), ("rank", "entries a row", "direct", "cg", "sketch"), lines)
        (_report.RESULTS / "completion-half-steps.rst").write_text(text, encoding="utf8")
        draw(costs, ROOT / "docs" / "_static" / "completion-half-steps.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
