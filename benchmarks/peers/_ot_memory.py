"""Solve between large point clouds; print seconds and memory as JSON. For a process of its own."""

from __future__ import annotations

import json
import sys
import time

from benchmarks.peers._measure import memory
from numopt import threads
from numopt.gallery import gaussian_clouds
from numopt.ot import sinkhorn_newton


def main(n: int, dim: int, reg: float, tol: float) -> None:
    """Solve once for real, after a small problem that compiles the kernels."""

    def solve(n: int) -> tuple:
        X, Y, a, b = gaussian_clouds(n, dim=dim)
        before, wall, cpu = memory("VmRSS"), time.perf_counter(), time.process_time()
        options = {"reg": reg, "reg_relative": True, "tol": tol, "on_failure": "ignore"}
        result = sinkhorn_newton(a, b, X=X, Y=Y, **options)
        return result, time.perf_counter() - wall, time.process_time() - cpu, memory("VmHWM") - before

    with threads(1):
        solve(1000)
        result, wall, cpu, extra = solve(n)
    record = {"wall": wall, "cpu": cpu, "extra": extra, "error": result.marginal_error}
    json.dump(record | {"nnz": result.nnz, "n_passes": result.n_passes}, sys.stdout)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]), *map(float, sys.argv[3:5]))
