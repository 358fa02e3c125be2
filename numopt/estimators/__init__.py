"""Estimators in the manner of scikit-learn: thin coats over the solvers."""

from numopt.estimators._adversarial import DROLogisticRegression, FairLogisticRegression
from numopt.estimators._constrained_logistic import ConstrainedLogisticRegression
from numopt.estimators._entry_split import EntrySplit, cross_val_completion
from numopt.estimators._lasdp_clustering import LASDPClustering
from numopt.estimators._matrix_completion import MatrixCompletion
from numopt.estimators._robust_regression import RobustRegression
from numopt.estimators._sdp_kmeans import SDPKMeans
from numopt.estimators._sequence_solver import SequenceSolver
from numopt.estimators._transport_map import TransportMap
from numopt.estimators._zero_sum_game import ZeroSumGame

__all__ = [
    "ConstrainedLogisticRegression",
    "DROLogisticRegression",
    "EntrySplit",
    "FairLogisticRegression",
    "LASDPClustering",
    "MatrixCompletion",
    "RobustRegression",
    "SDPKMeans",
    "SequenceSolver",
    "TransportMap",
    "ZeroSumGame",
    "cross_val_completion",
]
