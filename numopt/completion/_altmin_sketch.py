"""The paper's algorithm: alternating minimisation whose rows are solved through sketches (arXiv:2302.11068)."""

import math

import numpy as np

from numopt._array import host, namespace
from numopt._loop import Iterate, Status
from numopt.completion._als import solved
from numopt.completion._factors import finite, qr
from numopt.completion._parts import listed, part
from numopt.completion._spectral import directions
from numopt.exceptions import InvalidInputError


def altmin_sketch(p, rank, counts, rng, V=None, *, splitting, accuracy=1e-2):
    """Yield the iterates, from the leading singular vectors, or from what is next to V if that is given.

    `accuracy` is the reduction asked of each row solve. With `splitting` the entries are divided into 2 T + 1 parts,
    T = ceil(log_4(1 / tol)); the first makes the start and each half step sees one of the others, as the proof wants.
    Without, each step sees all.
    """
    T = max(math.ceil(math.log(1 / max(p.tol, 1e-16), 4)), 1)
    parts = _parts(p, 2 * T + 1, rng) if splitting else None
    start = parts[0] if splitting else p
    if V is None:  # step 2: the leading left singular vectors of P(M), their large entries set to 0, orthonormal again
        _, V = directions(start, p.zeros(), rank, rng)
        y, w = start.rows.y, start.rows.weights
        U = _clipped(qr(finite(p.kernels.multiply(start.rows, y * w if w.shape[0] else y, V))))
    else:
        U, _, _ = solved(start, start.rows, qr(V), None, rng, "sketch", accuracy)
    U = qr(finite(U))
    t = 0
    while True:
        one, two = (parts[1 + t], parts[1 + T + t]) if splitting else (p, p)
        V, _, n_v = solved(one, one.columns, U, None, rng, "sketch", accuracy)  # step 3a
        V = qr(finite(V))  # step 3b
        raw, _, n_u = solved(two, two.rows, V, None, rng, "sketch", accuracy)  # step 3c
        finite(raw)
        counts.n_als, counts.n_cg = counts.n_als + 1, counts.n_cg + n_u + n_v
        state = p.zeros()._replace(U=raw, V=V)
        _, _, square = p.gradient(p.rows, raw, V, pushed=False)
        yield Iterate(state, math.sqrt(square) / p.norm, counts.info(rank))
        U, t = qr(raw), t + 1  # step 3d
        if splitting and t == T:
            return Status.STALLED, "all parts of the entries are used: pass sample_splitting=False, or more entries"


def _clipped(U):
    """Set entries beyond 2 sqrt(mu k / m) to 0, the incoherence mu being that of all but 5 % of the rows."""
    xp = namespace(U)
    norms = xp.sort(xp.sum(U * U, axis=1))
    bound = 2 * math.sqrt(host(norms[int(0.95 * (U.shape[0] - 1))]))
    return xp.where(xp.abs(U) > bound, xp.zeros_like(U), U) if bound > 0 else U


def _parts(p, count, rng):
    """Divide the entries uniformly into problems of their own."""
    seen = listed(p)
    label = rng.integers(0, count, p.rows.y.shape[0])
    if not np.bincount(label, minlength=count).all():
        raise InvalidInputError(
            f"sample_splitting is True for {label.size} entries: {count} parts are wanted, and one has none; "
            f"raise tol, or leave it out"
        )
    return [part(p, seen, label == number) for number in range(count)]
