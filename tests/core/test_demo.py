"""The demo, on coarse colours."""

import pytest

import numopt


def test_the_demo_solves_certifies_and_draws(monkeypatch, capsys, tmp_path):
    pytest.importorskip("matplotlib")
    from numopt import _demo

    monkeypatch.setattr(numopt, "warmup", lambda dtype: None)
    assert _demo.main(bits=2, folder=tmp_path) == 0
    out = capsys.readouterr().out
    for topic in ("problem", "solved", "certain", "beside", "picture"):
        assert f"\n{topic} " in out
    assert "converged" in out and str(tmp_path) in out
    assert (tmp_path / "numopt-demo.png").read_bytes().startswith(b"\x89PNG")


def test_without_pictures_it_says_what_to_install(monkeypatch, tmp_path):
    from sklearn import datasets

    from numopt import _demo

    def no_pillow(name):
        raise ImportError("no PIL")

    monkeypatch.setattr(datasets, "load_sample_image", no_pillow)
    with pytest.raises(ImportError, match=r"numopt\[plot\]"):
        _demo.main(folder=tmp_path)
