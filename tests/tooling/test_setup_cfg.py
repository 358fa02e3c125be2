"""What setup.cfg and the Makefile promise each other."""

import configparser
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = {"cuda12", "cuda13", "dask", "plot", "progress", "docs", "test", "bench", "peers"}


@pytest.fixture(scope="module")
def cfg():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf8")
    return parser


def lines(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


def test_extras_are_complete(cfg):
    assert set(cfg["options.extras_require"]) == EXTRAS


def test_requirements_have_lower_bounds_only(cfg):
    required = lines(cfg["options"]["install_requires"])
    for extra in EXTRAS:
        required += lines(cfg["options.extras_require"][extra])
    for requirement in required:
        if requirement.startswith("numopt["):
            assert set(re.findall(r"\w+", requirement)[1:]) <= EXTRAS
        else:
            assert re.fullmatch(r"[\w.-]+(\[[\w,]+\])?>=[\d.]+", requirement), requirement


def test_the_makefile_installs_extras_that_exist(cfg):
    makefile = (ROOT / "Makefile").read_text(encoding="utf8")
    named = re.findall(r"^(\w+)_extras := (.+)$", makefile, flags=re.M)
    assert {target for target, _ in named} >= {"demo", "test", "docs", "bench", "peers"}
    for _, extras in named:
        assert set(extras.split(",")) <= EXTRAS


def rooms():
    return {
        path.stem
        for path in (ROOT / "numopt").iterdir()
        if (path.suffix == ".py" and path.stem != "__init__") or (path / "__init__.py").exists()
    }


def test_every_room_has_a_place_in_the_import_graph(cfg):
    layers = set(re.findall(r"\w+", cfg["importlinter:contract:layers"]["layers"]))
    beside = {name.split(".")[-1] for name in lines(cfg["importlinter:contract:beside"]["protected_modules"])}
    assert rooms() <= layers | beside | {"__main__"}
