"""The demo of optimal transport, on coarse colours."""

import pytest

import numopt


def test_the_demo_solves_certifies_and_draws(monkeypatch, capsys, tmp_path):
    pytest.importorskip("matplotlib")
    from numopt._demo import ot

    monkeypatch.setattr(numopt, "warmup", lambda dtype, family: None)
    assert ot.main(bits=2, folder=tmp_path) == 0
    out = capsys.readouterr().out
    for topic in ("problem", "solved", "certain", "beside", "picture"):
        assert f"\n{topic} " in out
    assert "converged" in out and str(tmp_path) in out
    assert (tmp_path / "numopt-demo.png").read_bytes().startswith(b"\x89PNG")


def test_without_pictures_it_says_what_to_install(monkeypatch, tmp_path):
    from sklearn import datasets

    from numopt._demo import ot

    def no_pillow(name):
        raise ImportError("no PIL")

    monkeypatch.setattr(datasets, "load_sample_image", no_pillow)
    with pytest.raises(ImportError, match=r"numopt\[plot\]"):
        ot.main(folder=tmp_path)


def test_the_demo_of_games_solves_certifies_and_draws(monkeypatch, capsys, tmp_path):
    pytest.importorskip("matplotlib")
    from numopt._demo import monotone

    monkeypatch.setattr(numopt, "warmup", lambda dtype, family: None)
    assert monotone.main(houses=60, folder=tmp_path) == 0
    out = capsys.readouterr().out
    for topic in ("problem", "solved", "certain", "beside", "picture"):
        assert f"\n{topic} " in out
    assert (tmp_path / "numopt-demo-monotone.png").read_bytes().startswith(b"\x89PNG")
