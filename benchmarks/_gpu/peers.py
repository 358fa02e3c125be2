"""Peers on the same device, where they are installed, and ours on the same instance to the same accuracy.

No peer is known there for completion, and none for the relaxation of K-means. cuPDLPx has no wheel; its
version 0.1.2 is built from its source distribution by nvcc alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks._gpu.machine import Machine
from benchmarks._gpu.measure import asked

Row = dict[str, Any]


def peers(machine: Machine) -> Iterator[Row]:
    """Time ours and theirs; what is missing gives a row that says so."""
    each = (_krylov, 1000), (_flash, 20_000), (_cupdlpx, 100), (_ott, 10_000), (_cupdlpx, 300)  # the longest last
    for compare, size in each:
        yield from compare(machine, _sized(machine, size))
        machine.free()


def warm(machine: Machine, compare: Callable[..., Iterator[Row]], size: int, **options: Any) -> Iterator[Row]:
    """Let a peer compile what it will run, while nothing is timed. It is kept on disk; what it chooses of it is not."""
    machine.seconds = lambda call, most=0.0: machine.once(call)  # type: ignore[method-assign]
    for row in compare(machine, _sized(machine, size), **options):
        if "numopt" not in row["what"] and "asked" not in row:
            note = row["note"] if row["status"] == "skipped" else "compiled"
            yield {"what": row["what"], "status": row["status"], "note": note}


def _sized(machine: Machine, size: int) -> int:
    return max(8, int(size * machine.scale**0.5))


def _rows(machine: Machine, row: Row, ours: Callable[[], tuple[float, str]], *theirs: tuple[str, Any]) -> Iterator[Row]:
    """Yield our row, one for each peer that runs, and the comparison with the fastest that solves the problem."""
    best: list[tuple[float, str]] = []
    for name, call in (("numopt", ours), *theirs):
        named = row | {"what": f"{row['what']}: {name}"}
        if machine.left() < 5.0:
            yield named | {"status": "skipped", "note": "no time was left"}
            continue
        try:
            seconds, note, *solved = call()
            best += [(seconds, name)] if all(solved) else []
            yield named | {"status": "ok", "seconds": seconds, "note": note}
        except ImportError as error:
            yield named | {"status": "skipped", "note": f"not installed: {error}"}
        except Exception as error:
            yield named | {"status": "skipped", "note": f"it failed: {type(error).__name__}: {error}"[:300]}
    if best and best[0][1] == "numopt" and len(best) > 1:
        peer = min(best[1:])
        ratio = peer[0] / best[0][0]
        yield row | {"status": "ok", **asked(f"faster than {peer[1]}", f"{ratio:.2f} times as fast", ratio > 1)}


def _krylov(machine: Machine, m: int) -> Iterator[Row]:
    """Solve a five-point grid to 1e-8."""
    from numopt.gallery import laplacian_2d
    from numopt.relax import relax_plan, ssor_pcg

    A, b = machine.csr(laplacian_2d(m)), machine.normal(m * m)
    plan = relax_plan(A)

    def off(x: Any) -> tuple[str, bool]:
        norm = machine.xp.linalg.vector_norm
        residual = machine.to_numpy(norm(b - A @ x) / norm(b))
        return f"recomputed residual {residual:.1e}", residual < 1.1e-8

    def ours() -> tuple[float, str, bool]:
        def solve() -> Any:
            return ssor_pcg(A, b, plan=plan, rtol=1e-8, on_failure="ignore")

        result = solve()
        note, solved = off(result.x)
        return machine.seconds(solve, 3.0), f"{result.nit} iterations, {note}", solved

    def theirs(name: str, **keyword: float) -> tuple[float, str, bool]:
        import cupyx.scipy.sparse.linalg as linalg

        solve, steps = getattr(linalg, name), [0]

        def count(_: Any) -> None:
            steps[0] += 1

        note, solved = off(solve(A, b, callback=count, **keyword)[0])
        return machine.seconds(lambda: solve(A, b, **keyword), 3.0), f"{steps[0]} iterations, {note}", solved

    row = {"what": "five-point grid to 1e-8", "size": f"{m} x {m}", "dtype": "float64"}
    yield from _rows(machine, row, ours, ("cupyx cg", lambda: theirs("cg", rtol=1e-8)),
                     ("cupyx minres", lambda: theirs("minres", tol=1e-8)))  # fmt: skip


def _flash(machine: Machine, n: int, modes: Sequence[bool] = (False, True)) -> Iterator[Row]:
    """Take an alternating iteration on points in 64 dimensions: a half step of the rows and one of the columns."""
    d, reg = 64, 1.0
    X, Y = machine.uniform(n, d, dtype="float32", seed=6), machine.uniform(n, d, dtype="float32", seed=7)
    cost = machine.normal(0, 0, dtype="float32"), X, machine.xp.asarray(Y.T, copy=True, order="C"), 1
    a = machine.xp.full((n,), 1.0 / n, dtype=X.dtype)
    kernels = machine.kernels("ot", machine.rooms[-1])

    def ours() -> tuple[float, str]:
        taken = machine.seconds(lambda: kernels.row_pass(cost, a, 0 * a, 0 * a, reg, True), 3.0)
        return taken, "row potentials and column sums, products in float64"

    def theirs(tf32: bool) -> tuple[float, str]:
        import torch
        from flash_sinkhorn.sinkhorn_solvers import sinkhorn_flashstyle_alternating as solve

        torch.backends.cuda.matmul.allow_tf32 = tf32
        x, y, w = (torch.from_dlpack(v) for v in (X, Y, a))

        def many(count: int) -> float:
            def call() -> None:
                solve(x, y, w, w, eps=reg, n_iters=count, allow_tf32=tf32)
                torch.cuda.synchronize()

            return machine.seconds(call, 3.0)

        few, more = many(5), many(25)
        return (more - few) / 20, f"one of 20 iterations; TF32 {'on' if tf32 else 'off'}, tuned by itself"

    row = {"what": f"an alternating iteration, points, d = {d}", "size": n, "dtype": "float32"}
    calls = [("flash-sinkhorn in TF32" if tf32 else "flash-sinkhorn", partial(theirs, tf32)) for tf32 in modes]
    for found in _rows(machine, row, ours, *calls):
        if found["what"].endswith(": numopt") and "seconds" in found:
            taken = 1e3 * found["seconds"]
            found |= asked("2.2 ms, as flash-sinkhorn publishes for an A100 with TF32", f"{taken:.2f} ms", taken < 2.2)
        yield found


def _ott(machine: Machine, n: int) -> Iterator[Row]:
    """Match points of the unit square to a marginal error of 1e-6."""
    from numopt.ot import sinkhorn_newton

    X, Y, a = machine.uniform(n, 2, seed=6), machine.uniform(n, 2, seed=7), machine.xp.full((n,), 1.0 / n)
    cost = machine.normal(0, 0), X, machine.xp.asarray(Y.T, copy=True, order="C"), 1
    kernels = machine.kernels("ot", "portable")

    def off(f: Any, g: Any, reg: float) -> tuple[str, bool]:
        rows, columns, _ = kernels.plan_sums(cost, f, g, reg)
        total = machine.xp.sum(machine.xp.abs(rows - a)) + machine.xp.sum(machine.xp.abs(columns - a))
        error = float(machine.to_numpy(total))
        return f"recomputed marginal error {error:.1e}", error < 2e-6

    for reg in (1e-2, 1e-3):

        def ours(reg: float = reg) -> tuple[float, str, bool]:
            def solve() -> Any:
                return sinkhorn_newton(a, a, X=X, Y=Y, reg=reg, tol=1e-6, on_failure="ignore")

            result = solve()
            return machine.seconds(solve, 3.0), *off(result.f, result.g, reg)

        def theirs(reg: float = reg) -> tuple[float, str, bool]:
            import jax

            jax.config.update("jax_enable_x64", True)
            from ott.geometry.pointcloud import PointCloud
            from ott.solvers import linear

            def potentials(x: Any, y: Any) -> Any:
                out = linear.solve(PointCloud(x, y, epsilon=reg), max_iterations=20_000, threshold=1e-6)
                return out.f, out.g

            x, y = (jax.dlpack.from_dlpack(v) for v in (X, Y))
            solve = jax.jit(potentials)
            f, g = (machine.library.from_dlpack(v) for v in solve(x, y))
            note, solved = off(f, g, reg)
            return machine.seconds(lambda: jax.block_until_ready(solve(x, y)), 3.0), note, solved

        row = {"what": f"points in a square to 1e-6, reg {reg:g}", "size": n, "dtype": "float64"}
        yield from _rows(machine, row, ours, ("ott-jax", theirs))


def _cupdlpx(machine: Machine, m: int) -> Iterator[Row]:
    """Solve a transport program to 1e-4, by the certificate of `linprog_pd` recomputed on the host for both."""
    from numopt.gallery import transport_program
    from numopt.monotone import linprog_pd

    c, A, b = transport_program(m, m)
    moved = machine.asarray(c), machine.csr(A.tocsr()), machine.asarray(b)
    most = min(machine.left() / 6, 20.0)  # the first solve compiles; three that do not end leave time for the peers

    def off(x: np.ndarray, y: np.ndarray) -> tuple[str, bool]:
        x, norm = np.maximum(x, 0), np.linalg.norm
        gap, size = abs(c @ x - b @ y), np.sum(np.abs(c * x)) + np.sum(np.abs(b * y))
        error = max(norm(A @ x - b) / norm(b), norm(np.minimum(c - A.T @ y, 0)) / norm(c), gap / size)
        return f"recomputed error {error:.1e}", error < 1.1e-4

    def ours() -> tuple[float, str, bool]:
        def solve() -> Any:
            return linprog_pd(moved[0], A_eq=moved[1], b_eq=moved[2], tol=1e-4, max_time=most, on_failure="ignore")

        result = solve()
        note, solved = off(machine.to_numpy(result.x), machine.to_numpy(result.eqlin.marginals))
        return machine.seconds(solve, 3.0), f"{result.n_passes} passes, {note}", solved

    def theirs() -> tuple[float, str, bool]:
        import cupdlpx

        model = cupdlpx.Model(c, A, b, b, variable_lower_bound=np.zeros(c.size))
        for tol in (1e-4, 3e-5, 1e-5, 1e-6):  # its errors have other denominators
            model.setParams(OutputFlag=False, OptimalityTol=tol, FeasibilityTol=tol, TimeLimit=5.0)
            model.optimize()
            note, solved = off(model.X, model.Pi)
            if solved:
                break
        return machine.seconds(model.optimize, 3.0), f"tolerance {tol:g}, moves its data each time, {note}", solved

    row = {"what": "transport program to 1e-4", "size": f"{m} x {m}", "dtype": "float64"}
    yield from _rows(machine, row, ours, ("cuPDLPx", theirs))


PARTS: dict[str, Callable[[Machine], Iterator[Row]]] = {
    "peers": peers,
    "warm-flash": partial(warm, compare=_flash, size=20_000, modes=(False,)),
    "warm-flash-tf32": partial(warm, compare=_flash, size=20_000, modes=(True,)),
}
