"""The peers harness on a toy family: the square root of 2, by solvers that behave in every way they can."""

import contextlib
import json
import math
import os
import signal
import sys
from types import ModuleType

import pytest

from benchmarks.peers import Answer, Figure, Instance, Row, Solver, Table, _measure
from benchmarks.peers._alone import alone
from benchmarks.peers._report import figure_line, heading, rst, text
from benchmarks.peers._run import compare

LIMIT = 0.5  # seconds for solvers that never end


def newton(instance):
    x = 1.0
    for _ in range(6):
        x = (x + instance.data / x) / 2
    return Answer(x, 6)


def spin(instance):
    while True:
        with contextlib.suppress(Exception):  # a careless peer must not swallow the limit
            math.sqrt(2.0)


def fail(instance):
    raise ValueError("a peer's own words\nand more of them")


def crash(instance):
    os.kill(os.getpid(), signal.SIGKILL)


SOLVERS = [
    Solver("ours", newton, kind="ours"),
    Solver("peer", lambda instance: Answer(math.sqrt(instance.data))),
    Solver("coarse", lambda instance: Answer(1.4, 1)),
    Solver("nan", lambda instance: Answer(math.nan)),
    Solver("spins", spin),
    Solver("fails", fail),
    Solver("compiled", lambda instance: Answer(math.sqrt(instance.data)), kind="context", compiled=True),
    Solver("hangs", spin, compiled=True),
    Solver("crashes", crash, compiled=True),
    Solver("elsewhere", newton, applies=lambda instance: False),
]


@pytest.fixture(scope="module")
def family():
    toy = ModuleType("benchmarks.peers.toy")
    toy.PACKAGES = ("pytest", "no-such-package")
    toy.instances = lambda: [Instance("root of 2", 2.0, target=1e-9), Instance("root of 3", 3.0, target=1e-9)]
    toy.solvers = lambda: SOLVERS
    toy.ruler = lambda instance, x: abs(x * x - instance.data)
    toy.figures = lambda table: [
        Figure("1", "ours solves all", "see table", all(r.solved for r in table.rows if r.kind == "ours")),
        Figure("2", "the impossible", "1", False),
        Figure("3", "nothing", "3 MiB"),
    ]
    return toy


@pytest.fixture(scope="module")
def table(family):
    return compare(family, only="of 2", seconds=LIMIT)


def test_what_solves_is_measured(table):
    row = table.row("root of 2", "ours")
    assert row.solved and row.nit == 6 and row.runs == 3 and row.note == ""
    assert row.cpu >= 0 and row.wall > 0
    assert table.row("root of 2", "compiled").solved


def test_accuracy_is_recomputed_and_judged(table):
    assert table.row("root of 2", "coarse").accuracy == pytest.approx(0.04)
    assert table.row("root of 2", "coarse").note == "misses 1e-09"
    assert table.row("root of 2", "nan").note == "answer is not finite"
    assert not table.row("root of 2", "nan").solved


@pytest.mark.parametrize(
    ("solver", "note"),
    [
        ("spins", "over the limit of 0.5 s"),
        ("hangs", "over the limit of 0.5 s"),
        ("crashes", "crashed (SIGKILL)"),
        ("fails", "ValueError: a peer's own words"),
    ],
)
def test_what_goes_wrong_gets_a_row_that_says_so(table, solver, note):
    row = table.row("root of 2", solver)
    assert row.note == note
    assert row.cpu is row.accuracy is row.ratio is None


def test_an_instance_may_ask_for_a_larger_limit(family):
    slow = ModuleType("benchmarks.peers.slow")
    slow.instances = lambda: [Instance("root of 2", 2.0, 1e-9, least=0.2)]
    slow.solvers = lambda: [Solver("hangs", spin, compiled=True), Solver("spins", spin)]
    slow.ruler = family.ruler
    notes = {row.note for row in compare(slow, seconds=0.01).rows}
    assert notes == {"over the limit of 0.2 s"}


def test_only_what_was_asked_for_runs(table):
    assert {row.instance for row in table.rows} == {"root of 2"}
    assert table.row("root of 2", "elsewhere") is None


def test_the_ratio_is_to_the_best_peer_that_solved_it():
    rows = [
        Row("i", "ours", "ours", 1e-9, accuracy=1e-10, cpu=1.0),
        Row("i", "slow", "peer", 1e-9, accuracy=1e-10, cpu=10.0),
        Row("i", "best", "peer", 1e-9, accuracy=1e-9, cpu=4.0),
        Row("i", "fast but wrong", "peer", 1e-9, accuracy=1e-3, cpu=0.1),
        Row("i", "another thing", "context", 1e-9, accuracy=0.0, cpu=0.1),
        Row("i", "over the limit", "peer", 1e-9),
        Row("no peer solves it", "ours", "ours", 1e-9, accuracy=1e-10, cpu=1.0),
    ]
    table = Table(rows)
    table.rate()
    assert [row.ratio for row in rows] == [0.25, 2.5, 1.0, 0.025, 0.025, None, None]
    assert table.best_peer("i", lambda name: name == "slow") is rows[1]


def test_the_command_prints_and_records(family, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "benchmarks.peers.toy", family)
    from benchmarks.peers.__main__ import main

    main(["toy", "--limit", str(LIMIT), "--repeats", "1", "--results", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "no-such-package not installed" in printed
    assert "1: asked ours solves all; seen see table; holds" in printed
    assert "2: asked the impossible; seen 1; DOES NOT HOLD" in printed
    record = json.loads((tmp_path / "peers-toy.json").read_text())
    assert record["machine"]["cpu"] and record["date"] and record["versions"]["numpy"]
    assert len(record["rows"]) == 18 and len(record["figures"]) == 3
    page = (tmp_path / "peers-toy.rst").read_text()
    assert page.count(".. csv-table::") == 2 and '"root of 3","ours"' in page


def test_a_partial_run_records_nothing(family, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "benchmarks.peers.toy", family)
    from benchmarks.peers.__main__ import main

    main(["toy", "--only", "of 3", "--limit", str(LIMIT), "--repeats", "1", "--results", str(tmp_path)])
    assert list(tmp_path.iterdir()) == []


def test_lines_of_the_table_are_aligned():
    rows = [Row("a long instance", "s", "peer", 1.0), Row("i", "solver", "peer", 1.0)]
    lines = text(Table(rows)).splitlines()
    assert len({line.index("-") for line in lines[1:]}) == 1
    assert figure_line(Figure("3", "x", "y")).endswith("reported")


def test_a_page_has_one_line_for_all_that_was_not_tried_on_an_instance():
    notes = {"one": "", "two": "not tried: one is late on h", "three": "not tried: two is late on i"}
    rows = [Row(i, solver, "peer", 1.0, note=note) for i in "ij" for solver, note in notes.items()]
    page = rst(heading((), 1), Table(rows), [])
    assert page.count('"two; three"') == page.count("not tried") == page.count('"one"') == 2
    assert '"-"' not in page  # a list of one empty item


@pytest.mark.parametrize(("wall", "asked", "runs"), [(0.1, 1, 3), (0.3, 1, 2), (0.6, 1, 1), (0.6, 5, 5), (40.0, 5, 1)])
def test_brief_runs_are_repeated(monkeypatch, wall, asked, runs):
    monkeypatch.setattr(_measure, "_timed", lambda call, seconds: (call(), wall, wall))
    assert _measure.best_of(lambda: 7, asked) == _measure.Timing(wall, wall, runs, 7)


def test_what_runs_alone_is_told_by_its_process():
    found = alone("_completion_memory", 300, 3, 5.0)
    assert found["error"] <= 1e-6 and found["input"] > 0 and found["cpu"] > 0
    with pytest.raises(RuntimeError, match="ValueError: invalid literal for int"):
        alone("_completion_memory", "many", 3, 5.0)
