"""Is the completion the only one? Counts of the pattern, and the smallest curvature that the entries leave."""

import math

import numpy as np

from numopt._array import host
from numopt.completion._blocks import Blocks, close
from numopt.completion._factors import NotFiniteError, distance, finite, inner, outside, qr
from numopt.completion._parts import listed, part
from numopt.completion._single import at_hand, like

FLAT = 1e-8  # a direction with less curvature than that counts as undetermined
_STEPS = 100  # of Lanczos
_MORE, _LARGE, _EACH = 300, 10**5, 16  # of them where it is close, for how large factors, and how often one looks
_SETTLED = 0.3
_SEED = 230211068  # not 0: data made with that seed have their factors where the start would be
_CLEAR = 0.2  # smallest over usual curvature that is no chance of the start: flat directions would show beside it
_SURE = 1e-2  # smallest over usual curvature: beside it what single precision loses is a thousandth
_BESIDE = 2e-3  # how far the rows' systems may be from those of the point, in single precision
_FLOOR, _ROUGH_FLOOR = 1e-13, 2e-7  # of the mean diagonal: what kernels add to a line's system
_HIDDEN = 1e-2  # how much of a system, in its worst direction, that may be
_NOISE = 1e-11  # next to the largest Ritz value, in double precision: what small ridges leave of a vector that is done


def structure(p, rank):
    """Return (determined rows, determined columns, components) of the pattern at this rank; host masks.

    A row is determined by the others if it has at least `rank` entries in determined columns. Rows and columns
    with at most `rank` entries are taken away one after the other; what remains has entries to spare and is
    left to the curvature. If nothing remains, as in very rectangular matrices, plain counts decide.
    """
    key = "structure", rank
    if key not in p.kept:
        rows, columns = (host(side.indices) for side in (p.rows, p.columns))
        *determined, components, left = p.kernels.peel(rows, p.rows.indptr, columns, p.columns.indptr, rank)
        if not left:
            determined = [np.diff(side.indptr) >= rank for side in (p.rows, p.columns)]
        p.kept[key] = *determined, components
    return p.kept[key]


def ambiguity(p, rank):
    """Return how many rows, columns, components and degrees of freedom the pattern leaves open at this rank.

    Rows and columns without any entry are not counted: nothing is claimed about them.
    """
    return float(sum(_open(p, rank)))


def _open(p, rank):
    """Return (rows and columns that are not determined, components beyond the first, entries that are lacking)."""
    rows, columns, components = structure(p, rank)
    there = [np.diff(side.indptr) > 0 for side in (p.rows, p.columns)]
    lines = np.sum(~rows & there[0]) + np.sum(~columns & there[1])
    return int(lines), int(max(components - 1, 0)), max(_freedom(there, rank) - p.rows.y.shape[0], 0)


def _freedom(there, rank):
    """Return the dimension of the matrices of this rank at most, with as many rows and columns as there are."""
    m, n = (int(np.count_nonzero(x)) for x in there)
    r = min(rank, m, n)
    return r * (m + n - r)


def meets_any(p, rank):
    """Say whether a matrix of this rank would meet entries at these places whatever they are, by count."""
    there = [np.diff(side.indptr) > 0 for side in (p.rows, p.columns)]
    return p.rows.y.shape[0] <= _freedom(there, rank) < math.prod(map(np.count_nonzero, there))


def reasons(p, rank, count):
    """Return why `count` lines, parts and directions are open at this rank, and what to do."""
    if p.robust:
        why = [f"{count:.0f} rows, columns or parts are not determined by the entries that fit at rank {rank}"]
    else:
        lines, parts, lacking = _open(p, rank + (p.bias_ridge == 0))
        size = p.rows.y.shape[0]
        why = [f"{size} entries cannot determine {size + lacking} degrees of freedom"] * (lacking > 0)
        why += [f"{lines} rows and columns are not determined by the entries at rank {rank}"] * (lines > 0)
        why += [f"the entries fall into {parts + 1} parts without a common row or column"] * (parts > 0)
        why = why or ["the residuals do not change along some direction"]
    return f"the completion is not unique, {' and '.join(why)}: lower the rank or pass ridge"


def open_to_outliers(p, state):
    """Return how many lines the entries that fit leave open, one entry more than the rank being asked of each.

    A fit in absolute values passes exactly through as many entries of a row as it has unknowns, right or wrong.
    A direction without curvature, as a rank too high has, counts as one more.
    """
    size = p.xp.abs(p.residuals(state))
    fits = host(size <= 10 * max(p.loss_scale(size), p.tol * p.kept["median"]))
    fitted = part(p, listed(p), fits)
    found = float(sum(_open(fitted, state.U.shape[1] + 1)[:2]))
    return found if found else float(conditioning(fitted, state)[0] < FLAT)


def conditioning(p, state, sure=True):
    """Return (local conditioning, amplification of errors).

    The first is the smallest over the largest Ritz value of H^{-1} S, gauge directions projected out. S is the
    curvature of the objective with U eliminated, H its diagonal blocks. Lanczos in the inner product of H^{-1},
    reorthogonalised, from a fixed start, until the smallest value settles; 0 if it does not, or if it is negligible.
    A small one may hide flat directions, of which the start has hardly any: to be `sure`, one that favours none takes
    as many steps as show them.

    The second is the relative error of U V^T over the relative residual that is to be expected: to first order, of an
    error in all directions alike, with the first as a bound on what the coupling of U and V adds.

    Where a run has the problem in single precision at hand, and neither the curvature nor any line's system comes near
    what rounding could hide, that is enough; H may then be that of factors nearby, with which the values change by
    as little as the factors do.
    """
    rough, (origin, kept) = at_hand(p), p.kept.get("systems", (None, None))
    source, blocks = p.kept.get("blocks", (None, None))
    if rough is not None:
        U, V = like(rough, state.U, state.V)
        near = origin is not None and origin.shape == V.shape and distance(V, origin) < _BESIDE
        blocks = blocks if near and source is not None and close(state.U, source) else None
        flat, factor, (least, most) = _conditioning(rough, U, V, kept if near else None, blocks)
        if flat > (_CLEAR if sure else _SURE) and least > 0 and most < 1 / _SURE:  # 0 where numbers were too small
            return flat, factor
    else:
        flat, factor, _ = _conditioning(p, state.U, state.V, kept if origin is state.V else None)
        if flat > _CLEAR or not sure:
            return flat, factor
    return _conditioning(p, state.U, state.V, None, sure=True)[:2]


def _conditioning(p, U, V, kept, blocks=None, sure=False):
    """Return what `conditioning` does, and the range of the lines' shares in the second, relative to the usual one."""
    m, n = p.shape
    if V.shape[1] == 0:
        return 1.0, 0.0, (1.0, 1.0)
    if kept is None:
        V = qr(finite(V))
        U, _, kept, _ = p.half(p.rows, V, 0.0, keep=True, summed=False)
    if blocks is None:
        blocks = Blocks(p.half(p.columns, finite(U), 0.0, keep=True, base=V, summed=False)[2])
    spreads = [_spread(p, *x) for x in ((p.rows, Blocks(kept), V), (p.columns, blocks, U))]
    own, least, most, worst = zip(*spreads, strict=True)
    seen = np.count_nonzero(np.diff(p.columns.indptr))
    smallest = _smallest(p, U, V, kept, blocks, sure) if seen > V.shape[1] else 1.0  # nothing but gauge directions
    eps = float(p.xp.finfo(p.dtype).eps)
    hidden = (_FLOOR if eps < 1e-10 else _ROUGH_FLOOR) * max(worst)
    if smallest <= max(64 * eps, 4 * hidden) or hidden > _HIDDEN:
        return 0.0, np.inf, (0.0, np.inf)
    directions = V.shape[1] * (m + n - V.shape[1])
    factor = np.sqrt(p.density * (own[0] * (1 + 1 / smallest) + own[1] / smallest) / directions)
    unit = p.density / V.shape[1]
    return smallest, float(factor), (unit * min(least), unit * max(most))


def _spread(p, side, blocks, F):
    """Return the sum of trace(G_i^{-1} F^T F) over the lines with entries, the smallest and the largest."""
    there = p.xp.asarray(np.diff(side.indptr) > 0, device=p.device)
    traces = blocks.traces(p.kernels, p.kernels.products(F, F))
    none = p.xp.zeros_like(traces)
    some, least = p.xp.where(there, traces, none), p.xp.min(p.xp.where(there, traces, none + math.inf))
    # Of a line's own entries, however light they are: 1 where they are as all lines' would be.
    worst = p.xp.max(some * p.totals(side)) / (F.shape[0] * F.shape[1])
    total, least, most, worst = host(p.xp.sum(some), least, p.xp.max(some), worst)
    if not np.isfinite(total):
        raise NotFiniteError
    return total, least, most, worst


def _smallest(p, U, V, kept, blocks, sure):
    k, xp, free = p.kernels, p.xp, (V.shape[0] - V.shape[1]) * V.shape[1]

    def curvature(D):
        return outside(V, k.schur_columns(p.columns, U, V, D, k.schur_rows(p.rows, U, V, D, kept)))

    rng = np.random.default_rng(_SEED)
    if sure:  # normal numbers beside H, in which no direction is small for being steep
        start, w = rng.standard_normal(p.columns.y.shape[0], dtype=np.float32), p.columns.weights
        start = xp.asarray(start, dtype=p.dtype, device=p.device)
        start = k.multiply(p.columns, start * xp.sqrt(w) if w.shape[0] else start, U)
    else:
        start = rng.random(V.shape, dtype=np.float32) - 0.5  # five times as fast as normal numbers
    r = outside(V, xp.asarray(start, dtype=p.dtype, device=p.device))
    z = outside(V, finite(blocks.solve(r)))
    size = host(inner(r, z))
    if size <= 0:
        return 0.0
    noise = max(_NOISE, 64 * float(p.xp.finfo(p.dtype).eps))
    R, Z, diagonal, beside = [r / size**0.5], [z / size**0.5], [], []
    last = min(_MORE if sure and V.shape[0] * V.shape[1] < _LARGE else _STEPS, free) - 1
    for step in range(last + 1):
        s = curvature(Z[-1])
        diagonal.append(host(inner(s, Z[-1])))
        for q, d in zip(R, Z, strict=True):
            s = k.added(s, -host(inner(s, d)), q)
        z = finite(outside(V, blocks.solve(s)))
        size = host(inner(s, z))
        if not (math.isfinite(size) and math.isfinite(diagonal[-1])):
            raise NotFiniteError
        if step < _EACH or step % _EACH == 0 or step == last or size <= (noise * max(diagonal)) ** 2:
            ritz, turn = np.linalg.eigh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
            if size <= (noise * ritz[-1]) ** 2:  # all eigenvalues that a random vector sees, as with all entries there
                return float(ritz[0] / ritz[-1]) if noise * ritz[-1] < _SETTLED * ritz[0] else 0.0
            # An eigenvalue lies that close to the smallest Ritz value. Where flat directions are hidden, this
            # distance stays above the value itself.
            distance, enough = size**0.5 * abs(turn[-1, 0]), 2
            if sure and distance <= _SETTLED * ritz[0]:
                enough = min(_needed(ritz[0] / ritz[-1], free), free - 1)
            if step >= enough and distance <= _SETTLED * ritz[0]:
                return float(ritz[0] / ritz[-1])
            if ritz[0] < FLAT / 100:
                break
        beside.append(size**0.5)
        R.append(s / size**0.5)
        Z.append(z / size**0.5)
    return 0.0


def _needed(value, free):
    """Return after how many steps Lanczos has seen a 0, if there is one, rather than this value: with 99 %.

    Kuczynski and Wozniakowski, 10.1137/0613066.
    """
    return 0.5 * math.log(165 * math.sqrt(free)) / math.sqrt(value)
