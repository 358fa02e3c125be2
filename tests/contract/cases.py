"""One entry for each registered solver: how to call it, what to refuse, how to recompute its certificate.

A family adds its entries to `CASES`; everything in ``test_contract.py`` then runs for them.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

import numopt
import numopt.ot
import tests.contract.tiny  # noqa: F401  (registers "tiny.richardson")
from numopt.exceptions import InvalidInputError
from tests.oracles import unbalanced


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


def _transport(rng, dtype, method):
    """Points in a square; "sns" needs a small reg, Sinkhorn's iteration a large one, to be quick."""
    X, Y, a, b = rng.random((24, 2)), rng.random((31, 2)), rng.random(24) + 0.1, rng.random(31) + 0.1
    reg = {"auto": 0.02, "sns": 0.02, "sinkhorn": 0.1}[method]
    C = ((X[:, None] - Y) ** 2).sum(axis=2)
    arrays = tuple(x.astype(dtype) for x in (a / a.sum(), b / b.sum(), C))
    return arrays, {"reg": reg, "method": method, "tol": 1e-5 if dtype == "float32" else 1e-9}


def _marginal_error(result, p):
    a, b = p["a"], p["b"]
    P = np.exp((result.f[:, None].astype(float) + result.g - p["C"]) / result.reg) * (a[:, None] > 0) * (b > 0)
    return (abs(P.sum(axis=1) - a).sum() + abs(P.sum(axis=0) - b).sum()) / a.sum()


def _spoil(name, value):
    """Return a function that puts `value` in place of an argument, or what `value` makes of it."""

    def change(arguments):
        arguments[name] = value(arguments[name]) if callable(value) else value

    return change


def _sparse_plan(rng, dtype, max_nonzeros):
    a, b, C = rng.random(9) + 0.5, rng.random(11) + 0.5, rng.random((9, 11))
    arrays = tuple(x.astype(dtype) for x in (a / a.sum(), b / b.sum(), C))
    return arrays, {"reg": 0.5, "tol": 1e-5, "max_nonzeros": max_nonzeros}


def _sparse_plan_error(result, p):
    """The l1 violation of the plan that the potentials stand for, relative to the mass."""
    f, g, a, b, C = (np.asarray(x, float) for x in (result.f, result.g, p["a"], p["b"], p["C"]))
    P = np.maximum(f[:, None] + g - C, 0) / p["reg"]
    return (np.abs(P.sum(axis=1) - a).sum() + np.abs(P.sum(axis=0) - b * a.sum() / b.sum()).sum()) / a.sum()


def _loose_transport(rng, dtype, **relaxed):
    """The same points with unequal masses."""
    (a, b, C), common = _transport(rng, dtype, "auto")
    common.pop("method")
    return (a, (1.5 * b).astype(dtype), C), common | relaxed


def _unbalanced_error(result, p):
    f, g, a, b, C = (np.asarray(x, float) for x in (result.f, result.g, p["a"], p["b"], p["C"]))
    rho = p["rho"], p["rho_columns"]
    return unbalanced.error(f, g, a, b, C, result.reg, rho, p["reg_type"])


def _partial_error(result, p):
    f, g, a, b = (np.asarray(x, float) for x in (result.f, result.g, p["a"], p["b"]))
    P = np.exp((f[:, None] + g - p["C"]) / result.reg) * (a[:, None] > 0)
    x, y = np.exp((f + result.stay_rows) / result.reg) * (a > 0), np.exp((g + result.stay_columns) / result.reg)
    off = abs(P.sum(axis=1) + x - a).sum() + abs(P.sum(axis=0) + y - b).sum()
    return (off + sum(abs(z.sum() - w.sum() + p["mass"]) for z, w in ((x, a), (y, b)))) / p["mass"]


_BAD_TRANSPORT = [
    ("sizes disagree", _spoil("a", lambda a: a[:-1]), InvalidInputError, r"C has shape \(24, 31\)"),
    ("a negative weight", _spoil("b", lambda b: b - 0.1), InvalidInputError, r"b\[\d+\] is -.*negative"),
    ("no weight at all", _spoil("a", lambda a: 0 * a), InvalidInputError, "a sums to 0"),
    ("unequal masses", _spoil("a", lambda a: 2 * a), InvalidInputError, "a sums to .* and b to .*normalise"),
    ("reg of 0", _spoil("reg", 0.0), InvalidInputError, "reg is 0"),
    ("reg below rounding", _spoil("reg", 1e-16), InvalidInputError, "reg is 1e-16: at least"),
    ("a short start", _spoil("init", np.zeros(3)), InvalidInputError, r"init has shape \(3,\)"),
]


CASES = [
    Case(
        "tiny.richardson",
        _tiny,
        lambda result, p: np.linalg.norm(p["b"] - p["A"] @ result.x) / np.linalg.norm(p["b"]),
        "residual",
        bad=[("a matrix for a vector", _longer, InvalidInputError, r"b has shape \(1, 24\)")],
    ),
    *(
        Case(
            "ot.sinkhorn_newton",
            partial(_transport, method=method),
            _marginal_error,
            "marginal_error",
            bad=_BAD_TRANSPORT,
            label=method,
        )
        for method in ("auto", "sns", "sinkhorn")
    ),
    Case(
        "ot.sparse_plan",
        partial(_sparse_plan, max_nonzeros=None),
        _sparse_plan_error,
        "marginal_error",
        bad=[
            ("a negative weight", _spoil("a", lambda a: -a), InvalidInputError, r"a\[0\] is -"),
            ("unequal masses", _spoil("b", lambda b: 2 * b), InvalidInputError, "normalise both"),
        ],
    ),
    *(
        Case(
            "ot.unbalanced_sinkhorn_newton",
            partial(_loose_transport, rho=rho, rho_columns=0.8, reg_type=kind),
            _unbalanced_error,
            "marginal_error",
            bad=[
                *(bad for bad in _BAD_TRANSPORT if bad[0] != "unequal masses"),
                ("rho of 0", _spoil("rho", 0.0), InvalidInputError, "rho is 0"),
            ],
            label=kind,
        )
        for rho, kind in ((0.5, "entropy"), (np.inf, "kl"))
    ),
    Case(
        "ot.partial_transport",
        partial(_loose_transport, mass=0.6),
        _partial_error,
        "marginal_error",
        bad=[
            *(bad for bad in _BAD_TRANSPORT if bad[0] not in ("unequal masses", "a short start")),
            ("too much mass", _spoil("mass", 2.0), InvalidInputError, "mass is 2: at most "),
        ],
    ),
]


def load_all_rooms():
    """Import every room, so that all solvers are registered."""
    for room in numopt._ROOMS:
        importlib.import_module(f"numopt.{room}")
