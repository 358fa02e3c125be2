"""Which iterates a method makes."""

import numpy as np

from numopt._array import namespace
from numopt._loop import Iterate, Relay, Status
from numopt.completion._als import alternate, biases, interpolate, validated
from numopt.completion._altmin_sketch import altmin_sketch
from numopt.completion._auto import recover
from numopt.completion._descent import scaled_gradient, subgradient
from numopt.completion._factors import NotFiniteError
from numopt.completion._gauss_newton import Counts, gauss_newton
from numopt.completion._problem import State
from numopt.completion._rank import chosen_rank
from numopt.completion._result import CompletionResult
from numopt.completion._robust import reweighted
from numopt.completion._soft_impute import soft_impute
from numopt.completion._spectral import directions
from numopt.exceptions import InvalidInputError

_SMALL = 0.1  # size of random factors, of data of size 1
# Of those of ratings, with biases and a ridge by counts: the first sweeps from there are power iterations on the data,
# in which weak directions, mostly noise, grow last. On the way ratings are then predicted better than at the minimum.
_TINY = 1e-3


def guarded(iterates):
    """Pass the iterates on; what is not finite ends the run with the best so far."""
    try:
        return (yield from iterates)
    except NotFiniteError:
        return Status.NONFINITE


def unique(p, iterates):
    """Pass the iterates on until one would be an answer if the entries determined it.

    With outliers which entries these are may yet change.
    """
    relay = Relay(iterates)
    for at in relay:
        relay.request = yield at
        if relay.request == "rebuild" and not p.robust and p.certificate(at.state).get("ambiguity"):
            return Status.INVALID_MODEL
    return relay.end


def iterates(p, method, inner, init, rng, splitting):
    """Yield the iterates of the method asked for, from its start on."""
    counts, zero = Counts(), p.zeros()
    if p.norm == 0:
        yield Iterate(zero, 0.0, counts.info(0))
        return Status.CONVERGED
    rank, V, start = p.rank, None, zero
    if isinstance(init, CompletionResult):
        start = resumed(p, init)
        rank, V = start.V.shape[1], start.V
    elif rank == "auto":
        rank, V = yield from chosen_rank(p, counts, rng)
    biased = p.bias_ridge is not None
    if init == "spectral" and biased and p.robust:  # factors of nothing are free to follow outliers
        start, V = biases(p), None
    elif init == "random" or (init == "spectral" and biased):
        V = (_TINY if p.counted and biased else _SMALL) * p.draw(rng, p.shape[1], rank)
    if V is not None:  # columns without entries stay what they are
        V = V * p.xp.asarray(np.diff(p.columns.indptr) > 0, dtype=p.dtype, device=p.device)[:, None]
    if method == "auto" and p.plain:
        return (yield from recover(p, rank, counts, rng, V))
    if init == "spectral" and method in ("altmin-sketch", "softimpute"):  # they have ways of their own to it
        V = None
    elif V is None:  # beside outliers the entries as Huber's loss sees them
        _, V = directions(p.weighted(start)[0], start, rank, rng)
    if init != "spectral" and method in ("auto", "irls"):  # sweeps from there, not rank continuation
        method = "als"
    start = (p.zeros(rank) if start is zero else start)._replace(V=V)
    return (yield from unique(p, _named(p, method, rank, start, counts, inner, rng, splitting)))


def _named(p, method, rank, start, counts, inner, rng, splitting):
    """Return the iterates of a method from V on, if that has a say, and where it goes on, from the rest of a state."""
    V = start.V
    if method == "altmin-sketch":
        return altmin_sketch(p, rank, counts, rng, V, splitting=splitting)
    if method == "softimpute":
        return soft_impute(p, rank, counts, rng, start)
    if method == "vpgn":
        return stationary(p, V, counts)
    if method in ("scaledgd", "subgm"):
        return (scaled_gradient if method == "scaledgd" else subgradient)(p, rank, counts, start)
    if method != "als" and p.robust and not (p.penalised or p.held):
        return reweighted(p, rank, counts, rng)
    if p.plain:
        return interpolate(p, V, counts, rng, inner)
    sweeps = alternate(p, start, counts)
    return validated(p, sweeps) if p.held else sweeps


def stationary(p, V, counts):
    """Yield Gauss-Newton steps from V on until they no longer gain anything."""
    state, rel, slope, _ = yield from gauss_newton(p, V, counts, enough=p.tol, steps=10**9)
    yield Iterate(state, min(rel, slope), counts.info(V.shape[1]))
    return Status.STALLED


def resumed(p, init):
    """Return the state of an earlier result, in the units of the problem."""
    shape = init.U.shape[0], init.V.shape[0]
    if namespace(init.V) is not p.xp or shape != (p.shape[::-1] if p.flipped else p.shape):
        raise InvalidInputError(
            f"init has factors of shape {tuple(init.U.shape)} and {tuple(init.V.shape)}: a result for a matrix of the "
            f"same shape and library is expected; start without init"
        )
    if init.V.shape[1] == 0:
        raise InvalidInputError("init has rank 0: nothing can be continued from X = 0; start without init")
    U, V = (p.xp.astype(x, p.dtype) / p.scale**0.5 for x in (init.U, init.V))
    b, c = (p.xp.astype(x, p.dtype) / p.scale for x in (init.row_bias, init.col_bias))
    if p.bias_ridge is None:
        b = c = p.empty()
    return State(V, U, c, b) if p.flipped else State(U, V, b, c)
