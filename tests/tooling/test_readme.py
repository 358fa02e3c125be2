"""The lines of the README run, and give what it says."""

import doctest
import re
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_lines_of_the_readme_run():
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf8"), re.DOTALL)
    lines = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "README.md", str(README), 0)
    assert len(lines.examples) >= 8
    assert doctest.DocTestRunner().run(lines).failed == 0
