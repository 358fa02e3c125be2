"""What takes too long for every comparison: `python -m benchmarks.peers._clustering_long` needs several minutes.

The larger real data, and how often the bound from sketches is above the optimum, where that is known.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.peers import Figure
from benchmarks.peers._clustering_figures import real_figures
from benchmarks.peers._clustering_instances import isotropic, real
from benchmarks.peers._report import figure_line

REPETITIONS = 200
POINTS, SAMPLE, SKETCHES = 2000, 60, 10


def violations() -> Iterator[Figure]:
    """Yield the share of bounds above the optimum, where separate clusters prove it."""
    from numopt.clustering import kmeans_sdp

    for sep in (14.0, 9.0):
        X = isotropic(POINTS, sep)
        best = kmeans_sdp(X, 4, method="certify", rng=0, on_failure="ignore")
        if best.gap_kind != "exact":
            yield Figure(f"3, violations, sep {sep:g}", "at most 2 %", "the optimum is not known", None)
            continue
        options = {"method": "sketch", "sample_size": SAMPLE, "n_sketches": SKETCHES, "on_failure": "ignore"}
        fits = [kmeans_sdp(X, 4, rng=seed, **options) for seed in range(REPETITIONS)]
        told = [fit for fit in fits if fit.gap_kind == "probabilistic"]
        above = sum(fit.lower_bound > best.fun * (1 + 1e-9) for fit in told)
        seen = f"{above} of {len(told)}, {SKETCHES} sketches of {SAMPLE} of {POINTS} points"
        yield Figure(f"3, violations, sep {sep:g}", "at most 2 %", seen, above <= 0.02 * len(told) if told else None)


def main() -> None:
    """Print all figures."""
    from numopt import threads

    with threads(1):
        for name, k in (("breast_cancer", 2), ("digits", 10)):
            for figure in real_figures(real(name)[name], k, name, cuts=False):
                print(figure_line(figure), flush=True)
        for figure in violations():
            print(figure_line(figure), flush=True)


if __name__ == "__main__":
    main()
