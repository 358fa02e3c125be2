"""Tune the models of ratings over the same ridges and the same limit of time: what `TUNED` and `RATED` come from.

Prints, for each solver and ridge, the test RMSE after growing numbers of steps, then the best of all. A solver's line
ends with the step count that no longer fits into the limit. Takes about five minutes on one core.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from benchmarks.peers._completion_instances import Completion, Model, error, ratings
from benchmarks.peers._completion_ours import rate
from benchmarks.peers._completion_peers import rating
from numopt import threads

RIDGES = (0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.1, 0.12, 0.15)
COUNTS = (3, 5, 8, 10, 15, 20, 30)
LIMIT = 3.0  # CPU seconds of one fit; scikit-surprise, slower by an order, gets more by --limit


def tune(p: Completion, name: str, fit: Callable[[Completion, float, int], Model], limit: float) -> None:
    """Print a grid for one solver."""
    best = (float("inf"), 0.0, 0, 0.0)
    for ridge in RIDGES:
        cells = []
        for count in COUNTS:
            start = time.process_time()
            model = fit(p, ridge, count)
            spent = time.process_time() - start
            if spent > limit:
                break
            found = error(p, model)
            best = min(best, (found, ridge, count, spent))
            cells.append(f"{count}: {found:.4f}")
        print(f"{name}, ridge {ridge:g}: {'  '.join(cells)}", flush=True)
    print(f"{name}: best {best[0]:.4f} with ridge {best[1]:g} after {best[2]} steps, {best[3]:.3g} s", flush=True)


def main() -> None:
    """Tune all, or those whose name contains a text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT")
    parser.add_argument("--limit", type=float, default=LIMIT, metavar="SECONDS")
    args = parser.parse_args()
    p = ratings()
    fits = {"numopt": lambda p, ridge, count: rate(p, ridge, count)[0], **rating()}
    with threads(1):
        for name, fit in fits.items():
            if args.only in name:
                fit(p, RIDGES[0], 1)  # compiles
                tune(p, name, fit, args.limit)


if __name__ == "__main__":
    main()
