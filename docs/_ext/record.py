"""The role `gpu`: a time from the record of the device, :gpu:`what / size / kernels`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

RECORD = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "gpu.json"


def seconds(what: str, size: str, kernels: str) -> float:
    """Return the time of the one row of the record with these three."""
    rows = (row for part in json.loads(RECORD.read_text(encoding="utf-8"))["parts"] for row in part["rows"])
    wanted = what, size, kernels
    found = [row["seconds"] for row in rows if (row["what"], str(row.get("size")), row.get("room")) == wanted]
    if len(found) != 1:
        raise LookupError(f"the record has {len(found)} rows for {' / '.join(wanted)}: one is expected")
    return float(found[0])


def text(time: float) -> str:
    """Return three digits of a time and its unit."""
    unit, name = (1.0, "s") if time >= 1 else (1e-3, "ms") if time >= 1e-4 else (1e-6, "µs")
    return f"{float(f'{time / unit:.3g}'):g} {name}"


def role(name: str, raw: str, source: str, line: int, inliner: Any, *_: Any) -> tuple[list[Any], list[Any]]:
    """Write the time."""
    try:
        return [nodes.Text(text(seconds(*" ".join(source.split()).split(" / "))))], []  # it may be on two lines
    except (LookupError, TypeError) as error:
        return [], [inliner.reporter.error(str(error), line=line)]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the role."""
    app.add_role("gpu", role)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
