"""Two threads against one, run by turns: the hour of the machine is then the same for both."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.peers import Figure, best_of

ROUNDS = 9
BLOCK = bytes(2**22)


def two_threads(name: str, solve: Callable[[], Any], rounds: int = ROUNDS) -> Figure:
    """Time `solve` by one and by two threads, with the ceiling beside it; each is the least of `rounds` rounds."""
    from numopt import threads

    def at(number: int) -> float:
        with threads(number):
            return best_of(solve, 1).wall

    with ThreadPoolExecutor(2) as pool:

        def hashes(map_: Callable[..., Any]) -> float:
            return best_of(lambda: list(map_(hashlib.sha256, (BLOCK, BLOCK))), 1).wall

        turns = [(at(1), at(2), hashes(map), hashes(pool.map)) for _ in range(rounds)]
    one, two, alone, together = map(min, zip(*turns, strict=True))
    seen = f"{one / two:.3g} times: {one:.3g} s, {two:.3g} s; work that shares nothing: {alone / together:.3g} times"
    return Figure(name, "1.7 times as fast by two threads", seen, one >= 1.7 * two)
