"""Memory: clouds are never turned into matrices; measured in processes of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import json, sys, tracemalloc
import numpy as np
import numopt
from numopt.ot import sinkhorn_newton

n, traced = int(sys.argv[1]), sys.argv[2] == "traced"
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(n, 3)), rng.normal(size=(n, 3)) + 0.5
u, settings = np.full(n, 1 / n), {"reg": 1e-3, "reg_relative": True}

def status(name):
    with open("/proc/self/status") as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))

with numopt.threads(1):
    small = np.full(150, 1 / 150)
    for reg in (1.0, 1e-3):
        sinkhorn_newton(small, small, X=X[:150], Y=Y[:150], reg=reg, reg_relative=True).gap
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # forget the peak of compilation
    before = status("VmRSS")
    if traced:
        tracemalloc.start()
    result = sinkhorn_newton(u, u, X=X, Y=Y, **settings)
    peak = tracemalloc.get_traced_memory()[1] if traced else status("VmHWM") - before
    if "gap" in sys.argv:
        peak = 0, result.lp_lower_bound, result.rounded_cost
        peak = status("VmHWM") - before
print(json.dumps({"peak": peak, "nnz": int(result.history["nnz"].max()), "success": result.success}))
"""


def solve(*arguments):
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", CODE, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | {"PYTHONPATH": path, "NUMBA_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


resident = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
SIZES = [2000, 5000, pytest.param(20_000, marks=pytest.mark.slow)]


@resident
@pytest.mark.parametrize("n", SIZES)
def test_a_cloud_takes_what_its_entries_take(n):
    run = solve(n, "resident")
    assert run["success"]
    # 2 bytes a pair of a plan, or of the rows of it, that are kept whole; 1 bit a pair while entries are chosen
    plan = 2 * min(n * n, 2**26)
    assert run["peak"] <= 64 * 2**20 + 16 * run["nnz"] + plan + n * n / 8
    assert run["peak"] <= 2**30


@pytest.mark.parametrize("n", SIZES)
def test_what_is_asked_of_the_allocator(n):
    run = solve(n, "traced")
    plan = 2 * min(n * n, 2**26)
    assert run["peak"] <= 64 * 2**20 + 16 * run["nnz"] + plan + n * n / 8


@resident
def test_bounds_of_a_cloud_need_no_matrix():
    n = 4000  # its matrix has 128 MB
    run = solve(n, "resident", "gap")
    assert run["peak"] <= 64 * 2**20 + 16 * run["nnz"] + 2 * n * n + n * n / 8
