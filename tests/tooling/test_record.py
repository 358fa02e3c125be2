"""Records of asv carry names that do not depend on where they were made."""

import json

from benchmarks.record import describe, last_record, machine_name, rename

NEW, OLD, OLDER = "a" * 40, "b" * 40, "c" * 40


def fresh(folder, **results):
    record = {
        "env_name": "existing-py_here",
        "python": "/here",
        "params": {"python": "/here"},
        "results": results,
    }
    (folder / f"{NEW[:8]}-existing-py_here.json").write_text(json.dumps(record))


def test_a_record_forgets_where_the_interpreter_lies(tmp_path):
    fresh(tmp_path)
    rename(tmp_path, NEW)
    (path,) = tmp_path.iterdir()
    assert path.name == "aaaaaaaa-existing.json"
    assert "here" not in path.read_text()
    assert "numpy" in json.loads(path.read_text())["requirements"]


def test_a_partial_run_adds_to_the_record(tmp_path):
    fresh(tmp_path, a=1, b=2)
    rename(tmp_path, NEW)
    fresh(tmp_path, b=3)
    rename(tmp_path, NEW)
    assert json.loads((tmp_path / "aaaaaaaa-existing.json").read_text())["results"] == {"a": 1, "b": 3}


def test_the_last_record_is_the_newest_in_history(tmp_path):
    assert last_record(tmp_path, [OLD, OLDER]) is None
    (tmp_path / "cccccccc-existing.json").touch()
    assert last_record(tmp_path, [OLD, OLDER]) == OLDER
    (tmp_path / "bbbbbbbb-existing.json").touch()
    assert last_record(tmp_path, [OLD, OLDER]) == OLD


def test_the_machine_has_a_plain_name():
    assert machine_name().replace("-", "").isalnum()


def test_the_machine_is_described(tmp_path):
    describe(tmp_path)
    record = json.loads((tmp_path / "machine.json").read_text())
    assert record["machine"] == tmp_path.name and record["cpu"] and record["num_cpu"]
