"""The default: alternating sweeps, then Gauss-Newton; rank continuation where that fails."""

import numpy as np

from numopt._array import host
from numopt._loop import Iterate, Status
from numopt.completion._als import homotopy
from numopt.completion._factors import balanced, qr
from numopt.completion._gauss_newton import gauss_newton
from numopt.completion._single import single
from numopt.completion._spectral import directions, noise_share, structured
from numopt.completion._unique import meets_any

_SWEEPS = 8  # at most, of alternating least squares before Gauss-Newton
_STAGE = 8  # Gauss-Newton steps at a rank on the way
_FULL = 150  # at the full rank
_TRIES = 3
_AIM = 0.5  # of the tolerance: what nobody saw is off by some times the residual
_GAP = 100  # between singular values: of a rank that is too large
_NOTHING = 1e-150  # for singular values of 0, beside entries of size 1
_PATIENCE = 15  # Gauss-Newton steps that may pass without much gain


def recover(p, rank, counts, rng, V=None):
    """Yield the iterates of the way to a completion of at most this rank.

    Sweeps with a falling ridge, then Gauss-Newton: that suffices for most. Else the rank grows one by one, each time
    by the leading direction of the residuals, with a few Gauss-Newton steps in between: the only start known to us
    that leads out of the wrong basins that few entries or ill-conditioned matrices have.
    """
    rough, blocks = single(p), None
    if V is None:
        s, V = directions(rough, rough.zeros(), rank, rng)
        V, blocks = yield from homotopy(p, V, counts, sweeps=_SWEEPS, share=noise_share(s, rank), rough=rough)
    state, rel, slope, end = yield from gauss_newton(
        p, V, counts, enough=_AIM * p.tol, steps=40, judged=False, rough=rough, blocks=blocks
    )
    best, floor = (state, rel, slope), 64 * float(p.xp.finfo(p.dtype).eps)
    if rel > max(p.tol, floor) and not (end == "stationary" and not structured(p, state, rng)):
        for _ in range(_TRIES):
            state, rel, slope, end = yield from continuation(p, rank, counts, rng)
            if rel < best[1] * (1 - 1e-6):
                best = state, rel, slope
            if end == "stationary" or rel <= max(p.tol, floor):
                break
    state, rel, slope = best
    request = yield Iterate(state, min(rel, slope), counts.info(state.V.shape[1]))
    if request == "rebuild":
        state, rel = yield from lowered(p, state, rel, counts)
        if p.certificate(state).get("ambiguity"):
            return Status.INVALID_MODEL
    # Not met: go on from the best point for as long as it improves.
    state, rel, slope, _ = yield from gauss_newton(p, state.V, counts, enough=0.0, steps=10**9, patience=_PATIENCE)
    return Status.PRECISION if rel <= floor else Status.STALLED


def continuation(p, rank, counts, rng):
    """Yield the iterates while the rank grows from 1; return what `gauss_newton` returns."""
    xp = p.xp
    state = p.zeros()
    while True:
        _, W = directions(p, state, 1, rng)
        V = qr(xp.concat((state.V, W), axis=1))
        full = V.shape[1] == rank
        steps = _FULL if full else _STAGE
        state, rel, slope, end = yield from gauss_newton(
            p, V, counts, enough=_AIM * p.tol, steps=steps, stage=not full, patience=_PATIENCE, judged=False
        )
        if full or (end == "met" and not meets_any(p, V.shape[1])):
            return state, rel, slope, end


def lowered(p, state, rel, counts):
    """Yield steps at the rank before the largest gap in the singular values; return (state, rel), this one's if met."""
    _, V, s = balanced(state.U, state.V)
    s = np.maximum(host(s), _NOTHING)
    gaps = s[:-1] / s[1:]
    if rel > p.tol or not gaps.size or gaps.max() < _GAP:
        return state, rel
    V = V[:, : int(np.argmax(gaps)) + 1]
    if meets_any(p, V.shape[1]):
        return state, rel
    found, less, _, end = yield from gauss_newton(p, V, counts, enough=p.tol, steps=_STAGE, judged=False)
    if end != "met":
        return state, rel
    yield Iterate(found, less, counts.info(V.shape[1]))
    return found, less
