"""What each solver declares about itself: drives the contract tests and the support table."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a solver promises.

    Attributes
    ----------
    function : callable
        The public function.
    family : str
        Its room: it is ``numopt.<family>.<function name>``.
    dtypes : tuple of str
        The dtypes it computes in, and returns.
    sparse : bool
        Whether it takes sparse arrays.
    arrays : tuple of str
        The names of its array arguments.
    """

    function: Callable
    family: str
    dtypes: tuple = ("float32", "float64")
    sparse: bool = False
    arrays: tuple = ()


REGISTRY = {}
"""Capabilities by qualified name, ``"<family>.<function name>"``, of all rooms imported so far."""


def solver(*, family, dtypes=("float32", "float64"), sparse=False, arrays=()):
    """Register the decorated function under ``"<family>.<function name>"``; it is returned unchanged.

    Parameters
    ----------
    family, dtypes, sparse, arrays
        As in `Capabilities`.
    """

    def register(function):
        REGISTRY[f"{family}.{function.__name__}"] = Capabilities(
            function, family, tuple(dtypes), sparse, tuple(arrays)
        )
        return function

    return register
