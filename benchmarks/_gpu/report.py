"""The record of a run: one JSON and one Markdown table, rewritten after every part."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ESCAPED = str.maketrans({'"': '""', "|": "\\|"})  # for a cell of a csv-table: a bar would begin a substitution
PAYS = 1.5  # times as fast as the portable kernel, from which a CUDA kernel may become the default
TIMED = "bench-", "break-even", "peers"  # beginnings of the names of parts
COLUMNS = (
    ("what", "what"), ("status", "status"), ("size", "size"), ("dtype", "dtype"), ("room", "kernels"),
    ("error", "error"), ("seconds", "seconds"), ("of_limit", "times the limit"), ("note", "note"),
)  # fmt: skip
FIGURES = (
    ("part", "part"), ("what", "what"), ("size", "size"), ("dtype", "dtype"), ("asked", "asked"), ("seen", "seen"),
    ("holds", "holds"),
)  # fmt: skip


Table = list[list[str]]  # the first line is the heading


def write(folder: Path, facts: dict[str, Any], parts: Sequence[dict[str, Any]]) -> tuple[Path, Path]:
    """Write what is known so far; return the paths of the JSON and of the table. The pages of docs/ take a third."""
    folder.mkdir(parents=True, exist_ok=True)
    data, table, docs = (folder / f"gpu.{kind}" for kind in ("json", "md", "rst"))
    record = json.dumps({**facts, "parts": list(parts)}, indent=1) + "\n"
    for path, text in ((data, record), (table, page(facts, parts)), (docs, for_docs(facts, parts))):
        part = path.with_suffix(path.suffix + ".part")
        part.write_text(text, encoding="utf8")
        part.replace(path)
    return data, table


def page(facts: dict[str, Any], parts: Sequence[dict[str, Any]]) -> str:
    """Return the record as Markdown."""
    lines = [f"# numopt on {facts.get('device', 'an unknown device')}", ""]
    lines += [f"- {name}: {_text(value)}" for name, value in facts.items() if name not in ("device", "parts")]
    for part in parts:
        lines += ["", f"## {part['name']}: {part['status']}, {part['seconds']:.0f} s", ""]
        if part.get("message"):
            lines += ["```", part["message"].strip(), "```", ""]
        lines += _markdown(_table(part["rows"]))
    for title, table in _conclusions(facts, parts):
        lines += ["", f"## {title}", "", *_markdown(table)]
    return "\n".join(lines) + "\n"


def for_docs(facts: dict[str, Any], parts: Sequence[dict[str, Any]]) -> str:
    """Return the conclusions and all that was timed as reStructuredText; of the checks, how many there were."""
    named = {name: _text(value) for name, value in facts.items() if name != "parts"}
    lines = ["; ".join(f"{name}: {value}" for name, value in named.items()) + ".", ""]
    for part in parts:
        if part["rows"] and not part["name"].startswith(TIMED):
            found = Counter(row["status"] for row in part["rows"])
            notes = [row["note"] for row in part["rows"] if part["name"] == "tests" and "note" in row]
            counts = ", ".join(f"{n} {status}" for status, n in found.items())
            lines.append(" ".join([f"- ``{part['name']}``: {counts}", *notes]))
    timed = [(part["name"], _table(part["rows"])) for part in parts if part["name"].startswith(TIMED)]
    for title, table in (*_conclusions(facts, parts), *(found for found in timed if found[1][0])):
        lines += ["", f".. csv-table:: {title}", "   :header-rows: 1", ""]
        lines += ["   " + ",".join('"' + cell.translate(ESCAPED) + '"' for cell in line) for line in table]
    return "\n".join(lines) + "\n"


def _conclusions(facts: dict[str, Any], parts: Sequence[dict[str, Any]]) -> list[tuple[str, Table]]:
    """Return the figures that were asked for, and which kernels pay, with their titles."""
    figures = [{"part": part["name"], **row} for part in parts for row in part["rows"] if "asked" in row]
    found = [("Figures asked for", _table(figures, FIGURES))] if figures else []
    if not facts.get("device", "none").startswith("none") and (verdict := pays(parts)):
        lines = [[what, f"{ratio:.2f}", "pays" if ratio >= PAYS else "does not pay"] for what, ratio in verdict]
        heading = ["kernel or solve", "times as fast as portable", f"{PAYS} are asked"]
        found.append(("Which CUDA kernels pay", [heading, *lines]))
    return found


def pays(parts: Sequence[dict[str, Any]]) -> list[tuple[str, float]]:
    """Return (what, how many times as fast as portable) for each kernel that was timed in both rooms."""
    timed: dict[tuple[Any, ...], dict[str, float]] = {}
    for part in parts:
        for row in part["rows"]:
            if row.get("room") and row.get("seconds") and part["name"].startswith("bench"):
                key = row["what"], row.get("size", ""), row.get("dtype", "")
                timed.setdefault(key, {})[row["room"]] = row["seconds"]
    return [
        (" ".join(map(str, key)).strip(), rooms["portable"] / rooms["cuda"])
        for key, rooms in timed.items()
        if {"portable", "cuda"} <= rooms.keys()
    ]


def break_even(sizes: Sequence[float], ours: Sequence[float], other: Sequence[float]) -> float | None:
    """Return the size from which `ours` is faster than `other`: by a line between logarithms of sizes and ratios.

    0.0 if it always is, None if it is not at the largest size.
    """
    from math import exp, log

    logs = [log(o / t) for t, o in zip(ours, other, strict=True)]  # above 0 where ours is faster
    if logs[-1] < 0:
        return None
    k = len(logs) - 1
    while k > 0 and logs[k - 1] >= 0:
        k -= 1
    if k == 0:
        return 0.0
    share = -logs[k - 1] / (logs[k] - logs[k - 1])
    return exp(log(sizes[k - 1]) + share * (log(sizes[k]) - log(sizes[k - 1])))


def _table(rows: Sequence[dict[str, Any]], columns: Sequence[tuple[str, str]] = COLUMNS) -> Table:
    used = [(key, title) for key, title in columns if any(row.get(key) not in (None, "") for row in rows)]
    return [[title for _, title in used]] + [[_text(row.get(key, "")) for key, _ in used] for row in rows]


def _markdown(table: Table) -> list[str]:
    if not table[0]:
        return ["(nothing)"]
    lines = ["| " + " | ".join(cell.replace("|", "/") for cell in line) + " |" for line in table]
    return [lines[0], "|" + " --- |" * len(table[0]), *lines[1:]]


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    if isinstance(value, bool):
        return "yes" if value else "**no**"
    return f"{value:.3g}" if isinstance(value, float) else str(value if value is not None else "")
