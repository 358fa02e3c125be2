"""The directive `support-table`: what each solver takes, read from what the solvers themselves declare."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.application import Sphinx


def rows() -> list[tuple[str, ...]]:
    """Return one line of text for each registered solver, after importing every family."""
    import numopt
    from numopt._solver import REGISTRY

    for room in pkgutil.iter_modules(numopt.__path__):
        if room.ispkg and not room.name.startswith("_"):
            importlib.import_module(f"numopt.{room.name}")
    lines = []
    for _, can in sorted(REGISTRY.items(), key=lambda item: (item[1].family, item[0])):
        name = f":func:`numopt.{can.family}.{can.function.__name__}`"
        where = "NumPy, CuPy" if can.arrays else "NumPy, in files"
        lines.append((name, where, ", ".join(can.dtypes), "yes" if can.sparse else "no"))
    return lines


class SupportTable(Directive):
    """Write the table."""

    def run(self) -> list[nodes.Node]:
        """Return the table as parsed reStructuredText."""
        text = [".. list-table::", "   :header-rows: 1", ""]
        for line in [("solver", "arrays", "dtypes", "sparse input"), *rows()]:
            text += [("   * - " if i == 0 else "     - ") + cell for i, cell in enumerate(line)]
        holder = nodes.container()
        self.state.nested_parse(StringList(text, source="support-table"), self.content_offset, holder)
        return holder.children


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("support-table", SupportTable)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
