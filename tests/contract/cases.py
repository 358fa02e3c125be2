"""One entry for each registered solver: how to call it, what to refuse, how to recompute its certificate.

A family adds its entries to `CASES`; everything in ``test_contract.py`` then runs for them.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

import numopt
import tests.contract.tiny  # noqa: F401  (registers "tiny.richardson")
from numopt.exceptions import InvalidInputError


@dataclass(frozen=True)
class Case:
    """How the contract tests call one solver.

    Attributes
    ----------
    name : str
        Of the solver in ``numopt._solver.REGISTRY``.
    make : callable
        ``make(rng, dtype) -> (args, kwargs)`` with NumPy arrays of `dtype`; the problem must take a few
        iterations and be solved to ``kwargs["tol"]``, and ``kwargs`` fix the seed where there is one.
    recompute : callable
        ``recompute(result, arguments) -> float`` in plain NumPy; `result` has NumPy arrays where the
        solver returned arrays, `arguments` are the call's by name.
    certificate : str
        The entry of ``result.certificate`` that `recompute` repeats.
    bad : list of (str, callable, type, str)
        Label, ``change(arguments)`` that spoils a dict of arguments by name in place, the exception, and
        a pattern for its message. NaN entries, complex arrays and bad keywords are tried for everybody.
    label : str
        Tells several cases of one solver apart, such as its methods.
    """

    name: str
    make: Callable
    recompute: Callable
    certificate: str
    bad: list = field(default_factory=list)
    label: str = ""

    def __str__(self):
        return f"{self.name}-{self.label}" if self.label else self.name


def _tiny(rng, dtype):
    A = rng.random((12, 12))
    A = A + A.T + 12 * np.eye(12)
    return (A.astype(dtype), rng.random(12).astype(dtype)), {"tol": 1e-4, "rng": 3}


def _longer(arguments):
    arguments["b"] = np.concatenate([arguments["b"], arguments["b"]])[None]


CASES = [
    Case(
        "tiny.richardson",
        _tiny,
        lambda result, p: np.linalg.norm(p["b"] - p["A"] @ result.x) / np.linalg.norm(p["b"]),
        "residual",
        bad=[("a matrix for a vector", _longer, InvalidInputError, r"b has shape \(1, 24\)")],
    ),
]


def load_all_rooms():
    """Import every room, so that all solvers are registered."""
    for room in numopt._ROOMS:
        importlib.import_module(f"numopt.{room}")
