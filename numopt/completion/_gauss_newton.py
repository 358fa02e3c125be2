"""Variable projection: U is eliminated, V moves by damped Gauss-Newton steps with a matrix-free Schur complement."""

import math
from dataclasses import dataclass

from numopt._array import host
from numopt._loop import Iterate, Relay
from numopt.completion._blocks import Blocks
from numopt.completion._factors import NotFiniteError, distance, finite, inner, moved, outside, qr
from numopt.completion._single import like
from numopt.completion._spikes import calmed

SAFE = 1e-13  # ridge on the eliminated factor, relative to the density: keeps rows without enough entries regular
_MAX_CG = 40
_CLOSE = 1e-4  # residual from which on rows are corrected, not solved: the bias of a small ridge then goes to 0
_NEAR = 0.05  # of the residual before: the step was so short that systems and preconditioner still serve
_GAIN = 0.01  # of the sum of squares, that rows corrected by old systems must get to
_DRIFT = 4.0  # times their distance is by what old systems may spoil a step
_FAR, _FLOOR = 2e-3, 1e-4  # residuals from which on single precision serves for rows, and at which it ends
_QUICK = 20  # steps of conjugate gradients in single precision, beyond which it is not trusted


@dataclass
class Counts:
    """Work done so far, shared by the phases of a run."""

    n_als: int = 0
    n_gn: int = 0
    n_cg: int = 0

    def info(self, rank):
        """Return what the history records."""
        return {"n_als": self.n_als, "n_gn": self.n_gn, "n_cg": self.n_cg, "rank": rank}


def gauss_newton(p, V, counts, *, enough, steps, stage=False, patience=4, judged=True, rough=None, blocks=None):
    """Yield the iterates from V on; return (state, relative residual, gradient, how it ended).

    It ends as "met" (residual below `enough`), "stationary", "slow" (`patience` steps gained less than 2; at a
    `stage` two steps) or "steps". Each step solves

        min_D |r - J(D)|^2 + mu |D|^2,   D orthogonal to V, U eliminated exactly,

    by conjugate gradients on the Schur complement, preconditioned by its diagonal blocks, and is accepted if the
    objective falls (Levenberg's rule on mu). Without `judged` no iterate is offered as an answer.

    `blocks` near those of V's columns, if given, save making them for the first step.
    `rough`, the problem in single precision if given, finds the steps, and the rows while the residual is large. It is
    left for good when conjugate gradients take long or a step is rejected.
    """
    zero, rough, V, g, origin = p.zeros(), rough or p, qr(V), None, None
    U, square, systems, _ = _rows(p, rough, V, None, 1.0)
    if blocks:
        g, size, _ = rough.gradient(rough.columns, *like(rough, V, U))
        g, origin = outside(V, like(p, g)), U
    else:
        y, w = rough.columns.y, rough.columns.weights
        push = p.kernels.multiply(rough.columns, y * w if w.shape[0] else y, like(rough, U))
        size = host(inner(push, push))
    rounding = 64 * float(p.xp.finfo(p.dtype).eps)
    rel = math.sqrt(square) / p.norm
    damping, rejected, residuals, gradients = min(1e-2, rel), 0, [rel], []
    for _ in range(steps):
        state = zero._replace(U=U, V=V)
        p.kept["systems"] = systems
        if residuals[-1] <= enough:
            return state, residuals[-1], math.inf, "met"
        mu = damping * p.density * host(inner(U, U)) / U.shape[1]
        if g is None:
            q = rough if residuals[-1] > _FAR else p
            _, _, kept, g = q.half(q.columns, like(q, U), mu, keep=True, base=like(q, V), summed=False)
            blocks, origin, g = Blocks(kept), U, outside(V, like(p, g))
        slope = math.sqrt(host(inner(g, g)) / size) / residuals[-1] if size > 0 else 0.0
        if not math.isfinite(slope):  # neither `min` nor a comparison shows NaN
            raise NotFiniteError
        gradients.append(slope)
        p.kept["blocks"] = origin, blocks
        seen = min(residuals[-1], slope) if judged else max(residuals[-1], 2 * p.tol)
        yield Iterate(state, seen, counts.info(V.shape[1]), plain=True)
        if slope <= p.tol and not stage:
            return state, residuals[-1], slope, "stationary"
        if _slow(residuals, gradients, 2 if stage else patience):
            return state, residuals[-1], slope, "slow"
        forcing, wanted = min(0.1, math.sqrt(residuals[-1]), slope), enough / residuals[-1]
        forcing = max(min(forcing, 0.3 * wanted) if forcing < 10 * wanted else forcing, 0.1 * wanted)  # the last step?
        given = *like(rough, U, V), systems[1], blocks.kept, blocks.back, like(rough, g), mu, forcing, _MAX_CG
        D, E, left, n_cg = p.kernels.schur_solve(rough.rows, rough.columns, *given)
        beyond, D = inner(finite(D), left), outside(V, like(p, D))
        trial, found = calmed(p, moved(V, D), V, U, SAFE * p.density), None
        if len(residuals) > 1 and residuals[-1] <= _NEAR * residuals[-2]:  # near enough for the systems at hand
            found = _corrected(p, p.kernels.added(U, -1.0, like(p, E)), trial, systems)
            found = found if found[1] <= _GAIN * square else None
        other, trial_square, trial_systems, ahead = found or _rows(p, rough, trial, U, residuals[-1])
        rest = math.sqrt(trial_square) / p.norm
        if found and rest > enough < _DRIFT * distance(trial, systems[0]) * rest:  # they would not do for another step
            trial_systems = _systems(rough, trial)[2]
        predicted = host(inner(g, D) + beyond)
        counts.n_gn, counts.n_cg = counts.n_gn + 1, counts.n_cg + n_cg
        if not (math.isfinite(trial_square) and math.isfinite(predicted)):
            raise NotFiniteError
        gain = (square - trial_square) / predicted if predicted > 0 else -1.0
        if abs(predicted) < rounding * square and trial_square < (1 + rounding) * square:
            gain = 0.5  # what the step gains drowns in rounding; the gradient still falls
        if gain > 1e-4 or math.sqrt(trial_square) <= enough * p.norm:
            U, V, systems, square, rejected, g = other, trial, trial_systems, trial_square, 0, ahead
            damping *= 0.2 if gain > 0.75 else 3.0 if gain < 0.25 else 1.0
            residuals.append(math.sqrt(square) / p.norm)
            if g is None and residuals[-1] <= _NEAR * residuals[-2]:
                g = p.gradient(p.columns, V, U, pushed=False)[0]
            g = None if g is None else outside(V, g)
        else:
            damping, rejected = 5.0 * damping, rejected + 1
            if rejected > 8:
                return state, residuals[-1], slope, "slow"
        if rejected or n_cg > _QUICK:
            rough = p
    return zero._replace(U=U, V=V), residuals[-1], gradients[-1] if gradients else math.inf, "steps"


def unjudged(iterates):
    """Pass iterates on without their measure, which is not one of the problem as it was given."""
    relay = Relay(iterates)
    for at in relay:
        yield Iterate(at.state, None, at.info)
    return relay.end


def _rows(p, rough, V, U, rel):
    """Return (the rows that V leaves open, sum w r^2, systems, None); U, next to them, serves at small residuals.

    The systems come with the V that they were made of.
    """
    q = rough if rel > _FAR else p
    base = like(q, U) if rel < _CLOSE else None
    found, square, systems = _systems(q, V, base)
    if not math.isfinite(square):
        raise NotFiniteError
    if q is not p and math.sqrt(square) < _FLOOR * p.norm:
        return _rows(p, p, V, U, rel)
    return like(p, found if base is None else base + found), square, systems, None


def _systems(p, V, base=None):
    V = like(p, V)
    U, square, kept, _ = p.half(p.rows, V, SAFE * p.density, keep=True, base=base)
    return U, square, (V, kept)


def _corrected(p, U, V, systems):
    """Return what `_rows` does, and the gradient in V, after one correction of U by the systems of the step before.

    U has moved with V to first order, and the systems are off by the step's length: the error is of third order, where
    that of the step is of second. Two passes in place of systems.
    """
    U = p.kernels.added(U, 1.0, p.kernels.solve_kept(systems[1], p.gradient(p.rows, U, V, pushed=False)[0]))
    g, _, square = p.gradient(p.columns, V, U, pushed=False)
    if not math.isfinite(square):
        raise NotFiniteError
    return U, square, systems, g


def _slow(residuals, slopes, patience):
    """Say whether so many accepted steps gained less than a factor 2 in residual and slope."""
    if len(residuals) <= patience or len(slopes) <= patience:
        return False
    return residuals[-1 - patience] < 2 * residuals[-1] and slopes[-1 - patience] < 2 * slopes[-1]
