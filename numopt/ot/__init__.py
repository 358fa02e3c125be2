"""Optimal transport: entropic and sparse plans, with certificates."""

from numopt.ot._divergence import DivergenceResult, sinkhorn_divergence
from numopt.ot._partial import PartialResult, partial_transport
from numopt.ot._plan import TransportPlan
from numopt.ot._result import TransportResult
from numopt.ot._round import round_plan
from numopt.ot._solve import sinkhorn_newton
from numopt.ot._sparse_plan import sparse_plan
from numopt.ot._sparse_result import SparsePlan, SparsePlanResult
from numopt.ot._unbalanced import unbalanced_sinkhorn_newton
from numopt.ot._unbalanced_result import UnbalancedResult

__all__ = [
    "DivergenceResult",
    "PartialResult",
    "SparsePlan",
    "SparsePlanResult",
    "TransportPlan",
    "TransportResult",
    "UnbalancedResult",
    "partial_transport",
    "round_plan",
    "sinkhorn_divergence",
    "sinkhorn_newton",
    "sparse_plan",
    "unbalanced_sinkhorn_newton",
]
