"""Smooth optimisation under equality and inequality constraints."""

from numopt.constrained._check_derivatives import check_derivatives
from numopt.constrained._kkt_solver import KKTSolver
from numopt.constrained._minimize import minimize_constrained
from numopt.constrained._result import ConstrainedResult
from numopt.constrained._sketch import SketchResult, sketch_solve
from numopt.constrained._sketched_hessian import sketched_preconditioner

__all__ = [
    "ConstrainedResult",
    "KKTSolver",
    "SketchResult",
    "check_derivatives",
    "minimize_constrained",
    "sketch_solve",
    "sketched_preconditioner",
]
