"""A sparse plan with nearly the right marginals becomes one with exactly the right ones."""


def rounded(problem, pattern, p):
    """Return the cost and the value (from above) of the plan p rounded to the marginals of the problem.

    As in Altschuler et al. (arXiv 1705.09634): rows, then columns that have too much are scaled down. What
    is missing then goes to at most n + m - 1 entries instead of all, so that the plan stays sparse.
    """
    xp, kernels, whole = problem.xp, problem.kernels, problem.whole
    a, b = xp.take(whole.a, whole.rows), xp.take(whole.b, whole.columns)
    r, c = kernels.margins(pattern, p)
    p = kernels.scaled(pattern, p, _shrink(xp, r, a), xp.ones_like(c))
    r, c = kernels.margins(pattern, p)
    p = kernels.scaled(pattern, p, xp.ones_like(r), _shrink(xp, c, b))
    r, c = whole.sums(*kernels.margins(pattern, p))
    rows, columns, more = north_west(xp, whole.a - r, whole.b - c)
    extra = xp.sum(xp.where(more > 0, whole.C[rows, columns], 0) * more)
    rows, columns, values = kernels.entries(pattern, p)
    cost, value = problem.cost_and_value(problem.C[rows, columns], values)
    # The new entries E may lie on old ones: (P + E)^2 <= P^2 + 2 max(P) E + E^2.
    square = xp.sum(more * (2 * xp.max(p) + more))
    return cost + extra, value + extra + problem.reg / 2 * square


def _shrink(xp, have, want):
    """Return the factors min(1, want / have)."""
    over = have > want
    return xp.where(over, want, 1) / xp.where(over, have, 1)


def north_west(xp, u, v):
    """Return (rows, columns, values) of a plan from the positive part of u to that of v, of equal mass.

    The n + m entries are the common refinement of two partitions of one interval; some may be 0.
    """
    ends_u = xp.cumulative_sum(xp.maximum(u, xp.zeros_like(u)))
    ends_v = xp.cumulative_sum(xp.maximum(v, xp.zeros_like(v)))
    ends = xp.sort(xp.concat((ends_u, ends_v)))
    starts = xp.concat((xp.zeros_like(ends[:1]), ends[:-1]))
    middle = (starts + ends) / 2
    rows, columns = xp.searchsorted(ends_u, middle), xp.searchsorted(ends_v, middle)
    # The two masses differ by rounding: what lies beyond one of them goes to its last entry.
    last = xp.zeros_like(rows) + u.shape[0] - 1, xp.zeros_like(columns) + v.shape[0] - 1
    return xp.minimum(rows, last[0]), xp.minimum(columns, last[1]), ends - starts
