"""Peers on the same device, where they are installed: each in float32 or float64 as it says, never in TF32."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from benchmarks._gpu.machine import Machine

Row = dict[str, Any]


def peers(machine: Machine) -> Iterator[Row]:
    """Time what is there; what is not gives a row that says so."""
    for name, size, dtype, call in (
        ("cupyx cg, five-point grid to 1e-8", 1000, "float64", _krylov("cg")),
        ("cupyx minres, five-point grid to 1e-8", 1000, "float64", _krylov("minres")),
        ("flash-sinkhorn, one alternating iteration, d = 64", 20_000, "float32", _flash),
        ("ott-jax, 100 Sinkhorn iterations, d = 2", 10_000, "float64", _ott),
        ("cuPDLPx, transport program", 100, "float64", _cupdlpx),
    ):
        row = {"what": name, "size": size, "dtype": dtype}
        if machine.left() < 5.0:
            yield row | {"status": "skipped", "note": "no time was left"}
            continue
        try:
            seconds, note = call(machine, max(4, int(size * machine.scale**0.5)))
            yield row | {"status": "ok", "seconds": seconds, "note": note}
        except ImportError as error:
            yield row | {"status": "skipped", "note": f"not installed: {error}"}
        except Exception as error:
            yield row | {"status": "skipped", "note": f"it failed: {type(error).__name__}: {error}"[:300]}


def _krylov(name: str) -> Callable[[Machine, int], tuple[float, str]]:
    def call(machine: Machine, m: int) -> tuple[float, str]:
        import cupyx.scipy.sparse.linalg as linalg

        from numopt.gallery import laplacian_2d

        A, b = machine.csr(laplacian_2d(m)), machine.normal(m * m)
        steps = [0]

        def count(_: Any) -> None:
            steps[0] += 1

        solve = getattr(linalg, name)
        keyword = {"rtol": 1e-8} if name == "cg" else {"tol": 1e-8}
        taken = machine.seconds(lambda: solve(A, b, **keyword), 5.0)
        x, _ = solve(A, b, callback=count, **keyword)
        norm = machine.xp.linalg.vector_norm
        off = machine.to_numpy(norm(b - A @ x) / norm(b))
        return taken, f"{steps[0]} iterations, recomputed residual {off:.1e}"

    return call


def _flash(machine: Machine, n: int) -> tuple[float, str]:
    import torch

    torch.backends.cuda.matmul.allow_tf32 = False
    import flash_sinkhorn

    x, y = (torch.randn(n, 64, device="cuda") for _ in range(2))
    weights = torch.full((n,), 1.0 / n, device="cuda")
    solve = flash_sinkhorn.SamplesLoss(loss="sinkhorn", blur=0.1)

    def events() -> None:
        solve(weights, x, weights, y)
        torch.cuda.synchronize()

    return machine.seconds(events, 5.0), "a whole call of SamplesLoss, TF32 off; divide by its number of iterations"


def _ott(machine: Machine, n: int) -> tuple[float, str]:
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp
    from ott.geometry.pointcloud import PointCloud
    from ott.solvers import linear

    keys = jax.random.split(jax.random.PRNGKey(1))
    x, y = (jax.random.uniform(key, (n, 2), dtype=jnp.float64) for key in keys)
    solve = jax.jit(lambda x, y: linear.solve(PointCloud(x, y, epsilon=1e-3), max_iterations=100, threshold=0.0).f)
    return machine.seconds(lambda: solve(x, y).block_until_ready(), 8.0), "100 iterations"


def _cupdlpx(machine: Machine, m: int) -> tuple[float, str]:
    import cupdlpx

    from numopt.gallery import transport_program

    c, A, b = transport_program(m, m)
    model = cupdlpx.Model(objective_vector=c, constraint_matrix=A, constraint_lower_bound=b, constraint_upper_bound=b)
    model.setParams(OutputFlag=False)
    return machine.seconds(lambda: model.optimize(), 8.0), "its own defaults"


PARTS: dict[str, Callable[[Machine], Iterator[Row]]] = {"peers": peers}
