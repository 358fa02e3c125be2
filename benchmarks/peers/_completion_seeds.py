"""All seeds, peers too: medians. `python -m benchmarks.peers._completion_seeds [--write] [CASE...]`.

A peer gets the least number of steps that reaches the target on seed 1, and half as many again where that does not do
on another seed; ours runs as it always does. Cases are A, B, C unless named. With `--write` what is printed goes to
`benchmarks/results/completion-seeds.rst`, which the docs include. Four to eight minutes.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from benchmarks.peers import Figure
from benchmarks.peers._completion_figures import count, false_successes
from benchmarks.peers._completion_instances import error, seeds
from benchmarks.peers._completion_peers import COUNTS, NEAR, REPAIRS, recovering
from numopt import threads

SEEDS = 20


def beside(name: str) -> Figure:
    """Return ours and the peers on all seeds of a case."""
    ours, found = count(seeds(name, SEEDS)), []
    for peer, run in recovering().items():
        times, solved = [], 0
        if peer in REPAIRS or (name, peer) not in COUNTS:
            continue
        for instance in seeds(name, SEEDS):
            p, steps = instance.data, COUNTS[name, peer]
            for more in (1.0, 1.5):
                start = time.process_time()
                model = run(p, round(more * steps))
                spent = time.process_time() - start
                off = error(p, model)
                if off <= instance.target or off > NEAR * instance.target:
                    break
            times.append(spent)
            solved += off <= instance.target
        found.append((float(np.median(times)), solved, peer))
    if not found:
        return Figure(f"{name}, all seeds", "beside the peers", f"{ours}; no peer installed")
    text = "; ".join(f"{peer}: {solved} of {SEEDS}, {median:.3g} s" for median, solved, peer in found)
    able = [entry for entry in found if entry[1] >= SEEDS // 2]
    ratio = f"; 1/{min(able)[0] / ours.cpu:.3g} of the best peer's median" if able else "; no peer got there"
    return Figure(f"{name}, all seeds", "beside the peers", f"{ours}{ratio}; {text}")


def main(*args: str) -> None:
    """Print one line for each case, and the false successes."""
    from benchmarks.peers import _report

    names, found = [name for name in args if name != "--write"] or ["A", "B", "C"], []
    with threads(1):
        for figure in (*map(beside, names), false_successes()):
            found.append(figure)
            print(_report.figure_line(figure), flush=True)
    if "--write" in args:
        text = _report.figures_rst(_report.heading(("cmfrec", "pymanopt"), 1), found)
        (_report.RESULTS / "completion-seeds.rst").write_text(text, encoding="utf8")


if __name__ == "__main__":
    main(*sys.argv[1:])
