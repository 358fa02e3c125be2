"""Constrained optimisation: functions in array-standard calls, so that they run wherever x0 lives."""

from functools import partial

import array_api_compat as compat
import numpy as np
from scipy.optimize import LinearConstraint, NonlinearConstraint

import numopt.constrained  # noqa: F401  (registers its solvers)
from numopt._array import host
from numopt.exceptions import InvalidInputError
from tests.contract.cases._case import Case, spoil

_N = 6


def _eye(x):
    xp = compat.array_namespace(x)
    return xp.eye(x.shape[0], dtype=x.dtype, device=compat.device(x))


def _target(x):
    xp = compat.array_namespace(x)
    return xp.arange(x.shape[0], dtype=x.dtype, device=compat.device(x)) / 4.0 - 0.5


def _fun(x):
    xp, r = compat.array_namespace(x), x - _target(x)
    return xp.sum(r * r) / 2.0 + xp.sum(r**4) / 4.0


def _jac(x):
    r = x - _target(x)
    return r + r**3


def _hess(x):
    r = x - _target(x)
    return _eye(x) * (1.0 + 3.0 * r * r)


def _on_the_sphere(high):
    """1 <= |x|^2 <= high."""
    return NonlinearConstraint(
        lambda x: compat.array_namespace(x).reshape(x @ x, (1,)), 1.0, high, jac=lambda x: 2.0 * x[None, :],
        hess=lambda x, v: 2.0 * v[0] * _eye(x),
    )  # fmt: skip


def _problem(rng, dtype, bounded):
    x0 = (0.5 + rng.random(_N) / 4).astype(dtype)
    keywords = {"jac": _jac, "hess": _hess, "tol": 1e-4 if dtype == "float32" else 1e-8, "rng": 0}
    if bounded:
        keywords["bounds"] = [(0.0, None), (None, 2.0), *[(-1.0, 1.0)] * (_N - 2)]
    keywords["constraints"] = _on_the_sphere(1.5 if bounded else 1.0)
    return (_fun, x0), keywords


def _kkt_error(result, p):
    """The largest of stationarity, violation and complementarity, in plain NumPy."""
    x, v = np.asarray(result.x, float), float(host(result.v[0])[0])
    zl, zu = np.asarray(result.z_lower, float), np.asarray(result.z_upper, float)
    low, high = np.full(_N, -np.inf), np.full(_N, np.inf)
    for i, (a, b) in enumerate(p.get("bounds") or []):
        low[i], high[i] = -np.inf if a is None else a, np.inf if b is None else b
    c, top = x @ x, p["constraints"].ub
    parts = [abs(_jac(x) + v * 2 * x - zl + zu).max(), 1.0 - c, c - top, (low - x).max(), (x - high).max()]
    for z, distance in ((zl, x - low), (zu, high - x)):
        parts.append(np.max(z * np.where(np.isfinite(distance), abs(distance), 1.0)))
    if top > 1:
        parts.append(v * abs(top - c) if v > 0 else -v * abs(c - 1.0))
    return max(parts) if abs(v) <= 100 else np.nan


_BAD = [
    ("no vector", spoil("x0", lambda x: x[None]), InvalidInputError, r"x0 has shape \(1, 6\)"),
    ("crossed bounds", spoil("bounds", [(1, 0)] * _N), InvalidInputError, r"bounds\[0\] is \(1.0, 0.0\)"),
    ("an unknown solver", spoil("linear_solver", "magic"), InvalidInputError, "linear_solver is 'magic'"),
    (
        "crossed rows",
        spoil("constraints", LinearConstraint([[1.0] * _N], 2, 1)),
        InvalidInputError,
        "constraint row 0 has lower bound 2.0",
    ),
]


def _sketched(rng, dtype):
    """The paper's method: inner solves to an accuracy that float32 does not have are capped, accepted and counted."""
    args, keywords = _problem(rng, dtype, bounded=False)
    keywords |= {"method": "adasketch", "linear_solver": "block-kaczmarz", "options": {"max_sketches": 2000}}
    return args, keywords


CASES = [
    Case(
        "constrained.minimize_constrained",
        partial(_problem, bounded=bounded),
        _kkt_error,
        "kkt_error",
        bad=_BAD,
        label=label,
    )
    for label, bounded in (("merit", False), ("filter", True))
]
CASES.append(Case("constrained.minimize_constrained", _sketched, _kkt_error, "kkt_error", bad=_BAD, label="adasketch"))
