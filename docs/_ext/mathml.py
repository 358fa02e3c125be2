"""Formulas as MathML, written into the pages when they are built: nothing to load, nothing to run.

Unknown commands are warnings, so a build with `-W` finds them.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from math_core import LatexError, LatexToMathML
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)


def mathml(self: HTML5Translator, node: nodes.Element, latex: str, display: bool) -> str:
    """Return `latex` as a math element; broken lines are aligned, as Sphinx promises."""
    if display and "\\\\" in latex and "\\begin" not in latex:
        latex = f"\\begin{{aligned}}{latex}\\end{{aligned}}"
    convert = LatexToMathML(macros=self.config.mathml_macros, fancy_error=False)
    try:
        return convert.convert_with_local_state(latex, displaystyle=display)
    except LatexError as error:
        logger.warning("formula %r: %s", latex, error, location=node, type="mathml")
        return f"<code>{self.encode(latex)}</code>"


def inline(self: HTML5Translator, node: nodes.math) -> None:
    """Write a formula in running text."""
    self.body.append(mathml(self, node, node.astext(), display=False))
    raise nodes.SkipNode


def block(self: HTML5Translator, node: nodes.math_block) -> None:
    """Write displayed formulas, one below the other where a blank line parts them, and the number."""
    self.body.append(self.starttag(node, "div", CLASS="formula"))
    self.body.append("<div>")
    for part in re.split(r"\n\s*\n", node.astext().strip()):
        self.body.append(mathml(self, node, part, display=True))
    self.body.append("</div>")
    if node["number"]:
        self.body.append(f'<span class="eqno">({node["number"]})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer and make it the one in use."""
    app.add_config_value("mathml_macros", {}, "env", types=frozenset({dict}))
    app.add_html_math_renderer("mathml", inline_renderers=(inline, None), block_renderers=(block, None))
    app.config.html_math_renderer = "mathml"
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
