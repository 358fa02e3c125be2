"""Which iterates a method makes."""

import numpy as np

from numopt._array import namespace
from numopt._loop import Iterate, Relay, Status
from numopt.completion._als import alternate, interpolate, validated
from numopt.completion._altmin_sketch import altmin_sketch
from numopt.completion._auto import recover
from numopt.completion._descent import scaled_gradient, subgradient
from numopt.completion._factors import NotFiniteError
from numopt.completion._gauss_newton import Counts, gauss_newton
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
    rank, V = p.rank, None
    if rank == "auto":
        rank, V = yield from chosen_rank(p, counts, rng)
    if isinstance(init, CompletionResult):
        rank, V = _factor(p, init)
    elif init == "random" or p.bias_ridge is not None:
        V = (_TINY if p.counted and p.bias_ridge is not None else _SMALL) * p.draw(rng, p.shape[1], rank)
    if V is not None:  # columns without entries stay what they are
        V = V * p.xp.asarray(np.diff(p.columns.indptr) > 0, dtype=p.dtype, device=p.device)[:, None]
    if method == "auto" and p.plain:
        return (yield from recover(p, rank, counts, rng, V))
    if V is None and method not in ("altmin-sketch", "softimpute"):
        _, V = directions(p, zero, rank, rng)
    return (yield from unique(p, _named(p, method, rank, V, counts, inner, rng, splitting)))


def _named(p, method, rank, V, counts, inner, rng, splitting):
    """Return the iterates of a method from V on, if that has a say."""
    if method == "altmin-sketch":
        return altmin_sketch(p, rank, counts, rng, splitting=splitting)
    if method == "softimpute":
        return soft_impute(p, rank, counts, *directions(p, p.zeros(), rank, rng))
    if method == "vpgn":
        return stationary(p, V, counts)
    if method in ("scaledgd", "subgm"):
        return (scaled_gradient if method == "scaledgd" else subgradient)(p, rank, counts, V)
    if method != "als" and p.robust and not (p.penalised or p.held):
        return reweighted(p, rank, counts, rng)
    if p.plain:
        return interpolate(p, V, counts, rng, inner)
    sweeps = alternate(p, p.zeros(rank)._replace(V=V), counts)
    return validated(p, sweeps) if p.held else sweeps


def stationary(p, V, counts):
    """Yield Gauss-Newton steps from V on until they no longer gain anything."""
    state, rel, slope, _ = yield from gauss_newton(p, V, counts, enough=p.tol, steps=10**9)
    yield Iterate(state, min(rel, slope), counts.info(V.shape[1]))
    return Status.STALLED


def _factor(p, init):
    """Return (rank, V) of an earlier result."""
    V = init.U if p.flipped else init.V
    if namespace(V) is not p.xp or V.shape[0] != p.shape[1]:
        raise InvalidInputError(
            f"init has factors of shape {tuple(init.U.shape)} and {tuple(init.V.shape)}: a result for a matrix of the "
            f"same shape and library is expected; start without init"
        )
    if V.shape[1] == 0:
        raise InvalidInputError("init has rank 0: nothing can be continued from X = 0; start without init")
    return V.shape[1], p.xp.astype(V, p.dtype)
