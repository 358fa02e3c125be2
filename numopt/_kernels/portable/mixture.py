"""Steps of Gaussian mixtures for many starts at once, in array-standard calls."""

import math

from numopt._array import clip, device
from numopt._array import namespace as _xp


def shrunk(S, size, floor, kind):
    """Return covariances (..., p, p) made safe: "oas" and "tied" shrink towards the mean variance, all get a floor.

    `size` (...) are the sizes of the groups; `floor` is added to no eigenvalue that exceeds it: it is the least
    diagonal entry of the Cholesky factor, squared, after the shrinkage.
    """
    xp, p = _xp(S), S.shape[-1]
    eye = xp.eye(p, dtype=S.dtype, device=device(S))
    mu = xp.sum(S * eye, axis=(-2, -1)) / p
    if kind in ("oas", "tied"):  # Chen, Wiesel, Eldar and Hero (2010)
        a = xp.sum(S * S, axis=(-2, -1)) / p**2
        below = (size + 1.0) * (a - mu * mu / p)
        rho = xp.where(below > 0, clip((a + mu * mu) / xp.where(below > 0, below, 1.0), 0.0, 1.0), 1.0)
        S = (1.0 - rho)[..., None, None] * S + (rho * mu)[..., None, None] * eye
    return S + floor * eye


def m_step(X, R, floor, kind):
    """Weights (b, k), means (b, k, p) and safe covariances (b, k, p, p) of responsibilities R (b, n, k).

    Those of kind "tied" are one covariance, k times.
    """
    xp, n = _xp(X), X.shape[0]
    size = xp.sum(R, axis=1)
    held = clip(size, 1e-12, None)
    means = (xp.matrix_transpose(R) @ X) / held[..., None]
    parts = []
    for j in range(R.shape[2]):
        off = X - means[:, j, None, :]
        parts.append((xp.matrix_transpose(off * R[:, :, j, None]) @ off) / held[:, j, None, None])
    S = xp.stack(parts, axis=1)
    if kind == "tied":
        pooled = xp.sum(S * (held / n)[..., None, None], axis=1, keepdims=True)
        S, size = xp.broadcast_to(pooled, S.shape), xp.full_like(size, float(n))
    return held / n, means, shrunk(S, size, floor, kind)


def log_densities(X, means, covariances):
    """-|x - m|^2_{S^-1} / 2 - log|S| / 2 - p log(2 pi) / 2 for points X (n, p): (b, n, k)."""
    xp, p = _xp(X), X.shape[1]
    L = xp.linalg.cholesky(covariances)
    eye = xp.eye(p, dtype=X.dtype, device=device(X))
    half = xp.sum(xp.log(xp.sum(L * eye, axis=-1)), axis=-1)
    inverse = xp.linalg.inv(L)
    columns = []
    for j in range(means.shape[1]):
        off = (X - means[:, j, None, :]) @ xp.matrix_transpose(inverse[:, j, :, :])
        columns.append(-0.5 * xp.sum(off * off, axis=-1) - half[:, j, None] - 0.5 * p * math.log(2 * math.pi))
    return xp.stack(columns, axis=-1)


def em(X, R, steps, floor, kind, weighted):
    """Make `steps` EM steps from responsibilities R (b, n, k): the new R and the log-likelihoods (b,) of the last.

    A start of which a group falls below two points has the log-likelihood -inf.
    """
    xp = _xp(X)
    for _ in range(steps):
        weights, means, covariances = m_step(X, R, floor, kind)
        terms = log_densities(X, means, covariances)
        if weighted:
            terms = terms + xp.log(weights)[:, None, :]
        top = xp.max(terms, axis=-1, keepdims=True)
        R = xp.exp(terms - top)
        total = xp.sum(R, axis=-1, keepdims=True)
        R = R / total
        value = xp.sum(xp.log(total) + top, axis=(1, 2))
    alive = xp.min(xp.sum(R, axis=1), axis=1) >= 2.0
    return R, xp.where(alive | (value != value), value, -float("inf"))
