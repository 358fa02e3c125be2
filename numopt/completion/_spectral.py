"""Leading singular directions of the sparse matrix of residuals."""

import math

from numopt._array import host
from numopt.completion._factors import finite, qr, transposed

_POWER = 3


def directions(p, state, q, rng):
    """Return (s, W): singular values, falling, a list of q or some more, and right vectors (n, q) of the residuals.

    Lines with more entries than the mean are damped by the root of the excess, lest a popular line be taken for
    a direction. Randomised subspace iteration with QR after each pair of products.
    """
    xp, k = p.xp, p.kernels
    left, right = damping(p, p.rows), damping(p, p.columns)
    r, across = p.rows.y, p.columns.y
    if state.V.shape[1] or p.bias_ridge is not None:
        r, across = p.residuals(state), p.residuals(state, p.columns)
    if p.rows.weights.shape[0]:
        r, across = r * p.rows.weights, across * p.columns.weights
    width = min(q + min(q, 10), *p.shape)
    Q = p.draw(rng, p.shape[1], width)
    for _ in range(_POWER):
        Q = left * k.multiply(p.rows, r, right * Q)
        Q = qr(finite(right * k.multiply(p.columns, across, left * Q)))
    _, R = k.orthonormal(finite(left * k.multiply(p.rows, r, right * Q)))
    _, s, turn = xp.linalg.svd(R, full_matrices=False)
    return host(s).tolist(), k.turned(Q, transposed(turn)[:, :q])


def noise_share(s, q):
    """Return sin^2 of the angle by which noise turns the last of q singular vectors, by the values up to the next one.

    Noise with largest singular value 2 turns a vector of signal t > 1, seen as t + 1 / t, by the angle whose sin^2 is
    1 / t^2 (Benaych-Georges and Nadakuditi, arXiv:1103.2221), at equal sides.
    """
    if len(s) <= q or not s[q - 1] > 0:
        return 1.0
    ratio = min(s[q] / s[q - 1], 1.0)
    return (ratio / (1.0 + math.sqrt(1.0 - ratio**2))) ** 2


def damping(p, side):
    """Return the factor (size, 1) of each line: at most 1."""
    total = p.totals(side)
    mean = p.xp.mean(total)
    return p.xp.sqrt(mean / p.xp.where(total > mean, total, p.xp.full_like(total, 1.0) * mean))[:, None]


def structured(p, state, rng):
    """Say whether the residuals have a direction that random signs on them do not have."""
    xp, k = p.xp, p.kernels
    s, _ = directions(p, state, 1, rng)
    r = p.residuals(state)
    left, right = damping(p, p.rows), damping(p, p.columns)
    # Independent signs give a matrix of norm at most about its largest row norm plus its largest column norm.
    one = xp.ones((max(p.shape), 1), dtype=p.dtype, device=p.device)
    across = p.residuals(state, p.columns)
    rows = k.multiply(p.rows, r * r, one * xp.mean(right) ** 2)[:, 0] * left[:, 0] ** 2
    columns = k.multiply(p.columns, across * across, one * xp.mean(left) ** 2)[:, 0] * right[:, 0] ** 2
    edge = host(xp.sqrt(xp.max(rows)) + xp.sqrt(xp.max(columns)))
    return s[0] > edge
