"""The demo of constrained optimisation, on a coarse grid."""

import pytest

import numopt


def test_the_demo_solves_certifies_and_draws(monkeypatch, capsys, tmp_path):
    pytest.importorskip("matplotlib")
    from numopt._demo import constrained

    monkeypatch.setattr(numopt, "warmup", lambda dtype, family: None)
    assert constrained.main(N=10, folder=tmp_path) == 0
    out = capsys.readouterr().out
    for topic in ("problem", "solved", "certain", "picture"):
        assert f"\n{topic} " in out
    assert "second order: min" in out
    assert (tmp_path / "numopt-demo-constrained.png").read_bytes().startswith(b"\x89PNG")
