"""Convergence plots: one run, several, the ends of the curves, bad input, no matplotlib."""

import sys

import numpy as np
import pytest

import numopt
from numopt._result import Result
from numopt.exceptions import InvalidInputError, InvalidTypeError

matplotlib = pytest.importorskip("matplotlib")


@pytest.fixture(autouse=True)
def _off_screen():
    matplotlib.use("Agg")
    yield
    from matplotlib import pyplot

    pyplot.close("all")


def run(measure, success=True, value=1e-3):
    n = len(measure)
    history = (
        {"nit": np.arange(1, n + 1), "time": 0.1 * np.arange(n), "measure": np.array(measure)} if n else {}
    )
    return Result(
        success=success,
        status=int(not success),
        message="",
        nit=n,
        time=0.1 * n,
        certificate={"marginal_error": value},
        history=history,
    )


def curves(ax):
    return [line for line in ax.lines if line.get_marker() == "None"]


def ends(ax):
    return [line for line in ax.lines if line.get_marker() != "None"]


def test_one_run():
    ax = numopt.plot.convergence(run([1.0, np.nan, 0.0, 1e-3]))
    assert ax.get_yscale() == "log" and ax.get_xlabel() == "iteration"
    assert ax.get_ylabel() == "marginal error" and ax.get_legend() is None
    np.testing.assert_array_equal(curves(ax)[0].get_xdata(), [1, 4])  # no logarithm of nan and 0
    assert (ends(ax)[0].get_xdata()[0], ends(ax)[0].get_ydata()[0]) == (4, 1e-3)


@pytest.mark.parametrize("many", [{"a": run([1.0]), "b": run([2.0], False)}, [run([1.0]), run([2.0], False)]])
def test_several_runs_with_labels(many):
    ax = numopt.plot.convergence(many, labels=None if isinstance(many, dict) else ["a", "b"], against="time")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    assert [line.get_marker() for line in ends(ax)] == ["o", "X"] and ax.get_xlabel() == "seconds"
    assert curves(ax)[0].get_color() != curves(ax)[1].get_color()


def test_it_draws_where_it_is_told():
    from matplotlib import pyplot

    for one in (run([1.0]), [run([1.0])]):
        _, ax = pyplot.subplots()
        assert numopt.plot.convergence(one, labels="mine", ax=ax) is ax
        assert ax.get_legend().get_texts()[0].get_text() == "mine"


def test_a_certificate_of_zero_or_infinity_has_no_mark():
    for value in (0.0, np.inf):
        assert not ends(numopt.plot.convergence(run([1.0], value=value)))


def test_bad_input():
    from matplotlib import pyplot

    with pytest.raises(InvalidInputError, match="labels has length 1"):
        numopt.plot.convergence([run([1.0]), run([1.0])], labels=["a"])
    with pytest.raises(InvalidInputError, match="against is 'steps'"):
        numopt.plot.convergence(run([1.0]), against="steps")
    for bad in (run([]), [run([1.0]), run([])]):
        with pytest.raises(InvalidInputError, match=r"result.history is empty"):
            numopt.plot.convergence(bad)
    for bad in (None, 3, "runs", [run([1.0]), None], {"a": 1.0}):
        with pytest.raises(InvalidTypeError, match="result is or holds"):
            numopt.plot.convergence(bad)
    assert not pyplot.get_fignums()  # nothing was begun


def test_without_matplotlib_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'pip install "numopt\[plot\]"'):
        numopt.plot.convergence(run([1.0]))
