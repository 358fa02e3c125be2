"""The demo of matrix completion, on every fourth pixel."""

import pytest

import numopt


def test_the_demo_solves_certifies_and_draws(monkeypatch, capsys, tmp_path):
    pytest.importorskip("matplotlib")
    from numopt._demo import completion

    monkeypatch.setattr(numopt, "warmup", lambda dtype, family: None)
    assert completion.main(step=4, folder=tmp_path) == 0
    out = capsys.readouterr().out
    for topic in ("problem", "solved", "beside", "certain", "picture"):
        assert f"\n{topic} " in out
    assert "converged" in out
    assert (tmp_path / "numopt-demo-completion.png").read_bytes().startswith(b"\x89PNG")
