"""All seeds, peers too: medians for the first figures. `python -m benchmarks.peers._completion_seeds [CASE ...]`.

On each seed a peer's least number of steps is found first, then it is timed once; so A, B, C take half an hour.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from benchmarks.peers._completion_figures import count
from benchmarks.peers._completion_instances import error, seeds
from benchmarks.peers._completion_peers import COUNTS, REPAIRS, fewest, recovering
from numopt import threads

MOST = 400  # steps


def main(names: list[str]) -> None:
    """Print one line for each case and solver."""
    with threads(1):
        for name in names:
            print(f"{name}, numopt: {count(seeds(name))}", flush=True)
            for peer, run in recovering().items():
                times, solved = [], 0
                for instance in seeds(name):
                    p, start = instance.data, COUNTS.get((name, REPAIRS.get(peer, peer)), 100)
                    steps = fewest(run, p, instance.target, start, MOST)
                    begin = time.process_time()
                    model = run(p, steps)
                    times.append(time.process_time() - begin)
                    solved += error(p, model) <= instance.target
                print(f"{name}, {peer}: {solved} of {len(times)} seeds, median {np.median(times):.3g} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or ["A", "B", "C"])
