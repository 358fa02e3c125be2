"""The solvers of optimal transport."""

from functools import partial

import numpy as np

from numopt.exceptions import InvalidInputError
from tests.contract.cases._case import Case, spoil
from tests.oracles import unbalanced


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
    ("sizes disagree", spoil("a", lambda a: a[:-1]), InvalidInputError, r"C has shape \(24, 31\)"),
    ("a negative weight", spoil("b", lambda b: b - 0.1), InvalidInputError, r"b\[\d+\] is -.*negative"),
    ("no weight at all", spoil("a", lambda a: 0 * a), InvalidInputError, "a sums to 0"),
    ("unequal masses", spoil("a", lambda a: 2 * a), InvalidInputError, "a sums to .* and b to .*normalise"),
    ("reg of 0", spoil("reg", 0.0), InvalidInputError, "reg is 0"),
    ("reg below rounding", spoil("reg", 1e-16), InvalidInputError, "reg is 1e-16: at least"),
    ("a short start", spoil("init", np.zeros(3)), InvalidInputError, r"init has shape \(3,\)"),
]


CASES = [
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
            ("a negative weight", spoil("a", lambda a: -a), InvalidInputError, r"a\[0\] is -"),
            ("unequal masses", spoil("b", lambda b: 2 * b), InvalidInputError, "normalise both"),
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
                ("rho of 0", spoil("rho", 0.0), InvalidInputError, "rho is 0"),
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
            ("too much mass", spoil("mass", 2.0), InvalidInputError, "mass is 2: at most "),
        ],
    ),
]
