"""The demos, on small problems: each solves, certifies and draws."""

import importlib
import sys

import pytest

import numopt
from numopt import _demo

SMALL = {
    "clustering": {"size": 2000},
    "completion": {"step": 4},
    "constrained": {"N": 10},
    "monotone": {"houses": 60},
    "ot": {"bits": 2},
    "relax": {"cells": 24, "steps": 8},
}


@pytest.mark.parametrize("family", _demo.FAMILIES)
def test_a_demo_solves_certifies_and_draws(family, monkeypatch, capsys, tmp_path):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(numopt, "warmup", lambda dtype, family: None)
    assert importlib.import_module(f"numopt._demo.{family}").main(**SMALL[family], folder=tmp_path) == 0
    said = capsys.readouterr().out
    topics = {line[:9].strip() for line in said.splitlines()}
    assert {"problem", "solved", "certain", "picture"} <= topics
    assert "beside" in topics or "second order: min" in said
    (picture,) = tmp_path.iterdir()
    assert str(picture) in said and picture.read_bytes().startswith(b"\x89PNG")


def test_without_pictures_it_says_what_to_install(monkeypatch, tmp_path):
    from sklearn import datasets

    from numopt._demo import ot

    def no_pillow(name):
        raise ImportError("no PIL")

    monkeypatch.setattr(datasets, "load_sample_image", no_pillow)
    with pytest.raises(ImportError, match=r"numopt\[plot\]"):
        ot.main(folder=tmp_path)


def test_without_matplotlib_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"numopt\[plot\]"), _demo.drawn(tmp_path, "demo.png", (1, 1)):
        pass
