"""What takes longer than a comparison should: `python -m benchmarks.peers._clustering_long` needs about four minutes.

The largest of the real data, and how often the bound from samples is above an optimum that is known. The latter is
asked twice: for the best labels, where it cannot happen, as no sample's bound exceeds its cost; and for those of a bad
start, where the cost is half as high again and what is subtracted varies most.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks.peers import Figure, Table, _report
from benchmarks.peers._clustering_figures import real_figures, seconds
from benchmarks.peers._clustering_instances import isotropic

REPETITIONS, MOST = 200, 0.02
POINTS, SEPARATION, CLUSTERS = 20_000, 9.0, 4


def figures() -> Iterator[Figure]:
    """Yield all figures."""
    yield from real_figures("digits", cuts=False)
    yield from violations()


def violations() -> Iterator[Figure]:
    """Yield the share of bounds above the optimum, which clusters apart let us prove."""
    from numopt.clustering import kmeans_sdp
    from numopt.clustering._lloyd import lloyd, partition
    from numopt.clustering._problem import kmeans_problem
    from numopt.clustering._sketch import sketched_bounds

    X = isotropic(POINTS, SEPARATION)
    best = kmeans_sdp(X, CLUSTERS, method="certify", rng=0, tol=1e-5)
    p, rng = kmeans_problem(X, CLUSTERS), np.random.default_rng(0)
    starts = [lloyd(p, p.X[rng.choice(POINTS, CLUSTERS, replace=False)]) for _ in range(30)]
    worst = max(starts, key=lambda found: found.sse)

    def solve(sample, part):
        inside = {"n_init": 3, "tol": 3e-4, "rng": 0, "on_failure": "ignore"}
        return kmeans_sdp(sample.X * sample.scale, sample.k, **inside).lower_bound

    def last(found, size, count, seed):
        *_, bound = sketched_bounds(p, found, size, count, np.random.default_rng(seed), solve)
        return p.original(bound.value) / best.lower_bound

    for name, found, size, count in (
        ("the best labels", partition(p, np.asarray(best.labels)), 1000, 10),
        ("labels of a bad start", worst, 1000, 10),
        ("labels of a bad start", worst, 500, 5),
    ):
        every = partial(lambda *task: np.array([last(*task, seed) for seed in range(REPETITIONS)]), found, size, count)
        spent, ratios = seconds(every)
        above = int((ratios > 1).sum())
        seen = (
            f"{above} of {REPETITIONS}; {count} sketches of {size} of {POINTS} points; bound {ratios.mean():.4f} of "
            f"the optimum, at most {ratios.max():.4f}; {spent:.3g} s"
        )
        yield Figure(f"3, violations, {name}", "at most 2 %", seen, above <= MOST * REPETITIONS)


def main() -> None:
    """Print all figures and record them."""
    from numopt import threads

    found = []
    with threads(1):
        for figure in figures():
            print(_report.figure_line(figure), flush=True)
            found.append(figure)
    _report.save("clustering-long", _report.heading(("scikit-learn",), 1), Table([]), found, _report.RESULTS)


if __name__ == "__main__":
    main()
