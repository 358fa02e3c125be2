"""PDLP, HiGHS, Clarabel, SCS, ECOS, nashpy and scikit-learn at the best settings that we found.

Solvers of cones and linear programs are called directly, which spares them what a modelling layer costs; building the
arrays that they take is timed with the solve, and `BUILD` keeps it apart. A game is min t with A x <= t, x in the
simplex, for A less its mean (where it is dense) and scaled; y are the multipliers. First-order solvers get the loosest
threshold that reaches what is asked: the first run finds it. All run on one thread, and those that cannot be
interrupted stop themselves at the limit of the run.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import scipy.sparse as sp

from benchmarks.peers import Answer, Instance, Solver
from benchmarks.peers._measure import LIMIT
from benchmarks.peers._monotone_instances import EXACT, ROUGH, Game, Linear, Logistic

LARGEST = ("sparse-4000", "gauss-2000", "police-2000")
BUILD: dict[tuple[str, str], float] = {}
_limit = [LIMIT]

# min c.x, rows[:n_ub] x <= b[:n_ub], rows[n_ub:] x = b[n_ub:], x >= 0 but for the last `free`
Form = tuple[np.ndarray, sp.csc_matrix, np.ndarray, int, int]


def within(seconds: float) -> None:
    """Let solvers that stop themselves do so after so many seconds."""
    _limit[0] = seconds


def form(data: Game | Linear) -> Form:
    """Return (c, rows, b, n_ub, free)."""
    if isinstance(data, Linear):
        return data.c, data.A.tocsc(), data.b, 0, 0
    m, n = data.A.shape
    A = data.A / data.scale if sp.issparse(data.A) else sp.csc_matrix((data.A - data.A.mean()) / data.scale)
    rows = sp.bmat([[A, -np.ones((m, 1))], [np.ones((1, n)), None]], format="csc")
    return np.r_[np.zeros(n), 1.0], rows, np.r_[np.zeros(m), 1.0], m, 1


def point(data: Game | Linear, x: np.ndarray, multipliers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what the ruler takes; multipliers of inequalities are >= 0, those of equalities of the sign of b.y."""
    return (x, multipliers) if isinstance(data, Linear) else (x[:-1], multipliers[:-1])


def low(c: np.ndarray, free: int) -> np.ndarray:
    """Return the lower bounds of the variables: 0, but for the last `free`."""
    return np.where(np.arange(c.size) < c.size - free, 0.0, -np.inf)


def timed(name: str, instance: Instance) -> Form:
    """Return the form; the seconds it took are kept."""
    begin = time.process_time()
    made = form(instance.data)
    BUILD[instance.name, name] = time.process_time() - begin
    return made


def peers() -> list[Solver]:
    """Return all that are installed."""
    return [*_pdlp(), *_highs(), *_cones(), *_nashpy(), *_sklearn()]


def _is(kind: type, *targets: float) -> Callable[[Instance], bool]:
    return lambda instance: isinstance(instance.data, kind) and (not targets or instance.target in targets)


def _first_order(instance: Instance) -> bool:
    return isinstance(instance.data, Linear) or (isinstance(instance.data, Game) and instance.target in ROUGH)


def _exact(instance: Instance) -> bool:
    return isinstance(instance.data, Linear) or (isinstance(instance.data, Game) and instance.target == EXACT)


def loosened(run: Callable[[Instance, float], Answer], loosest: float) -> Callable:
    """Return the run with the loosest threshold that is enough; `loosest` is for cheap targets, relative to them."""
    known: dict[str, float] = {}

    def solve(instance: Instance) -> Answer:
        if instance.name in known:
            return run(instance, known[instance.name])
        loose = instance.target >= 1e-5 and not instance.name.startswith(LARGEST)
        begin, threshold = time.perf_counter(), (loosest if loose else 1.0) * instance.target
        while True:
            answer = run(instance, threshold)
            error = measure(instance, answer.point)
            known[instance.name] = threshold
            if error <= instance.target or threshold < 1e-15 or time.perf_counter() - begin > _limit[0] / 2:
                return answer
            threshold *= min(0.3, max(0.01, 0.5 * instance.target / error))  # errors go like thresholds, about

    return solve


def measure(instance: Instance, answer: Any) -> float:
    """Return the accuracy by which all are judged."""
    data = instance.data
    if isinstance(data, Logistic):
        return data.residual(answer)
    return data.gap(*answer) if isinstance(data, Game) else data.error(*answer)


def _harder(name: str) -> Callable[[Instance], Iterable[tuple[str, str]]]:
    """Return the same game to less accuracy, and of half the size."""

    def easier(instance: Instance) -> Iterable[tuple[str, str]]:
        game, _, target = instance.name.partition(" to ")
        for loose in ROUGH:
            if loose > instance.target:
                yield f"{game} to {loose:.0e}", name
        if game.endswith("2000"):
            yield f"{game[:-4]}500 to {target}", name

    return easier


def _pdlp() -> list[Solver]:
    try:
        from ortools.pdlp import solvers_pb2
        from ortools.pdlp.python import pdlp
    except ImportError:
        return []

    def run(instance: Instance, threshold: float) -> Answer:
        c, rows, b, n_ub, free = timed("PDLP", instance)
        begin = time.process_time()
        program = pdlp.QuadraticProgram()
        program.resize_and_initialize(c.size, b.size)
        program.objective_vector = c
        program.constraint_matrix = rows
        program.constraint_lower_bounds = np.where(np.arange(b.size) < n_ub, -np.inf, b)
        program.constraint_upper_bounds = b
        program.variable_lower_bounds = low(c, free)
        BUILD[instance.name, "PDLP"] += time.process_time() - begin
        params = solvers_pb2.PrimalDualHybridGradientParams()
        criteria = params.termination_criteria
        criteria.simple_optimality_criteria.eps_optimal_absolute = threshold
        criteria.simple_optimality_criteria.eps_optimal_relative = threshold
        criteria.time_sec_limit = _limit[0]
        result = pdlp.primal_dual_hybrid_gradient(program, params)
        y = result.dual_solution
        y = np.asarray(y) if isinstance(instance.data, Linear) else -np.asarray(y)
        return Answer(point(instance.data, np.asarray(result.primal_solution), y), result.solve_log.iteration_count)

    solve = loosened(run, 10.0)
    return [Solver("PDLP", solve, applies=_first_order, easier=_harder("PDLP"))]


def _highs() -> list[Solver]:
    from scipy.optimize import linprog

    tests = ("primal_feasibility_tolerance", "dual_feasibility_tolerance")

    def solver(name: str, method: str) -> Solver:
        def solve(instance: Instance) -> Answer:
            c, rows, b, n_ub, free = timed(name, instance)
            rows = rows.tocsr()
            ub = {"A_ub": rows[:n_ub], "b_ub": b[:n_ub]} if n_ub else {}
            bounds = np.column_stack([low(c, free), np.full(c.size, np.inf)])
            result = linprog(
                c, **ub, A_eq=rows[n_ub:], b_eq=b[n_ub:], bounds=bounds, method=method,
                options={"time_limit": _limit[0], **dict.fromkeys(tests, 1e-10)},
            )  # fmt: skip
            if result.x is None:
                raise RuntimeError(result.message)
            y = np.r_[-result.ineqlin.marginals, result.eqlin.marginals] if n_ub else result.eqlin.marginals
            return Answer(point(instance.data, result.x, y), int(result.nit))

        return Solver(name, solve, applies=_exact, easier=_harder(name))

    return [solver("HiGHS dual simplex", "highs-ds"), solver("HiGHS interior point", "highs-ipm")]


def _stacked(made: Form) -> tuple:
    """Return (c, M, h, n_zero): M x + s = h with s = 0 in the first rows, >= 0 in the others; then the rows' order."""
    c, rows, b, n_ub, free = made
    rows = rows.tocsr()
    signs = -sp.eye(c.size, format="csr")[: c.size - free]
    M = sp.vstack([rows[n_ub:], rows[:n_ub], signs]).tocsc()
    return c, M, np.r_[b[n_ub:], b[:n_ub], np.zeros(c.size - free)], b.size - n_ub


def _unstacked(instance: Instance, x: Any, z: Any, made: Form) -> tuple:
    """Return the point from the multipliers of the stacked rows."""
    _, _, b, n_ub, _ = made
    z = np.asarray(z)
    n_eq = b.size - n_ub
    y = np.r_[z[n_eq : n_eq + n_ub], z[:n_eq]] if n_ub else -z[:n_eq]
    return point(instance.data, np.asarray(x), y)


def _cones() -> list[Solver]:
    found = []

    def build(name: str, instance: Instance) -> tuple:
        begin = time.process_time()
        made = timed(name, instance)
        stacked = _stacked(made)
        BUILD[instance.name, name] = time.process_time() - begin
        return made, stacked

    try:
        import clarabel

        def by_clarabel(instance: Instance) -> Answer:
            made, (c, M, h, n_zero) = build("Clarabel", instance)
            settings = clarabel.DefaultSettings()
            settings.verbose = False
            settings.time_limit = _limit[0]
            settings.max_threads = 1
            settings.static_regularization_enable = isinstance(instance.data, Linear)  # in games it stops at 1e-9
            settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = min(1e-8, 0.1 * instance.target)
            cones = [clarabel.ZeroConeT(n_zero), clarabel.NonnegativeConeT(h.size - n_zero)]
            P = sp.csc_matrix((c.size, c.size))
            result = clarabel.DefaultSolver(P, c, M, h, cones, settings).solve()
            return Answer(_unstacked(instance, result.x, result.z, made), int(result.iterations))

        # On the largest games it neither finishes nor stops within 20 s; nor does SCS below.
        def moderate(instance: Instance) -> bool:
            return _exact(instance) and not instance.name.startswith(LARGEST)

        found.append(Solver("Clarabel", by_clarabel, applies=moderate, easier=_harder("Clarabel")))
    except ImportError:
        pass
    try:
        import scs

        def by_scs(instance: Instance, threshold: float) -> Answer:
            made, (c, M, h, n_zero) = build("SCS", instance)
            result = scs.SCS(
                {"A": M, "b": h, "c": c}, {"z": n_zero, "l": h.size - n_zero}, verbose=False, eps_abs=threshold,
                eps_rel=threshold, max_iters=10**7, time_limit_secs=_limit[0],
            ).solve()  # fmt: skip
            return Answer(_unstacked(instance, result["x"], result["y"], made), int(result["info"]["iter"]))

        def rough(instance: Instance) -> bool:
            return _first_order(instance) and instance.target == ROUGH[0] and not instance.name.startswith(LARGEST)

        found.append(Solver("SCS", loosened(by_scs, 10.0), applies=rough, easier=_harder("SCS")))
    except ImportError:
        pass
    try:
        import ecos

        def by_ecos(instance: Instance) -> Answer:
            made, (c, M, h, n_zero) = build("ECOS", instance)
            M = M.tocsr()
            result = ecos.solve(
                c, M[n_zero:].tocsc(), h[n_zero:], {"l": h.size - n_zero, "q": [], "e": 0}, M[:n_zero].tocsc(),
                h[:n_zero], verbose=False, abstol=1e-11, reltol=1e-11, feastol=1e-11,
            )  # fmt: skip
            multipliers = np.r_[result["y"], result["z"]]
            return Answer(_unstacked(instance, result["x"], multipliers, made), int(result["info"]["iter"]))

        # It cannot be stopped. On the other games it runs for more than 20 s, on toeplitz-500 for one.
        def small(instance: Instance) -> bool:
            return instance.name.split("-500")[0] in ("police", "gauss", "power2") and instance.target == EXACT

        found.append(Solver("ECOS", by_ecos, compiled=True, applies=small, easier=_harder("ECOS")))
    except ImportError:
        pass
    return found


def _nashpy() -> list[Solver]:
    try:
        import nashpy
    except ImportError:
        return []

    # Its players take the rows first and maximise; of its methods this one alone is not exponential.
    def solve(instance: Instance) -> Answer:
        y, x = nashpy.Game(instance.data.A).linear_program()
        return Answer((x, y))

    def small(instance: Instance) -> bool:
        return _is(Game, EXACT)(instance) and not sp.issparse(instance.data.A) and instance.data.A.size <= 250_000

    return [Solver("nashpy", solve, compiled=True, applies=small)]


def _sklearn() -> list[Solver]:
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        return []

    def solver(name: str) -> Solver:
        def run(instance: Instance, threshold: float) -> Answer:
            data = instance.data
            model = LogisticRegression(
                C=np.inf, fit_intercept=False, solver=name, tol=threshold, max_iter=10_000, random_state=0
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(data.A, data.b)
            return Answer(model.coef_.ravel(), int(np.max(model.n_iter_)))

        # Thresholds are for changes of w, the gradient, or the Newton decrement: try what is loose first.
        return Solver(f"scikit-learn {name}", loosened(run, 1e4), applies=_is(Logistic))

    return [solver(name) for name in ("saga", "lbfgs", "newton-cholesky")]
