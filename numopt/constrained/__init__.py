"""Smooth optimisation under equality and inequality constraints."""

from numopt.constrained._minimize import minimize_constrained
from numopt.constrained._result import ConstrainedResult

__all__ = ["ConstrainedResult", "minimize_constrained"]
