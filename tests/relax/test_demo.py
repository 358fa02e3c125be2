"""The demo of relaxation, on a coarse grid."""

import pytest

import numopt


def test_the_demo_solves_certifies_and_draws(monkeypatch, capsys, tmp_path):
    pytest.importorskip("matplotlib")
    from numopt._demo import relax

    monkeypatch.setattr(numopt, "warmup", lambda dtype, family: None)
    assert relax.main(folder=tmp_path, cells=24, steps=8) == 0
    out = capsys.readouterr().out
    for topic in ("problem", "solved", "certain", "beside", "picture"):
        assert f"\n{topic} " in out
    assert (tmp_path / "numopt-demo-relax.png").read_bytes().startswith(b"\x89PNG")
