"""The solvers of clustering."""

from functools import partial

import numpy as np

import numopt.clustering  # noqa: F401  (registers its solvers)
from numopt.exceptions import InvalidInputError
from tests.contract.cases._case import Case, spoil


def _blobs(rng, dtype, method):
    """Three overlapping clusters, so that the splitting has work to do."""
    X = np.concatenate([rng.normal(size=(14, 2)) + centre for centre in ([0, 0], [3, 0], [0, 3])])
    sizes = {"n_init": 2, "sample_size": 30, "n_sketches": 2}
    return (X.astype(dtype), 3), {"method": method, "tol": 1e-4 if method == "dr" else 0.3, "rng": 3} | sizes


def _sdp_gap(result, p):
    """The gap of the returned labels, or of the returned matrix, to the returned bound."""
    X = np.asarray(p["X"], float)
    X = X - X.mean(axis=0)
    total, lower = (X**2).sum(), result.lower_bound
    sse = total - sum(X[result.labels == a].sum(axis=0) @ X[result.labels == a].mean(axis=0) for a in range(3))
    gap = (sse - lower) / sse
    if result.basis is None:
        return gap
    V, w = result.basis.astype(float), result.eigenvalues.astype(float)
    Z = (V * w) @ V.T + 1 / len(X)
    value = total - ((X @ X.T) * Z).sum()
    return min(gap, max(abs(value - lower) / value, np.linalg.norm(np.minimum(Z, 0)) / np.linalg.norm(Z)))


_BAD = [
    ("no clusters", spoil("n_clusters", 0), InvalidInputError, "n_clusters is 0"),
    ("more clusters than points", spoil("n_clusters", 43), InvalidInputError, "n_clusters is 43 for X with 42 rows"),
    ("a start of the wrong size", spoil("init", np.zeros(3)), InvalidInputError, r"init has shape \(3,\)"),
    ("no starts", spoil("n_init", 0), InvalidInputError, "n_init is 0"),
]

CASES = [
    *(
        Case("clustering.kmeans_sdp", partial(_blobs, method=method), _sdp_gap, "sdp_gap", bad=_BAD, label=method)
        for method in ("auto", "certify", "dr", "low_rank", "sketch")
    ),
]
