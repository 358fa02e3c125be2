"""cmfrec, pymanopt, libmf and scikit-surprise at the best settings that we found.

None of them stops at a wanted accuracy, so each is given the least number of steps that reaches the target, found
beforehand with the held-out entries in hand (`COUNTS`; `fewest` finds them). Where none is enough it gets what it
needs for its error to settle.

cmfrec in double precision without biases and centring, with a ridge of 1e-12: at 1e-9 its Cholesky is as fast but stops
at 2e-6 on C. It starts from random factors and takes no others. Of 2, 3, 4, 6 and 10 steps of CG three were the best
compromise on A and B, two on the large instance; no number of them got below 3e-6 on B, nor below 6e-4 on C. At these
sizes half of cmfrec's seconds go into threadpoolctl, which it asks before each half sweep.

pymanopt's Riemannian conjugate gradients on `FixedRankEmbedded` with the gradient as a tangent vector, from the sparse
residual (its automatic gradient forms the matrix), the residual compiled by numba, the start the leading singular
triples of the zero-filled data. Of its rules Hestenes-Stiefel and Polak-Ribiere were the fastest, and of its line
searches the adaptive one; "exact step" is the step that minimises the linearised residual, halved until the cost
falls, given to it as a line search.

Two rows show what repairs of their code would bring; no setting does it, so they are context, not peers: cmfrec with
"threads set once", and pymanopt with "products reordered", as its transport of vectors multiplies three thin matrices
in the order that forms an m x n one.

libmf (float32, SGD) has no use for its l1 penalty, which is on by default; beyond a learning rate of 0.2 it returns
NaN. scikit-surprise's SVD was tuned over learning rates of 0.007 to 0.03.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Callable
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.peers import Answer, Instance, Solver
from benchmarks.peers._completion_instances import LARGE, Completion, Model, error
from numopt._threads import thread_count

NEAR = 100.0  # times the target: what is that close gets more steps
Run = Callable[[Completion, int], Model]

CHOLESKY, CG, ONCE = "cmfrec ALS-Cholesky", "cmfrec ALS-CG", "cmfrec ALS-Cholesky, threads set once"
RIEMANN, EXACT, ORDERED = "pymanopt CG", "pymanopt CG, exact step", "pymanopt CG, exact step, products reordered"
REPAIRS = {ONCE: CHOLESKY, ORDERED: EXACT}  # the same steps as
LIBMF, SURPRISE = "libmf", "scikit-surprise SVD"

# Where the peers are tried; on the others, which are harder than D, they would only take time. On the large instance
# only the fastest is, cmfrec with two steps of CG: 11.5 s on a quiet machine, where three steps took 12.1 s and
# its Cholesky 20.8 s; with one step the error was still 5e-4 after 16 sweeps. On G pymanopt as it is forms matrices of
# 25 million entries in each step and takes over 10 s for 40 of them.
SHOWN = ("A", "B", "C", "D", "F5, condition 1", "G")

# Steps for the instance of seed 1: what suffices on A, B, C with Cholesky, G with CG and large; elsewhere what shows
# that more would be of no use.
COUNTS: dict[tuple[str, str], int] = {
    ("A", CHOLESKY): 16, ("A", CG): 20, ("A", RIEMANN): 37, ("A", EXACT): 23, ("A", LIBMF): 250, ("A", SURPRISE): 60,
    ("B", CHOLESKY): 37, ("B", CG): 60, ("B", RIEMANN): 62, ("B", EXACT): 41,
    ("C", CHOLESKY): 60, ("C", CG): 90, ("C", RIEMANN): 200, ("C", EXACT): 200,
    ("D", CHOLESKY): 100, ("D", CG): 100, ("D", RIEMANN): 200, ("D", EXACT): 200,
    ("F5, condition 1", CHOLESKY): 30, ("F5, condition 1", CG): 30,
    ("F5, condition 1", RIEMANN): 60, ("F5, condition 1", EXACT): 60,
    ("G", CHOLESKY): 100, ("G", CG): 140, ("G", RIEMANN): 40, ("G", EXACT): 40,
    ("large", CHOLESKY): 17, ("large", CG): 20, ("large", RIEMANN): 40, ("large", EXACT): 24,
}  # fmt: skip

# Ridge and steps for the ratings: the best of `python -m benchmarks.peers._completion_ratings`.
TUNED: dict[str, tuple[float, int]] = {
    CHOLESKY: (0.08, 8),
    CG: (0.08, 8),
    LIBMF: (0.05, 20),
    SURPRISE: (0.05, 15),
}


def fewest(run: Run, p: Completion, target: float, start: int, most: int) -> int:
    """Return the least number of steps that reaches the target, to a tenth of it, or `most`."""
    low, high = 0, start
    while error(p, run(p, high)) > target:
        if high >= most:
            return most
        low, high = high, min(most, math.ceil(1.5 * high))
    while high - low > max(1, 0.1 * high):
        middle = (low + high) // 2
        low, high = (low, middle) if error(p, run(p, middle)) <= target else (middle, high)
    return high


def counted(name: str, run: Run) -> Callable[[Instance], Answer]:
    """Return the run with the number of steps known to be enough, more if it turns out not to be."""
    known: dict[str, int] = {}

    def solve(instance: Instance) -> Answer:
        p, count = instance.data, known.get(instance.name) or COUNTS.get((instance.name, REPAIRS.get(name, name)), 100)
        model, last = run(p, count), math.inf
        while instance.name not in known and instance.target < (off := error(p, model)) < NEAR * instance.target:
            if off > 0.8 * last:
                break  # that is all it can
            count, last = math.ceil(1.2 * count), off
            model = run(p, count)
        known[instance.name] = count
        return Answer(model, count)

    return solve


def recovers(instance: Instance) -> bool:
    """Tell instances with a clean matrix behind them."""
    return instance.data.kind != "ratings"


def rated(instance: Instance) -> bool:
    """Tell ratings."""
    return instance.data.kind == "ratings"


def _shown(instance: Instance, here: set[str]) -> bool:
    return instance.name in here


def tuned(name: str, rate: Callable[[Completion, float, int], Model]) -> Callable[[Instance], Answer]:
    """Return the solver of ratings at its best ridge and steps."""

    def solve(instance: Instance) -> Answer:
        return Answer(rate(instance.data, *TUNED[name]), TUNED[name][1])

    return solve


def recovering() -> dict[str, Run]:
    """Return those of the peers that are made to recover a matrix, by name."""
    return {**_cmfrec_recovers(), **_pymanopt_recovers()}


def rating() -> dict[str, Callable[[Completion, float, int], Model]]:
    """Return those of the peers that model ratings, by name: (problem, ridge, steps) -> model."""
    return {**_cmfrec_rates(), **_libmf_rates(), **_surprise_rates()}


def peers() -> list[Solver]:
    """Return all that are installed."""
    found = []
    for name, run in recovering().items():
        kind, solve = "context" if name in REPAIRS else "peer", counted(name, run)
        here = {*SHOWN, "large"} if name == CG else {*SHOWN} - ({"G"} if name in (RIEMANN, EXACT) else set())
        found.append(Solver(name, solve, kind, applies=partial(_shown, here=here)))
    for name, rate in rating().items():
        found.append(Solver(name, tuned(name, rate), compiled=name == LIBMF, applies=rated))
    for name, run in {**_libmf_recovers(), **_surprise_recovers()}.items():
        found.append(Solver(name, counted(name, run), compiled=name == LIBMF, applies=partial(_shown, here={"A"})))
    return found


# cmfrec


def _cmfrec_recovers() -> dict[str, Run]:
    try:
        from cmfrec import CMF, wrapper_double
    except ImportError:
        return {}

    def run(p: Completion, count: int, **options: Any) -> Model:
        model = CMF(
            k=p.rank, lambda_=1e-12, method="als", niter=count, user_bias=False, item_bias=False, center=False,
            finalize_chol=False, precompute_for_predictions=False, use_float=False, verbose=False,
            nthreads=thread_count(), **options,
        )  # fmt: skip
        model.fit(p.coo)
        return Model(model.A_, model.B_)

    def by_cg(p: Completion, count: int) -> Model:
        return run(p, count, use_cg=True, max_cg_steps=2 if p.shape[0] >= LARGE[0] else 3)

    def once(p: Completion, count: int) -> Model:
        asked = wrapper_double.threadpoolctl
        nothing = SimpleNamespace(threadpool_limits=lambda *args, **options: contextlib.nullcontext())
        wrapper_double.threadpoolctl = nothing  # the harness has set the threads already
        try:
            return run(p, count, use_cg=False)
        finally:
            wrapper_double.threadpoolctl = asked

    return {CHOLESKY: partial(run, use_cg=False), CG: by_cg, ONCE: once}


def _cmfrec_rates() -> dict[str, Callable[[Completion, float, int], Model]]:
    try:
        from cmfrec import CMF
    except ImportError:
        return {}

    def rate(p: Completion, ridge: float, count: int, use_cg: bool) -> Model:
        model = CMF(
            k=p.rank, lambda_=ridge, scale_lam=True, method="als", use_cg=use_cg, niter=count, finalize_chol=False,
            precompute_for_predictions=False, use_float=True, nthreads=thread_count(), verbose=False,
        )  # fmt: skip
        model.fit(p.coo_single)
        return Model(model.A_, model.B_, model.user_bias_, model.item_bias_, model.glob_mean_)

    return {CHOLESKY: partial(rate, use_cg=False), CG: partial(rate, use_cg=True)}


# pymanopt


def _pymanopt_recovers() -> dict[str, Run]:
    try:
        import pymanopt  # noqa: F401
    except ImportError:
        return {}
    ordered = partial(_riemann, exact=True, ordered=True)
    return {RIEMANN: _riemann, EXACT: partial(_riemann, exact=True), ORDERED: ordered}


def _riemann(p: Completion, count: int, exact: bool = False, ordered: bool = False) -> Model:
    import pymanopt
    from pymanopt.manifolds import FixedRankEmbedded
    from pymanopt.manifolds.fixed_rank import _FixedRankPoint
    from pymanopt.optimizers import ConjugateGradient
    from scipy.sparse.linalg import svds

    Y, inner = p.csr, _inner()
    manifold = (_ordered() if ordered else FixedRankEmbedded)(*p.shape, p.rank)
    R = Y.copy()  # the residual at the last point
    last = None

    def residual(u, s, vt):
        nonlocal last
        if last is not u:
            inner(Y.indptr, Y.indices, u * s, np.ascontiguousarray(vt.T), R.data)
            R.data -= Y.data
            last = u
        return R

    @pymanopt.function.numpy(manifold)
    def cost(u, s, vt):
        r = residual(u, s, vt).data
        return 0.5 * float(r @ r)

    @pymanopt.function.numpy(manifold)
    def gradient(u, s, vt):
        return manifold.projection((u, s, vt), residual(u, s, vt))

    def step(x, d):
        r, moved = residual(*x).data, np.empty(Y.nnz)
        left, right = np.hstack((x.u @ d.M + d.Up, x.u)), np.hstack((x.vt.T, d.Vp))
        inner(Y.indptr, Y.indices, left, right, moved)
        return -float(moved @ r) / float(moved @ moved)

    U, s, Vt = svds(Y / p.density, k=p.rank, v0=np.ones(min(p.shape)), tol=1e-2)
    start = _FixedRankPoint(U[:, ::-1].copy(), s[::-1].copy(), Vt[::-1].copy())
    optimizer = ConjugateGradient(
        beta_rule="HestenesStiefel", line_searcher=ExactStep(step) if exact else None,
        max_iterations=count, max_time=np.inf, min_gradient_norm=0.0, min_step_size=0.0, verbosity=0,
    )  # fmt: skip
    problem = pymanopt.Problem(manifold, cost, riemannian_gradient=gradient)
    point = optimizer.run(problem, initial_point=start).point
    return Model(point.u * point.s, point.vt.T)


class ExactStep:
    """A line search for pymanopt: the minimiser of a linearised residual, halved until the cost falls."""

    def __init__(self, step: Callable[[Any, Any], float]) -> None:
        self.step = step

    def search(self, objective, manifold, x, d, f0, df0):
        """Return the length of the step and the point it leads to."""
        alpha, length = self.step(x, d), manifold.norm(x, d)
        for _ in range(25):
            new = manifold.retraction(x, alpha * d)
            if objective(new) <= f0 + 1e-4 * alpha * df0:
                return alpha * length, new
            alpha /= 2
        return 0.0, x


@lru_cache
def _ordered() -> type:
    from pymanopt.manifolds import FixedRankEmbedded

    class Ordered(FixedRankEmbedded):
        def _apply_ambient(self, vector, matrix):
            if not isinstance(vector, tuple):
                return vector @ matrix
            left, middle, right = vector
            return left @ (middle @ (right.T @ matrix))

        def _apply_ambient_transpose(self, vector, matrix):
            if not isinstance(vector, tuple):
                return vector.T @ matrix
            left, middle, right = vector
            return right @ (middle.T @ (left.T @ matrix))

    return Ordered


@lru_cache
def _inner() -> Callable:
    """Return the compiled products of rows of U and of V at the entries of a sparse matrix."""
    import numba

    @numba.njit(fastmath={"reassoc", "contract"})
    def inner(indptr, indices, U, V, out):
        for i in range(indptr.size - 1):
            for t in range(indptr[i], indptr[i + 1]):
                j, total = indices[t], 0.0
                for a in range(U.shape[1]):
                    total += U[i, a] * V[j, a]
                out[t] = total

    return inner


# libmf and scikit-surprise


def _libmf(p: Completion, **options: Any) -> Model:
    with contextlib.redirect_stdout(io.StringIO()):  # it tells where it was found
        from libmf import mf
    engine = mf.MF(k=p.rank, nr_threads=thread_count(), lambda_p1=0.0, lambda_q1=0.0, quiet=True, **options)
    engine.fit(p.triples)
    return Model(engine.p_factors(), engine.q_factors())


def _libmf_rates() -> dict[str, Callable[[Completion, float, int], Model]]:
    def rate(p: Completion, ridge: float, count: int) -> Model:
        return _libmf(p, lambda_p2=ridge, lambda_q2=ridge, eta=0.1, nr_iters=count)

    return {LIBMF: rate} if _installed("libmf") else {}


def _libmf_recovers() -> dict[str, Run]:
    def run(p: Completion, count: int) -> Model:
        return _libmf(p, lambda_p2=0.0, lambda_q2=0.0, eta=0.1, nr_iters=count)

    return {LIBMF: run} if _installed("libmf") else {}


def _surprise(p: Completion, biased: bool, **options: Any) -> Model:
    from surprise import SVD

    trainset = _trainset(p)
    model = SVD(n_factors=p.rank, biased=biased, random_state=0, **options).fit(trainset)
    biases = (model.bu, model.bi, trainset.global_mean) if biased else ()
    return Model(model.pu, model.qi, *biases)


@lru_cache
def _trainset(p: Completion) -> Any:
    """Return the entries as scikit-surprise wants them: made once, not counted."""
    from surprise import Trainset

    m, n = p.shape
    by_row: dict[int, list] = {i: [] for i in range(m)}
    for i, j, y in zip(p.rows.tolist(), p.cols.tolist(), p.values.tolist(), strict=True):
        by_row[i].append((j, y))
    ids = {i: i for i in range(max(m, n))}
    return Trainset(by_row, {j: [] for j in range(n)}, m, n, p.values.size, (1, 5), ids, ids)


def _surprise_rates() -> dict[str, Callable[[Completion, float, int], Model]]:
    def rate(p: Completion, ridge: float, count: int) -> Model:
        return _surprise(p, True, lr_all=0.015, reg_all=ridge, n_epochs=count)

    return {SURPRISE: rate} if _installed("surprise") else {}


def _surprise_recovers() -> dict[str, Run]:
    def run(p: Completion, count: int) -> Model:
        return _surprise(p, False, lr_all=0.015, reg_all=0.0, n_epochs=count)

    return {SURPRISE: run} if _installed("surprise") else {}


def _installed(package: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(package) is not None
