"""Control of a semilinear equation: where to heat a plate.

The example ``plot_pde_control.py`` of the documentation does the same at length.
"""

from pathlib import Path
from time import perf_counter

import numpy as np

import numopt
from numopt._demo import say


def main(N=80, folder="."):
    """Solve on N x N points, say how certain the answer is, and write the picture into `folder`."""
    from numopt.constrained import minimize_constrained
    from numopt.gallery import pde_control

    began = perf_counter()
    numopt.warmup("float64", "constrained")
    small = pde_control(16, kappa=5.0)
    minimize_constrained(small.fun, small.x0, **small.keywords)  # rehearsed, so that the clock sees no loading
    say("ready", f"kernels compiled, or loaded from the cache, in {perf_counter() - began:.1f} s")

    problem = pde_control(N, kappa=5.0)
    say("problem", f"heat a plate of {N} x {N} points: {2 * N * N} unknowns, {N * N} nonlinear equations")
    began = perf_counter()
    result = minimize_constrained(problem.fun, problem.x0, **problem.keywords)
    say("solved", f"in {perf_counter() - began:.2f} s: {result.message}")
    say("", f"{result.n_factor} sparse factorisations, {result.time_eval:.2f} s in the functions of the problem")
    say("certain", f"gradient of the Lagrangian {result.kkt_stationarity:.1e}, equations {result.constr_violation:.1e}")
    say("", f"second order: {result.second_order}, from the inertia of the KKT matrix at the solution")
    path = Path(folder).resolve() / "numopt-demo-constrained.png"
    _draw(result.x.reshape(2, N, N), path)
    say("picture", path)
    return 0 if result.success else 1


def _draw(pictures, path):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.4), layout="constrained")
    for ax, picture, title in zip(figure.subplots(1, 2), pictures, ("temperature", "heating"), strict=True):
        limit = np.abs(picture).max()
        drawn = ax.imshow(picture.T, origin="lower", extent=(-1, 1, -1, 1), cmap="RdBu_r", vmin=-limit, vmax=limit)
        ax.set_title(title, loc="left")
        figure.colorbar(drawn, ax=ax, shrink=0.85)
    figure.savefig(path, dpi=120)
