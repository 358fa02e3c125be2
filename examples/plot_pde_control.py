"""
Control of a semilinear equation
================================

A plate is heated or cooled from inside. Which control brings its temperature as close as possible to a wanted one, if
the control has a price and the temperature obeys a nonlinear equation? Twenty thousand unknowns, ten thousand
equations.
"""

import numpy as np
from matplotlib import pyplot as plt

import numopt

# %%
# The problem
# -----------
# On a grid of N x N points, with state w and control z,
#
# .. math::
#
#    \min \tfrac12 \|w - w_d\|^2 + \tfrac{\alpha}{2} \|z\|^2 \quad \text{subject to} \quad
#    \Delta w + z - \kappa (w^3 - w) = 0, \quad w = 0 \text{ on the boundary}.
#
# The gallery returns functions with sparse derivatives, as they would be written for SciPy.

N = 100
problem = numopt.gallery.pde_control(N, kappa=5.0)
print(len(problem.x0), "unknowns, start", problem.x0[:3])

# %%
# Solve
# -----
# Nothing has to be chosen: the Jacobian is sparse, so the sparse factorisation is taken, with one ordering
# for all steps.

result = numopt.constrained.minimize_constrained(problem.fun, problem.x0, **problem.keywords)
print(result)

# %%
# The error was computed from the functions at the returned point, and the inertia of the KKT matrix there
# proves a strict local minimum.

print(f"KKT error     {result.kkt_error:.1e}")
print(f"second order  {result.second_order}")

# %%
# State and control
# -----------------
# The wanted temperature, -1.7 in the middle, is below that of the boundary: the plate is cooled. The price of the
# control keeps the state from getting there.

state, control = result.x[: N * N].reshape(N, N).T, result.x[N * N :].reshape(N, N).T
extent = (-1, 1, -1, 1)
figure, axes = plt.subplots(1, 3, figsize=(10, 3.1), layout="constrained")
for ax, picture, title in zip(axes[:2], (state, control), ("state w", "control z"), strict=True):
    limit = np.abs(picture).max()
    drawn = ax.imshow(picture, origin="lower", extent=extent, cmap="RdBu_r", vmin=-limit, vmax=limit)
    ax.set_title(title, loc="left", fontsize=11)
    figure.colorbar(drawn, ax=ax, shrink=0.85)
numopt.plot.convergence(result, ax=axes[2])
axes[2].set_title("convergence", loc="left", fontsize=11)
