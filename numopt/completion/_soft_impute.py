"""SoftImpute-ALS: ridge regressions on the matrix whose missing entries are filled in (arXiv:1410.2596)."""

from numopt._array import host
from numopt._loop import Iterate
from numopt.completion._als import measure
from numopt.completion._factors import balanced, finite, qr
from numopt.completion._spectral import directions

_FALL = 0.5  # of the ridge from sweep to sweep, on the way from the one that leaves nothing


def soft_impute(p, rank, counts, rng, state):
    """Yield the iterates from the leading singular vectors of the zero-filled data, or from a state with V.

    For the filled matrix X' = U V^T + W R, with the residuals R and weights W at most 1, a half step is

        U <- X' V (V^T V + l I)^{-1} = (W R V + U V^T V) (V^T V + l I)^{-1} :

    one small system for all rows, where `alternate` has one for each, at the price of a slower rate.
    """
    sides = p.rows, p.columns
    top = host(p.xp.max(p.rows.weights)) if p.rows.weights.shape[0] else 1.0
    shares = [side.weights / top if side.weights.shape[0] else 1.0 for side in sides]
    ridge, eye = p.ridge, p.xp.eye(rank, dtype=p.dtype, device=p.device)
    if state.V is None:
        s, V = directions(p, p.zeros(), rank, rng)
        ridge, state = max(ridge, s[0]), state._replace(V=qr(V))
    while True:
        for side, share in zip(sides, shares, strict=True):
            U, V = (state.U, state.V) if side is p.rows else (state.V, state.U)
            G = V.T @ V
            pull = p.kernels.multiply(side, share * p.residuals(state, side), V) + U @ G
            U = p.xp.linalg.solve(finite(G) + (ridge / top) * eye, finite(pull).T).T
            state = state._replace(U=U) if side is p.rows else state._replace(V=U)
        U, V, _ = balanced(finite(state.U), finite(state.V))
        state, reached = state._replace(U=U, V=V), ridge == p.ridge
        counts.n_als, ridge = counts.n_als + 1, max(p.ridge, _FALL * ridge)
        yield Iterate(state, measure(p, state) if reached else None, counts.info(rank))
