"""The printed table, the figures, the JSON and the page fragment that the docs include."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import json
import math
import os
import platform
from pathlib import Path
from typing import Any

from benchmarks.peers import Figure, Row, Table

RESULTS = Path(__file__).resolve().parents[1] / "results"
CORE = ("numopt", "numpy", "scipy", "numba")
HEAD = ("instance", "solver", "accuracy", "CPU s", "wall s", "iterations", "ratio", "")


def machine() -> dict[str, str]:
    """Return what a reader must know of the machine to judge seconds."""
    return {
        "cpu": cpu_model(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def cpu_model() -> str:
    """Return the processor's name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Return the versions of the installed ones among `packages`, after those numopt rests on."""
    found = {}
    for name in dict.fromkeys((*CORE, *packages)):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def cells(row: Row) -> tuple[str, ...]:
    """Return one line of the table as text."""

    def number(value: float | None, form: str) -> str:
        return "-" if value is None else format(value, form)

    note = row.note if row.runs in (0, 3) else f"{row.note} (best of {row.runs})".strip()
    return (
        row.instance,
        row.solver,
        number(row.accuracy, ".1e"),
        number(row.cpu, ".4g"),
        number(row.wall, ".4g"),
        number(row.nit, "d"),
        number(row.ratio, ".3g"),
        note,
    )


def text(table: Table) -> str:
    """Return the table for a terminal."""
    lines = [HEAD, *map(cells, table.rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = (map(str.ljust, line, widths) for line in lines)
    return "\n".join("  ".join(line).rstrip() for line in padded)


def figure_line(figure: Figure) -> str:
    """Return one figure as a line: asked, seen, holds or not."""
    verdict = {True: "holds", False: "DOES NOT HOLD", None: "reported"}[figure.holds]
    return f"{figure.name}: asked {figure.asked}; seen {figure.seen}; {verdict}"


def rst(head: dict[str, Any], table: Table, figures: list[Figure]) -> str:
    """Return the page fragment for the docs."""
    if not table.rows:
        return figures_rst(head, figures)
    return "\n".join(
        [
            _circumstances(head),
            "Best of three runs, or as the row says, after one to warm up; the ratio is CPU time over that of",
            "the best peer that solved the instance.",
            "",
            *_grid((*HEAD[:-1], "note"), _gathered(table.rows)),
            *_promised(figures),
        ]
    )


def _gathered(rows: list[Row]) -> list[tuple[str, ...]]:
    """Return the lines of the table; the solvers that were not tried on an instance share one."""
    lines: dict[tuple[str, str], tuple[str, ...]] = {}
    for row in rows:
        key, line = (row.instance, row.solver), cells(row)
        if row.note.startswith("not tried"):
            key = row.instance, "not tried"
            names = [lines[key][1]] if key in lines else []
            line = (row.instance, "; ".join([*names, row.solver]), *line[2:-1], "not tried: too slow on an easier one")
        lines[key] = line
    return list(lines.values())


def figures_rst(head: dict[str, Any], figures: list[Figure]) -> str:
    """Return the page fragment of figures that are measured apart."""
    return "\n".join([_circumstances(head), "", *_promised(figures)])


def grid_rst(head: dict[str, Any], titles: tuple[str, ...], lines: list[tuple[str, ...]]) -> str:
    """Return the page fragment of a table of its own."""
    return "\n".join([_circumstances(head), "", *_grid(titles, lines)])


def _circumstances(head: dict[str, Any]) -> str:
    about = ", ".join(f"{k} {v}" for k, v in head["versions"].items())
    where = f"{head['machine']['cpu']}, {head['machine']['cores']} cores, Python {head['machine']['python']}"
    return f"Measured on {head['date']}: {where}; {about}; {head['threads']} thread(s)."


def _grid(titles: tuple[str, ...], lines: list[tuple[str, ...]]) -> list[str]:
    def quoted(cell: str) -> str:
        return '""' if cell == "-" else '"' + cell.replace('"', '""') + '"'  # a dash would begin a list

    rows = [",".join(map(quoted, line)) for line in (titles, *lines)]
    return [".. csv-table::", "   :header-rows: 1", "", *("   " + row for row in rows), ""]


def _promised(figures: list[Figure]) -> list[str]:
    verdict = {True: "holds", False: "does not hold", None: "reported"}
    return _grid(("figure", "asked", "seen", "verdict"), [(f.name, f.asked, f.seen, verdict[f.holds]) for f in figures])


def heading(packages: tuple[str, ...], threads: int) -> dict[str, Any]:
    """Return date, machine and versions."""
    return {
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "versions": versions(packages),
        "threads": threads,
    }


def save(family: str, head: dict[str, Any], table: Table, figures: list[Figure], folder: Path) -> None:
    """Write `peers-<family>.json` and `peers-<family>.rst`."""
    rows = [{k: _plain(v) for k, v in dataclasses.asdict(row).items()} for row in table.rows]
    record = {"family": family, **head, "rows": rows, "figures": [dataclasses.asdict(f) for f in figures]}
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=1, default=lambda scalar: scalar.tolist())  # NumPy's scalars
    (folder / f"peers-{family}.json").write_text(text + "\n", encoding="utf8")
    (folder / f"peers-{family}.rst").write_text(rst(head, table, figures), encoding="utf8")


def _plain(value: Any) -> Any:
    """JSON knows no NaN or infinity: write them as text."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
