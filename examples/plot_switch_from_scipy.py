"""
A SciPy script, before and after
================================

A hanging chain, with the solver of SciPy and with that of numopt: one import changes.
"""

import numpy as np
import scipy.optimize
from matplotlib import pyplot as plt

import numopt

# %%
# The script
# ----------
# The positions of 20 joints of a chain minimise the potential energy. Links have a fixed length, and the floor is
# a bound. The dictionary form of the constraints, without any derivative, is that of many scripts.

links, length = 21, 0.12
ends = np.array([[0.0, 0.0], [1.0, 0.0]])


def joints(x):
    """Return all points, the fixed ends included."""
    return np.concatenate([ends[:1], x.reshape(-1, 2), ends[1:]])


def energy(x):
    """Return the potential energy."""
    return joints(x)[:, 1].sum()


def stretch(x):
    """Return squared lengths of the links less what they have to be."""
    return (np.diff(joints(x), axis=0) ** 2).sum(axis=1) / length**2 - 1


start = np.column_stack([np.linspace(0, 1, links + 1), -0.1 * np.sin(np.pi * np.linspace(0, 1, links + 1))])[
    1:-1
].ravel()
floor = [bound for _ in range(links - 1) for bound in ((None, None), (-0.85, None))]
arguments = dict(
    method="SLSQP",
    bounds=floor,
    constraints={"type": "eq", "fun": stretch},
)

# %%
# Before, and after.

before = scipy.optimize.minimize(energy, start, **arguments, options={"maxiter": 1000})
after = numopt.constrained.minimize_constrained(energy, start, **arguments)
print("SciPy ", before.message)
print("numopt", after.message)

# %%
# What the message of SciPy does not say, recomputed for both: how far the links are from their length, and
# how large the gradient of the Lagrangian is with the best multipliers.

for name, res in (("SciPy", before), ("numopt", after)):
    print(f"{name:<7} energy {res.fun:.9f}   violation {np.abs(stretch(res.x)).max():.1e}")
print(f"numopt  KKT error {after.kkt_error:.1e}, {after.nit} steps")

figure, ax = plt.subplots(figsize=(6, 4.2), layout="constrained")
ax.plot(*joints(start).T, ".-", color="#bbbbbb", label="start")
ax.plot(*joints(before.x).T, "o-", color="#d1495b", label="SciPy")
ax.plot(*joints(after.x).T, ".-", color="#1b6ca8", label="numopt")
ax.axhline(-0.85, color="#777777", linewidth=1)
ax.legend(frameon=False)
ax.set_aspect("equal")
ax.spines[["top", "right"]].set_visible(False)
