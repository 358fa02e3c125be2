"""Sequences of related linear systems: shifted Laplacians, heat, anisotropic diffusion, elasticity.

All solvers get the same systems: where a right-hand side needs the solution before, that is made beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.sparse.linalg import cg

from benchmarks.peers import Instance

RTOL = 1e-8
TARGET = 1.01 * RTOL  # a residual that is updated and not recomputed is off in the last digits

System = tuple[float, Any, np.ndarray]  # context, matrix (csr_array), right-hand side


@dataclass(frozen=True, eq=False)
class Sequence:
    """`length` systems of n unknowns; with `warm`, a solve may start from the solution before.

    `bounds` of the context are told to learners that need some; None stands for the extremes.
    """

    n: int
    length: int
    make: Callable[[], Iterable[System]]
    warm: bool = False
    bounds: tuple[float, float] | None = None

    def __iter__(self) -> Iterator[System]:
        return iter(self.make())


@lru_cache
def instances() -> list[Instance]:
    """Return the sequences of the table: the paper's small ones, then heat."""
    found = {
        "shifted low, n 100, T 500": shifted(500, "low"),
        "shifted high, n 100, T 500": shifted(500, "high"),
        "heat n 39601, T 16": heat(200, 16),
        "heat n 159201, T 4": heat(400, 4),
    }
    return [Instance(name, sequence, TARGET) for name, sequence in found.items()]


def worst_residual(sequence: Sequence, solutions: list[np.ndarray]) -> float:
    """Return the largest residual relative to its right-hand side; one solution for each system."""
    if len(solutions) != sequence.length:
        return np.inf
    pairs = zip(sequence, solutions, strict=True)
    return max(float(np.linalg.norm(b - A @ x) / np.linalg.norm(b)) for (_, A, b), x in pairs)


def shifted(length: int, variance: str, seed: int = 0) -> Sequence:
    """Return the paper's Laplacians of 10 x 10 points plus random shifts, the shift as context."""
    from numopt.gallery import shifted_laplacians

    systems = list(shifted_laplacians(length, variance, rng=seed))
    return Sequence(100, length, lambda: systems, bounds=(-0.15, 0.65))  # as the paper's code declares them


def heat(nx: int, length: int) -> Sequence:
    """Return one period of the heat equation on nx x nx cells, the diffusivity as context."""
    from numopt.gallery import Heat

    steps, systems = Heat(nx, period=length), []
    u = steps.u0
    for k in range(length):
        systems.append(steps.system(k, u))
        u, _ = cg(*systems[-1][1:], x0=u, rtol=1e-11)
    return Sequence(steps.n, length, lambda: systems, warm=True)


def finite_elements(kind: str, length: int) -> Sequence:
    """Return scaled and shifted "anisotropic" (n = 90 000) or "elasticity" (28 800) matrices.

    They are made when asked for: a hundred of them would not fit into a small memory.
    """
    from numopt.gallery import finite_elements as make

    n = {"anisotropic": 90_000, "elasticity": 28_800}[kind]
    return Sequence(n, length, lambda: make(kind, length))
