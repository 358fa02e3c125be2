"""The gallery's clusters, by fingerprint: sum, sum of squares, position-weighted sum."""

import numpy as np
import pytest

from numopt import gallery
from numopt.exceptions import InvalidInputError
from tests.oracles.gallery import fingerprint


def naive(kind, seed, n, p, k, sep):
    """The definition of the heterogeneous groups, line by line."""
    rng = np.random.default_rng(seed)
    mean = np.linalg.qr(rng.standard_normal((p, p)))[0][:k] * sep / np.sqrt(2)
    cov = []
    for j in range(k):
        if kind == "line":
            u = rng.standard_normal(p)
            cov.append(np.eye(p) + 24 * np.outer(u, u) / (u @ u))
        elif kind == "scale":
            cov.append(np.eye(p) * (0.25, 1.0, 4.0, 1.0)[j])
        elif kind == "diag":
            cov.append(np.diag(10.0 ** rng.uniform(-1, 1, p)))
        else:
            r = np.linalg.qr(rng.standard_normal((p, p)))[0]
            cov.append((r * np.logspace(-1, 1, p)) @ r.T)
    lab = rng.choice(k, size=n, p=np.full(k, 1 / k))
    x = np.empty((n, p))
    for j in range(k):
        m = lab == j
        x[m] = mean[j] + rng.standard_normal((m.sum(), p)) @ np.linalg.cholesky(cov[j]).T
    return x, lab


@pytest.mark.parametrize("kind", ["line", "scale", "diag", "rot"])
def test_heterogeneous_groups(kind):
    X, labels = gallery.heterogeneous_clusters(kind, 10_003, n=50, p=5, k=3, sep=4.0)
    want, groups = naive(kind, 10_003, 50, 5, 3, 4.0)
    assert pytest.approx(want, rel=1e-9, abs=1e-12) == X and (labels == groups).all()


def test_spherical_groups():
    X, labels = gallery.isotropic_clusters(200, 20, 4, 5.0)
    rng = np.random.default_rng(0)
    groups = rng.integers(4, size=200)
    want = np.eye(20)[:4][groups] * 5 / np.sqrt(2) + rng.standard_normal((200, 20))
    assert fingerprint(X) == pytest.approx(fingerprint(want)) and (labels == groups).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gallery.isotropic_clusters(10, 2, 3, 1.0), "p is 2"),
        (lambda: gallery.isotropic_clusters(10, 3, 3, 0.0), "sep is 0"),
        (lambda: gallery.heterogeneous_clusters("round"), "kind is 'round'"),
        (lambda: gallery.heterogeneous_clusters("scale", k=5), "k is 5"),
    ],
)
def test_refused(call, message):
    with pytest.raises(InvalidInputError, match=message):
        call()
