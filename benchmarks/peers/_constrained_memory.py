"""Solve a PDE control problem once; print seconds and peak memory as JSON. For a process of its own.

Arguments: who (`numopt` or `ipopt`), N, kappa. With `numopt` nothing is factorised: products, and a preconditioner by
sine transforms.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from benchmarks.peers._constrained_instances import TARGET, Model, kkt_error, pde
from benchmarks.peers._ot_memory import memory


def ipopt(N: int, kappa: float) -> tuple:
    """Return seconds and the point of Ipopt; building is not timed."""
    from benchmarks.peers._constrained_peers import built

    model = pde(N, kappa)
    solver = built(model, np.inf)
    wall, cpu = time.perf_counter(), time.process_time()
    found = solver(x0=model.x0, lbg=0, ubg=0)
    seconds = time.perf_counter() - wall, time.process_time() - cpu
    point = [np.asarray(found[k], float).ravel() for k in ("x", "lam_g")]
    return *seconds, *point, int(solver.stats()["iter_count"]), bool(solver.stats()["success"])


def numopt(N: int, kappa: float) -> tuple:
    """Return seconds and the point of ours, after a small problem that compiles the kernels."""

    def solve(N: int) -> tuple:
        model = pde(N, kappa)
        wall, cpu = time.perf_counter(), time.process_time()
        result = by_products(model, N, kappa)
        return time.perf_counter() - wall, time.process_time() - cpu, result

    solve(8)
    wall, cpu, result = solve(N)
    return wall, cpu, result.x, result.v[0], result.nit, bool(result.success)


def by_products(model: Model, N: int, kappa: float, tol: float = TARGET) -> object:
    """Solve by products alone.

    The KKT matrix is preconditioned by the blocks 1, alpha and the inverse Schur complement
    L^2 + 1/alpha of kappa = 0, which sine transforms diagonalise.
    """
    from scipy.fft import dstn
    from scipy.optimize import NonlinearConstraint
    from scipy.sparse.linalg import LinearOperator

    from numopt.constrained import minimize_constrained

    m, alpha, h = N * N, 0.1, 2 / (N + 1)
    eigenvalues = (2 * np.cos(np.pi * np.arange(1, N + 1) / (N + 1)) - 2) / h**2
    schur = np.add.outer(eigenvalues, eigenvalues) ** 2 + 1 / alpha
    weights = np.r_[np.ones(m), np.full(m, alpha)]

    def laplacian(w: np.ndarray) -> np.ndarray:
        u = np.zeros((N + 2, N + 2))
        u[1:-1, 1:-1] = w.reshape(N, N)
        return ((u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]) / h**2).ravel()

    def jacobian(x: np.ndarray) -> LinearOperator:
        d = kappa * (3 * x[:m] ** 2 - 1)
        return LinearOperator(
            (m, 2 * m), matvec=lambda p: laplacian(p[:m]) - d * p[:m] + p[m:],
            rmatvec=lambda q: np.concatenate([laplacian(q) - d * q, q]), dtype=float,
        )  # fmt: skip

    def hessian(x: np.ndarray, v: np.ndarray) -> LinearOperator:
        d = -6 * kappa * x[:m] * v
        return LinearOperator((2 * m, 2 * m), matvec=lambda p: np.concatenate([d * p[:m], 0 * p[m:]]), dtype=float)

    def inverse(r: np.ndarray) -> np.ndarray:
        rows = dstn(dstn(r[2 * m :].reshape(N, N), type=1, norm="ortho") / schur, type=1, norm="ortho")
        return np.concatenate([r[: 2 * m] / weights, rows.ravel()])

    constraint = NonlinearConstraint(
        lambda x: laplacian(x[:m]) + x[m:] - kappa * (x[:m] ** 3 - x[:m]), 0, 0, jac=jacobian, hess=hessian
    )
    preconditioner = LinearOperator((3 * m, 3 * m), matvec=inverse, dtype=float)
    return minimize_constrained(
        model.fun, model.x0, jac=model.grad, hessp=lambda x, p: weights * p, constraints=[constraint], tol=tol,
        options={"lam0": np.zeros(m), "preconditioner": preconditioner}, on_failure="ignore",
    )  # fmt: skip


def main(who: str, N: int, kappa: float) -> None:
    """Solve, then judge; the peak is taken before the ruler allocates."""
    from numopt import threads

    with threads(1):
        wall, cpu, x, lam, nit, success = {"numopt": numopt, "ipopt": ipopt}[who](N, kappa)
    peak = memory("VmHWM")
    error = kkt_error(pde(N, kappa), np.asarray(x), np.asarray(lam))
    record = {"wall": wall, "cpu": cpu, "peak": peak, "error": error, "nit": nit, "success": success}
    json.dump(record, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
