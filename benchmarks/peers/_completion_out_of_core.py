"""A matrix of 1e8 entries in files. `python -m benchmarks.peers._completion_out_of_core [FOLDER] [--write]`.

200 000 x 200 000, rank 10, float32: 1.6 GB of files, made first (a minute or two, in memory that does not count). Then
a process of its own completes it and watches its memory; pages of files, which the system may drop at any time, are not
counted. Prints the seconds of each sweep and step; with `--write`, to `benchmarks/results/` as well.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers import Figure
from benchmarks.peers._alone import alone
from benchmarks.peers._measure import memory
from numopt import threads
from numopt._kernels import kernels

N, RANK, PER_ROW = 200_000, 10, 500
LIMIT = 2 * 2**30
ROWS_AT_ONCE = 10_000


def truth(n: int = N) -> tuple[np.ndarray, np.ndarray]:
    """Return the factors of the clean matrix."""
    rng = np.random.default_rng(0)
    U, V = (rng.standard_normal((n, RANK)).astype(np.float32) for _ in range(2))
    return U / np.float32(RANK**0.5), V


def make(folder: Path, n: int = N, per_row: int = PER_ROW) -> None:
    """Write the entries by rows and by columns."""
    U, V = truth(n)
    rng = np.random.default_rng(1)
    indices, counts = [], []
    for _ in range(0, n, ROWS_AT_ONCE):
        drawn = np.sort(rng.integers(0, n, (min(ROWS_AT_ONCE, n), per_row), dtype=np.int32), axis=1)
        once = np.ones(drawn.shape, bool)
        once[:, 1:] = drawn[:, 1:] > drawn[:, :-1]
        indices.append(drawn[once])
        counts.append(once.sum(axis=1))
    columns, ptr = np.concatenate(indices), np.concatenate(([0], np.cumsum(np.concatenate(counts))))
    rows = np.repeat(np.arange(n, dtype=np.int32), np.diff(ptr))
    _write(folder, "rows", rows, columns, ptr, U, V)
    order, ptr = kernels("completion", np).grouped(columns, rows, n, n)
    _write(folder, "columns", columns[order], rows[order], ptr, V, U)


def _write(folder: Path, name: str, own: np.ndarray, other: np.ndarray, ptr: np.ndarray, U: Any, V: Any) -> None:
    values = np.empty(own.size, np.float32)
    for lo in range(0, own.size, 1 << 22):
        part = slice(lo, lo + (1 << 22))
        values[part] = np.einsum("ij,ij->i", U[own[part]], V[other[part]])
    for what, x in (("data", values), ("indices", other), ("indptr", ptr)):
        np.save(folder / f"{name}-{what}.npy", x)


def solve(folder: Path) -> None:
    """Complete the matrix in the files, in a process of its own; print a record as JSON."""
    from numopt.completion import complete_files

    def form(name: str, kind: Path = folder) -> tuple[np.ndarray, ...]:
        return tuple(np.load(kind / f"{name}-{what}.npy", mmap_mode="r") for what in ("data", "indices", "indptr"))

    most, done = [memory("RssAnon")], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            most[0] = max(most[0], memory("RssAnon"))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    with threads(1):
        rows, columns = form("rows"), form("columns")
        start, cpu = time.perf_counter(), time.process_time()
        result = complete_files(rows, columns, RANK, tol=1e-5, rng=0, on_failure="ignore")
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    done.set()
    watcher.join()
    n = rows[2].size - 1
    U, V = truth(n)
    i, j = np.random.default_rng(2).integers(0, n, (2, 200_000))
    clean = np.einsum("ij,ij->i", U[i], V[j])
    steps = np.diff(result.history["time"])
    sweeps = steps[: result.n_als - 1]
    json.dump(
        {
            "entries": int(rows[0].size),
            "success": bool(result.success),
            "error": float(np.linalg.norm(result.predict(i, j) - clean) / np.linalg.norm(clean)),
            "sweep": float(np.median(sweeps)) if sweeps.size else float("nan"),
            "step": float(np.median(steps[result.n_als :])) if steps.size > result.n_als else float("nan"),
            "n_als": result.n_als, "n_gn": result.n_gn, "wall": wall, "cpu": cpu, "memory": most[0],
        },
        sys.stdout,
    )  # fmt: skip


def figure(folder: Path) -> Figure:
    """Return what the record of such a process says."""
    asked = "1e8 entries within 2 GiB, time per sweep printed"
    try:
        seen = alone("_completion_out_of_core", "--solve", folder)
    except RuntimeError as error:
        return Figure("6, out of core", asked, f"failed: {error}", False)
    text = (
        f"{seen['entries']:.3g} entries, {seen['memory'] / 2**30:.2f} GiB; {seen['sweep']:.3g} s a sweep "
        f"({seen['n_als']}), {seen['step']:.3g} s a Gauss-Newton step ({seen['n_gn']}), {seen['wall']:.3g} s in all "
        f"({seen['cpu']:.3g} CPU s), error {seen['error']:.1e}, success {seen['success']}"
    )
    large = seen["entries"] > 0.99 * N * PER_ROW
    return Figure("6, out of core", asked, text, seen["memory"] <= LIMIT and seen["success"] if large else None)


def main(*args: str) -> None:
    """Make the files, complete, print."""
    from benchmarks.peers import _report

    folders = [x for x in args if x != "--write"]
    with tempfile.TemporaryDirectory(dir=folders[0] if folders else None) as folder:
        make(Path(folder))
        found = figure(Path(folder))
    print(_report.figure_line(found), flush=True)
    if "--write" in args:
        text = _report.figures_rst(_report.heading((), 1), [found])
        (_report.RESULTS / "completion-out-of-core.rst").write_text(text, encoding="utf8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--solve"]:
        solve(Path(sys.argv[2]))
    else:
        main(*sys.argv[1:])
