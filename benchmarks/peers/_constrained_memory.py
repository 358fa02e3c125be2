"""Solve a PDE control problem once; print seconds and peak memory as JSON. For a process of its own.

Arguments: who (`numopt` or `ipopt`), N, kappa. With `numopt` nothing is factorised: products, and a preconditioner by
sine transforms. Neither process imports what its solver does without: SciPy comes with the ruler, after the peak is
taken.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable

import numpy as np

from benchmarks.peers._measure import memory

TARGET, ALPHA = 1e-8, 0.1
QUIET = {"print_time": False, "no_nlp_grad": True, "ipopt.print_level": 0, "ipopt.sb": "yes"}


def target_state(N: int) -> np.ndarray:
    """Return the state that is wanted, column by column."""
    s = 0.1 / np.sqrt(15) * (np.arange(1, N + 1) - (N + 1) / 2)
    return (np.sin(4 + s)[:, None] + np.cos(3 + s)).ravel(order="F")


def ipopt(N: int, kappa: float) -> tuple:
    """Return seconds and the point of Ipopt; building is not timed."""
    import casadi

    m, i = N * N, list(range(N))
    near = casadi.Sparsity.triplet(N, N, i[1:] + i[:-1], i[:-1] + i[1:])
    second, eye = casadi.DM(near, 1.0) - 2 * casadi.DM.eye(N), casadi.DM.eye(N)
    A = (casadi.kron(second, eye) + casadi.kron(eye, second)) * ((N + 1) / 2) ** 2
    x = casadi.MX.sym("x", 2 * m)
    w, z = x[:m], x[m:]
    f = (casadi.sumsqr(w - target_state(N)) + ALPHA * casadi.sumsqr(z)) / 2
    g = A @ w + z - (kappa * (w**3 - w) if kappa else 0)
    solver = casadi.nlpsol("solver", "ipopt", {"x": x, "f": f, "g": g}, QUIET)
    wall, cpu = time.perf_counter(), time.process_time()
    found = solver(x0=1, lbg=0, ubg=0)
    seconds = time.perf_counter() - wall, time.process_time() - cpu
    point = [np.asarray(found[k], float).ravel() for k in ("x", "lam_g")]
    return *seconds, *point, int(solver.stats()["iter_count"]), bool(solver.stats()["success"])


def numopt(N: int, kappa: float) -> tuple:
    """Return seconds and the point of ours, after a small problem that fills caches."""

    def solve(N: int) -> tuple:
        wall, cpu = time.perf_counter(), time.process_time()
        result = by_products(N, kappa)
        return time.perf_counter() - wall, time.process_time() - cpu, result

    solve(8)
    wall, cpu, result = solve(N)
    return wall, cpu, result.x, result.v[0], result.nit, bool(result.success)


class Product:
    """A linear map by its products, all that is asked of one."""

    def __init__(self, shape: tuple[int, int], matvec: Callable, rmatvec: Callable | None = None) -> None:
        self.shape, self.matvec, self.rmatvec = shape, matvec, rmatvec or matvec


def by_products(N: int, kappa: float, tol: float = TARGET) -> object:
    """Solve by products alone.

    The KKT matrix is preconditioned by the blocks 1, alpha and the inverse Schur complement
    L^2 + 1/alpha of kappa = 0, which sine transforms diagonalise. They are products with the matrix of sines: at these
    sizes as fast as the FFT, and twice as fast at N = 400, because N + 1 is prime.
    """
    from numopt.constrained import minimize_constrained

    m, h, wd = N * N, 2 / (N + 1), target_state(N)
    angles = np.pi / (N + 1) * np.arange(1, N + 1)
    eigenvalues, sines = (2 * np.cos(angles) - 2) / h**2, np.sin(np.outer(angles, np.arange(1, N + 1)))
    schur = (np.add.outer(eigenvalues, eigenvalues) ** 2 + 1 / ALPHA) * ((N + 1) / 2) ** 2

    def laplacian(w: np.ndarray) -> np.ndarray:
        w = w.reshape(N, N)
        u = -4 * w
        u[1:] += w[:-1]
        u[:-1] += w[1:]
        u[:, 1:] += w[:, :-1]
        u[:, :-1] += w[:, 1:]
        u /= h**2
        return u.ravel()

    def weighted(x: np.ndarray, p: np.ndarray) -> np.ndarray:
        out = p.copy()
        out[m:] *= ALPHA
        return out

    def inverse(r: np.ndarray) -> np.ndarray:
        out = r.copy()
        out[m : 2 * m] /= ALPHA
        rows = out[2 * m :].reshape(N, N)
        np.matmul(sines @ rows, sines, out=rows)
        rows /= schur
        np.matmul(sines @ rows, sines, out=rows)
        return out

    def cons(x: np.ndarray) -> np.ndarray:
        w = x[:m]
        c = laplacian(w)
        c += x[m:]
        return c - kappa * (w * w * w - w) if kappa else c

    def jacobian(x: np.ndarray) -> Product:
        d = kappa * (3 * x[:m] ** 2 - 1) if kappa else None

        def forward(p: np.ndarray) -> np.ndarray:
            out = laplacian(p[:m])
            out += p[m:]
            return out if d is None else out - d * p[:m]

        def turned(q: np.ndarray) -> np.ndarray:
            out = np.empty(2 * m)
            out[:m], out[m:] = laplacian(q), q
            if d is not None:
                out[:m] -= d * q
            return out

        return Product((m, 2 * m), forward, turned)

    def hessian(x: np.ndarray, v: np.ndarray) -> Product:
        d = -6 * kappa * x[:m] * v if kappa else 0.0

        def curved(p: np.ndarray) -> np.ndarray:
            out = np.zeros(2 * m)
            if kappa:
                out[:m] = d * p[:m]
            return out

        return Product((2 * m, 2 * m), curved)

    constraint = {"type": "eq", "fun": cons, "jac": jacobian, "hess": hessian}
    options = {"lam0": np.zeros(m), "preconditioner": Product((3 * m, 3 * m), inverse)}
    return minimize_constrained(
        lambda x: 0.5 * float((x[:m] - wd) @ (x[:m] - wd) + ALPHA * (x[m:] @ x[m:])), np.ones(2 * m),
        jac=lambda x: np.concatenate([x[:m] - wd, ALPHA * x[m:]]), hessp=weighted,
        constraints=constraint, tol=tol, options=options, on_failure="ignore",
    )  # fmt: skip


def main(who: str, N: int, kappa: float) -> None:
    """Solve, then judge; the peak is taken before the ruler allocates, `bare` before anything is solved."""
    from threadpoolctl import threadpool_limits

    importlib.import_module({"numopt": "numopt.constrained", "ipopt": "casadi"}[who])
    bare = memory("VmHWM")
    with threadpool_limits(limits=1):
        wall, cpu, x, lam, nit, success = {"numopt": numopt, "ipopt": ipopt}[who](N, kappa)
    peak = memory("VmHWM")
    from benchmarks.peers._constrained_instances import kkt_error, pde

    error = kkt_error(pde(N, kappa), np.asarray(x), np.asarray(lam))
    record = {"wall": wall, "cpu": cpu, "peak": peak, "bare": bare, "error": error, "nit": nit, "success": success}
    json.dump(record, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
