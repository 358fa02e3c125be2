"""Optimal transport: entropic plans by annealed and sparse Newton methods, with certificates."""

from numopt.ot._plan import TransportPlan
from numopt.ot._result import TransportResult
from numopt.ot._solve import sinkhorn_newton

__all__ = ["TransportPlan", "TransportResult", "sinkhorn_newton"]
