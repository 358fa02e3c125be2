"""Rounding of an almost feasible plan to a feasible one."""

from numopt._array import device, host, is_sparse
from numopt._check import Checks
from numopt.exceptions import InvalidInputError
from numopt.ot._sparse_round import north_west


def round_plan(P, a, b):
    """Turn a plan with nearly the right marginals into one with the right ones.

    Parameters
    ----------
    P : array_like or sparse array of shape (n, m)
        Entries >= 0; never written.
    a, b : array_like of shape (n,), (m,)
        The marginals, >= 0, of equal mass (to 1e-6 relative: b is scaled).

    Returns
    -------
    ndarray or csr_array of shape (n, m)
        A plan R >= 0 with R 1 = a and R^T 1 = b up to rounding in the dtype of P, and

            ||R - P||_1 <= 2 (||P 1 - a||_1 + ||P^T 1 - b||_1).

        Sparse if P is: with at most n + m more entries than P.

    Raises
    ------
    InvalidInputError
        Shapes that disagree, entries that are negative or not finite, unequal masses.
    InvalidTypeError
        Arrays of two libraries, complex or half-precision numbers.

    Notes
    -----
    Rows, then columns that have too much are scaled down; then what rows lack, u, meets what columns lack, v.
    For a dense P these are all pairs at once, u v^T / sum u. For a sparse one, rows and columns are filled in
    their order, which takes the fewest entries and obeys the same bound, and nothing is densified.

    Either way, what is added knows nothing of costs: it may lie on forbidden pairs, at most as much mass as
    the marginals were off by. Cost: a few passes over P. Memory: the result, and for a dense P one more
    array of its size.

    The cost of a rounded plan bounds the exact transport cost from above; for the results of
    `sinkhorn_newton`, ``rounded_cost`` and ``gap`` give that without forming the plan.

    References
    ----------
    J. Altschuler, J. Weed, P. Rigollet, "Near-linear time approximation algorithms for optimal transport
    via Sinkhorn iteration", NeurIPS 2017, arXiv:1705.09634, Algorithm 2.

    Examples
    --------
    >>> from numopt.ot import round_plan
    >>> round_plan([[0.5, 0.1], [0.0, 0.3]], [0.5, 0.5], [0.5, 0.5])
    array([[0.41666667, 0.08333333],
           [0.08333333, 0.41666667]])
    """
    checks = Checks({"P": P, "a": a, "b": b})
    xp, a, b = checks.xp, checks.weights("a"), checks.weights("b")
    shape, remedy = (a.shape[0], b.shape[0]), "a plan has no negative entries; clip them"
    sparse = is_sparse(P)
    P = checks.csr("P", shape=shape) if sparse else checks.matrix("P", shape=shape, low=0.0, remedy=remedy)
    extents = checks.settle()
    if extents["P"].low < 0:  # only where P is sparse
        at = int(host(xp.argmin(P.data)))
        i, j = host(_rows_of(xp, P)[at], P.indices[at])
        raise InvalidInputError(f"P[{i:.0f}, {j:.0f}] is {extents['P'].low}: >= 0 is expected; {remedy}")
    if not extents["P"].high * max(shape) < float(xp.finfo(checks.dtype).max):
        raise InvalidInputError(
            f"P has entries up to {extents['P'].high:.3g}: sums that do not overflow are expected; rescale P, a and b"
        )
    mass, other = extents["a"].total, extents["b"].total
    if abs(mass - other) > 1e-6 * mass:
        raise InvalidInputError(f"a sums to {mass:.9g} and b to {other:.9g}: equal masses are expected; normalise them")
    a, b = xp.astype(a, xp.float64), xp.astype(b, xp.float64) * (mass / other)
    return _rounded_sparse(xp, P, a, b) if sparse else _rounded(xp, P, a, b)


def _shrink(xp, wanted, found):
    """Return the factors min(1, wanted / found)."""
    over = found > wanted
    return xp.where(over, wanted, 1.0) / xp.where(over, found, 1.0)


def _rounded(xp, P, a, b):
    R = P * xp.astype(_shrink(xp, a, xp.sum(P, axis=1, dtype=xp.float64)), P.dtype)[:, None]
    R = R * xp.astype(_shrink(xp, b, xp.sum(R, axis=0, dtype=xp.float64)), P.dtype)
    u = xp.clip(a - xp.sum(R, axis=1, dtype=xp.float64), 0.0, None)
    v = xp.clip(b - xp.sum(R, axis=0, dtype=xp.float64), 0.0, None)
    missing = xp.sum(v)
    v = v / xp.where(missing > 0, missing, 1.0)
    return R + xp.astype(u, P.dtype)[:, None] * xp.astype(v, P.dtype)


def _rounded_sparse(xp, P, a, b):
    container = type(P)
    n, m = P.shape

    def sums(data):
        P = container((data, indices, indptr), shape=(n, m))
        return P @ ones_m, P.T @ ones_n

    indices, indptr, row = P.indices, P.indptr, _rows_of(xp, P)
    ones_n, ones_m = xp.ones_like(a), xp.ones_like(b)
    data = xp.astype(P.data, xp.float64)
    data = data * _shrink(xp, a, sums(data)[0])[row]
    data = data * _shrink(xp, b, sums(data)[1])[indices]
    r, c = sums(data)
    rows, columns, more = north_west(xp, a - r, b - c)
    some = more > 0
    extra = container((more[some], (rows[some], columns[some])), shape=(n, m))
    return (container((data, indices, indptr), shape=(n, m)) + extra).astype(P.dtype)


def _rows_of(xp, P):
    """Return the row of each entry."""
    return xp.repeat(xp.arange(P.shape[0], device=device(P)), P.indptr[1:] - P.indptr[:-1])
