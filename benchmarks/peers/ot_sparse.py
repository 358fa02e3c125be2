"""Sparse transport plans: quadratic regularisation, with and without a limit on the columns."""

from __future__ import annotations

import contextlib
import io
import warnings
from functools import cache
from typing import NamedTuple

import numpy as np

from benchmarks.peers import Answer, Figure, Instance, Solver, Table

PACKAGES = ("pot", "regot", "numba")


class Problem(NamedTuple):
    """A problem; `limit` is the largest number of non-zeros in a column, or None."""

    a: np.ndarray
    b: np.ndarray
    C: np.ndarray
    reg: float
    limit: int | None


@cache
def instances() -> list[Instance]:
    """Return assignment, images and mixtures at falling `reg`, then mixtures with a limit."""
    from numopt.gallery import assignment, digit_images, gaussian_mixtures

    found = []
    for name, data, regs in (
        ("assignment 500", assignment(500), (125.0, 1.25)),
        ("images l2", digit_images("l2"), (196.0, 1.96)),
        ("images l1", digit_images("l1"), (196.0, 1.96)),
        ("mixture 1000", gaussian_mixtures(1000), (250.0, 25.0, 2.5)),
        ("mixture 2000", gaussian_mixtures(2000, rng=1), (500.0, 5.0)),
    ):
        found += [Instance(f"{name} reg {reg:g}", Problem(*data, reg, None), 1e-9) for reg in regs]
    for n, limit in ((200, 4), (1000, 8)):
        problem = Problem(*gaussian_mixtures(n), n / 4, limit)
        found.append(Instance(f"mixture {n} reg {n / 4:g}, {limit} a column", problem, 1e-9))
    return found


def ruler(instance: Instance, P: np.ndarray) -> float:
    """Return the l1 violation of the marginals by the plan, inf if a column has too many non-zeros."""
    p = instance.data
    if p.limit is not None and np.count_nonzero(P, axis=0).max() > p.limit:
        return np.inf
    error = np.abs(P.sum(axis=1) - p.a).sum() + np.abs(P.sum(axis=0) - p.b).sum()
    return float(error / p.a.sum()) if P.min() >= 0 else np.inf


def _numopt(instance: Instance) -> Answer:
    from numopt.ot import sparse_plan

    a, b, C, reg, limit = instance.data
    result = sparse_plan(a, b, C, reg=reg, max_nonzeros=limit, on_failure="ignore")
    return Answer(result.plan.todense(), result.nit)


def _pot(instance: Instance) -> Answer:
    import ot

    a, b, C, reg, limit = instance.data
    kind = "l2" if limit is None else "sparsity_constrained"
    # With a limit it prints a line for each evaluation.
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        # Its rule looks at the dual's decrease: ask for what the ruler asks, with room.
        P = ot.smooth.smooth_ot_semi_dual(a, b, C, reg, reg_type=kind, max_nz=limit, stopThr=1e-13, numItermax=20_000)
    return Answer(P)


def _regot(name: str):
    def solve(instance: Instance) -> Answer:
        import regot

        a, b, C, reg, _ = instance.data
        result = getattr(regot, name)(C, a, b, reg, tol=1e-11, max_iter=20_000)
        return Answer(result.plan, int(result.niter))

    return solve


def _without_limit(instance: Instance) -> bool:
    return instance.data.limit is None


def solvers() -> list[Solver]:
    """Return numopt, then POT and regot where they are installed."""
    found = [Solver("numopt", _numopt, kind="ours")]
    try:
        import ot  # noqa: F401

        found.append(Solver("POT smooth_ot_semi_dual", _pot))
    except ImportError:
        pass
    try:
        import regot  # noqa: F401

        # Its L-BFGS solvers are left out: their line search failed on each of these instances, or took > 20 s.
        for name in ("qrot_grssn", "qrot_assn"):
            found.append(Solver(f"regot {name}", _regot(name), compiled=True, applies=_without_limit))
    except ImportError:
        pass
    return found


def figures(table: Table) -> list[Figure]:
    """Return: 1e-9 on every instance, faster than the best peer on every instance where one gets there."""
    ours = [table.row(instance.name, "numopt") for instance in instances()]
    reached = sum(row is not None and row.solved for row in ours)
    found = [Figure("marginals to 1e-9", f"{len(ours)} instances", f"{reached} instances", reached == len(ours))]
    ratios = {row.instance: row.ratio for row in ours if row is not None and row.ratio is not None}
    if ratios:
        worst = max(ratios, key=ratios.get)
        seen = f"at most {ratios[worst]:.2f} ({worst}), {len(ratios)} instances with a peer"
        found.append(Figure("CPU time over the best peer's", "at most 1", seen, ratios[worst] <= 1))
    return found
