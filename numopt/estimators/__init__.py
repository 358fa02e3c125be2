"""Estimators in the manner of scikit-learn: thin coats over the solvers."""

from numopt.estimators._adversarial import DROLogisticRegression, FairLogisticRegression, RobustRegression
from numopt.estimators._sequence_solver import SequenceSolver
from numopt.estimators._transport_map import TransportMap

__all__ = [
    "DROLogisticRegression",
    "FairLogisticRegression",
    "RobustRegression",
    "SequenceSolver",
    "TransportMap",
]
