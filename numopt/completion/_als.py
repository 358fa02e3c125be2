"""Alternating least squares: exact solves for one factor at a time."""

import itertools
import math

import numpy as np

from numopt._array import host
from numopt._loop import Iterate, Status
from numopt.completion._blocks import turned_blocks
from numopt.completion._factors import NotFiniteError, balanced, finite, qr
from numopt.completion._factors import inner as dot
from numopt.completion._gauss_newton import SAFE
from numopt.completion._problem import PATIENCE, pull
from numopt.completion._single import like

SKETCH = 4  # rows of a sketch, in units of the rank
_NEAR = 0.05  # residual from which on Gauss-Newton is faster
_MAX_CG = 60  # steps for a row
_GROWING = 1.05  # of |U|^2 |V|^2 in a sweep
_SPARING = 8  # what share of the sweeps so far may pass before the next certificate
_HARDLY, _LONG = 0.999, 100  # a fall that counts as one, and for how many sweeps there may be none
_ROUNDS = 3  # sweeps for biases alone, which need not be exact
_LARGE, _FAR = 64, 1e-3  # rank and residual from which on conjugate gradients cost less than systems


def homotopy(p, V, counts, *, sweeps, share=1.0, rough=None):
    """Yield at most `sweeps` sweeps with orthonormal V and a ridge that falls with the residual; return (V, blocks).

    V is orthonormal again. The blocks of its columns are None where the last sweep leaves them too rough.

    With V orthonormal the system of a row is about its share n_i / n of the identity, so that a ridge of tau times the
    density has one meaning for all instances; at first it is the share of noise in V. Sweeps are those of `rough`, the
    problem in single precision, if given.
    """
    q, tau, V, blocks = rough or p, max(share, 1e-13), qr(like(rough or p, V)), None
    for sweep in range(sweeps):
        U, _, _, _ = q.half(q.rows, V, tau * p.density, summed=False)
        Q = qr(finite(U))
        V, square, kept, _ = q.half(q.columns, Q, tau * p.density, keep=sweep > 0)
        rel = math.sqrt(square) / p.norm
        counts.n_als += 1
        U, W = like(p, Q, finite(V))
        yield Iterate(p.zeros()._replace(U=U, V=W), max(rel, 2 * p.tol), counts.info(V.shape[1]), plain=True)
        tau = max(min(min(0.2, share) * tau, rel**2), 1e-13)
        V, R = p.kernels.orthonormal(V)
        if rel < _NEAR:
            blocks = turned_blocks(p.xp, kept, R, rel) if sweep else None
            break
    return like(p, V), blocks


def alternate(p, state, counts, least=0.0):
    """Yield sweeps of the penalised problem as it stands, biases, weights and Huber's loss included.

    A constant ridge wants the factors even, and they are made so: X alone does not fix their scale. Huber's threshold
    is kept above `least`, which is halved each time.
    """
    r, due, before, size = state.U.shape[1], 1, None, 0.0
    for sweep in itertools.count(1):
        state, slope = _swept(p, state, least), None
        least *= 0.5
        counts.n_als += 1
        if not p.counted and (p.ridge > 0 or p.bias_ridge is None):
            U, V, _ = balanced(finite(state.U), finite(state.V))
            state = state._replace(U=U, V=V)
        last, size = size, math.prod(host(dot(state.U, state.U), dot(state.V, state.V)))
        # Factors that still grow are on their way from the saddle at 0, where the gradient is small as well.
        if sweep >= due and p.held is None and not size > _GROWING * last:
            slope, near = _certified(p, state) if p.robust else (measure(p, state),) * 2
            due = sweep + max(_pause(before, (sweep, near), p.tol), sweep // _SPARING if p.robust else 0)
            if before is None or not near >= _HARDLY * before[1]:
                before = sweep, near
        yield Iterate(state, slope, counts.info(r))
        if p.robust and before and sweep - before[0] > max(_LONG, sweep // 2):  # too few are judged for `run` to see it
            return Status.STALLED


def biases(p):
    """Return the state of biases alone, as Huber's loss sees the entries."""
    state = p.zeros()
    for _ in range(_ROUNDS):
        state = _swept(p, state)
    return state


def interpolate(p, V, counts, rng, inner):
    """Yield sweeps without a ridge; the fixed factor is made orthonormal before each half step.

    `inner` says how rows are solved: "direct", by "cg", which the orthonormal factor preconditions for all rows at
    once, or by "sketch", a preconditioner for each row; "auto" takes "cg" for large ranks while far from the end.
    """
    rel, r, U = 1.0, V.shape[1], p.xp.zeros((p.shape[0], V.shape[1]), dtype=p.dtype, device=p.device)
    while True:
        large = "cg" if r > _LARGE and rel > _FAR else "direct"
        way = large if inner == "auto" else inner
        for side in (p.rows, p.columns):
            Q, turn = p.kernels.orthonormal(finite(V))
            # In the new basis the other factor is what it was: U V^T = (U R^T) Q^T.
            U, square, n_cg = solved(p, side, Q, U @ p.xp.matrix_transpose(turn), rng, way, summed=side is p.columns)
            counts.n_cg += n_cg
            U, V = Q, U
        before, rel = rel, math.sqrt(square) / p.norm
        counts.n_als, state = counts.n_als + 1, p.zeros()._replace(U=U, V=finite(V))
        # While the residual falls, a pass for the gradient would tell nothing.
        yield Iterate(state, rel if rel < 0.95 * before else measure(p, state), counts.info(r))


def solved(p, side, V, start, rng, way, accuracy=0.1, summed=True):
    """Return (U, sum w r^2 if `summed`, steps) of the rows of a side, exact or with gradients reduced to `accuracy`."""
    if way == "direct":
        U, square, _, _ = p.half(side, V, SAFE * p.density, summed=summed)
        return U, square, 0
    buckets, signs, size = np.empty(0, np.int64), np.empty(0), 0
    if way == "sketch":
        size, longest = SKETCH * V.shape[1], max(int(np.diff(side.indptr).max()), 1)
        buckets, signs = rng.integers(0, size, longest), rng.choice((-1.0, 1.0), longest)
    start = p.zeros(V.shape[1])[side is not p.rows] if start is None else start
    U, sums, steps = p.kernels.half_iterative(side, V, start, 0.0, buckets, signs, size, accuracy, _MAX_CG)
    return U, float(host(p.xp.sum(sums))), steps


def validated(p, iterates):
    """Pass iterates on until the validation error has risen three times in a row; the best is yielded last."""
    best, rises, kept = math.inf, 0, None
    for at in iterates:
        error = p.validation_rmse(at.state)
        if not math.isfinite(error):
            raise NotFiniteError
        if error < best:
            best, rises, kept = error, 0, at
        else:
            rises += 1
        p.kept["validation"] = best, rises
        at.info["validation_rmse"] = p.scale * error
        yield Iterate(at.state, None, at.info)
        if rises == PATIENCE:
            yield Iterate(kept.state, 0.0, kept.info)
            return None


def _swept(p, state, least=0.0):
    """Solve for either side once, with Huber's weights at `state` if that is the loss."""
    q, _ = p.weighted(state, least)
    U, b = _lines(q, q.rows, state.V, state.c)
    V, c = _lines(q, q.columns, U, b)
    return type(state)(U, V, b, c)


def _lines(p, side, V, offset):
    """Solve for the factors and biases of one side."""
    ridge, scale = p.ridges(side, V.shape[1])
    biased = p.bias_ridge is not None
    if biased:
        V = p.xp.concat((V, p.xp.ones((V.shape[0], 1), dtype=p.dtype, device=p.device)), axis=1)
    U, sums, _, _ = p.kernels.half_step(side, V, offset, ridge, scale, p.empty(0, V.shape[1]), False)
    if not math.isfinite(host(p.xp.sum(sums))):
        raise NotFiniteError
    return (U[:, :-1], U[:, -1]) if biased else (U, offset)


def _certified(p, state):
    """Return what the certificate is judged by, and the smallest value that it may be judged by later.

    Nothing cheaper tells whether some rows lag behind the others: their residuals look like outliers.
    """
    found = p.certificate(state)
    value = next(iter(found.values()))
    return value, value if p.penalised else min(value, found["rel_residual"])


def _pause(before, now, tol):
    """Return for how many sweeps the gradient, which costs a quarter of one, can wait.

    That is half of those which its fall between two (sweep, measure) promises, and no more than there were.
    """
    if before is None or not 0 < tol < now[1] < before[1]:
        return 1
    fall = math.log(before[1] / now[1]) / (now[0] - before[0])
    return max(1, min(now[0], int(0.5 * math.log(now[1] / tol) / fall)))


def measure(p, state):
    """Return a cheap estimate of the certificate: the gradient of the rows, for the columns were solved last."""
    U, V = p.augmented(state)
    k = state.U.shape[1]
    square, rhs2, r2 = pull(p, p.rows, U, V, k, True)
    slope = math.sqrt(square / rhs2) if rhs2 > 0 else 0.0
    rel = math.sqrt(max(r2, 0.0)) / p.norm
    return slope if p.penalised else min(rel, slope / rel if rel > 0 else 0.0)
