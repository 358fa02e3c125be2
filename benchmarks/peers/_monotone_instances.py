"""The instances of monotone inclusions: matrix games, logistic regression, linear programs, fixed points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.sparse as sp

from benchmarks.peers import Instance

ROUGH, EXACT = (1e-4, 1e-6, 1e-8), 1e-10


@dataclass(frozen=True, eq=False)
class Game:
    """min over x, max over y of y.(A x), both in simplices."""

    A: np.ndarray | sp.csr_matrix

    def gap(self, x: np.ndarray, y: np.ndarray) -> float:
        """Return the duality gap of the strategies, made feasible, over the largest distance from the mean of A."""
        x, y = (np.maximum(v, 0) / np.maximum(v, 0).sum() for v in (np.asarray(x), np.asarray(y)))
        return float(((self.A @ x).max() - (self.A.T @ y).min()) / self.scale)

    @property
    def scale(self) -> float:
        """The largest distance of an entry from the mean."""
        mean = self.A.mean()
        return float(max(self.A.max() - mean, mean - self.A.min()))


@dataclass(frozen=True, eq=False)
class Logistic:
    """0 = F(w) = 1/n sum a_i (sigmoid(a_i.w) - b_i)."""

    A: np.ndarray
    b: np.ndarray

    def residual(self, w: np.ndarray) -> float:
        """Return |F(w)| / |F(0)|."""
        return float(np.linalg.norm(self.full(w)) / np.linalg.norm(self.full(np.zeros(self.A.shape[1]))))

    def full(self, w: np.ndarray) -> np.ndarray:
        """Return F(w)."""
        from scipy.special import expit

        return self.A.T @ (expit(self.A @ w) - self.b) / self.b.size


@dataclass(frozen=True, eq=False)
class Linear:
    """min c.x, A x = b, x >= 0."""

    c: np.ndarray
    A: sp.csr_matrix
    b: np.ndarray

    def error(self, x: np.ndarray, y: np.ndarray) -> float:
        """Return the largest relative infeasibility or gap, as solvers of linear programs count them."""
        x = np.maximum(x, 0)
        primal = np.linalg.norm(self.A @ x - self.b) / (1 + np.linalg.norm(self.b))
        dual = np.linalg.norm(np.minimum(self.c - self.A.T @ y, 0)) / (1 + np.linalg.norm(self.c))
        p, d = self.c @ x, self.b @ y
        return float(max(primal, dual, abs(p - d) / (1 + abs(p) + abs(d))))


@cache
def instances() -> list[Instance]:
    """Return all: games to four accuracies, then sums, then linear programs."""
    found = [
        Instance(f"{name} to {target:.0e}", game, target)
        for name, game in games().items()
        for target in (*ROUGH, EXACT)
        if not (name.endswith("2000") and target in ROUGH[1:])
    ]
    found += [Instance(f"logistic {name} to 1e-09", sums()[name], 1e-9) for name in sums()]
    return found + [Instance(f"{name} to 1e-04", program, 1e-4) for name, program in programs().items()]


@cache
def games() -> dict[str, Game]:
    """Return the games by name."""
    found = {
        "police-500": police(500), "gauss-500": gauss(500, 500), "power2-500": power(500),
        "gauss-300x900": gauss(300, 900), "toeplitz-500": toeplitz(500), "sparse-4000": sparse(4000, 4000, 0.005),
        "gauss-2000": gauss(2000, 2000), "police-2000": police(2000),
    }  # fmt: skip
    return {name: Game(A) for name, A in found.items()}


@cache
def sums() -> dict[str, Logistic]:
    """Return logistic regression on isotropic data and at condition 100."""
    return {"iso": Logistic(*logistic(20_000, 50, 1)), "c100": Logistic(*logistic(20_000, 50, 100))}


@cache
def programs() -> dict[str, Linear]:
    """Return the two linear programs."""
    return {"lp transport 100x120": transport(100, 120), "lp random 1500x4000": random_program(1500, 4000)}


def police(n: int, theta: float = 0.8, seed: int = 1) -> np.ndarray:
    """Policeman and burglar: A_ij = w_j (1 - exp(-theta |i - j|))."""
    w = np.abs(np.random.RandomState(seed).randn(n))  # the paper's own draws
    i = np.arange(n)
    return (1 - np.exp(-theta * np.abs(i[:, None] - i))) * w


def gauss(m: int, n: int, seed: int = 0) -> np.ndarray:
    """Return standard normal entries."""
    return np.random.default_rng(seed).standard_normal((m, n))


def power(n: int, alpha: float = 2.0) -> np.ndarray:
    """Nearly additive: ((i + j - 1) / (2 n - 1))^alpha."""
    i = np.arange(1, n + 1)
    return ((i[:, None] + i - 1) / (2 * n - 1.0)) ** alpha


def toeplitz(n: int, seed: int = 0) -> np.ndarray:
    """A_ij depends on i - j, by normal draws."""
    i = np.arange(n)
    return np.random.default_rng(seed).standard_normal(2 * n - 1)[i[:, None] - i + n - 1]


def sparse(m: int, n: int, density: float, seed: int = 0) -> sp.csr_matrix:
    """Uniform entries on [-1, 1] at random places."""
    rng = np.random.default_rng(seed)
    return sp.random(m, n, density=density, random_state=rng, data_rvs=lambda k: rng.uniform(-1, 1, k), format="csr")


def logistic(n: int, d: int, cond: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of mean norm 1 whose covariance has condition number `cond`, and classes drawn by a random model."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, d)) * np.geomspace(1, 1 / np.sqrt(cond), d)
    A /= np.sqrt((A**2).sum(1)).mean()
    b = (rng.random(n) < 1 / (1 + np.exp(-A @ (3 * rng.standard_normal(d))))).astype(float)
    return A, b


def transport(s: int, t: int, seed: int = 0) -> Linear:
    """Optimal transport between random points of the plane: degenerate and sparse."""
    rng = np.random.default_rng(seed)
    p, q = rng.random((s, 2)), rng.random((t, 2))
    c = np.linalg.norm(p[:, None] - q, axis=2).ravel()
    a, b = rng.random(s) + 0.1, rng.random(t) + 0.1
    rows = [sp.kron(sp.eye(s), np.ones((1, t))), sp.kron(np.ones((1, s)), sp.eye(t))]
    return Linear(c, sp.vstack(rows).tocsr(), np.r_[a / a.sum(), b / b.sum()])


def random_program(m: int, n: int, density: float = 0.02, seed: int = 0) -> Linear:
    """Return a program with a known optimal pair: x on a random support, reduced costs off it."""
    rng = np.random.default_rng(seed)
    A = sp.random(m, n, density=density, random_state=rng, data_rvs=rng.standard_normal, format="csr")
    A = (A + sp.csr_matrix((np.ones(m), (np.arange(m), rng.permutation(n)[:m])), shape=(m, n))).tocsr()
    x = np.zeros(n)
    support = rng.permutation(n)[: m // 2]
    x[support] = rng.random(support.size)
    y = rng.standard_normal(m)
    s = rng.random(n)
    s[support] = 0
    return Linear(A.T @ y + s, A, A @ x)


def bilinear_sum(name: str, n: int = 20_000, d: int = 40, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Return (U, V, c, b) with F_i(x, y) = (u_i (v_i.y) + c, b - v_i (u_i.x)); `name` is "20", "40" or "152"."""
    rng = np.random.default_rng(seed)
    U = rng.standard_normal((n, d))
    if name == "20":
        U *= np.sqrt(np.geomspace(1, 0.1, d))
    V = 0.28 * U + np.sqrt(1 - 0.28**2) * rng.standard_normal((n, d)) if name == "152" else U
    p, q = rng.standard_normal(d), rng.standard_normal(d)
    return U, V, -p, q


def maps() -> dict[str, tuple[Callable, np.ndarray, np.ndarray]]:
    """Return nonexpansive maps by name, with a start and a fixed point: rotations, reflections, projections in turn."""
    found = {}
    for angle in (0.01, 0.1, 1.0, np.pi / 2, 3.0):
        R = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        found[f"rotation {angle:.2f}"] = R, np.array([1.0, 2.0]), np.zeros(2)
    found["reflection"] = -np.eye(3), np.array([1.0, -1.0, 2.0]), np.zeros(3)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        Q = np.linalg.qr(rng.standard_normal((20, 20)))[0]
        found[f"orthogonal {seed}"] = Q, rng.standard_normal(20), np.zeros(20)
        P = [np.linalg.qr(rng.standard_normal((20, 15)))[0] for _ in range(2)]
        found[f"projections {seed}"] = P[0] @ P[0].T @ P[1] @ P[1].T, rng.standard_normal(20), None
    return {
        name: (lambda z, M=M: M @ z, x0, _nearest(M, x0) if fixed is None else fixed)
        for name, (M, x0, fixed) in found.items()
    }


def _nearest(M: np.ndarray, x0: np.ndarray) -> np.ndarray:
    """Return the fixed point of a linear map nearest to x0."""
    _, s, Vt = np.linalg.svd(M - np.eye(x0.size))
    kernel = Vt[s <= 1e-10]
    return kernel.T @ (kernel @ x0)


def suspicious(count: int = 300) -> list[tuple[str, dict]]:
    """Return (kind, arguments) of small linear programs: kind begins with what is true of it by construction.

    Solvable ones have a known optimal pair, infeasible ones a Farkas ray in their rows, unbounded ones a feasible ray
    that improves. "solvable, nearly infeasible" lacks 1e-6 of it, and all are there in units far from 1 too.
    """
    kinds = ("solvable", "infeasible", "unbounded", "solvable, nearly infeasible", "solvable, badly scaled")
    return [(kinds[i % 5], _program(kinds[i % 5], np.random.default_rng(i))) for i in range(count)]


def _program(kind: str, rng: np.random.Generator) -> dict:
    m, n = int(rng.integers(3, 12)), int(rng.integers(12, 25))
    A = rng.standard_normal((m, n))
    x = np.where(rng.random(n) < 0.5, rng.random(n), 0.0)
    y = rng.standard_normal(m)
    c = A.T @ y + np.where(x > 0, 0.0, rng.random(n))
    if kind == "infeasible":  # r.A >= 0 and r.b < 0 by the last row
        A[-1] = np.abs(rng.standard_normal(n))
        b = A @ x
        b[-1] = -rng.random() - 0.1
    elif kind == "unbounded":  # a ray d >= 0 with A d = 0 and c.d < 0
        d = rng.random(n)
        A -= np.outer(A @ d, d) / (d @ d)
        b, c = A @ x, c - d * (1 + (c @ d) / (d @ d))
    elif kind == "solvable, nearly infeasible":  # sum of x is barely above 0, where the last row wants it to be
        A[-1] = np.abs(A[-1])
        x *= 1e-6
        b = A @ x
        c = A.T @ y + np.where(x > 0, 0.0, rng.random(n))
    else:
        b = A @ x
    if kind == "solvable, badly scaled":
        rows, columns = 10.0 ** rng.uniform(-4, 4, m), 10.0 ** rng.uniform(-4, 4, n)
        A, b, c = rows[:, None] * A * columns, rows * b, columns * c
    return {"c": c, "A_eq": A, "b_eq": b}
