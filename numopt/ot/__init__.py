"""Optimal transport: entropic and sparse plans, with certificates."""

from numopt.ot._plan import TransportPlan
from numopt.ot._result import TransportResult
from numopt.ot._solve import sinkhorn_newton
from numopt.ot._sparse_plan import sparse_plan
from numopt.ot._sparse_result import SparsePlan, SparsePlanResult

__all__ = [
    "SparsePlan",
    "SparsePlanResult",
    "TransportPlan",
    "TransportResult",
    "sinkhorn_newton",
    "sparse_plan",
]
