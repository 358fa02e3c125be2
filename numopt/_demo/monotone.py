"""The game of a policeman and a burglar, solved and proved; the example ``plot_zero_sum_game.py`` shows more of it."""

from time import perf_counter

import numpy as np

from numopt._demo import drawn, ready, say
from numopt.gallery import police_game
from numopt.monotone import BilinearGame, matrix_game, monotone_root


def main(houses=500, folder="."):
    """Solve the game, say how certain the answer is, and write the picture into `folder`."""
    loot = police_game(houses)
    ready("monotone", lambda: matrix_game(-loot[:50, :50]))
    say("problem", f"a burglar picks one of {houses} houses, a policeman guards one: who does what, how often?")

    began = perf_counter()
    result = matrix_game(-loot, tol=1e-10)
    say("solved", f"in {1e3 * (perf_counter() - began):.0f} ms: {result.message}")
    say("", f"{result.n_passes} passes over the matrix, then an interior point on the strategies in use")
    say("certain", f"the burglar gets between {-result.upper:.9f} and {-result.lower:.9f} on average,")
    say("", "from the best answers to both strategies, over every entry of the matrix")
    used = [int(np.count_nonzero(z > 1e-9)) for z in (result.x, result.y)]
    say("", f"houses in use: {used[0]} by the burglar, {used[1]} by the policeman")

    even, norm = np.full(2 * houses, 1 / houses), np.linalg.norm(loot, 2)
    rough = {"method": "extragradient", "step": 5 / norm, "max_iter": 200, "on_failure": "ignore"}
    slow = monotone_root(BilinearGame(-loot), even, **rough)
    left = (-loot @ slow.x).max() - (slow.y @ -loot).min()
    say("beside", f"extragradient, after {slow.epochs:.0f} passes: a gap of {left:.2f}, instead of {result.gap:.1e}")

    with drawn(folder, "numopt-demo-monotone.png", (10, 6)) as figure:
        _draw(figure, loot, result)
    return 0 if result.success else 1


def _draw(figure, loot, result):
    top, bottom = figure.subplots(2, 1, sharex=True)
    houses = np.arange(len(loot))
    top.plot(houses, loot.max(axis=0), color="0.7", lw=0.8)
    top.set(ylabel="wealth", title="a street, a burglar (red) and a policeman (blue): how often each house")
    bottom.vlines(houses, 0, result.x, color="tab:red")
    bottom.vlines(houses, 0, -result.y, color="tab:blue")
    bottom.axhline(0, color="black", lw=0.5)
    bottom.set(xlabel="house", ylabel="probability")
