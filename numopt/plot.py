"""Pictures of results; needs matplotlib (``pip install "numopt[plot]"``)."""

import numpy as np

from numopt._check import one_of
from numopt._result import Result
from numopt.exceptions import InvalidInputError, InvalidTypeError

__all__ = ["convergence"]

_COLORS = "#1b6ca8", "#d1495b", "#3c8d5a", "#e09f3e", "#6d597a", "#4a4e69"
_AXES = {"nit": "iteration", "time": "seconds"}


def convergence(result, *, labels=None, against="nit", ax=None):
    """Plot the measure of one or several runs on a logarithmic scale.

    A filled dot at the end of a curve is the certificate of the returned point of a run that succeeded,
    a cross that of one that did not.

    Parameters
    ----------
    result : Result, or list or dict of Result
        The runs; the keys of a dict are labels.
    labels : str or list of str, optional
        One for each run. None (default) takes the keys of a dict, and no legend otherwise.
    against : {"nit", "time"}, default "nit"
        Horizontal axis: iterations or seconds.
    ax : matplotlib.axes.Axes, optional
        Where to draw. None (default) makes a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        matplotlib is not installed.
    InvalidTypeError
        Something else than results.
    InvalidInputError
        The numbers of labels and results differ, `against` is unknown, or nothing was recorded.

    Examples
    --------
    >>> import numopt
    >>> ax = numopt.plot.convergence({"fast": fast, "slow": slow}, against="time")  # doctest: +SKIP
    """
    one_of("against", against, tuple(_AXES))
    if isinstance(result, dict):
        results, labels = list(result.values()), list(result) if labels is None else labels
    else:
        results = list(result) if isinstance(result, (list, tuple)) else [result]
    labels = [labels] if isinstance(labels, str) else labels
    if labels is not None and len(labels) != len(results):
        raise InvalidInputError(
            f"labels has length {len(labels)}: one label for each of the {len(results)} results is expected; "
            f"pass a list of that length"
        )
    for run in results:
        if not isinstance(run, Result):
            raise InvalidTypeError(
                f"result is or holds {type(run).__name__}: results of solvers are expected; pass one, a list or a dict"
            )
        if "measure" not in run.history:
            raise InvalidInputError(
                "result.history is empty: at least one record is expected; plot a run with iterations"
            )
    ax = _axes() if ax is None else ax
    for i, run in enumerate(results):
        _curve(ax, run, against, _COLORS[i % len(_COLORS)], None if labels is None else labels[i])
    ax.set_yscale("log")
    ax.set_xlabel(_AXES[against])
    ax.set_ylabel(next(iter(results[0].certificate), "measure").replace("_", " ") if results else "measure")
    ax.grid(True, which="major", color="#e3e3e3", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    if labels is not None:
        ax.legend(frameon=False)
    return ax


def _curve(ax, run, against, color, label):
    x, y = run.history[against], run.history["measure"]
    seen = np.isfinite(y) & (y > 0)  # what a logarithmic axis can show
    ax.plot(x[seen], y[seen], color=color, linewidth=1.8, label=label, solid_capstyle="round")
    value = next(iter(run.certificate.values()), 0.0)
    if seen.any() and 0 < value < np.inf:
        end = x[-1] if against == "nit" else max(x[-1], run.time)
        marker = {"marker": "o"} if run.success else {"marker": "X"}
        ax.plot([end], [value], color=color, markersize=7, markeredgecolor="white", **marker)


def _axes():
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError('numopt.plot needs matplotlib: pip install "numopt[plot]"') from error
    return pyplot.subplots(figsize=(6.4, 4.0), layout="constrained")[1]
