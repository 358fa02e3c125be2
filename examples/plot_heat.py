"""
A heat simulation that speeds itself up
=======================================

A plate is heated by a source that circles around its middle, and its diffusion swings between almost nothing and a
lot. Each time step solves a linear system. The best relaxation parameter changes all the time with the
diffusion; the solver is told nothing about that and learns it on the way.
"""

import numpy as np
from matplotlib import pyplot as plt

from numopt.gallery import Heat
from numopt.relax import Tuner, relax_plan, ssor_pcg

heat = Heat(100, period=200)
print(f"{heat.n} unknowns, {heat.period} steps")


def march(solve):
    """Return the field, the iterations and the parameter after each step."""
    u, fields, counts, omegas, diffusion = heat.u0, [], [], [], []
    for k in range(heat.period):
        kappa, A, b = heat.system(k, u)
        result = solve(A, b, x0=u)
        assert result.success  # the recomputed residual is at most 1e-8 of b
        u = result.x
        fields.append(u.reshape(99, 99))
        counts.append(result.nit)
        omegas.append(result.omega)
        diffusion.append(kappa)
    return fields, np.array(counts), omegas, diffusion


# %%
# The tuner
# ---------
# It wraps the solver and is called like it. The matrices of this simulation are all of the kind
# :math:`s_t (A_0 + c_t I)`, which it finds out by itself; the solves tell it the smallest eigenvalue of
# :math:`A_0`, and theory does the rest.

tuner = Tuner(ssor_pcg, {"omega": (1.0, 1.998)}, rng=0)
fields, counts, omegas, diffusion = march(tuner.solve)
print(f"{counts.sum()} iterations in all")

# %%
# The field
# ---------
# The bump of the start spreads. Once the diffusion is large it runs off to the boundary, and what is left is the
# trail of the source. Each picture has colours from zero to its own maximum.

fig, axes = plt.subplots(1, 5, figsize=(10, 2.3), layout="constrained")
for ax, k in zip(axes, (10, 60, 100, 105, 199), strict=True):
    ax.imshow(fields[k], cmap="inferno", vmin=0)
    ax.set_title(f"step {k + 1}")
    ax.set_axis_off()

# %%
# The parameter that was learnt
# -----------------------------
# Beside it, the best of 25 fixed values in each of some steps, found by trying them all.

plan = relax_plan(heat.system(0, heat.u0)[1])
grid = 2 - np.geomspace(1.0, 0.03, 25)
tried = range(4, heat.period, 12)
best = []
for k in tried:
    u = heat.u0 if k == 0 else fields[k - 1].ravel()
    _, A, b = heat.system(k, u)
    found = [ssor_pcg(A, b, u, omega=w, plan=plan).nit for w in grid]
    best.append(grid[int(np.argmin(found))])

fig, (above, below) = plt.subplots(
    2, 1, figsize=(8, 5), sharex=True, layout="constrained"
)
above.semilogy(diffusion)
above.set_ylabel("diffusion")
below.plot(omegas, label="chosen by the tuner")
below.plot(tried, best, ".", label="best of 25 in hindsight")
below.set_ylabel("omega")
below.set_xlabel("step")
below.legend()

# %%
# What it saved
# -------------

totals = {"tuned": counts.sum()}
for omega in (1.0, 1.5, 1.9):
    _, fixed, _, _ = march(
        lambda A, b, x0, w=omega: ssor_pcg(A, b, x0, omega=w, plan=plan)
    )
    totals[f"omega = {omega}"] = fixed.sum()

fig, ax = plt.subplots(figsize=(6, 2.5), layout="constrained")
ax.barh(list(totals), list(totals.values()))
ax.invert_yaxis()
ax.set_xlabel("iterations in all")
for name, total in totals.items():
    print(f"{name:12} {total} iterations")
plt.show()
