"""What the relaxation solvers promise, and what came of it; the seeds of the paper are in `_relax_seeds`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy.sparse.linalg import cg

from benchmarks.peers import Figure, Row, Table, best_of
from benchmarks.peers._relax_arms import arms
from benchmarks.peers._relax_backstop import backstop
from benchmarks.peers._relax_instances import instances
from benchmarks.peers._relax_peers import OMEGAS, WITHOUT_HINDSIGHT, Triangles, large
from benchmarks.peers._relax_seeds import overheads, seeds

NEVER = 1e-300  # a tolerance that is not met, so that the iterations asked for are done


def figures(table: Table) -> Iterator[Figure]:
    """Yield all figures but the sixth, which is `python -m benchmarks.peers._relax_paper`."""
    yield from _sweeps()
    yield _iterations()
    yield from _heat(table)
    yield from arms()
    yield from seeds()
    yield overheads()
    yield from backstop()


def per_iteration(run: Callable[[int], object], few: int, many: int) -> float:
    """Return CPU seconds of one iteration: what surrounds them drops out."""
    return (best_of(lambda: run(many)).cpu - best_of(lambda: run(few)).cpu) / (many - few)


# 1: sweeps


def _our_sweep(m: int, few: int, many: int) -> float:
    from numopt.gallery import laplacian_2d
    from numopt.relax import relax_plan, sor

    A = laplacian_2d(m)
    b, plan = np.random.default_rng(0).standard_normal(A.shape[0]), relax_plan(A)
    return per_iteration(
        lambda k: sor(A, b, omega=1.5, rtol=NEVER, max_iter=k, plan=plan, on_failure="ignore"), few, many
    )


def _sweeps() -> Iterator[Figure]:
    """Yield the time of a sweep beside PyAMG's, and beside that of copying."""
    from numopt.gallery import laplacian_2d

    ours, asked = _our_sweep(300, 100, 300), "at most 0.25 of PyAMG's bare sor sweep"
    try:
        from pyamg.relaxation.relaxation import sor
    except ImportError:
        yield Figure("1, sweep, n 90 000", asked, f"{1e3 * ours:.3g} ms; no PyAMG", None)
    else:
        A = laplacian_2d(300)
        b, x = np.random.default_rng(0).standard_normal(A.shape[0]), np.zeros(A.shape[0])
        theirs = per_iteration(lambda k: sor(A, x, b, 1.5, iterations=k), 20, 60)
        seen = f"{ours / theirs:.3g}: {1e3 * ours:.3g} ms with the residual, {1e3 * theirs:.3g} ms without"
        yield Figure("1, sweep, n 90 000", asked, seen, ours <= 0.25 * theirs)
    n = 10**6
    ours = _our_sweep(1000, 10, 30)
    source, target = np.ones(7 * n), np.ones(7 * n)
    copying = best_of(lambda: np.copyto(target, source), 9).cpu
    yield Figure(
        "1, sweep, n 1 000 000", "at most 1.25 of the time in which np.copyto reads and writes 112 n bytes",
        f"{ours / copying:.3g}: {1e3 * ours:.3g} ms, {1e3 * copying:.3g} ms", ours <= 1.25 * copying,
    )  # fmt: skip


# 2: iterations


def _iterations() -> Figure:
    from numopt.gallery import laplacian_2d
    from numopt.relax import relax_plan, ssor_pcg

    A = laplacian_2d(300)
    b, plan = np.random.default_rng(0).standard_normal(A.shape[0]), relax_plan(A)
    # The last of these iterations is still far from convergence.
    ours = per_iteration(
        lambda k: ssor_pcg(A, b, omega=1.5, rtol=NEVER, max_iter=k, plan=plan, on_failure="ignore"), 30, 150
    )
    plain = per_iteration(lambda k: cg(A, b, rtol=NEVER, maxiter=k), 30, 150)
    name, asked = "2, SSOR-PCG iteration, n 90 000", "at most 1.1 of SciPy's cg, 0.25 of cg with PyAMG's SSOR"
    seen = f"{ours / plain:.3g}: {1e3 * ours:.3g} ms, cg {1e3 * plain:.3g} ms"
    try:
        M = Triangles(A).ssor(A, 1.5)
        ssor = per_iteration(lambda k: cg(A, b, rtol=NEVER, maxiter=k, M=M), 30, 150)
    except ImportError:
        return Figure(name, asked, seen + "; no PyAMG", None)
    seen = f"{ours / plain:.3g} and {ours / ssor:.3g}: {1e3 * ours:.3g} ms, {1e3 * plain:.3g} and {1e3 * ssor:.3g} ms"
    return Figure(name, asked, seen, ours <= 1.1 * plain and ours <= 0.25 * ssor)


# 3: heat, from the table


def _heat(table: Table) -> Iterator[Figure]:
    fixed = [f"SSOR-CG {omega}" for omega in OMEGAS]
    known = ["SciPy cg", "SciPy splu", *(f"SSOR-CG {omega}" for omega in WITHOUT_HINDSIGHT)]
    rebuilt = ["PyAMG SA, rebuilt", "PyAMG RS, rebuilt"]
    for instance in filter(large, instances()):
        ours = table.row(instance.name, "numopt")
        for names, ratio, text in (
            (known + rebuilt, 0.33, "the best peer that is chosen without hindsight"),
            (fixed, 0.40, "SSOR-CG at the best omega in hindsight"),
        ):
            best = table.best_peer(instance.name, names.__contains__)
            yield _ratio(f"3, {instance.name}", ours, best, ratio, text)


def _ratio(name: str, ours: Row | None, best: Row | None, most: float, text: str) -> Figure:
    asked = f"at most {most:g} of the CPU time of {text}"
    if ours is None or not ours.solved or best is None:
        return Figure(name, asked, "not comparable", False)
    ratio = ours.cpu / best.cpu
    return Figure(name, asked, f"{ratio:.3g}: {ours.cpu:.3g} s, {best.solver} {best.cpu:.3g} s", ratio <= most)
