"""``benchmarks/gpu.py`` without a device: its budget, its records, its checks; NumPy takes the place of CuPy."""

import ast
import json
import re
import subprocess
import sys
from threading import Barrier

import numpy as np
import pytest

from benchmarks import gpu
from benchmarks._gpu import checks, measure, peers, report
from benchmarks._gpu.machine import StandIn, wrong_by


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def orchestrated(takes, budget=100.0, share=10.0):
    """Run parts that take these seconds or break; return the records, and the limits they were given."""
    clock, limits, written = Clock(), [], []

    def run(part, limit):
        limits.append(limit)
        seconds = takes[part.name]
        if isinstance(seconds, Exception):
            raise seconds
        clock.now += min(seconds, limit)
        return "ok" if seconds <= limit else "stopped", "", [{"what": part.name, "status": "ok"}]

    stages = [(gpu.Part(name, share),) for name in takes]
    records = gpu.orchestrate(stages, run, budget, lambda records: written.append(len(records)), clock)
    assert written == list(range(1, len(takes) + 1))
    return records, limits


def test_what_a_part_leaves_goes_to_the_next():
    _, limits = orchestrated({"a": 1.0, "b": 19.0, "c": 5.0})
    assert limits == [10.0, 19.0, 10.0]


def test_a_part_that_breaks_or_is_late_costs_nobody_else_anything():
    records, limits = orchestrated({"a": ValueError("no"), "b": 1e9, "c": 2.0})
    assert [r["status"] for r in records] == ["failed", "stopped", "ok"] and records[0]["message"] == "ValueError: no"
    assert limits[1] == 20.0 and records[1]["rows"] and records[2]["rows"]


def test_the_budget_is_the_last_word():
    records, limits = orchestrated({"a": 1e9, "b": 1e9, "c": 1e9}, budget=21.0)
    assert limits == [10.0, 10.0] and [r["status"] for r in records] == ["stopped", "stopped", "skipped"]


def test_the_promise_of_eight_minutes_holds():
    assert gpu.BUDGET <= 480 - 10
    assert sum(max(part.seconds for part in stage) for stage in gpu.STAGES) <= gpu.BUDGET
    known = {**checks.PARTS, **measure.PARTS, **peers.PARTS}
    assert {part.name for stage in gpu.STAGES for part in stage} == set(known)


def test_the_parts_of_a_stage_run_side_by_side():
    met = Barrier(2, timeout=20.0)

    def run(part, limit):
        met.wait()
        return "ok", "", [{"what": part.name, "status": "ok"}]

    records = gpu.orchestrate([(gpu.Part("a", 9.0), gpu.Part("b", 9.0))], run, 99.0, lambda records: None)
    assert [record["name"] for record in records] == ["a", "b"] and {record["status"] for record in records} == {"ok"}


def test_half_written_rows_are_left_out(tmp_path):
    path = tmp_path / "rows"
    assert gpu.read(path) == []
    path.write_text('{"what": "a", "status": "ok"}\n{"what": "b", "st')
    assert gpu.read(path) == [{"what": "a", "status": "ok"}]


ROWS = [
    {"what": "pass", "size": 10, "dtype": "float64", "room": room, "seconds": seconds, "status": "ok"}
    for room, seconds in (("portable", 3.0), ("cuda", 1.0))
]


def test_the_record_says_what_pays_and_only_for_a_device(tmp_path):
    part = {"name": "bench-ot", "status": "ok", "seconds": 4.0, "message": "", "rows": ROWS}
    data, table = report.write(tmp_path, {"device": "a card", "driver": "13.0"}, [part])
    text = table.read_text()
    assert "# numopt on a card" in text and "driver: 13.0" in text and "| pass 10 float64 | 3.00 | pays |" in text
    assert json.loads(data.read_text())["parts"][0]["rows"] == ROWS
    assert "pays" not in report.page({"device": "none: a rehearsal"}, [part])
    figure = {"what": "solve", "status": "ok", "asked": "40 pass times", "seen": "41.0", "holds": False}
    assert '"bench-ot","solve","40 pass times","41.0","**no**"' in report.for_docs({}, [part | {"rows": [figure]}])
    assert "| bench-ot | solve | 40 pass times | 41.0 | **no** |" in report.page({}, [part | {"rows": [figure]}])
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    ("ours", "other", "wanted"), [([4, 4], [1, 16], 200.0), ([1, 1], [2, 3], 0.0), ([2, 9], [3, 8], None)]
)
def test_break_even(ours, other, wanted):
    found = report.break_even([100, 400], ours, other)
    assert found == wanted or found == pytest.approx(wanted)


def test_wrong_by():
    assert wrong_by([1.0, 2.0], [1.0, 2.0]) == 0
    assert wrong_by([1.0], [1.0, 2.0]) == wrong_by([np.nan], [1.0]) == np.inf


@pytest.mark.parametrize("family", ["ot", "clustering"])
def test_the_checks_pass_and_see_what_is_wrong(family, monkeypatch):
    machine = StandIn(600.0)
    rows = list(checks.check(machine, family))
    assert {row["status"] for row in rows} == {"ok"} and {"portable"} <= {row["room"] for row in rows}
    kernels = machine.kernels(family, "portable")
    name = {"ot": "plan_pass", "clustering": "split_step"}[family]
    right = getattr(kernels, name)
    spoilt = type(kernels)(**vars(kernels) | {name: lambda *args: tuple(1.01 * x for x in right(*args))})
    monkeypatch.setattr(machine, "kernels", lambda *_: spoilt)
    assert "wrong" in {row["status"] for row in checks.check(machine, family)}
    machine.end = 0.0
    assert {row["status"] for row in checks.check(machine, family)} == {"skipped"}


def test_red_black_is_the_system_that_a_plan_would_make():
    from numopt.gallery import laplacian_2d
    from numopt.relax import relax_plan

    system, _ = measure.red_black(StandIn(), 6)
    A = laplacian_2d(6)
    plan = relax_plan(A, ordering="colour")
    wanted, _ = plan.system(A.data)
    k, x = StandIn().kernels("relax", "portable"), np.random.default_rng(1).random(36)
    for found, expected in zip(k.products(system, x), k.products(wanted, x), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-14)


def test_tests_for_a_device_need_the_hard_dependencies_alone():
    """What else a file needs, its tests ask for when they run, so that its other tests are not lost."""
    known = {"numpy", "scipy", "numba", "sklearn", "array_api_compat", "array_api_extra", "pytest", "_pytest", "cupy"}
    known |= {"numopt", "tests", "benchmarks", *sys.stdlib_module_names}
    for file in checks.files_of_tests():
        for node in ast.parse((checks.ROOT / file).read_text(encoding="utf8")).body:
            names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= known, file


def test_a_peer_that_is_missing_says_so():
    rows = list(peers.peers(StandIn(600.0)))
    theirs = [row for row in rows if not row["what"].endswith("numopt")]
    assert len(theirs) >= 6 and all(row["status"] == "skipped" and row["note"] for row in theirs)


@pytest.mark.slow
@pytest.mark.parametrize("name", measure.PARTS)
def test_every_measurement_is_rehearsed(name):
    rows = list(measure.PARTS[name](StandIn(600.0)))
    assert rows and [row for row in rows if row["status"] != "ok"] == []


@pytest.mark.slow
def test_a_rehearsal_from_end_to_end(tmp_path, capsys):
    command = ["--stand-in", "--out", str(tmp_path), "--budget", "150", "--only", "device,check-clustering,peers"]
    assert gpu.main(command) == 0
    text = (tmp_path / "gpu.md").read_text()
    assert "a rehearsal with NumPy" in text and "split_step" in text and "## peers: ok" in text
    assert "check-clustering" in capsys.readouterr().out


def test_the_commit_measured_is_told_and_that_files_differ_from_it(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "ROOT", tmp_path)
    assert gpu.commit() == "unknown"
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(tmp_path)]
    (tmp_path / "file").write_text("one")
    for command in (["init", "-q"], ["add", "file"], ["commit", "-qm", "one"]):
        subprocess.run([*git, *command], check=True)
    assert re.fullmatch("[0-9a-f]{40}", gpu.commit())
    (tmp_path / "file").write_text("two")
    assert re.fullmatch("[0-9a-f]{40}, with changes", gpu.commit())


def test_without_a_device_it_says_so_and_writes_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert gpu.main(["--out", str(tmp_path)]) == 2
    assert "CuPy cannot be imported" in capsys.readouterr().out and not list(tmp_path.iterdir())


@pytest.mark.parametrize("options", [["--stand-in"], ["--only", "peers"]])
def test_what_is_no_whole_record_takes_its_place_nowhere(options, capsys):
    with pytest.raises(SystemExit):
        gpu.main(options)
    assert "--out" in capsys.readouterr().err
