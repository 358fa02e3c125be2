#!/usr/bin/env python3
"""What of CuPy the library uses, checked against the installed CuPy; no device is needed.

- every name that the code reads from ``xp``, `cupy` or `cupyx` exists, and every call of one fits its signature;
- every kernel of ``numopt/_kernels/cuda`` compiles with NVRTC for sm_80 and sm_90, with each set of macros in use.

Names that are left to other libraries than CuPy are listed below, with the reason. The second part is left out, and
says so, where the toolkit's wheels are not installed (``pip install 'numopt[cuda12]'`` brings them).
"""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ARCHITECTURES = "sm_80", "sm_90"
UFUNC = {"out", "dtype", "casting", "where"}
SOURCES = {  # the macros that the wrappers compile each source with
    "ot": [(f"REAL={r}", f"KIND={k}") for r in ("float", "double") for k in range(4)],
    "ot_rows": [
        (f"REAL={r}", f"SINGLE={s}", f"SUMS={t}", f"CLUSTER={c}", "THREADS=256", f"PER={p}", f"RESIDENT={b}")
        for r in ("float", "double") for s, t in ((0, 0), (1, 0), (0, 1)) for c, p, b in ((1, 4, 3), (2, 40, 1))
    ],
    "ot_points": [
        (f"REAL={r}", f"SINGLE={s}", f"SUMS={t}", f"KIND={k}", f"DIM={d}")
        for r in ("float", "double") for s, t in ((0, 0), (1, 0), (0, 1)) for k, d in ((0, 0), (1, 3), (2, 8), (3, 0))
    ],
    "ot_products": [
        (f"REAL={r}", f"D={d}", f"RESIDENT={b}", "SINGLE=1") for r, d, b in
        (("float", 64, 2), ("double", 16, 2), ("float", 128, 1))
    ],
    "ot_newton": [()],
    "ot_newton_entries": [("HELD=0", "PLACE=int"), ("HELD=1", "PLACE=Short")],
    "ot_newton_plan": [(f"PER={p}",) for p in (2, 4, 6, 8, 10)],
    "ot_turned": [()],
    "sparse": [(f"INDEX={i}", f"INDPTR={p}") for i in ("int", "Int") for p in ("int", "Int")],
    "monotone": [(f"REAL={r}", f"ROWS={n}") for r in ("float", "double") for n in (1, 4)],
    "monotone_errors": [()],
    "monotone_steps": [(f"INDEX={i}", f"INDPTR={p}") for i in ("int", "Int") for p in ("int", "Int")],
    "relax": [
        (f"INDEX={i}", f"START={s}", f"SLICED={k}") for i, s, k in
        (("int", "Int", 1), ("int", "int", 0), ("Int", "Int", 1), ("Int", "Int", 0))
    ],
    "completion": [(f"REAL={r}", f"K={k}") for r in ("float", "double") for k in (16, 32, 48, 64)],
    "fold": [()],
    "clustering_points": [()],
    "mixture": [("P=1", "K=4"), ("P=20", "K=16"), ("P=32", "K=32")],
    "clustering": [("REAL=float",), ("REAL=double",)],
    "clustering_products": [("REAL=float", "WIDE=4"), ("REAL=float", "WIDE=8"), ("REAL=double", "WIDE=4")],
}  # fmt: skip


def chain(node: ast.expr) -> list[str] | None:
    """Return the names of ``a.b.c``, and those of ``self.xp.b`` from ``xp`` on."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        if node.attr in ("xp", "_xp"):
            return names[::-1]
        node = node.value
    if isinstance(node, ast.Name):
        return [*names, node.id][::-1]
    return None


def uses(tree: ast.AST) -> Iterator[tuple[int, list[str], ast.Call | None]]:
    """Yield (line, names, call or None) of all that is read from a namespace of arrays."""
    called = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (id(node) not in inner or id(node) in called):
            names = chain(node)
            if names and len(names) > 1 and names[0] in ("xp", "_xp", "cupy", "cupyx"):
                yield node.lineno, names, called.get(id(node))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("cupy", "cupyx"):
            for alias in node.names:
                yield node.lineno, [*node.module.split("."), alias.name], None


def found(names: list[str]) -> Any:
    """Return what the names stand for in CuPy; AttributeError if there is no such thing."""
    root, *rest = names
    value = importlib.import_module("array_api_compat.cupy" if root in ("xp", "_xp") else root)
    for k, name in enumerate(rest):
        if not hasattr(value, name) and inspect.ismodule(value):
            try:
                importlib.import_module(".".join([root, *rest[: k + 1]]))
            except ModuleNotFoundError as error:
                raise AttributeError(f"no {'.'.join(names)}") from error
        value = getattr(value, name)
    return value


def misfit(value: Any, call: ast.Call) -> str | None:
    """Say how a call does not fit what it calls, or None."""
    keywords = [k.arg for k in call.keywords]
    if None in keywords or any(isinstance(a, ast.Starred) for a in call.args):
        return None  # known only when it runs
    if type(value).__name__ == "ufunc":
        wrong = set(keywords) - UFUNC
        if wrong:
            return f"a ufunc does not take {sorted(wrong)}"
        return f"{len(call.args)} arguments for {value.nin}" if len(call.args) > value.nargs else None
    try:
        inspect.signature(value).bind(*call.args, **dict.fromkeys(keywords))
    except ValueError:  # it does not say what it takes
        return None
    except TypeError as error:
        return str(error)
    return None


def names() -> Iterator[str]:
    """Yield what does not exist or does not fit."""
    count, seen = 0, set()
    for file in [*sorted((ROOT / "numopt").rglob("*.py")), ROOT / "benchmarks" / "gpu.py"]:
        path = file.relative_to(ROOT).as_posix()
        if not file.exists() or path.startswith("numopt/_kernels/cpu/"):
            continue
        for line, name, call in uses(ast.parse(file.read_text(encoding="utf8"))):
            text = ".".join(name)
            count += 1
            seen.add(text)
            try:
                value = found(name)
            except (AttributeError, ImportError) as error:
                yield f"{path}:{line}: {text}: {error}"
                continue
            wrong = misfit(value, call) if call is not None and callable(value) else None
            if wrong:
                yield f"{path}:{line}: {text}: {wrong}"
    print(f"cuda-api: {count} uses of {len(seen)} names")


def kernels() -> Iterator[str]:
    """Yield the sources that NVRTC refuses."""
    from cupy_backends.cuda.libs import nvrtc

    try:
        print(f"cuda-api: NVRTC {'.'.join(map(str, nvrtc.getVersion()))}")
    except Exception as error:
        print(f"cuda-api: kernels left out, NVRTC does not load ({error}): install the toolkit's wheels, [cuda12]")
        return
    from numopt._kernels.cuda._launch import OPTIONS, source

    present = {file.stem for file in (ROOT / "numopt" / "_kernels" / "cuda").glob("*.cu")}
    if present != set(SOURCES):
        yield f"SOURCES lists {sorted(SOURCES)} and there are {sorted(present)}"
    count, most = 0, 0
    for (name, variants), architecture in itertools.product(SOURCES.items(), ARCHITECTURES):
        for macros in variants:
            if architecture < "sm_90" and not {"CLUSTER=1"}.issuperset(m for m in macros if m[:8] == "CLUSTER="):
                continue  # there are no clusters
            options = [*OPTIONS, "--ptxas-options=-v", f"--gpu-architecture={architecture}"]
            options += [f"-D{macro}" for macro in macros]
            program = nvrtc.createProgram(source(name), f"{name}.cu", [], [])
            try:
                nvrtc.compileProgram(program, options)
                assert len(nvrtc.getCUBIN(program)) > 0
                count += 1
                log = nvrtc.getProgramLog(program)
                most = max(most, *map(int, re.findall(r"Used (\d+) registers", log)), 0)
                if spilt := sum(map(int, re.findall(r"(\d+) bytes spill stores", log))):
                    print(f"cuda-api: {name}.cu for {architecture} with {' '.join(macros)} spills {spilt} bytes")
            except Exception as error:
                log = nvrtc.getProgramLog(program)
                yield f"{name}.cu for {architecture} with {' '.join(macros)}: {error}\n{log}"
            finally:
                nvrtc.destroyProgram(program)
    print(f"cuda-api: up to {most} registers a thread")
    print(f"cuda-api: {count} compilations for {', '.join(ARCHITECTURES)}; no device was needed")


def main() -> int:
    """Check names and kernels; return 1 if one is wrong."""
    try:
        import cupy
    except ImportError as error:
        print(f"cuda-api: CuPy cannot be imported ({error}): pip install cupy-cuda12x[ctk]")
        return 2
    print(f"cuda-api: CuPy {cupy.__version__}")
    wrong = [*names(), *kernels()]
    print("\n".join(wrong) if wrong else "cuda-api: all there")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
