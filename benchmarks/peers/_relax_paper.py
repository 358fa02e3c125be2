"""The paper's heat run: 5000 steps over five periods, 100 x 100 cells, each method carrying its own solution.

`python -m benchmarks.peers._relax_paper [STEPS [FILE.npz]]` takes a few minutes. It prints iterations and seconds, and
writes what was played and paid in each step, for the figure in the docs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from benchmarks.peers._relax_instances import Sequence
from benchmarks.peers._relax_ours import tuned
from benchmarks.peers._relax_peers import OMEGAS, Step, bind_ssor_pcg, conjugate_gradients, ssor

CELLS = 100
STEPS = 5000


def methods() -> dict[str, Callable[[Sequence], Step]]:
    """Return CG, CG with PyAMG's SSOR, our SSOR-PCG at the same parameters, and our learners, the paper's too."""
    from numopt.relax import ssor_pcg

    return {
        "SciPy cg": lambda sequence: lambda A, b, x0, context: conjugate_gradients(A, b, x0),
        **{f"SSOR-CG {omega}": ssor(omega) for omega in OMEGAS},
        **{f"ssor_pcg {omega}": fixed(omega) for omega in OMEGAS},
        **{policy: tuned(ssor_pcg, policy) for policy in ("auto", "surface", "tsallis-inf", "cheb-cb")},
    }


def fixed(omega: float) -> Callable[[Sequence], Step]:
    """Return our SSOR-PCG at one omega."""

    def start(sequence: Sequence) -> Step:
        solve = bind_ssor_pcg(next(iter(sequence))[1])
        return lambda A, b, x0, context: solve(A, b, x0, omega)

    return start


def play(start: Callable[[Sequence], Step], steps: int) -> tuple[np.ndarray, float]:
    """Return the iterations of each step, and the CPU seconds of all."""
    from numopt.gallery import Heat

    heat = Heat(CELLS, period=1000)
    extremes = [heat.system(k, heat.u0) for k in (0, 750)]  # of the diffusivity: what learners with bounds are told
    step, u, spent, counts = start(Sequence(heat.n, steps, lambda: extremes)), heat.u0, 0.0, []
    for k in range(steps):
        context, A, b = heat.system(k, u)
        before = time.process_time()
        u, nit = step(A, b, u, context)
        spent += time.process_time() - before
        counts.append(nit)
    return np.array(counts), spent


def main(steps: int = STEPS, file: str = "") -> None:
    """Play all methods."""
    from numopt import threads

    found = {}
    print(f"heat, n {(CELLS - 1) ** 2}, {steps} steps: iterations, CPU seconds")
    with threads(1):
        for name, start in methods().items():
            play(start, 3)  # compiles
            found[name], seconds = play(start, steps)
            print(f"{name}: {found[name].sum()}, {seconds:.4g}", flush=True)
    if file:
        np.savez_compressed(file, **found)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else STEPS, *sys.argv[2:3])
