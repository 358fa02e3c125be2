"""numopt.monotone, called as anybody would."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from benchmarks.peers import Answer, Instance, Solver
from benchmarks.peers._monotone_instances import Game, Linear, Logistic


def ours() -> list[Solver]:
    """Return the default methods; nothing where the family is not there."""
    try:
        from numopt.monotone import linprog_pd, matrix_game, monotone_root  # noqa: F401
    except ImportError:
        return []
    first_order = Solver("numopt, method pdhg", pdhg, "context", applies=lambda i: isinstance(i.data, Linear))
    return [Solver("numopt", solve, "ours"), first_order]


def solve(instance: Instance) -> Answer:
    """Solve a game, a sum or a linear program to the target."""
    data = instance.data
    if isinstance(data, Game):
        result = game(data, instance.target)
        return Answer((np.asarray(result.x), np.asarray(result.y)), int(result.n_passes))
    if isinstance(data, Logistic):
        result = root(data, instance.target)
        return Answer(np.asarray(result.z), round(result.epochs))
    return _answer(program(instance.target, c=data.c, A_eq=data.A, b_eq=data.b))


def pdhg(instance: Instance) -> Answer:
    """Solve a linear program by the first-order method alone."""
    data = instance.data
    return _answer(program(instance.target, c=data.c, A_eq=data.A, b_eq=data.b, method="pdhg"))


def _answer(result: Any) -> Answer:
    return Answer((np.asarray(result.x), np.asarray(result.eqlin.marginals)), int(result.n_passes))


def quiet(function: Any, *args: Any, **options: Any) -> Any:
    """Call without warnings: the ruler judges."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, on_failure="ignore", **options)


def game(data: Game, tol: float) -> Any:
    """Return our result for a game."""
    from numopt.monotone import matrix_game

    return quiet(matrix_game, data.A, tol=tol)


def root(data: Logistic, tol: float, rng: int = 0) -> Any:
    """Return our result for logistic regression."""
    from numopt.monotone import LogisticGradient, monotone_root

    return quiet(monotone_root, LogisticGradient(data.A, data.b), tol=tol, rng=rng)


def program(tol: float, **data: Any) -> Any:
    """Return our result for a linear program."""
    from numopt.monotone import linprog_pd

    return quiet(linprog_pd, tol=tol, **data)
