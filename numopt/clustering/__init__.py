"""Clustering that proves its answer: semidefinite relaxations of K-means and of Gaussian mixtures."""

from numopt.clustering._kmeans import certify_kmeans, kmeans_sdp
from numopt.clustering._result import KMeansResult

__all__ = ["KMeansResult", "certify_kmeans", "kmeans_sdp"]
