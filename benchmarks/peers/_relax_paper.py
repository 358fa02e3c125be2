"""The paper's heat run: 5000 steps over five periods, 100 x 100 cells, each method carrying its own solution.

`python -m benchmarks.peers._relax_paper [STEPS [FOLDER]]` takes two minutes of an idle core. It prints iterations and
seconds, and writes `relax-paper.npz` (the iterations of each step), `relax-paper.rst` and, with matplotlib,
`relax-paper.png` for the docs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.peers._relax_instances import Sequence
from benchmarks.peers._relax_ours import tuned
from benchmarks.peers._relax_peers import OMEGAS, Step, bind_ssor_pcg, conjugate_gradients

CELLS = 100
STEPS = 5000
SHOWN = {
    "SciPy cg": {"color": "0.6"},
    "ssor_pcg 1.0": {"color": "tab:brown"},
    "ssor_pcg 1.5": {"color": "tab:orange"},
    "ssor_pcg 1.9": {"color": "tab:olive"},
    "tsallis-inf": {"color": "tab:purple"},
    "cheb-cb": {"color": "tab:green"},
    "surface": {"color": "tab:cyan"},
    "auto": {"color": "tab:red"},
}


def methods() -> dict[str, Callable[[Sequence], Step]]:
    """Return CG, our SSOR-PCG at fixed parameters, which takes the steps of any SSOR-PCG, and the learners."""
    from numopt.relax import ssor_pcg

    return {
        "SciPy cg": lambda sequence: lambda A, b, x0, context: conjugate_gradients(A, b, x0),
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


def draw(counts: dict[str, np.ndarray], diffusion: np.ndarray, file: Path) -> None:
    """Draw the diffusivity over the last period and the iterations of each step, and their sums over all periods."""
    from matplotlib.figure import Figure

    period = 1000
    figure = Figure(figsize=(9, 6.5), layout="constrained")
    above, middle, below = figure.subplots(3, 1, height_ratios=(1, 2.2, 2.2))
    moments = np.arange(period) / period
    above.plot(moments, diffusion[-period:], color="0.3")
    above.set_ylabel("diffusivity")
    for name, style in SHOWN.items():
        middle.plot(moments, counts[name][-period:], label=name, linewidth=1, **style)
        steps = np.arange(1, len(counts[name]) + 1)
        below.plot(steps, counts[name].cumsum() / steps, label=name, linewidth=1.2, **style)
    middle.set(ylabel="iterations of a step", xlabel="time in the last period", yscale="log")
    below.set(ylabel="mean iterations so far", xlabel="step", xscale="log", yscale="log", xlim=(1, None))
    for axes in (above, middle):
        axes.set_xlim(0, 1)
    middle.legend(ncols=4, fontsize=8, loc="upper left")
    figure.savefig(file, dpi=110)


def main(steps: int = STEPS, folder: str = "") -> None:
    """Play all methods."""
    from benchmarks.peers._report import grid_rst, heading
    from numopt import threads
    from numopt.gallery import Heat

    found, spent = {}, {}
    print(f"heat, n {(CELLS - 1) ** 2}, {steps} steps: iterations, CPU seconds")
    with threads(1):
        for name, start in methods().items():
            play(start, 3)  # compiles
            found[name], spent[name] = play(start, steps)
            print(f"{name}: {found[name].sum()}, {spent[name]:.4g}", flush=True)
    if folder:
        to, heat = Path(folder), Heat(CELLS, period=1000)
        np.savez_compressed(to / "relax-paper.npz", **{name: counts.astype(np.int16) for name, counts in found.items()})
        lines = [(name, str(found[name].sum()), f"{found[name].mean():.4g}", f"{spent[name]:.4g}") for name in found]
        titles = ("method", f"iterations, {steps} steps", "a step", "CPU s")
        (to / "relax-paper.rst").write_text(grid_rst(heading((), 1), titles, lines), encoding="utf8")
        diffusion = np.array([heat.system(k, heat.u0)[0] for k in range(1000)])
        draw(found, np.resize(diffusion, steps), to / "relax-paper.png")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else STEPS, *sys.argv[2:3])
