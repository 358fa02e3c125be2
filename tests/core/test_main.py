"""The command line."""

import concurrent.futures
import sys
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import pytest

import numopt
from numopt import _kernels
from numopt.__main__ import main
from numopt.exceptions import InvalidInputError


def test_info(capsys):
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    assert numopt.__version__ in out and "threads" in out and "blas" in out and "scikit-learn" in out


@pytest.mark.parametrize(
    ("cupy", "shown"),
    [
        (None, "not installed"),
        (
            "def broken(): raise OSError('no driver')\nclass cuda:\n class runtime: getDeviceCount = broken",
            "no driver",
        ),
        (
            "__version__ = '99'\nclass cuda:\n class runtime:\n  getDeviceCount = lambda: 1\n"
            "  getDeviceProperties = lambda i: {'name': b'Big One'}",
            "99, Big One",
        ),
    ],
)
def test_info_describes_any_cupy(monkeypatch, capsys, cupy, shown):
    fake = None
    if cupy is not None:
        fake = ModuleType("cupy")
        exec(cupy, fake.__dict__)
    monkeypatch.setitem(sys.modules, "cupy", fake)
    main(["info"])
    assert shown in capsys.readouterr().out.splitlines()[-1]


def test_warmup(monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(concurrent.futures, "ProcessPoolExecutor", lambda *args: ThreadPoolExecutor(1))
    monkeypatch.setattr(numopt, "warmup", lambda *args: seen.append(args))
    assert main(["warmup", "--dtype", "float32"]) == 0 and main(["warmup"]) == 0
    families = _kernels.compiled_families()
    assert sorted(seen, key=str) == sorted([(dtype, f) for dtype in ("float32", None) for f in families], key=str)
    assert {family for _, family in seen[:2]} == {"completion", "ot"}  # what takes longest
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * len(families) + 2 and lines[len(families) - 1].startswith(f"{len(families)} of ")
    assert "compiled" in lines[-1]


def test_a_failed_warmup_is_told(monkeypatch):
    monkeypatch.setattr(_kernels, "compiled_families", lambda: ("doll",))
    with pytest.raises(InvalidInputError, match="family is 'doll'"):  # out of a real process
        main(["warmup"])


def test_demo_is_handed_on(monkeypatch):
    demo = ModuleType("numopt._demo")
    demo.FAMILIES, demo.main, seen = ("ot", "relax"), lambda family: seen.append(family), []
    monkeypatch.setitem(sys.modules, "numopt._demo", demo)
    assert main(["demo"]) == main(["demo", "relax"]) == 0 and seen == ["ot", "relax"]


@pytest.mark.parametrize("arguments", [[], ["dance"], ["warmup", "--dtype", "int8"], ["demo", "dance"]])
def test_bad_commands_say_what_there_is(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2 and "usage: python -m numopt" in capsys.readouterr().err
