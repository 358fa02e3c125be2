"""The solvers of clustering."""

from functools import partial

import numpy as np

import numopt.clustering  # noqa: F401  (registers its solvers)
from numopt.exceptions import InvalidInputError
from numopt.gallery import heterogeneous_clusters
from tests.contract.cases._case import Case, spoil
from tests.oracles import mixture


def _blobs(rng, dtype, method, cuts="none"):
    """Three overlapping clusters, so that the splitting has work to do."""
    X = np.concatenate([rng.normal(size=(6, 2)) + centre for centre in ([0, 0], [3, 0], [0, 3])])
    sizes = {"n_init": 2, "sample_size": 12, "n_sketches": 2}
    tol = 1e-3 if method == "dr" else 0.3
    return (X.astype(dtype), 3), {"method": method, "tol": tol, "rng": 3, "cuts": cuts} | sizes


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
    off = max(abs(value - lower) / value, np.linalg.norm(np.minimum(Z, 0)) / np.linalg.norm(Z))
    if p["cuts"] == "triangle":
        apart = ~np.eye(len(Z), dtype=bool)
        V = Z[:, :, None] + Z[:, None, :] - np.diag(Z)[:, None, None] - Z
        off = max(off, V[apart[:, :, None] & apart[:, None, :] & apart].max() / Z.max())
    return min(gap, off)


def _groups(rng, dtype, method):
    X, _ = heterogeneous_clusters("line", rng, n=12, p=2, k=2, sep=8.0)
    return (X.astype(dtype), 2), {"method": method, "n_starts": 2, "tol": 1e-6, "rng": 3}


def _change(result, p):
    """What one more step of the mixture changes; labels that are stationary change nothing."""
    if p["method"] == "ila-sdp":
        return 0.0
    X = np.asarray(p["X"], float)
    floor = 1e-6 * X.var(axis=0).mean()
    terms = np.column_stack(
        [
            np.log(w) - np.einsum("ij,jk,ik->i", X - m, np.linalg.inv(S), X - m) / 2 - np.linalg.slogdet(S)[1] / 2
            for w, m, S in zip(result.weights, result.means, result.covariances.astype(float), strict=True)
        ]
    )
    R = np.exp(terms - terms.max(axis=1, keepdims=True))
    R, before = R / R.sum(axis=1, keepdims=True), np.log(R.sum(axis=1)).sum() + terms.max(axis=1).sum()
    _, after = mixture.em_step(X, R, floor, "oas", True)
    return abs(after + X.size / 2 * np.log(2 * np.pi) - before) / len(X)


def _known_covariances(rng, dtype):
    X = np.concatenate([rng.normal(size=(9, 2)), 2 * rng.normal(size=(9, 2)) + 7])
    S = np.stack([np.eye(2), 4 * np.eye(2)])
    return (X.astype(dtype), S.astype(dtype)), {"method": "low_rank", "tol": 1e-5, "rng": 3}


def _infeasibility(result, p):
    return np.sqrt(np.mean((result.memberships.astype(float).sum(axis=0) - 1) ** 2))


def _two_of_two(rng, dtype):
    X = rng.normal(size=(18, 2))
    X[:9, 0] += 5
    return (X.astype(dtype), 2), {"n_init": 2, "tol": 0.3, "rng": 3}


def _gap_of_the_choice(result, p):
    """Of the two fits, one cluster has no gap."""
    sse = sum(((X - X.mean(axis=0)) ** 2).sum() for X in (p["X"][result.labels == a].astype(float) for a in range(2)))
    return 1 - result.lower_bound / sse


_BAD = [
    ("no clusters", spoil("n_clusters", 0), InvalidInputError, "n_clusters is 0"),
    ("more clusters than points", spoil("n_clusters", 19), InvalidInputError, "n_clusters is 19 for X with 18 rows"),
    ("a start of the wrong size", spoil("init", np.zeros(3)), InvalidInputError, r"init has shape \(3,\)"),
    ("no starts", spoil("n_init", 0), InvalidInputError, "n_init is 0"),
]

CASES = [
    *(
        Case("clustering.kmeans_sdp", partial(_blobs, method=method), _sdp_gap, "sdp_gap", bad=_BAD, label=method)
        for method in ("auto", "certify", "dr", "low_rank", "sketch")
    ),
    Case(
        "clustering.kmeans_sdp",
        partial(_blobs, method="dr", cuts="triangle"),
        _sdp_gap,
        "sdp_gap",
        bad=[("cuts of no kind", spoil("cuts", "pair"), InvalidInputError, "cuts is 'pair'")],
        label="cuts",
    ),
    *(
        Case(
            "clustering.ila_sdp",
            partial(_groups, method=method),
            _change,
            "change",
            bad=[("too many clusters", spoil("n_clusters", 7), InvalidInputError, "n_clusters is 7 for X with 12")],
            label=method,
        )
        for method in ("auto", "ila-sdp")
    ),
    Case(
        "clustering.ppp_select_k",
        _two_of_two,
        _gap_of_the_choice,
        "sdp_gap",
        bad=[("too many", spoil("max_clusters", 10), InvalidInputError, "max_clusters is 10 for X with 18 rows")],
    ),
    Case(
        "clustering.lasdp",
        _known_covariances,
        _infeasibility,
        "infeasibility",
        bad=[
            ("no covariance", spoil("covariances", lambda S: -S), InvalidInputError, r"covariances\[0\] has"),
            ("too many labels", spoil("init", np.arange(18.0)), InvalidInputError, "init has 18 different labels"),
        ],
    ),
]
