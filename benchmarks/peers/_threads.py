"""Two threads against one, run by turns: the hour of the machine is then the same for both."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from benchmarks.peers import Figure, best_of

ROUNDS = 20
BLOCK = bytes(2**24)
SIZE = 2**21  # of vectors that no cache holds


def two_threads(name: str, solve: Callable[[], Any], rounds: int = ROUNDS) -> Figure:
    """Time `solve` by one and by two threads, with two ceilings beside it; each is the least of `rounds` rounds.

    In each round all take their turn, once. The ceilings are what two threads gain that share nothing, and two that do
    nothing but read and write memory. The median of the rounds' quotients tells how steady the machine was.
    """
    from numopt import threads

    def at(number: int) -> float:
        with threads(number):
            return _once(solve)

    vectors = [(np.ones(SIZE), np.ones(SIZE)) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:

        def alike(call: Callable[[Any], Any], given: Any) -> tuple[float, float]:
            alone, together = (partial(_all, map_, call, given) for map_ in (map, pool.map))
            return _once(alone), _once(together)

        at(1), at(2), alike(_passes, vectors)  # all that is compiled, and touched first
        turns = [(at(1), at(2), *alike(hashlib.sha256, (BLOCK,) * 2), *alike(_passes, vectors)) for _ in range(rounds)]
    one, two, alone, together, slow, fast = map(min, zip(*turns, strict=True))
    seen = (
        f"{one / two:.3g} times: {one:.3g} s, {two:.3g} s; median of {rounds} rounds "
        f"{median(turn[0] / turn[1] for turn in turns):.3g}; work that shares nothing: {alone / together:.3g} times, "
        f"passes over memory: {slow / fast:.3g} times"
    )
    return Figure(name, "1.7 times as fast by two threads", seen, one >= 1.7 * two)


def _once(call: Callable[[], Any]) -> float:
    return best_of(call, enough=0.0).wall


def _all(map_: Callable[..., Any], call: Callable[[Any], Any], given: Any) -> None:
    for _ in map_(call, given):
        pass


def _passes(pair: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = pair
    for _ in range(4):
        np.multiply(x, 1.0, out=y)
