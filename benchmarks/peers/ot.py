"""Entropic optimal transport beside POT and regot.

The accuracy of everybody is the l1 violation of both marginals of the returned plan. Peers run at the best
settings that we found, and stop where it is 1e-9:

- POT stops on the 2-norm of one marginal; the other is exact, so 1e-9 / sqrt(m) is enough. That is strict by the
  ratio of the two norms, so the run that warms up measures the ratio, and the timed ones stop no sooner than they must.
- regot stops on the 2-norm of both marginals: 1e-9 / sqrt(n + m). It wants column-major costs and gets them.
- A ladder solves at falling regularisation, each level from the potentials of the one before. sinkhorn_stabilized
  takes them as its warm start. The scalings that sinkhorn takes overflow, and regot takes nothing: there the
  potentials are subtracted from the cost, which is the same problem started there.
- Sinkhorn's steps are the same in all of POT's variants and cheapest in sinkhorn itself. What was too slow
  in its ladder is not tried with costlier steps.

Answers of ours hold the plan unformed, theirs formed: figure 3 prints what forming it costs.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from benchmarks.peers import Answer, Instance, Solver
from benchmarks.peers._ot_figures import figures

__all__ = ["PACKAGES", "figures", "instances", "ruler", "solvers"]

PACKAGES = ("pot", "regot", "scikit-learn", "threadpoolctl")
TARGET = 1e-9
FACTOR = 4.0  # between the levels of a ladder; 2 was no faster
ROUGH = 1e-2  # l1 violation at which a level is left
ENDLESS = 10**7  # iterations: only the clock stops a peer

Stage = Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray, int]]


@dataclass(frozen=True, eq=False)
class Transport:
    """Weights, cost and regularisation."""

    a: np.ndarray
    b: np.ndarray
    C: np.ndarray
    reg: float

    @cached_property
    def columns(self) -> np.ndarray:
        """The cost, column-major."""
        return np.asfortranarray(self.C)

    @cached_property
    def scale(self) -> float:
        """The median cost above the smallest."""
        return float(np.median(self.C) - self.C.min())


@lru_cache
def instances() -> list[Instance]:
    """Return the nine instances, those where Sinkhorn's iteration has least to do before those with more."""
    from numopt.gallery import assignment, digit_images, gaussian_mixtures

    found = [
        ("digits l2", Transport(*digit_images("l2"), 1 / 1200)),
        ("assignment 500", Transport(*assignment(500), 1 / 1200)),
        ("digits l1", Transport(*digit_images("l1"), 1 / 1200)),
    ]
    for n, seed in ((1000, 0), (2000, 1)):
        mixture = gaussian_mixtures(n, seed)
        found += [(f"mixture {n} reg {reg:.0e}", Transport(*mixture, reg)) for reg in (1e-2, 1e-3, 1e-4)]
    return [Instance(name, problem, TARGET) for name, problem in found]


# On the right less work for Sinkhorn's iteration (its iterations times n m, as measured).
LIGHTER = {
    "assignment 500": ("digits l2",),
    "digits l1": ("assignment 500",),
    "mixture 1000 reg 1e-03": ("mixture 1000 reg 1e-02",),
    "mixture 1000 reg 1e-04": ("mixture 1000 reg 1e-03",),
    "mixture 2000 reg 1e-02": ("mixture 1000 reg 1e-02",),
    "mixture 2000 reg 1e-03": ("mixture 2000 reg 1e-02", "mixture 1000 reg 1e-03"),
    "mixture 2000 reg 1e-04": ("mixture 2000 reg 1e-03", "mixture 1000 reg 1e-04"),
}


def ruler(instance: Instance, plan: Any) -> float:
    """Return the l1 violation of both marginals of a plan of mass 1."""
    P = plan if isinstance(plan, np.ndarray) else plan.todense()
    p = instance.data
    return float(np.abs(P.sum(axis=1) - p.a).sum() + np.abs(P.sum(axis=0) - p.b).sum())


def solvers() -> list[Solver]:
    """Return ours, and those of the peers that are installed."""
    return [*_ours(), *_pot(), *_regot()]


def _ours() -> list[Solver]:
    from numopt.ot import sinkhorn_newton

    def solver(name: str, **options: Any) -> Solver:
        def solve(instance: Instance) -> Answer:
            p = instance.data
            given = {"reg": p.reg, "tol": TARGET, "on_failure": "ignore"} | options
            if name == "numopt sns" and instance.name == "digits l1":
                given |= {"n_sinkhorn": 700, "density": 30.0}  # the paper's choice for this cost
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # 1e-12 is near the rounding floor at the smallest reg
                result = sinkhorn_newton(p.a, p.b, p.C, **given)
            return Answer(result.plan, result.nit)

        costly = name == "numopt sinkhorn"
        return Solver(name, solve, "ours", easier=_lighter(name) if costly else lambda instance: ())

    paper = solver("numopt sns", method="sns")
    return [
        solver("numopt"),
        solver("numopt to 1e-12", tol=1e-12),
        Solver(paper.name, paper.solve, "ours", applies=lambda instance: instance.data.reg == 1 / 1200),
        solver("numopt sinkhorn", method="sinkhorn", max_iter=ENDLESS),
    ]


# ------------------------------------------------------------------------------------------------ POT

CHEAPEST = "POT sinkhorn, reg ladder"


def _lighter(name: str) -> Callable[[Instance], tuple[tuple[str, str], ...]]:
    """Return what is easier than an instance for a solver that makes Sinkhorn's steps."""

    def easier(instance: Instance) -> tuple[tuple[str, str], ...]:
        same = () if name == CHEAPEST else ((instance.name, CHEAPEST),)
        return *same, *((lighter, name) for lighter in LIGHTER.get(instance.name, ()))

    return easier


def _pot() -> list[Solver]:
    try:
        import ot
    except ImportError:
        return []

    def sinkhorn(p: Transport, reg: float, f: Any, g: Any, threshold: float) -> tuple:
        C = p.C if f is None else p.C - f[:, None] - g
        P, log = _quietly(ot.bregman.sinkhorn_knopp, p.a, p.b, C, reg, numItermax=ENDLESS, stopThr=threshold)
        with np.errstate(divide="ignore"):  # scalings that underflowed: the ruler sees it
            u, v = reg * np.log(log["u"]), reg * np.log(log["v"])
        return P, u if f is None else f + u, v if g is None else g + v, log["niter"]

    def stabilized(p: Transport, reg: float, f: Any, g: Any, threshold: float) -> tuple:
        P, log = _quietly(
            ot.bregman.sinkhorn_stabilized, p.a, p.b, p.C, reg, numItermax=ENDLESS, stopThr=threshold, tau=TAU,
            print_period=100, warmstart=None if f is None else (f, g),
        )  # fmt: skip
        return P, log["alpha"], log["beta"], log["n_iter"]

    def logarithmic(p: Transport, reg: float, f: Any, g: Any, threshold: float) -> tuple:
        P, log = _quietly(ot.bregman.sinkhorn_log, p.a, p.b, p.C, reg, numItermax=ENDLESS, stopThr=threshold)
        return P, log["log_u"], log["log_v"], log["niter"]

    def scaling(p: Transport, reg: float, f: Any, g: Any, threshold: float) -> tuple:
        # From the scale of the cost instead of 1e4; 35 levels, its least, each to the end.
        P, log = _quietly(
            ot.bregman.sinkhorn_epsilon_scaling, p.a, p.b, p.C, reg, numItermax=35, numInnerItermax=ENDLESS,
            epsilon0=p.scale, stopThr=threshold, tau=TAU,
        )  # fmt: skip
        return P, log["alpha"], log["beta"], log["niter"]

    def greedy(p: Transport, reg: float, f: Any, g: Any, threshold: float) -> tuple:
        # It stops on the largest entry of both marginals: less by a factor sqrt(m) than the 2-norm.
        P, log = _quietly(
            ot.bregman.greenkhorn, p.a, p.b, p.C, reg, numItermax=ENDLESS, stopThr=threshold / math.sqrt(p.b.size)
        )
        return P, log["u"], log["v"], log["n_iter"]

    def exact(instance: Instance) -> Answer:
        p = instance.data
        return Answer(ot.emd(p.a, p.b, p.C, numItermax=ENDLESS, check_marginals=False))

    def solver(name: str, run: Callable[[Transport, float], tuple[np.ndarray, int]]) -> Solver:
        return Solver(name, _loosened(run), easier=_lighter(name))

    return [
        solver(CHEAPEST, _ladder(sinkhorn)),
        solver("POT sinkhorn", _once(sinkhorn)),
        solver("POT sinkhorn_stabilized", _once(stabilized)),
        solver("POT sinkhorn_stabilized, reg ladder", _ladder(stabilized)),
        solver("POT sinkhorn_epsilon_scaling", _once(scaling)),
        solver("POT sinkhorn_log", _once(logarithmic)),
        Solver(
            "POT greenkhorn",
            _loosened(_once(greedy)),
            applies=lambda instance: instance.name == "assignment 500",  # n m small: a step costs one row
        ),
        Solver("POT emd", exact, "context"),
    ]


TAU = 1e100  # scalings beyond it are absorbed, which costs an exp of n m: the default 1e3 does so all the time


def _quietly(solve: Callable[..., tuple[np.ndarray, dict]], *args: Any, **options: Any) -> tuple[np.ndarray, dict]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return solve(*args, log=True, **options)


def _loosened(run: Callable[[Transport, float], tuple[np.ndarray, int]]) -> Callable[[Instance], Answer]:
    """Return a solver that stops at the loosest threshold, once it knows how its two norms compare."""
    known: dict[str, float] = {}

    def solve(instance: Instance) -> Answer:
        p = instance.data
        threshold = known.get(instance.name, instance.target / math.sqrt(p.b.size))
        P, nit = run(p, threshold)
        if instance.name not in known:
            off = P.sum(axis=0) - p.b
            l1, l2 = np.abs(off).sum(), np.linalg.norm(off)
            loosest = 0.8 * instance.target * l2 / l1 if 0 < l1 <= instance.target else threshold
            known[instance.name] = max(loosest, threshold)
        return Answer(P, nit)

    return solve


# ---------------------------------------------------------------------------------------------- regot


def _regot() -> list[Solver]:
    try:
        import regot
    except ImportError:
        return []

    def stage(method: Callable, **options: Any) -> Stage:
        def solve(p: Transport, reg: float, f: Any, g: Any, threshold: float) -> tuple:
            C = p.columns if f is None else (p.columns.T - f - g[:, None]).T
            result = method(C, p.a, p.b, reg, tol=threshold, max_iter=ENDLESS, **options)
            u, v = result.dual[: p.a.size], np.append(result.dual[p.a.size :], 0.0)
            return result.plan, u if f is None else f + u, v if g is None else g + v, result.niter

        return solve

    def solver(name: str, run: Callable[[Transport, float], tuple[np.ndarray, int]]) -> Solver:
        def solve(instance: Instance) -> Answer:
            p = instance.data
            return Answer(*run(p, instance.target / math.sqrt(p.a.size + p.b.size)))

        def easier(instance: Instance) -> tuple[tuple[str, str], ...]:
            return ((instance.name.replace("2000", "1000"), name),) if "2000" in instance.name else ()

        return Solver(name, solve, compiled=True, easier=easier)

    ssns = stage(regot.sinkhorn_ssns)
    splr = stage(regot.sinkhorn_splr, density=0.1)  # of the plan's entries kept; 0.01, its default, is slower
    return [
        solver("regot SSNS", _once(ssns)),
        solver("regot SSNS, reg ladder", _ladder(ssns)),
        solver("regot SPLR", _once(splr)),
        solver("regot SPLR, reg ladder", _ladder(splr)),
    ]


# --------------------------------------------------------------------------------------------- ladder


def _once(stage: Stage) -> Callable[[Transport, float], tuple[np.ndarray, int]]:
    def run(p: Transport, threshold: float) -> tuple[np.ndarray, int]:
        P, _, _, nit = stage(p, p.reg, None, None, threshold)
        return P, nit

    return run


def _ladder(stage: Stage) -> Callable[[Transport, float], tuple[np.ndarray, int]]:
    def run(p: Transport, threshold: float) -> tuple[np.ndarray, int]:
        f = g = None
        total = 0
        for rung in range(max(0, round(math.log(p.scale / p.reg, FACTOR))), -1, -1):
            goal = threshold if rung == 0 else ROUGH / math.sqrt(p.a.size + p.b.size)
            P, f, g, nit = stage(p, p.reg * FACTOR**rung, f, g, goal)
            total += nit
        return P, total

    return run
