"""What importing costs and offers."""

import importlib
import subprocess
import sys

import pytest

import numopt


def python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_import_loads_nothing_heavy():
    loaded = python("import sys, numopt; print(*sys.modules)")
    assert "numopt" in loaded
    assert not {"numba", "sklearn", "cupy", "scipy", "scipy.optimize", "matplotlib", "tqdm"} & set(loaded)


def test_the_core_loads_nothing_heavy():
    core = "_array, _check, _judge, _kernels, _loop, _result, _solver, _status, _threads, exceptions"
    loaded = python(f"import sys; from numopt import {core}; print(*sys.modules)")
    assert not {"numba", "sklearn", "cupy", "scipy.optimize", "scipy.sparse"} & set(loaded)


@pytest.mark.parametrize("name", [n for n in numopt.__all__ if n not in numopt._ROOMS])
def test_names_are_there(name):
    assert getattr(numopt, name) is getattr(numopt, name)


@pytest.mark.parametrize("room", numopt._ROOMS)
def test_rooms_are_there(room):
    assert getattr(numopt, room) is importlib.import_module(f"numopt.{room}")


@pytest.mark.parametrize("room", numopt._ROOMS)
def test_public_names_are_documented_and_complete(room):
    module = importlib.import_module(f"numopt.{room}")
    assert module.__doc__
    own = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "").startswith(f"numopt.{room}")
    }
    assert own <= set(getattr(module, "__all__", own))
    for name in getattr(module, "__all__", own):
        assert getattr(module, name).__doc__, name


def test_dir_and_unknown_names():
    assert dir(numopt) == sorted(numopt.__all__)
    with pytest.raises(AttributeError, match="no attribute 'cluster'; it has"):
        _ = numopt.cluster
