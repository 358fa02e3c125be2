"""`python benchmarks/gpu.py`: all that a machine with a CUDA device can tell about numopt, in at most 8 minutes.

Checks of the kernels, parity of every solver with the CPU, benchmarks, peers that are installed, and the tests marked
`cuda`. Needs the hard dependencies and CuPy alone; what else is missing gives a row that says so. array-api-compat is
a pure Python wheel: one that lies in a folder named by ``--wheels`` is used from there.

Each part runs in a process of its own with its own limit in seconds, since a fault on a device spoils all that follows
in its process. What is only checked runs side by side, what is timed runs alone; meanwhile what the peers compile, and
the CPU side of the break-even sizes, is compiled. Rows are written as they come, and the record after each part:
whatever happens, what was found stays. ``--stand-in`` rehearses all with NumPy; its seconds
mean nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BUDGET = 465.0  # seconds, of the 480 promised
WARM = "import os, sys; os.nice(9); sys.path[:0] = sys.argv[2:]; import numopt; numopt.warmup('float64', sys.argv[1])"
RESULTS = ROOT / "benchmarks" / "results"


@dataclass(frozen=True)
class Part:
    """A part of the run: `seconds` is its share; what earlier parts leave is added to it, up to three times that."""

    name: str
    seconds: float


Stage = tuple[Part, ...]  # parts side by side
FAMILIES = "ot", "monotone", "relax", "completion", "clustering"
CHECKS = (*(f"check-{family}" for family in (*FAMILIES, "mixture")), "parity-float64", "parity-float32", "tests",
          "warm-flash", "warm-flash-tf32")  # fmt: skip
STAGES: tuple[Stage, ...] = (
    (Part("device", 15),),
    tuple(Part(name, 100) for name in CHECKS),  # nothing is timed
    *((Part(f"bench-{family}", seconds),) for family, seconds in zip(FAMILIES, (60, 30, 30, 45, 45), strict=True)),
    (Part("peers", 80),),
    (Part("break-even", 60),),  # last: the CPU side has to be compiled by then
)
FEW_THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "2")
FOR_JAX = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}  # else it takes most of the device

Outcome = tuple[str, str, list[dict[str, Any]]]  # status, message, rows


def orchestrate(
    stages: Sequence[Stage], run: Callable[[Part, float], Outcome], budget: float, written: Callable[[list[Any]], Any],
    clock: Callable[[], float] = time.perf_counter,
) -> list[dict[str, Any]]:  # fmt: skip
    """Run one stage after the other within `budget` seconds; call `written` with all records after each part."""
    began, planned, records = clock(), 0.0, []

    def record(part: Part, limit: float) -> dict[str, Any]:
        start = clock()
        if limit < 3.0:
            status, message, rows = "skipped", "no time was left", []
        else:
            try:
                status, message, rows = run(part, limit)
            except Exception as error:  # whatever it is, the other parts go on
                status, message, rows = "failed", f"{type(error).__name__}: {error}", []
        return {"name": part.name, "status": status, "seconds": clock() - start, "message": message, "rows": rows}

    for stage in stages:
        now = clock() - began
        saved = max(planned - now, 0.0)
        planned += max(part.seconds for part in stage)
        limits = [min(part.seconds + min(saved, 2 * part.seconds), budget - now) for part in stage]
        with ThreadPoolExecutor(len(stage)) as pool:
            for found in pool.map(record, stage, limits):
                records.append(found)
                written(records)
    return records


def in_a_process(
    options: Sequence[str], warm: Sequence[subprocess.Popen[bytes]] = ()
) -> Callable[[Part, float], Outcome]:
    """Return the function that runs a part in a process of its own; the last part waits for what compiles, `warm`."""

    def run(part: Part, limit: float) -> Outcome:
        environment = os.environ | FOR_JAX | (FEW_THREADS if part.name in CHECKS else {})
        if part.name == "break-even":
            limit -= waited(warm, limit / 2)
        with tempfile.TemporaryDirectory() as folder:
            rows = Path(folder) / "rows"
            command = [sys.executable, str(Path(__file__)), "--part", part.name, "--rows", str(rows)]
            command += ["--budget", f"{limit:.1f}", *options]
            try:
                done = subprocess.run(
                    command, cwd=ROOT, capture_output=True, text=True, timeout=limit, check=False, env=environment
                )
                status, text = ("ok", "") if done.returncode == 0 else ("failed", done.stderr[-2000:] or "no message")
            except subprocess.TimeoutExpired as late:
                status, text = "stopped", f"it ran into its limit of {limit:.0f} s\n{_tail(late.stderr)}"
            found = read(rows)
        if status == "ok" and any(row["status"] == "wrong" for row in found):
            status = "wrong"
        return status, text, found

    return run


def waited(processes: Sequence[subprocess.Popen[bytes]], most: float) -> float:
    """Return the seconds, at most `most`, until these processes had ended."""
    began = time.perf_counter()
    for process in processes:
        try:
            process.wait(max(began + most - time.perf_counter(), 0.0))
        except subprocess.TimeoutExpired:
            break
    return time.perf_counter() - began


def read(path: Path) -> list[dict[str, Any]]:
    """Return the rows that a part has written, whole lines alone."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf8").split("\n")[:-1]
    return [json.loads(line) for line in lines]


def perform(name: str, machine: Any) -> Iterator[dict[str, Any]]:
    """Yield the rows of a part."""
    from benchmarks._gpu import checks, measure, peers

    found = {**checks.PARTS, **measure.PARTS, **peers.PARTS}
    yield from found[name](machine)


def one_part(arguments: argparse.Namespace) -> int:
    """Run a part here, and write its rows as they come."""
    from benchmarks._gpu.machine import Machine, StandIn

    machine = (StandIn if arguments.stand_in else Machine)(arguments.budget - 2.0)
    with open(arguments.rows, "a", encoding="utf8") as sink:
        for row in perform(arguments.part, machine):
            sink.write(json.dumps(row, default=float) + "\n")
            sink.flush()
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run all parts; return 1 if a check failed, 2 without a device."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, help="folder of the record, benchmarks/results by default")
    parser.add_argument("--budget", type=float, default=BUDGET, help="seconds in all")
    parser.add_argument("--only", default="", help="parts, or beginnings of names, by commas; needs --out")
    parser.add_argument("--wheels", help="folder with pure Python wheels to use")
    parser.add_argument("--stand-in", action="store_true", help="rehearse with NumPy; needs --out")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--rows", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    own = [str(ROOT), *(map(str, Path(arguments.wheels).glob("*.whl")) if arguments.wheels else ())]
    sys.path[:0] = own
    if arguments.part:
        return one_part(arguments)
    if (arguments.stand_in or arguments.only) and arguments.out is None:
        parser.error("a rehearsal, or some parts, are no record of a device: name a folder with --out")
    if not arguments.stand_in and (missing := absent()):
        print(missing)
        return 2
    options = ["--stand-in"] * arguments.stand_in + (["--wheels", arguments.wheels] if arguments.wheels else [])
    wanted = [name for name in arguments.only.split(",") if name]
    chosen = (tuple(p for p in stage if not wanted or p.name.startswith(tuple(wanted))) for stage in STAGES)
    stages = [stage for stage in chosen if stage]
    from benchmarks._gpu import report

    facts = {"date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), "commit": commit()}
    folder = arguments.out or RESULTS

    def written(records: list[dict[str, Any]]) -> None:
        last = records[-1]
        print(f"{last['name']:18} {last['status']:8} {last['seconds']:6.1f} s  {len(last['rows'])} rows", flush=True)
        for row in records[0]["rows"]:  # the device's
            facts.update(row.get("facts", {}))
        report.write(folder, facts, records)

    # The CPU side of the break-even sizes takes a while to compile: on cores that nobody else needs meanwhile.
    warm = [] if arguments.stand_in else [subprocess.Popen([sys.executable, "-c", WARM, f, *own]) for f in FAMILIES]
    try:
        records = orchestrate(stages, in_a_process(options, warm), arguments.budget, written)
    finally:
        for process in warm:
            process.kill()
    print((folder / "gpu.md").read_text(encoding="utf8"))
    return 1 if any(record["status"] in ("wrong", "failed") for record in records) else 0


def absent() -> str:
    """Say what is missing for a device to be used, or return nothing."""
    try:
        import cupy

        return "" if cupy.cuda.is_available() else f"CuPy {cupy.__version__} finds no CUDA device: nothing was run"
    except ImportError as error:
        return f"CuPy cannot be imported ({error}): pip install 'numopt[cuda12]' or 'numopt[cuda13]'"


def commit() -> str:
    """Return the commit that is measured, and whether the files differ from it."""
    command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=, with changes"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _tail(text: Any) -> str:
    text = text.decode(errors="replace") if isinstance(text, bytes) else text or ""
    return text[-1000:]


if __name__ == "__main__":
    sys.exit(main())
