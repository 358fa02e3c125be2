"""
A policeman and a burglar
=========================

Along a street of 500 houses, a burglar picks a house j, a policeman stands at a house i. The burglar gets away with the
wealth of the house times ``1 - exp(-0.8 |i - j|)``. What should both do? This is the game of the first experiment of
the paper that ``numopt.monotone`` comes from. In :func:`numopt.monotone.matrix_game` the player of the columns *pays*;
here that is the burglar, so the loot enters with a minus.
"""

import numpy as np
from matplotlib import pyplot as plt

from numopt.gallery import police_game
from numopt.monotone import BilinearGame, matrix_game, monotone_root

loot = police_game()  # loot[i, j], policeman at i, burglar at j
result = matrix_game(-loot, tol=1e-10)  # x, of the columns, minimises -loot: the burglar maximises
print(result)

# %%
# Mixed strategies that are proved
# --------------------------------
# The value of the game lies between ``lower`` and ``upper``, from the best answers to the returned strategies:
# whatever the burglar does against ``y``, and the policeman against ``x``. The burglar spreads over the wealthy houses
# so that no place for the policeman is better than another; the policeman guards them.

print(f"the burglar gets {-result.upper:.9f} to {-result.lower:.9f}")
wealth = loot.max(axis=0)
fig, (top, bottom) = plt.subplots(2, 1, figsize=(9, 5.4), sharex=True, layout="constrained")
top.plot(wealth, color="0.7", lw=0.8, label="wealth")
top.legend(loc="upper right")
top.set(ylabel="wealth of the house")
bottom.vlines(np.arange(500), 0, result.x, color="tab:red", lw=1.5, label="burglar")
bottom.vlines(np.arange(500), 0, -result.y, color="tab:blue", lw=1.5, label="policeman (downwards)")
bottom.axhline(0, color="black", lw=0.5)
bottom.legend(loc="lower left")
bottom.set(xlabel="house", ylabel="probability")
plt.show()

# %%
# What it costs to get there
# --------------------------
# One pass reads the matrix for both players. The extragradient method takes two a step; the paper's Algorithm 1 samples
# rows and columns; restarted PDHG, with the step that differences of strategies allow, is far ahead of both, and the
# polish ends it.

gap_at = {}


def follow(name):
    """Return a callback that notes passes and the relative gap."""
    spent, gaps = gap_at.setdefault(name, ([], []))
    scale = np.abs(loot - loot.mean()).max()

    def callback(intermediate_result):
        state, info = intermediate_result.state, intermediate_result.info
        x, y = state if isinstance(state, tuple) else (state[:500], state[500:])
        spent.append(info["n_passes"] if "n_passes" in info else info["n_component"] / 500)
        gaps.append(((-loot @ x).max() - (y @ -loot).min()) / scale)

    return callback


matrix_game(-loot, tol=1e-10, callback=follow("matrix_game"))
matrix_game(-loot, tol=1e-6, method="pdhg", callback=follow('method="pdhg"'))
op, even = BilinearGame(-loot), np.full(1000, 1 / 500)
norm, frobenius = np.linalg.norm(loot, 2), np.linalg.norm(loot)
for name, method, options in (
    ("extragradient, 5 / |A|", "extragradient", {"step": 5 / norm}),
    ("Algorithm 1, 5 / |A|_F, b = 22", "halpern-page", {"step": 5 / frobenius, "batch_size": 22}),
):
    options |= {"tol": 0.0, "max_iter": 500, "rng": 0, "on_failure": "ignore"}
    monotone_root(op, even, method=method, callback=follow(name), **options)

fig, ax = plt.subplots(figsize=(9, 4.2), layout="constrained")
for name, (spent, gaps) in gap_at.items():
    ax.loglog(spent, np.minimum.accumulate(gaps), label=name, marker="o" if len(gaps) < 20 else None, ms=3)
ax.set(xlabel="passes over the matrix (epochs)", ylabel="relative gap", ylim=(1e-13, 2))
ax.legend()
plt.show()
