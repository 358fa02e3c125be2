#!/usr/bin/env python3
"""House rules that no off-the-shelf linter knows, read from the syntax tree of every library file.

- device: a creation call through `xp` names the device, or its array lands on the wrong card;
- item: arrays become Python numbers in `_array.host` alone, where transfers are counted;
- jit: compiled functions are made by the decorator of `_kernels/cpu/_jit.py` alone;
- print: the library does not print, its command line does;
- lazy: heavy packages are imported inside the function that needs them.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

CREATE = {"arange", "asarray", "empty", "eye", "full", "linspace", "ones", "zeros"}
COMPILE = {"cfunc", "guvectorize", "jit", "njit", "stencil", "vectorize"}
HEAVY = ("numba", "sklearn", "cupy", "cupyx", "scipy.optimize")
MAY_PRINT = ("numopt/__main__.py", "numopt/_demo/__init__.py")
MAY_IMPORT = {
    "numopt/_kernels/cpu/": ("numba",),
    "numopt/_kernels/cuda/": ("cupy", "cupyx"),
    "numopt/estimators/": ("sklearn",),
}
NATIVE = ("numopt/_kernels/cpu/", "numopt/_kernels/cuda/")  # one library only, so no device to name


def is_xp(node: ast.expr) -> bool:
    """Tell `xp` and `anything.xp`."""
    return getattr(node, "id", getattr(node, "attr", None)) == "xp"


def at_import(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield the statements that run when the module is imported (function bodies and type checks do not)."""
    todo: list[ast.AST] = list(tree.body)
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            todo.extend(node.orelse)
            continue
        if isinstance(node, ast.stmt):
            yield node
        todo.extend(ast.iter_child_nodes(node))


def imported(node: ast.stmt) -> Iterator[str]:
    """Yield the modules that a statement imports, `from a import b` as `a.b`."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.level == 0:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def problems(path: str, source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, what is wrong) for one file; `path` is relative to the repository, with slashes."""
    tree = ast.parse(source, path)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Name) and called.id == "print" and path not in MAY_PRINT:
                yield node.lineno, "print: the library does not print; use a callback"
            if not isinstance(called, ast.Attribute):
                continue
            named = any(keyword.arg in ("device", None) for keyword in node.keywords)
            if called.attr in CREATE and is_xp(called.value) and not named and not path.startswith(NATIVE):
                yield node.lineno, f"device: xp.{called.attr} without device= may land on another card"
            if called.attr == "item" and path != "numopt/_array.py":
                yield node.lineno, "item: bring scalars to the host by numopt._array.host, several at a time"
        if path != "numopt/_kernels/cpu/_jit.py":
            if isinstance(node, ast.ImportFrom) and node.module == "numba":
                bad = COMPILE.intersection(alias.name for alias in node.names)
            elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("numba", "nb"):
                bad = COMPILE.intersection([node.attr])
            else:
                continue
            if bad:
                yield node.lineno, f"jit: {', '.join(sorted(bad))}; use the decorator of _kernels/cpu/_jit.py"
    allowed = next((names for room, names in MAY_IMPORT.items() if path.startswith(room)), ())
    for node in at_import(tree):
        for module in imported(node):
            for heavy in HEAVY:
                if (module + ".").startswith(heavy + ".") and heavy not in allowed:
                    yield node.lineno, f"lazy: {heavy} at the top; import it where it is used"


def main() -> int:
    """Check the library; return 1 if a rule is broken."""
    root = Path(__file__).resolve().parents[1]
    count = 0
    for file in sorted((root / "numopt").rglob("*.py")):
        path = file.relative_to(root).as_posix()
        for line, text in sorted(problems(path, file.read_text(encoding="utf8"))):
            print(f"{path}:{line}: {text}")
            count += 1
    print(f"house rules: {count} broken" if count else "house rules: kept")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
