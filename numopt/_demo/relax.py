"""``python -m numopt demo relax``: heat in a plate, whose solver learns its parameter from step to step.

The example ``plot_heat.py`` of the documentation shows more.
"""

from time import perf_counter

import numpy as np

from numopt._demo import drawn, ready, say
from numopt.gallery import Heat
from numopt.relax import Tuner, relax_plan, ssor_pcg

FIXED = 1.0, 1.5, 1.9


def main(folder=".", cells=200, steps=32):
    """March through one period, say what was saved and what is certain, and write the picture into `folder`."""
    ready("relax")
    heat = Heat(cells, period=steps)
    say("problem", f"heat on {cells} x {cells} cells, {steps} steps: {heat.n} unknowns each, diffusion from 0 to 10")

    tuner = Tuner(ssor_pcg, {"omega": (1.0, 1.998)}, rng=0)
    began = perf_counter()
    results, diffusion, frames = _march(heat, tuner.solve)
    seconds = perf_counter() - began
    count = sum(r.nit for r in results)
    say("solved", f"in {seconds:.2f} s, {count} iterations, omega from {_range(r.omega for r in results)}")

    worst = max(r.certificate["residual"] for r in results)
    good = all(r.success for r in results)
    say("certain", f"every ||b - A x|| recomputed: at most {worst:.1e} of ||b||")

    plan = relax_plan(heat.system(0, heat.u0)[1])
    for omega in FIXED:
        others = _march(heat, lambda A, b, x0, w=omega: ssor_pcg(A, b, x0, omega=w, plan=plan))[0]
        others = sum(r.nit for r in others)
        say("beside", f"omega fixed at {omega}: {others} iterations, {others / count:.2f} times as many")

    with drawn(folder, "numopt-demo-relax.png", (10, 6)) as figure:
        _draw(figure, frames, diffusion, results)
    return 0 if good else 1


def _march(heat, solve):
    """Return the results, the diffusion and the field of each step."""
    u, results, diffusion, frames = heat.u0, [], [], []
    for k in range(heat.period):
        kappa, A, b = heat.system(k, u)
        results.append(solve(A, b, x0=u))
        u = results[-1].x
        diffusion.append(kappa)
        frames.append(u)
    return results, diffusion, frames


def _range(values):
    values = list(values)
    return f"{min(values):.2f} to {max(values):.2f}"


def _draw(figure, frames, diffusion, results):
    above, below = figure.subfigures(2, 1, height_ratios=(1, 1.1))
    shown = np.linspace(0, len(frames) - 1, 5).astype(int)
    for ax, k in zip(above.subplots(1, len(shown)), shown, strict=True):
        side = int(np.sqrt(frames[k].size))
        ax.imshow(frames[k].reshape(side, side), cmap="inferno")
        ax.set_title(f"step {k + 1}")
        ax.set_axis_off()
    for ax, values, label in zip(
        below.subplots(1, 3),
        (diffusion, [r.omega for r in results], [r.nit for r in results]),
        ("diffusion", "omega", "iterations"),
        strict=True,
    ):
        ax.plot(np.arange(1, len(values) + 1), values, ".-")
        ax.set_title(label)
        ax.set_xlabel("step")
