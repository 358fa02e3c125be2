"""Sequences of related linear systems: shifted Laplacians, heat, anisotropic diffusion, elasticity.

All solvers get the same systems: where a right-hand side needs the solution before, that is made beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.sparse as sp

from benchmarks.peers import Instance

RTOL = 1e-8
TARGET = 1.01 * RTOL  # a residual that is updated and not recomputed is off in the last digits

System = tuple[float, sp.csr_matrix, np.ndarray]  # context, matrix, right-hand side


@dataclass(frozen=True, eq=False)
class Sequence:
    """`length` systems of n unknowns; with `warm`, a solve may start from the solution before."""

    n: int
    length: int
    make: Callable[[], Iterable[System]]
    warm: bool = False
    modes: np.ndarray | None = None  # what multigrid should know of the matrices' near null space

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


def laplacian(m: int) -> sp.csr_matrix:
    """Return the 5-point Laplacian of m x m interior points: diagonal 4, indices sorted."""
    t = sp.diags([-1.0, 2.0, -1.0], [-1, 0, 1], shape=(m, m))
    e = sp.identity(m)
    A = sp.csr_matrix(sp.kron(t, e) + sp.kron(e, t))
    A.sort_indices()
    return A


def diagonal_entries(A: sp.csr_matrix) -> np.ndarray:
    """Return a mask of the entries of A that lie on its diagonal."""
    return A.indices == np.repeat(np.arange(A.shape[0]), np.diff(A.indptr))


def with_data(A: sp.csr_matrix, data: np.ndarray) -> sp.csr_matrix:
    """Return a matrix of the pattern of A, whose index arrays it shares."""
    return sp.csr_matrix((data, A.indices, A.indptr), shape=A.shape)


BETA = {"low": (2.0, 6.0), "high": (0.5, 1.5)}  # of the shifts: their variance is low or high


def shifted(length: int, variance: str, seed: int = 0, m: int = 10) -> Sequence:
    """Return the paper's A + c I, c from -0.15 to 0.45, with normal right-hand sides in a ball."""
    rng = np.random.default_rng(seed)
    base = laplacian(m)
    diagonal = diagonal_entries(base)
    n, systems = m * m, []
    for _ in range(length):
        c = -0.15 + 0.6 * rng.beta(*BETA[variance])
        while True:
            b = rng.standard_normal(n)
            if np.linalg.norm(b) <= np.sqrt(n):
                break
        systems.append((c, with_data(base, base.data + c * diagonal), b))
    return Sequence(n, length, lambda: systems)


class Heat:
    """Crank-Nicolson steps of 1e-3 for the heat equation on nx x nx cells; `clock` passes between two of them."""

    def __init__(self, nx: int, clock: float) -> None:
        g = np.arange(1, nx) / nx
        self.X, self.Y = (a.ravel() for a in np.meshgrid(g, g, indexing="ij"))
        self.L = laplacian(nx - 1) * -float(nx) ** 2
        self.diagonal = diagonal_entries(self.L)
        self.clock = clock
        self.start = bump(self.X, self.Y, 0.5, 0.5, 0.25)

    def system(self, k: int, u: np.ndarray) -> System:
        """Return the system that leads from u to the next solution; its context is the diffusivity."""
        dt, t = 1e-3, (k + 0.5) * self.clock
        kappa = max(0.1 * np.sin(2 * np.pi * t), -10 * np.sin(2 * np.pi * t))
        h = 0.5 * kappa * dt
        at = 0.5 + np.cos(16 * np.pi * t) / 4, 0.5 + np.sin(16 * np.pi * t) / 4
        A = with_data(self.L, self.diagonal - h * self.L.data)
        return kappa, A, u + h * (self.L @ u) + dt * 32 * bump(self.X, self.Y, *at, 0.125)


def heat(nx: int, length: int) -> Sequence:
    """Return one period of the heat equation in so many systems."""
    steps, systems = Heat(nx, 1 / length), []
    u = steps.start
    for k in range(length):
        systems.append(steps.system(k, u))
        u, _ = sp.linalg.cg(*systems[-1][1:], x0=u, rtol=1e-11)
    return Sequence(u.size, length, lambda: systems, warm=True)


def bump(x: np.ndarray, y: np.ndarray, cx: float, cy: float, r: float) -> np.ndarray:
    """Return exp(1 - 1/(1 - s)), s the squared distance from the centre over r^2, and 0 from s = 1 on."""
    s = np.minimum(1.0, ((x - cx) ** 2 + (y - cy) ** 2) / r**2)
    with np.errstate(divide="ignore"):
        return np.exp(1.0 - 1.0 / (1.0 - s))


def scaled_and_shifted(kind: str, length: int, seed: int = 3) -> Sequence:
    """Return s_t A + c_t mean(diag A) I with A "anisotropic" (n = 90 000) or "elasticity" (28 800), from PyAMG.

    Matrices are made when asked for: a hundred of them would not fit into a small memory.
    """
    import pyamg

    modes = None
    if kind == "anisotropic":
        stencil = pyamg.gallery.diffusion_stencil_2d(epsilon=0.01, theta=np.pi / 6, type="FE")
        A = sp.csr_matrix(pyamg.gallery.stencil_grid(stencil, (300, 300), format="csr"))
    else:
        A, modes = pyamg.gallery.linear_elasticity((120, 120))
        A = sp.csr_matrix(A)
    A.sort_indices()
    n, mean, diagonal = A.shape[0], A.diagonal().mean(), diagonal_entries(A)

    def make() -> Iterator[System]:
        rng = np.random.default_rng(seed)
        for k in range(length):
            c = 10.0 ** rng.uniform(-5, -3)
            data = A.data * (1 + 0.5 * np.sin(k)) + (c * mean) * diagonal
            yield c, with_data(A, data), rng.uniform(-1, 1, n)

    return Sequence(n, length, make, modes=modes)
