"""The progress bar: share of the way on a logarithmic scale, several runs, no tqdm."""

import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import numopt
from numopt.gallery import laplacian_2d
from numopt.relax import sor, ssor_pcg


def at(nit, measure, tol=1e-4, began=1.0):
    return SimpleNamespace(began=began, nit=nit, measure=measure, tol=tol)


def test_it_shows_the_share_of_the_way():
    screen = io.StringIO()
    with numopt.ProgressBar(file=screen, mininterval=0) as bar:
        for nit, measure, percent in ((1, 1.0, 0.0), (2, 1e-3, 75.0), (3, 1e-2, 75.0), (4, 1e-9, 100.0)):
            bar(at(nit, measure))
            assert bar.percent == pytest.approx(percent)
    assert "iteration 4" in screen.getvalue() and "100%" in screen.getvalue()


def test_it_serves_several_runs():
    bar = numopt.ProgressBar(file=io.StringIO())
    bar(at(1, 1.0))
    bar(at(9, 1e-4))
    assert bar.percent == 100.0
    bar(at(10, 1.0, began=2.0))
    assert bar.percent == 0.0
    bar.close()


def test_a_run_that_starts_afresh_keeps_its_bar():
    screen = io.StringIO()
    with numopt.ProgressBar(file=screen) as bar:
        for nit, measure in ((0, 1.0), (5, 1e-2), (5, 1e-2)):
            bar(at(nit, measure))
    assert bar.percent == pytest.approx(50.0) and screen.getvalue().count("\n") == 1


def test_runs_of_solvers_are_told_apart_whatever_their_iterations():
    A, b, opened = laplacian_2d(60), np.ones(3600), []

    class Counted(numopt.ProgressBar):
        def _open(self, began):
            opened.append(began)
            super()._open(began)

    with Counted(file=io.StringIO()) as bar:
        ssor_pcg(A, b, callback=bar)  # which starts anew on its way
        for max_iter in (3, 30):
            sor(A, b, omega=1.0, callback=bar, check_every=max_iter, max_iter=max_iter, on_failure="ignore")
    assert len(opened) == 3


@pytest.mark.parametrize(
    ("measures", "tol", "percent"),
    [
        ([float("nan"), 1.0, 1e-2], 1e-4, 50.0),
        ([float("nan")], 1e-4, 0.0),
        ([1.0, 0.0], 0.0, 100.0),
        ([1.0, 0.5], 0.0, 0.0),
        ([1e-5], 1e-4, 100.0),
        ([1.0, 0.0], 1e-4, 100.0),
        ([1e160, 1e60], 1e-160, 31.25),
    ],
)
def test_measures_at_the_edges(measures, tol, percent):
    with numopt.ProgressBar(file=io.StringIO()) as bar:
        for nit, measure in enumerate(measures, 1):
            bar(at(nit, measure, tol))
        assert bar.percent == pytest.approx(percent)


def test_closing_an_unused_bar_is_harmless():
    bar = numopt.ProgressBar()
    bar.close()
    assert bar.percent == 0


def test_without_tqdm_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(ImportError, match=r'pip install "numopt\[progress\]"'):
        numopt.ProgressBar()
