"""``python -m numopt demo [family]``: one module for each family, each with ``main(folder=".")``.

A demo solves a real problem in a few seconds, says what is certain about the answer, and writes a picture into
`folder`; it returns the exit code.
"""

import importlib
import pkgutil

FAMILIES = tuple(sorted(found.name for found in pkgutil.iter_modules(__path__)))


def main(family="ot"):
    """Run the demo of `family`; return its exit code."""
    return importlib.import_module(f"{__name__}.{family}").main()


def say(topic, text):
    """Print one line: what it is about, and what is to be said."""
    print(f"{topic:<9}{text}", flush=True)
