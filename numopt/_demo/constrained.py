"""Control of a semilinear equation: where to heat or cool a plate.

The example ``plot_pde_control.py`` of the documentation does the same at length.
"""

from time import perf_counter

import numpy as np

from numopt._demo import drawn, ready, say


def main(N=80, folder="."):
    """Solve on N x N points, say how certain the answer is, and write the picture into `folder`."""
    from numopt.constrained import minimize_constrained
    from numopt.gallery import pde_control

    small = pde_control(16, kappa=5.0)
    ready("constrained", lambda: minimize_constrained(small.fun, small.x0, **small.keywords))

    problem = pde_control(N, kappa=5.0)
    say("problem", f"heat or cool a plate of {N} x {N} points: {2 * N * N} unknowns, {N * N} nonlinear equations")
    began = perf_counter()
    result = minimize_constrained(problem.fun, problem.x0, **problem.keywords)
    say("solved", f"in {perf_counter() - began:.2f} s: {result.message}")
    say("", f"{result.n_factor} sparse factorisations, {result.time_eval:.2f} s in the functions of the problem")
    say("certain", f"gradient of the Lagrangian {result.kkt_stationarity:.1e}, equations {result.constr_violation:.1e}")
    say("", f"second order: {result.second_order}, from the inertia of the KKT matrix at the solution")
    with drawn(folder, "numopt-demo-constrained.png", (10, 4.4)) as figure:
        _draw(figure, result.x.reshape(2, N, N))
    return 0 if result.success else 1


def _draw(figure, pictures):
    for ax, picture, title in zip(figure.subplots(1, 2), pictures, ("temperature", "heating"), strict=True):
        limit = np.abs(picture).max()
        shown = ax.imshow(picture.T, origin="lower", extent=(-1, 1, -1, 1), cmap="RdBu_r", vmin=-limit, vmax=limit)
        ax.set_title(title, loc="left")
        figure.colorbar(shown, ax=ax, shrink=0.85)
