"""The record of a run: one JSON and one Markdown table, rewritten after every part."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PAYS = 1.5  # times as fast as the portable kernel, from which a CUDA kernel may become the default
COLUMNS = (
    ("what", "what"), ("status", "status"), ("size", "size"), ("dtype", "dtype"), ("room", "kernels"),
    ("error", "error"), ("seconds", "seconds"), ("of_limit", "times the limit"), ("note", "note"),
)  # fmt: skip
FIGURES = (
    ("part", "part"), ("what", "what"), ("size", "size"), ("dtype", "dtype"), ("asked", "asked"), ("seen", "seen"),
    ("holds", "holds"),
)  # fmt: skip


def write(folder: Path, facts: dict[str, Any], parts: Sequence[dict[str, Any]]) -> tuple[Path, Path]:
    """Write what is known so far; return the paths of the JSON and of the table."""
    folder.mkdir(parents=True, exist_ok=True)
    data, table = folder / "gpu.json", folder / "gpu.md"
    record = json.dumps({**facts, "parts": list(parts)}, indent=1) + "\n"
    for path, text in ((data, record), (table, page(facts, parts))):
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
        lines += _table(part["rows"])
    figures = [{"part": part["name"], **row} for part in parts for row in part["rows"] if "asked" in row]
    if figures:
        lines += ["", "## Figures asked for", "", *_table(figures, FIGURES)]
    verdict = pays(parts)
    if verdict and not facts.get("device", "none").startswith("none"):
        lines += ["", f"## Which CUDA kernels pay ({PAYS} times as fast as portable)", ""]
        lines += [f"- {what}: {ratio:.2f}, {'pays' if ratio >= PAYS else 'does not pay'}" for what, ratio in verdict]
    return "\n".join(lines) + "\n"


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


def _table(rows: Sequence[dict[str, Any]], columns: Sequence[tuple[str, str]] = COLUMNS) -> list[str]:
    used = [(key, title) for key, title in columns if any(row.get(key) not in (None, "") for row in rows)]
    if not rows or not used:
        return ["(nothing)"]
    lines = ["| " + " | ".join(title for _, title in used) + " |", "|" + " --- |" * len(used)]
    cells = ([_text(row.get(key, "")).replace("|", "/") for key, _ in used] for row in rows)
    return lines + ["| " + " | ".join(line) + " |" for line in cells]


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    if isinstance(value, bool):
        return "yes" if value else "**no**"
    return f"{value:.3g}" if isinstance(value, float) else str(value if value is not None else "")
