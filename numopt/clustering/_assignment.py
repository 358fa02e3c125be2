"""The likelihood-adjusted relaxation at fixed covariances: one lifted membership matrix for each group.

    minimise sum_k <C_k, Z_k>   over Z_k psd, Z_k >= 0, tr Z_k = 1, sum_k Z_k 1 = 1,
    C_k = D_k / 4 + (log|S_k| / 2 - w_k) 11',   D_k,ij = |x_i - x_j|^2_{S_k^-1},   w_k = log(weight)

has the value of minus the log-likelihood of a labelling, group means profiled out, at Z_k = 1_k 1_k' / n_k.
"""

from typing import NamedTuple

from numopt._array import clip, device, host, like
from numopt.clustering._low_rank import low_rank, memberships

_RANK = 2  # rank 1 is a hard assignment, which cannot move through ties
_MIX = 0.7  # of the labels in a start; the rest is noise


class Costs(NamedTuple):
    """C_k = h_k 1' + 1 h_k' - F_k F_k' times `scale`, with F (k, n, p) and h (k, n)."""

    F: object
    h: object
    scale: float


def costs(p, groups):
    """Return the `Costs` at the covariances and weights of `Groups`."""
    xp, X = p.base.xp, p.base.X
    L = xp.linalg.cholesky(groups.covariances)
    eye = xp.eye(X.shape[1], dtype=X.dtype, device=device(X))
    Y = X @ xp.matrix_transpose(xp.linalg.inv(L))
    constant = xp.sum(xp.log(xp.sum(L * eye, axis=-1)), axis=-1)
    if p.weighted:
        constant = constant - xp.log(groups.weights)
    scale = max(X.shape[1] / 2, 1.0)
    h = (xp.sum(Y * Y, axis=-1) / 4 + constant[:, None] / 2) / scale
    return Costs(Y / (2 * scale) ** 0.5, h, scale)


def assignment(p, cost, R, rng):
    """Yield `Factors` of the relaxation, from responsibilities R (n, k)."""
    xp, (k, n) = p.base.xp, cost.h.shape
    noise = like(xp, rng.random((k, n, _RANK)), device(R), xp.float64)
    size = clip(xp.sum(R, axis=0), 1e-12, None)  # groups may be empty
    U = _MIX * (R.T / xp.sqrt(size)[:, None])[:, :, None] + (1 - _MIX) * noise / n**0.5
    return low_rank(xp, cost.F, cost.h, U, xp.ones_like(R[0, :]))


def solved(p, cost, R, rng, tol=1e-4, rounds=30):
    """Return (labels by the largest membership, memberships (k, n)) of the relaxation."""
    for step, at in enumerate(assignment(p, cost, R, rng)):
        if max(at.infeasibility, at.move) <= tol or step == rounds:
            M = memberships(p.base.xp, at.U)
            return p.base.xp.argmax(M, axis=0), M


def clear(p, M):
    """Say whether every point has a membership of 0.9 in some group."""
    return host(p.base.xp.min(p.base.xp.max(M, axis=0))) >= 0.9
