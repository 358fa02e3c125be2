"""SciPy and PyAMG along a sequence of systems, at the best settings that we found.

- PyAMG's SSOR sweep ignores omega, so the preconditioner is made of two of its sweeps. On triangles, taken out of each
  matrix by a pattern that is found once, they solve exactly and take 1.85 ms at n = 90 000; over the whole matrix it
  would be 2.35 ms. SciPy's `cg` spends less around them than PyAMG's.
- `splu` is told that the matrix is symmetric and needs no pivoting: half the entries of its default.
- Multigrid accelerates CG. "Rebuilt" sets it up for each system; "reused" sets it up when CG last took more than half
  again as many iterations as right after the last set-up, or does not end within `PATIENCE` iterations.

All start from the solution before where the sequence says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, cg, splu

from benchmarks.peers import Answer, Instance, Solver
from benchmarks.peers._relax_instances import RTOL, Sequence
from benchmarks.peers._relax_learners import Bounds, Learner, learners

OMEGAS = (1.0, 1.5, 1.8, 1.9)  # which of them is best is known in hindsight only
WITHOUT_HINDSIGHT = OMEGAS[:2]
ENDLESS = 10**6
PATIENCE = 50

# (matrix, right-hand side, start, context) -> (solution, iterations)
Step = Callable[[sp.csr_array, np.ndarray, Any, float], tuple[np.ndarray, int]]
# the same with omega in place of the context
Solve = Callable[[sp.csr_array, np.ndarray, Any, float], tuple[np.ndarray, int]]


def along(start: Callable[[Sequence], Step]) -> Callable[[Instance], Answer]:
    """Return the solver that takes one step after the other, each time anew from nothing."""

    def solve(instance: Instance) -> Answer:
        sequence: Sequence = instance.data
        step, x, solutions, total = start(sequence), None, [], 0
        for context, A, b in sequence:
            x, nit = step(A, b, x if sequence.warm else None, context)
            solutions.append(x)
            total += nit
        return Answer(solutions, total)

    return solve


def conjugate_gradients(
    A: sp.csr_array, b: np.ndarray, x0: np.ndarray | None, M: LinearOperator | None = None, most: int = ENDLESS
) -> tuple[np.ndarray, int]:
    """Return SciPy's solution and its iterations."""
    nit = 0

    def count(_: np.ndarray) -> None:
        nonlocal nit
        nit += 1

    x, _ = cg(A, b, x0=x0, rtol=RTOL, M=M, maxiter=most, callback=count)
    return x, nit


def factored(A: sp.csr_array, b: np.ndarray) -> np.ndarray:
    """Return the solution by SciPy's sparse LU, its options set for positive definite matrices."""
    options = {"permc_spec": "MMD_AT_PLUS_A", "diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}}
    return splu(A.T, **options).solve(b)  # the transpose is the matrix itself, by columns


def ssor(omega: float) -> Callable[[Sequence], Step]:
    """Return CG preconditioned by SSOR."""

    def start(sequence: Sequence) -> Step:
        triangles = Triangles(next(iter(sequence))[1])
        return lambda A, b, x0, context: conjugate_gradients(A, b, x0, triangles.ssor(A, omega))

    return start


class Triangles:
    """The SSOR preconditioner, swept by PyAMG over the two triangles of matrices of one pattern."""

    def __init__(self, A: sp.csr_array) -> None:
        rows = np.repeat(np.arange(A.shape[0], dtype=A.indices.dtype), np.diff(A.indptr))
        self.diagonal_at = np.flatnonzero(A.indices == rows)
        self.parts = [self._part(A, keep) for keep in (A.indices <= rows, A.indices >= rows)]

    @staticmethod
    def _part(A: sp.csr_array, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return row pointers and indices of the entries that are kept, and where these are."""
        before = np.zeros(keep.size + 1, A.indptr.dtype)
        np.cumsum(keep, out=before[1:])
        return before[A.indptr], A.indices[keep], np.flatnonzero(keep)

    def ssor(self, A: sp.csr_array, omega: float) -> LinearOperator:
        """Return the preconditioner for this matrix."""
        from pyamg import amg_core

        n, data, d = A.shape[0], A.data.copy(), A.data[self.diagonal_at]
        data[self.diagonal_at] = d / omega
        lower, upper = ((indptr, indices, data[at]) for indptr, indices, at in self.parts)
        scale = (2 - omega) / omega * d

        def apply(r: np.ndarray) -> np.ndarray:
            y, z = np.zeros(n), np.zeros(n)
            amg_core.gauss_seidel(*lower, y, r, 0, n, 1)
            y *= scale
            amg_core.gauss_seidel(*upper, z, y, n - 1, -1, -1)
            return z

        return LinearOperator(A.shape, matvec=apply, dtype=A.dtype)


def multigrid(method: str, reuse: bool) -> Callable[[Sequence], Step]:
    """Return CG preconditioned by PyAMG's hierarchy, set up for each system or when it has grown old."""
    import pyamg

    build = getattr(pyamg, method)

    def start(sequence: Sequence) -> Step:
        M, fresh, last = None, 0, 0

        def step(A: sp.csr_array, b: np.ndarray, x0: np.ndarray | None, context: float) -> tuple[np.ndarray, int]:
            nonlocal M, fresh, last
            wasted = 0
            if reuse and M is not None and last <= 1.5 * fresh:
                x, last = conjugate_gradients(A, b, x0, M, PATIENCE)
                if last < PATIENCE:
                    return x, last
                x0, wasted = x, last
            M = build(A).aspreconditioner()
            x, last = conjugate_gradients(A, b, x0, M)
            fresh = max(last, 1)
            return x, wasted + last

        return step

    return start


def learning(make: Callable[[Bounds], Learner], bind: Callable[[sp.csr_array], Solve]) -> Callable[[Sequence], Step]:
    """Return a solver whose omega another package chooses; `bind` is given the first matrix for its pattern."""

    def start(sequence: Sequence) -> Step:
        contexts = [context for context, _, _ in sequence]
        learner = make((min(contexts), max(contexts)))
        solve = bind(next(iter(sequence))[1])

        def step(A: sp.csr_array, b: np.ndarray, x0: np.ndarray | None, context: float) -> tuple[np.ndarray, int]:
            omega = learner.ask(context)
            x, nit = solve(A, b, x0, omega)
            learner.tell(context, omega, max(nit, 1))
            return x, nit

        return step

    return start


def solvers() -> list[Solver]:
    """Return those that are installed; on the small systems the learners tune our SOR, else PyAMG's SSOR."""
    found = [
        Solver("SciPy cg", along(lambda sequence: lambda A, b, x0, c: conjugate_gradients(A, b, x0))),
        Solver("SciPy splu", along(lambda sequence: lambda A, b, x0, c: (factored(A, b), 1))),
    ]
    try:
        import pyamg  # noqa: F401
    except ImportError:
        return found
    found += [Solver(f"SSOR-CG {omega}", along(ssor(omega)), applies=large) for omega in OMEGAS]
    for name, method in (("SA", "smoothed_aggregation_solver"), ("RS", "ruge_stuben_solver")):
        for reuse in (False, True):
            text = f"PyAMG {name}, {'reused' if reuse else 'rebuilt'}"
            found.append(Solver(text, along(multigrid(method, reuse)), applies=large))
    for name, make in learners().items():
        found.append(Solver(f"SSOR-CG, {name}", along(learning(make, _bind_ssor)), applies=large))
        if ours_is_here():
            found.append(Solver(f"our sor, {name}", along(learning(make, bind_sor)), applies=small))
    return found


def _bind_ssor(A: sp.csr_array) -> Solve:
    triangles = Triangles(A)
    return lambda A, b, x0, omega: conjugate_gradients(A, b, x0, triangles.ssor(A, omega))


def ours_is_here() -> bool:
    """Whether numopt has its solvers of this family."""
    try:
        from numopt.relax import Tuner, sor, ssor_pcg  # noqa: F401
    except ImportError:
        return False
    return True


def bind_sor(A: sp.csr_array) -> Solve:
    """Return our SOR for matrices of this pattern."""
    return _bind("sor", A)


def bind_ssor_pcg(A: sp.csr_array) -> Solve:
    """Return our SSOR-PCG for matrices of this pattern."""
    return _bind("ssor_pcg", A)


def _bind(name: str, A: sp.csr_array) -> Solve:
    from numopt import relax

    plan = relax.relax_plan(A)

    def solve(A: sp.csr_array, b: np.ndarray, x0: np.ndarray | None, omega: float) -> tuple[np.ndarray, int]:
        result = getattr(relax, name)(A, b, x0, omega=omega, rtol=RTOL, plan=plan)
        return result.x, result.nit

    return solve


def small(instance: Instance) -> bool:
    """Whether it is one of the paper's sequences of SOR."""
    return instance.data.n <= 1000


def large(instance: Instance) -> bool:
    """Whether it is one of the sequences of preconditioned CG."""
    return not small(instance)
