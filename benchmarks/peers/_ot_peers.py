"""POT and regot at the best settings that we found.

They stop where the l1 violation of the returned plan's marginals is at most what is asked, although they judge other
norms. The run that warms up finds the loosest threshold for the timed ones, unless it takes a third of the limit:

- POT judges the 2-norm of one marginal, the other being exact: target / sqrt(m) is always enough, and the ratio of
  the norms, measured there, tells what else is.
- regot judges the 2-norm of both marginals, and where its line search can gain no more it goes on for ever. So the
  threshold starts loose and falls until the plan will do. Its costs are column-major, as it wants them.

A ladder solves at falling regularisation, each level from the potentials of the one before. sinkhorn_stabilized
takes them as its warm start. The scalings that sinkhorn takes overflow, and regot takes nothing: there the
potentials are subtracted from the cost, which is the same problem, started where the last one ended. For regot
the levels with dense plans are left out: they cost it more than they help.

Sinkhorn's steps are the same in all of POT's variants and cheapest in sinkhorn itself: what its ladder does not
solve within the limit is not tried with costlier steps. A ladder of sinkhorn_log is left out for that reason.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.peers import Answer, Instance, Solver
from benchmarks.peers._ot_instances import LIGHTER, Transport, violation

FACTOR = 4.0  # between the levels of a ladder; 2 was no faster on the assignment
ROUGH = 1e-2  # l1 violation at which a level is left
SPARSE = 0.02  # of the scale of the cost: levels above have dense plans
ENDLESS = 10**7  # iterations: only the clock stops a peer
CHEAPEST = "POT sinkhorn, reg ladder"

# (problem, reg, f, g, threshold) -> (plan, f, g, iterations); potentials are in units of the cost, None at first
Stage = Callable[[Transport, float, Any, Any, float], tuple[np.ndarray, Any, Any, int]]
Run = Callable[[Transport, float], tuple[np.ndarray, int]]


def once(stage: Stage) -> Run:
    """Return the stage at the regularisation of the problem, from nothing."""

    def run(p: Transport, threshold: float) -> tuple[np.ndarray, int]:
        P, _, _, nit = stage(p, p.reg, None, None, threshold)
        return P, nit

    return run


def ladder(stage: Stage, top: float = 1.0) -> Run:
    """Return the stage at falling regularisation, from about `top` times the scale of the cost."""

    def run(p: Transport, threshold: float) -> tuple[np.ndarray, int]:
        f = g = None
        total = 0
        for rung in range(rungs(p, top), -1, -1):
            goal = threshold if rung == 0 else ROUGH / math.sqrt(p.a.size + p.b.size)
            P, f, g, nit = stage(p, p.reg * FACTOR**rung, f, g, goal)
            total += nit
        return P, total

    return run


def rungs(p: Transport, top: float) -> int:
    """Return how many levels of a ladder lie above the regularisation of the problem."""
    return max(0, math.floor(math.log(top * p.scale / p.reg, FACTOR)))


def moved(f: Any, g: Any, df: np.ndarray, dg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Add to potentials, which are None at first."""
    return (df, dg) if f is None else (f + df, g + dg)


def lighter(name: str) -> Callable[[Instance], tuple[tuple[str, str], ...]]:
    """Return what is easier than an instance for a solver that makes Sinkhorn's steps."""

    def easier(instance: Instance) -> tuple[tuple[str, str], ...]:
        cheaper = () if name == CHEAPEST else ((instance.name, CHEAPEST),)
        return *cheaper, *((light, name) for light in LIGHTER.get(instance.name, ()))

    return easier


def pot() -> list[Solver]:
    """Return POT's entropic solvers, and its exact one for comparison."""
    try:
        import ot
    except ImportError:
        return []
    from ot import bregman

    def call(method: Callable, p: Transport, C: np.ndarray, reg: float, stop: float, **options: Any) -> tuple:
        options = {"numItermax": ENDLESS, "stopThr": stop, "log": True} | options
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # of scalings that vanish: the ruler sees that
            return method(p.a, p.b, C, reg, **options)

    def sinkhorn(p, reg, f, g, threshold):
        C = p.C if f is None else p.C - f[:, None] - g
        P, log = call(bregman.sinkhorn_knopp, p, C, reg, threshold)
        with np.errstate(divide="ignore"):
            return P, *moved(f, g, reg * np.log(log["u"]), reg * np.log(log["v"])), log["niter"]

    # Looks at its error cost several exp of n m, at every 100th step instead of 20th; so does what absorbs scalings
    # beyond tau, which at the default of 1e3 can be every step.
    def stabilized(p, reg, f, g, threshold):
        start = None if f is None else (f, g)
        options = {"tau": 1e100, "print_period": 100, "warmstart": start}
        P, log = call(bregman.sinkhorn_stabilized, p, p.C, reg, threshold, **options)
        return P, log["alpha"], log["beta"], log["n_iter"]

    # From the scale of the cost instead of 1e4, and over 35 levels, the least it allows.
    def epsilon_scaling(p, reg, f, g, threshold):
        options = {"tau": 1e100, "epsilon0": p.scale, "numItermax": 35, "numInnerItermax": ENDLESS}
        P, log = call(bregman.sinkhorn_epsilon_scaling, p, p.C, reg, threshold, **options)
        return P, log["alpha"], log["beta"], log["niter"]

    def logarithmic(p, reg, f, g, threshold):
        P, log = call(bregman.sinkhorn_log, p, p.C, reg, threshold)
        return P, reg * log["log_u"], reg * log["log_v"], log["niter"]

    # It judges the largest entry of both marginals.
    def greedy(p, reg, f, g, threshold):
        P, log = call(bregman.greenkhorn, p, p.C, reg, threshold / math.sqrt(p.a.size + p.b.size))
        return P, None, None, log["n_iter"]

    def exact(instance: Instance) -> Answer:
        p = instance.data
        return Answer(ot.emd(p.a, p.b, p.C, numItermax=ENDLESS, check_marginals=False))

    def solver(name: str, run: Run, applies: Callable[[Instance], bool] = lambda instance: True) -> Solver:
        return Solver(name, _loosened(run), applies=applies, easier=lighter(name))

    return [
        solver(CHEAPEST, ladder(sinkhorn)),
        solver("POT sinkhorn", once(sinkhorn)),
        solver("POT sinkhorn_stabilized", once(stabilized)),
        solver("POT sinkhorn_stabilized, reg ladder", ladder(stabilized)),
        solver("POT sinkhorn_epsilon_scaling", once(epsilon_scaling)),
        solver("POT sinkhorn_log", once(logarithmic)),
        solver("POT greenkhorn", once(greedy), lambda instance: instance.name == "assignment 500"),
        Solver("POT emd", exact, "context"),
    ]


def _loosened(run: Run) -> Callable[[Instance], Answer]:
    """Return the run with the loosest threshold, once it is known how the norms compare."""
    thresholds: dict[str, float] = {}

    def solve(instance: Instance) -> Answer:
        b, strict = instance.data.b, instance.target / math.sqrt(instance.data.b.size)
        P, nit = run(instance.data, thresholds.get(instance.name, strict))
        if instance.name not in thresholds:
            off = P.sum(axis=0) - b
            ratio = np.linalg.norm(off) / max(np.abs(off).sum(), 1e-300)
            thresholds[instance.name] = max(strict, 0.8 * instance.target * ratio)
        return Answer(P, nit)

    return solve


def regot() -> list[Solver]:
    """Return the safe and the quasi-Newton sparse method of regot."""
    try:
        import regot
    except ImportError:
        return []

    def stage(method: Callable, **options: Any) -> Stage:
        def solve(p, reg, f, g, threshold):
            C = p.columns if f is None else (p.columns.T - f - g[:, None]).T
            result = method(C, p.a, p.b, reg, tol=threshold, max_iter=ENDLESS, **options)
            n = p.a.size
            return result.plan, *moved(f, g, result.dual[:n], np.append(result.dual[n:], 0.0)), result.niter

        return solve

    def easier(instance: Instance, name: str) -> tuple[tuple[str, str], ...]:
        half = instance.name.replace("mixture 2000", "mixture 1000")
        return ((half, name),) if half != instance.name else ()

    def solver(name: str, run: Run, **options: Any) -> Solver:
        return Solver(name, _tightened(run), compiled=True, easier=partial(easier, name=name), **options)

    def sparse(instance: Instance) -> bool:  # otherwise the ladder has one level
        return rungs(instance.data, SPARSE) > 0

    ssns = stage(regot.sinkhorn_ssns)
    splr = stage(regot.sinkhorn_splr, density=0.1)  # what it may keep of the plan: with the default, 0.01, it is slower
    return [
        solver("regot SSNS", once(ssns)),
        solver("regot SSNS, reg ladder", ladder(ssns, SPARSE), applies=sparse),
        solver("regot SPLR", once(splr)),
        solver("regot SPLR, reg ladder", ladder(splr, SPARSE), applies=sparse),
    ]


def _tightened(run: Run) -> Callable[[Instance], Answer]:
    """Return the run with the loosest of a few thresholds that is enough."""
    thresholds: dict[str, float] = {}

    def solve(instance: Instance) -> Answer:
        p = instance.data
        known = thresholds.get(instance.name)
        threshold = known or instance.target / 16  # the usual ratio of the norms
        P, nit = run(p, threshold)
        while not known and violation(p, P) > instance.target and threshold > 1e-3 * instance.target:
            threshold /= 2
            P, nit = run(p, threshold)
        thresholds[instance.name] = threshold
        return Answer(P, nit)

    return solve
