"""Clustering that proves its answer: semidefinite relaxations of K-means and of Gaussian mixtures."""

from numopt.clustering._ila import ila_sdp
from numopt.clustering._kmeans import certify_kmeans, kmeans_sdp
from numopt.clustering._lasdp import lasdp
from numopt.clustering._mixture_result import MixtureResult
from numopt.clustering._result import KMeansResult
from numopt.clustering._selection import ppp_select_k
from numopt.clustering._selection_result import SelectionResult
from numopt.clustering._tree import MergeTree, merge_tree

__all__ = [
    "KMeansResult",
    "MergeTree",
    "MixtureResult",
    "SelectionResult",
    "certify_kmeans",
    "ila_sdp",
    "kmeans_sdp",
    "lasdp",
    "merge_tree",
    "ppp_select_k",
]
