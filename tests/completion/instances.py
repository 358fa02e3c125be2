"""Instances for the tests: Haar factors, a geometric spectrum, uniform positions."""

import numpy as np


def haar(m, n, rank, oversampling, kappa=1.0, noise=0.0, outliers=0.0, seed=0):
    """Return (X for the solver, the full matrix): entries have RMS 1."""
    rng = np.random.default_rng(seed)
    U, V = (np.linalg.qr(rng.standard_normal((size, rank)))[0] for size in (m, n))
    s = np.geomspace(1.0, 1.0 / kappa, rank)
    full = (U * s * np.sqrt(m * n) / np.linalg.norm(s)) @ V.T
    count = min(int(oversampling * rank * (m + n - rank)), m * n)
    at = np.sort(rng.permutation(m * n)[:count])
    rows, columns = at // n, at % n
    values = full[rows, columns] + noise * rng.standard_normal(count)
    hit = rng.random(count) < outliers
    values[hit] += rng.uniform(-10, 10, hit.sum())
    return (rows, columns, values, (m, n)), full


def error(result, full):
    """Return the relative error over all entries."""
    return np.linalg.norm(result.to_dense() - full) / np.linalg.norm(full)
