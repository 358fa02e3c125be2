"""``python -m numopt demo [family]``: one module for each family, each with ``main(folder=".")``.

A demo solves a real problem in a few seconds, says what is certain about the answer, and writes a picture into
`folder`; it returns the exit code. What demos share is here.
"""

import importlib
import pkgutil
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import numopt

FAMILIES = tuple(sorted(found.name for found in pkgutil.iter_modules(__path__)))


def main(family="ot"):
    """Run the demo of `family`; return its exit code."""
    say("kernels", "are compiled the first time, which takes up to some minutes, and loaded from a cache later")
    return importlib.import_module(f"{__name__}.{family}").main()


def say(topic, text):
    """Print one line: what it is about, and what is to be said."""
    print(f"{topic:<9}{text}", flush=True)


def ready(family, rehearse=None):
    """Compile kernels and call `rehearse`, so that no clock sees what is done once."""
    began = perf_counter()
    numopt.warmup("float64", family)
    if rehearse:
        rehearse()
    say("ready", f"kernels compiled, or loaded from the cache, in {perf_counter() - began:.1f} s")


def photograph(name):
    """Return a photograph that scikit-learn brings, with numbers from 0 to 1."""
    from sklearn.datasets import load_sample_image

    try:
        return load_sample_image(name) / 255.0
    except ImportError as error:
        raise ImportError('the demo needs a picture: pip install "numopt[plot]"') from error


@contextmanager
def drawn(folder, name, size):
    """Give a figure of a size in inches to draw on inside a ``with`` block; it is then written, and said where."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('the demo draws a picture: pip install "numopt[plot]"') from error
    figure, path = Figure(figsize=size, layout="constrained"), Path(folder).resolve() / name
    yield figure
    figure.savefig(path, dpi=120)
    say("picture", path)
