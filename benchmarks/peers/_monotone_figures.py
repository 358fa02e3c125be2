"""What the solvers of monotone inclusions promise, and what came of it."""

from __future__ import annotations

import re
import statistics
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp

from benchmarks.peers import Figure, Row, Table, best_of
from benchmarks.peers import _monotone_paper as paper
from benchmarks.peers._measure import LATE
from benchmarks.peers._monotone_instances import (
    EXACT,
    ROUGH,
    bilinear_sum,
    games,
    maps,
    programs,
    sums,
    suspicious,
)
from benchmarks.peers._monotone_ours import game, ours, program, quiet, root
from benchmarks.peers._monotone_peers import BUILD

SEEDS = 5
LEVEL = 0.02  # residual at which the paper's first experiment is read
LARGE = 5000  # of the square matrix that shows the bandwidth: 200 MB, more than caches hold


def figures(table: Table) -> Iterator[Figure]:
    """Yield all figures, those of the table first."""
    if not ours():
        yield Figure("all", "numopt.monotone", "numopt.monotone is not there yet", None)
        return
    yield from _games(table)
    yield _never_slower(table)
    yield _building(table)
    yield from _sums(table)
    for part in (_experiment, _min_max, partial(_programs, table), _certificates, _fixed_points, _bandwidth):
        yield from _guarded(part)


def _guarded(part: Callable[[], Iterator[Figure]]) -> Iterator[Figure]:
    """Say which figure could not be measured, and why; the others go on."""
    try:
        yield from part()
    except Exception as error:
        name = getattr(part, "__name__", "_programs").strip("_").replace("_", " ")
        yield Figure(name, "a measurement", f"{type(error).__name__}: {error}"[:200], False)


# 1: matrix games


def _games(table: Table) -> Iterator[Figure]:
    for name in games():
        for target in (*ROUGH, EXACT):
            if table.row(f"{name} to {target:.0e}", "numopt"):
                yield compared(table, f"{name} to {target:.0e}")


def compared(table: Table, instance: str) -> Figure:
    """Compare a game with PDLP's answer, or the best exact one where the target is that of the exact solvers."""
    name, _, target = instance.partition(" to ")
    if float(target) == EXACT:
        return _against_best(table, instance, 1.5 if name.startswith("gauss") else 2, "1")
    data, row = games()[name], table.row(instance, "PDLP")
    share = 4 if sp.issparse(data.A) else 8
    asked = f"at the gap that PDLP achieves, at least {share} times as fast"
    if row is None or not row.solved:
        mine, late = table.row(instance, "numopt"), _late([row] if row else [])
        return _lower_bound(f"1, {instance}", asked, mine, share, late, "PDLP has no answer")
    gap = max(row.accuracy, 1e-13)
    timing = best_of(partial(game, data, gap))
    reached = data.gap(timing.value.x, timing.value.y)
    seen = f"{row.cpu / timing.cpu:.3g}: {timing.cpu:.3g} s, PDLP {row.cpu:.3g} s, gap {row.accuracy:.1e}"
    seen += "" if reached <= 1.01 * gap else f", OURS {reached:.1e}"
    return Figure(f"1, {instance}", asked, seen, reached <= 1.01 * gap and row.cpu >= share * timing.cpu)


def _late(rows: Iterable[Row]) -> float | None:
    """Return the least of the limits that solvers ran into; None if one of them failed for another reason."""
    limits = [re.fullmatch(f"{LATE} of ([0-9.]+) s", row.note) for row in rows]
    return min((float(limit[1]) for limit in limits), default=None) if all(limits) else None


def _lower_bound(name: str, asked: str, mine: Row, share: float, late: float | None, why: str) -> Figure:
    """Say how many times as fast we are at least, where all others ran into a limit."""
    if late is None or not mine.solved:
        return Figure(name, asked, f"{why}; ours {mine.cpu:.3g} s" if mine.solved else f"no solution: {mine.note}")
    seen = f"more than {late / mine.cpu:.3g}: {mine.cpu:.3g} s, and {why} in {late:g} s"
    return Figure(name, asked, seen, True if late >= share * mine.cpu else None)


def _against_best(table: Table, instance: str, share: float, number: str) -> Figure:
    mine, best = table.row(instance, "numopt"), table.best_peer(instance)
    name, asked = f"{number}, {instance}", f"at least {share:g} times as fast as the best peer"
    if mine is None or not mine.solved:
        return Figure(name, asked, f"no solution: {mine.note if mine else '?'}", False)
    if best is None:
        late = _late(row for row in table.rows if row.instance == instance and row.kind == "peer")
        return _lower_bound(name, asked, mine, share, late, "no peer has an answer")
    seen = f"{best.cpu / mine.cpu:.3g}: {mine.cpu:.3g} s, {best.solver} {best.cpu:.3g} s"
    return Figure(name, asked, seen, best.cpu >= share * mine.cpu)


def _never_slower(table: Table) -> Figure:
    rows = [row for row in table.rows if row.solver == "numopt" and row.instance.split(" to ")[0] in games()]
    ratios = {row.instance: row.ratio for row in rows if row.ratio is not None}
    failed = [row.instance for row in rows if not row.solved]
    if not ratios:
        return Figure("1, all games", "never slower than 1.2 times the best peer", "not comparable", None)
    worst = max(ratios, key=ratios.get)
    seen = f"at most {ratios[worst]:.3g} ({worst})" + (f"; no solution of {', '.join(failed)}" if failed else "")
    holds = ratios[worst] <= 1.2 and not failed
    return Figure("1, all games", "never slower than 1.2 times the best peer", seen, holds)


def _building(table: Table) -> Figure:
    """Show apart what the peers spent on building what they take."""
    shares = {}
    for (instance, solver), seconds in BUILD.items():
        row = table.row(instance, solver)
        if row and row.cpu:
            shares.setdefault(solver, []).append((seconds / row.cpu, seconds, instance))
    listed = [f"{solver} {max(of)[1]:.2g} s, {100 * max(of)[0]:.0f} % ({max(of)[2]})" for solver, of in shares.items()]
    return Figure("1, model building", "included, shown apart", "; ".join(listed) or "no peer")


# 2: finite sums


def _sums(table: Table) -> Iterator[Figure]:
    for name, data in sums().items():
        results = [root(data, 1e-6, seed) for seed in range(SEEDS)]
        epochs, errors = [r.epochs for r in results], [data.residual(np.asarray(r.z)) for r in results]
        middle = statistics.median(epochs)
        seen = f"median {middle:.3g} of {', '.join(f'{e:.3g}' for e in epochs)}; residual at most {max(errors):.1e}"
        yield Figure(f"2, {name}", "1e-6 in at most 30 epochs", seen, middle <= 30 and max(errors) <= 1e-6)
        mine, saga = (table.row(f"logistic {name} to 1e-09", who) for who in ("numopt", "scikit-learn saga"))
        asked = "to 1e-9 at least 4 times as fast as saga"
        if not (mine and saga and mine.solved and saga.solved):
            yield Figure(f"2, {name}, time", asked, "not comparable", False)
            continue
        newton = table.row(f"logistic {name} to 1e-09", "scikit-learn newton-cholesky")
        beside = f"; newton-cholesky {newton.cpu:.3g} s" if newton and newton.cpu else ""
        seen = f"{saga.cpu / mine.cpu:.3g}: {mine.cpu:.3g} s, saga {saga.cpu:.3g} s{beside}"
        yield Figure(f"2, {name}, time", asked, seen, saga.cpu >= 4 * mine.cpu)


# 3: the paper's experiments, with the steps of its scripts; `_monotone_paper` draws them


def _experiment() -> Iterator[Figure]:
    """Count epochs and seconds until the residual is at most a level."""
    first, second = paper.game(), paper.quadratic()
    asked = "Algorithm 1 in about 1/3 of EG's"
    curves = {name: run() for name, run in paper.methods(first, 2500, LEVEL).items()}
    gain = paper.reached(curves["EG"], LEVEL)[0] / paper.reached(curves["Algorithm 1"], LEVEL)[0]
    seen = f"1/{gain:.3g}; {_read(curves, LEVEL)}"
    yield Figure(f"3, epochs to residual {LEVEL:g}, policeman and burglar", asked, seen, gain >= 2.5)
    level, most = 2.5, {name: 4000 if name in paper.SINGLE else 10_000 for name in curves}
    curves = {name: paper.methods(second, epochs, level)[name]() for name, epochs in most.items()}
    asked = "redrawn: Algorithms 1 and 2 before EG, EAG and VR-EG"
    at = {name: paper.reached(curve, level)[0] for name, curve in curves.items()}
    holds = max(at["Algorithm 1"], at["Algorithm 2"]) < min(at[name] for name in ("EG", "EAG", "VR-EG"))
    yield Figure(f"3, epochs to residual {level:g}, quadratic saddle", asked, _read(curves, level), holds)


def _read(curves: dict[str, paper.Curve], level: float) -> str:
    points = {name: paper.reached(curve, level) for name, curve in curves.items()}
    return ", ".join(f"{name} {epochs:.4g} ({seconds:.2g} s)" for name, (epochs, seconds) in points.items())


# 4: min-max sums


def _min_max() -> Iterator[Figure]:
    from numopt.monotone import BilinearSum, monotone_root

    for name in ("20", "40", "152"):
        op = BilinearSum(*bilinear_sum(name))
        runs, chosen = {}, ""
        for method in ("auto", "feg", "vr-prox-halpern"):
            result = quiet(monotone_root, op, method=method, tol=1e-3, max_iter=1500, rng=0)
            runs[method] = result.epochs if result.success else np.inf
            chosen = result.method if method == "auto" else chosen
        best = min(runs["feg"], runs["vr-prox-halpern"])
        seen = ", ".join(f"{method} {epochs:.4g}" for method, epochs in runs.items())
        asked = "epochs of auto to 1e-3 at most 1.1 of the better of FEG and VR"
        yield Figure(f"4, bilinear sum {name}", asked, f"{seen}; auto is {chosen}", runs["auto"] <= 1.1 * best)


# 5: linear programs


def _programs(table: Table) -> Iterator[Figure]:
    for name in programs():
        instance = f"{name} to 1e-04"
        mine, pdlp = table.row(instance, "numopt"), table.row(instance, "PDLP")
        if not (mine and pdlp and mine.solved and pdlp.solved):
            yield Figure(f"5, {name}", "1e-4 in at most PDLP's time", "not comparable", False)
            continue
        best = table.best_peer(instance)
        seen = f"{mine.cpu / pdlp.cpu:.3g}: {mine.cpu:.3g} s, PDLP {pdlp.cpu:.3g} s"
        alone = table.row(instance, "numopt, method pdhg")
        seen += f"; best peer {best.solver} {best.cpu:.3g} s"
        seen += f"; our first-order method alone {alone.cpu:.3g} s" if alone and alone.solved else ""
        yield Figure(f"5, {name}", "1e-4 in at most PDLP's time", seen, mine.cpu <= pdlp.cpu)


def _certificates() -> Iterator[Figure]:
    """Compare what is said of each program with what is true of it by construction."""
    from numopt._status import Status

    tol, false, right, raised = 1e-6, [], 0, []
    truth = {"infeasible": Status.INFEASIBLE, "unbounded": Status.UNBOUNDED}
    problems = suspicious()
    for i, (kind, data) in enumerate(problems):
        try:
            result = program(tol, max_iter=1000, max_time=2.0, **data)
        except Exception as error:  # it should not
            raised.append(f"{i} {type(error).__name__}")
            continue
        true = truth.get(kind, Status.CONVERGED)
        said = result.status
        if said in (Status.CONVERGED, Status.INFEASIBLE, Status.UNBOUNDED) and said != true:
            false.append(f"{i} ({kind}: {said.name})")
        elif said == Status.CONVERGED and _error(data, result) > 10 * tol:
            false.append(f"{i} ({kind}: error {_error(data, result):.1e})")
        right += said == true
    seen = f"{len(false)} of {len(problems)}{': ' + ', '.join(false[:8]) if false else ''}; answered {right}"
    seen += f"; raised: {', '.join(raised[:5])}" if raised else ""
    yield Figure("5, false certificates", "none on 300 programs", seen, not false and not raised)


def _error(data: dict, result: Any) -> float:
    """Return the largest relative error of a pair, each in units of the data."""
    A, b, c = data["A_eq"], data["b_eq"], data["c"]
    x, y = np.asarray(result.x), np.asarray(result.eqlin.marginals)
    reduced = c - A.T @ y
    primal = np.linalg.norm(A @ x - b) / (np.linalg.norm(b) or 1) + np.linalg.norm(np.minimum(x, 0))
    dual = np.linalg.norm(np.minimum(reduced, 0)) / (np.linalg.norm(c) or 1)
    sizes = np.linalg.norm(c) * np.linalg.norm(x) + np.linalg.norm(b) * np.linalg.norm(y)
    return float(max(primal, dual, abs(c @ x - b @ y) / (sizes or 1)))


# 6: nonexpansive maps


def _fixed_points() -> Iterator[Figure]:
    import scipy.optimize

    from numopt.monotone import fixed_point

    worst, slower, raised, scipy_raised = 0.0, {}, [], 0
    for name, (T, x0, fixed) in maps().items():
        distance, residuals = np.linalg.norm(x0 - fixed), []

        def follow(intermediate_result: Any, T: Callable = T, residuals: list = residuals) -> None:
            x = np.asarray(intermediate_result.state)
            residuals.append(float(np.linalg.norm(T(x) - x)))

        try:
            plain = quiet(fixed_point, T, x0, xtol=1e-6, maxiter=1000, method="halpern", callback=follow)
            goal = max(1e-6, plain.residual / np.linalg.norm(T(x0) - x0))
            auto = quiet(fixed_point, T, x0, xtol=goal * (1 + 1e-9), maxiter=1000)
        except Exception as error:  # it should not
            raised.append(f"{name} {type(error).__name__}")
            continue
        # The first iterate that the callback sees is x0 or the one after it.
        begin = 0 if residuals and abs(residuals[0] - np.linalg.norm(T(x0) - x0)) <= 1e-12 * (1 + residuals[0]) else 1
        bounds = 2 * distance / (np.arange(len(residuals)) + begin + 1)
        worst = max(worst, *(r / b for r, b in zip(residuals, bounds, strict=True)))
        ratio = auto.n_evaluations / plain.n_evaluations
        if (ratio > 1.1 and auto.n_evaluations > plain.n_evaluations + 3) or not auto.success:
            slower[name] = ratio
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                scipy.optimize.fixed_point(T, x0, xtol=1e-6, maxiter=1000)
            except Exception:  # RuntimeError is its answer
                scipy_raised += 1
    count = len(maps())
    seen = f"{worst:.6f} of it, {count} maps"
    yield Figure("6, Halpern's bound", "residual at most 2 D / (k + 1)", seen, worst <= 1 + 1e-9)
    seen = f"slower on {len(slower)} of {count}" + "".join(f", {k} {v:.3g}" for k, v in list(slower.items())[:5])
    yield Figure("6, the default", "not slower than Halpern's by 10 %, in evaluations", seen, not slower)
    seen = f"{len(raised)}{': ' + ', '.join(raised[:5]) if raised else ''}; SciPy's raises on {scipy_raised}"
    yield Figure("6, exceptions", "none", seen, not raised)


# 7: bandwidth


def _bandwidth() -> Iterator[Figure]:
    from numopt._kernels import kernels

    k = kernels("monotone", np)
    A = np.random.default_rng(0).standard_normal((LARGE, LARGE))
    x = np.ones(LARGE)
    flat = A.ravel()
    calls = {
        "dot": lambda: flat @ flat,
        "sum": flat.sum,
        "A x": lambda: k.forward((A,), x),
        "A^T y": lambda: k.adjoint((A,), x),
        "both in one pass": lambda: k.products((A,), x, x),
    }
    best = dict.fromkeys(calls, np.inf)
    for _ in range(5):  # in turn: whatever else the memory has to do, all see it
        best = {name: min(best[name], best_of(call, 2).cpu) for name, call in calls.items()}
    read = min(best.pop("dot"), best.pop("sum"))
    for name, seconds in best.items():
        seen = f"{read / seconds:.2f} of {A.nbytes / read / 1e9:.3g} GB/s"
        yield Figure(f"7, {name}, {A.nbytes / 1e6:.0f} MB", "0.8 of the read bandwidth", seen, read >= 0.8 * seconds)
