"""The K-means methods as iterates: the bound by pairs, the relaxation, samples of it, and low-rank labels."""

import math

from numopt._array import device, host, is_numpy, like
from numopt._loop import Iterate, run, time_left
from numopt._status import Status
from numopt.clustering._cuts import Cuts
from numopt.clustering._dense import DENSE_BYTES, dual_bound, memory, primal
from numopt.clustering._lloyd import embedded, rounded
from numopt.clustering._low_rank import low_rank
from numopt.clustering._pairwise import Bound, pairwise_bound
from numopt.clustering._sketch import sketched_bounds
from numopt.clustering._splitting import splitting
from numopt.clustering._state import State, certifier, gap_of
from numopt.exceptions import ConvergenceWarning, PerformanceWarning, warn

_DENSE = 5000  # points up to which "auto" solves the relaxation before it asks samples: some seconds
_SHARE = 0.8  # of the memory that its matrices may take beyond
_SKETCH_TOL = 3e-4  # of the relaxation on a sample: what it loses is lost by the bound


def iterates(p, partitions, method, rng, size, count, cuts, tol):
    """Yield the states of a method of `kmeans_sdp`, from partitions to start from; `tol` tells what is hopeless."""
    for found in partitions:
        yield Iterate(State(found), None, {"fun": p.original(found.sse)})
    if found.centres.shape[0] < p.k and found.sse <= p.trivial:
        warn(
            f"X has {found.centres.shape[0]} distinct points and n_clusters is {p.k}: that many clusters are returned",
            ConvergenceWarning,
        )
    state = State(found, pairwise_bound(p, found))
    end = yield from bounded(p, state)
    if state.bound.kind in ("exact", "none") or method in ("certify", "low_rank"):
        return end
    if method == "sketch" or (method == "auto" and p.size > _DENSE):
        last, pairs = method == "sketch" or not _fits(p), state.bound
        state, end = yield from _sketched(p, state, rng, min(size, p.size), count, math.inf if last else tol)
        if last:
            return end
        if is_numpy(p.xp) and time_left() == math.inf:
            warn(
                f"samples of the {p.size} rows of X do not give tol: the relaxation of all of them begins, which takes "
                f"minutes on a CPU; pass max_time to bound it, or method='sketch' to do without it",
                PerformanceWarning,
            )
        return (yield from _relaxed(p, state, rng, pairs))
    return (yield from _relaxed(p, state, rng, state.bound, Cuts(p) if cuts else None))


def bounded(p, state):
    """Yield a partition with its bound by pairs of clusters; return why no more is done."""
    found = state.found
    gap = gap_of(p, found.sse, state.bound.value)
    yield Iterate(state, gap, _told(p, state) | {"sdp_gap": gap})
    return Status.STALLED, "the bound by pairs of clusters is as high as it gets"


def _relaxed(p, state, rng, pairs, cuts=None):
    """Solve the relaxation from the bound by pairs; round it, too. With cuts, the best bound is kept."""
    for at in splitting(p, state.found, pairs, rng, cuts):
        if at.measure is not None:
            better = rounded(p, at.state, rng)
            if better.sse < state.found.sse * (1 - 1e-12):
                state = State(better, _higher(state.bound, pairwise_bound(p, better)))
            if at.state.shift is not None and state.bound.kind == "dual":
                value, residual, _ = host(*primal(p, at.state))
                fresh = Bound(dual_bound(p, at.state, value, residual), "dual")
                state = state._replace(bound=_higher(state.bound, fresh))
            at.measure = min(at.measure, gap_of(p, state.found.sse, state.bound.value))
        state = state._replace(split=at.state)
        yield Iterate(state, at.measure, at.info | {"fun": p.original(state.found.sse)})


def _told(p, state):
    return {"fun": p.original(state.found.sse), "bound": p.original(state.bound.value)}


def _higher(known, fresh):
    return fresh if fresh.value > known.value else known


def _fits(p):
    """Say whether the memory is enough for the matrices of the relaxation."""
    return DENSE_BYTES * p.size**2 <= _SHARE * memory(p.X)


def _sketched(p, state, rng, size, count, enough):
    """Improve the bound by samples, if it can be; give up when they cannot be expected to give a gap of `enough`.

    Return the last state, and why no more is done.
    """

    def solve(sample, part):
        start = State(part, pairwise_bound(sample, part))
        return run(
            _relaxed(sample, start, rng, start.bound) if start.bound.kind == "dual" else bounded(sample, start),
            certify=certifier(sample), finish=lambda state, info, common: common["certificate"]["lower_bound"],
            tol=_SKETCH_TOL, max_iter=400, quiet=True, on_failure="ignore",
        )  # fmt: skip

    for number, bound in enumerate(sketched_bounds(p, state.found, size, count, rng, solve), 1):
        better = bound is not None and bound.value > state.bound.value
        at = state._replace(bound=bound) if better else state
        gap = gap_of(p, at.found.sse, at.bound.value)
        hopeless = bound is not None and gap_of(p, at.found.sse, bound.value + 2 * bound.margin) > enough
        last = hopeless or number == count
        yield Iterate(at, gap if last else None, _told(p, at) | {"sdp_gap": gap})
        if last:
            break
    return at, (Status.STALLED, f"{number} samples of {size} points give no higher bound: take larger ones, or more")


def low_rank_partitions(p, rng):
    """Yield the partition that the low-rank relaxation suggests, from a random start (arXiv:2305.18436)."""
    xp = p.xp
    unit = xp.linalg.matrix_norm(p.X.T @ p.X, ord=2)
    unit = xp.where(unit > 0, unit, xp.ones_like(unit))  # all points are one
    U = like(xp, abs(rng.standard_normal((1, p.size, 2 * p.k))), device(p.X), xp.float64)
    F, h = (p.X / xp.sqrt(unit))[None, :, :], xp.zeros_like(U[:, :, 0])
    norms = xp.full((1,), float(p.k), dtype=xp.float64, device=device(p.X))
    for step, at in enumerate(low_rank(xp, F, h, U, norms)):
        embedding = at.U[0, :, :]
        done = max(at.infeasibility, at.move) < 1e-5 or step == 60 or time_left() <= 0
        if done:
            yield embedded(p, embedding, rng)
            return
