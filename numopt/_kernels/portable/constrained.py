"""Kernels of constrained optimisation in calls of the array standard.

Bounds are vectors `low`, `high` that may be infinite; `zl`, `zu` are their multipliers. A matrix [[H, J^T], [J, -D]] is
the KKT matrix of a step.
"""



from numopt import _array


def kkt_matrix(H, J, sigma, d):
    """Return [[H + diag(sigma), J^T], [J, -diag(d)]]; `sigma` and `d` are vectors or numbers."""
    xp, (m, n) = _array.namespace(H), J.shape
    place = {"dtype": H.dtype, "device": _array.device(H)}
    top = xp.concat([H + xp.eye(n, **place) * sigma, xp.matrix_transpose(J)], axis=1)
    return xp.concat([top, xp.concat([J, -(xp.eye(m, **place) * d)], axis=1)], axis=0)


def kkt_factor(H, J, sigma, d, spare=None):
    """Factor that matrix; return (factor, negative, zero): the counts of its eigenvalues' signs.

    `spare` is a factor of another matrix of these sizes, which is lost: a small new one may take its memory. Here
    the factor is an eigendecomposition of the matrix with rows and columns scaled to size 1.
    """
    A = kkt_matrix(H, J, sigma, d)
    xp = _array.namespace(A)
    scale = xp.ones_like(A[0, :])
    for _ in range(3):
        largest = xp.max(xp.abs(A * scale[:, None] * scale[None, :]), axis=0)
        scale = scale / xp.where(largest > 0, largest, xp.ones_like(largest)) ** 0.5
    A = A * scale[:, None] * scale[None, :]
    if not _array.host(xp.all(xp.isfinite(A))):
        return None, 0, A.shape[0]
    values, vectors = xp.linalg.eigh(A)
    zero = 4 * float(xp.finfo(A.dtype).eps) * A.shape[0]
    negative, none = (xp.sum(xp.astype(these, A.dtype)) for these in (values < -zero, xp.abs(values) <= zero))
    negative, none = _array.host(negative, none)
    return (values, vectors, scale), int(negative), int(none)


def kkt_solve(factor, rx, rc):
    """Return the solution for the right-hand side (rx, rc), in the same two parts."""
    values, vectors, scale = factor
    xp = _array.namespace(rx)
    inner = (scale * xp.concat([rx, rc])) @ vectors
    inner = xp.where(values != 0, inner / xp.where(values != 0, values, xp.ones_like(values)), 0.0 * inner)
    out = scale * (vectors @ inner)
    return out[: rx.shape[0]], out[rx.shape[0] :]


def kkt_direction(factor, g, c):
    """Return (dx, dlam, g.dx, c.dlam, |dx|^2 + |dlam|^2), with (dx, dlam) the solution for -(g, c)."""
    dx, dlam = kkt_solve(factor, -g, -c)
    return dx, dlam, *_array.host(g @ dx, c @ dlam, dx @ dx + dlam @ dlam)


def kkt_newton(H, J, sigma, d, g, c, spare=None):
    """Do what `kkt_factor` and `kkt_direction` do; return (factor, negative, zero, direction or None).

    There is no direction where the inertia is not that of a minimum with independent rows. All arrays are C-contiguous
    and, with those of `spare`, of one dtype. The step may lie in the memory of the factor: it holds until that is
    spare.
    """
    factor, negative, zero = kkt_factor(H, J, sigma, d)
    right = negative == c.shape[0] and zero == 0
    return factor, negative, zero, kkt_direction(factor, g, c) if right else None


def singular_range(J):
    """Return (largest, smallest) of the singular values of a matrix with no more rows than columns."""
    values = _array.namespace(J).linalg.svdvals(J)
    return _array.host(values[0], values[-1])


def lagrangian_measures(gL, J, c, lam, sc, sf):
    """Add J^T lam to the gradient `gL`, in place; return (lam.c, |c|^2, |gL|^2, KKT error and its two parts).

    The error is the largest of stationarity and violation, unscaled, the former divided by the mean multiplier over
    100 where that is above 1. `sf` and `sc` are the scales of f and of the rows. A `J` without rows stands for a `gL`
    that is the sum already.
    """
    xp = _array.namespace(gL)
    if J.shape[0]:
        gL += lam @ J
    off, size = (xp.concat([0.0 * gL[:1], xp.abs(v)]) for v in (c / sc, lam * sc))
    lc, cc, gg, stationarity, violation, size = _array.host(
        lam @ c, c @ c, gL @ gL, xp.max(xp.abs(gL)) / sf, xp.max(off), xp.sum(size) / sf
    )
    relative = stationarity / max(1.0, size / (100.0 * max(1, c.shape[0])))
    total = relative + violation + size
    return lc, cc, gg, max(relative, violation) if total == total else total, stationarity, violation


def added_curvature(B, H, g, dx):
    """Return (g.(B - H) dx, |(B - H) dx|^2, |dx|^2)."""
    off = B @ dx - H @ dx
    return _array.host(g @ off, off @ off, dx @ dx)


def slope_and_reach(g, dw, w):
    """Return (g.dw, largest |dw| / (1 + |w|))."""
    xp = _array.namespace(w)
    return _array.host(g @ dw, xp.max(xp.abs(dw) / (1.0 + xp.abs(w))))


def sum_of_magnitudes(v):
    """Return the sum of |v_i| as a float."""
    xp = _array.namespace(v)
    return _array.host(xp.sum(xp.abs(v)))


def sum_of_squares(v):
    """Return |v|^2 as a float."""
    return _array.host(v @ v)


def kkt_errors(g, J, c, lam, low, high, sc, sf):
    """Return (stationarity, violation, complementarity, sum of |lam|) of rows low <= c <= high, unscaled.

    The gradient of the Lagrangian is g + J^T lam, or `g` where `J` has no rows; `sf` and `sc` are the scales of f and
    of the rows. Multipliers of equalities, where low = high, cost nothing; those of a side without a bound count as
    they are.
    """
    xp = _array.namespace(g)
    dual = g + lam @ J if J.shape[0] else g
    zero = xp.zeros_like(g[0])
    stationarity = xp.max(xp.abs(dual)) / sf
    if c.shape[0] == 0:
        return (*_array.host(stationarity, zero), 0.0, 0.0)
    none = xp.zeros_like(c)
    violation = xp.max(xp.maximum(xp.maximum((low - c) / sc, (c - high) / sc), none))
    side = xp.where(lam > 0, high - c, c - low)
    distance = xp.where(xp.isfinite(side), xp.maximum(xp.where(xp.isfinite(side), side, none), none), none + 1.0)
    paid = xp.max(xp.where(low == high, none, distance * xp.abs(lam)))
    return _array.host(stationarity, violation, paid / sf, xp.sum(xp.abs(lam * sc)) / sf)


def bound_errors(x, low, high, zl, zu):
    """Return (largest violation, largest product of a multiplier and its distance) of bounds.

    A multiplier where there is no bound counts as it is; a distance beyond a bound counts as 0.
    """
    xp = _array.namespace(x)
    zero = xp.zeros_like(x)
    below, above = low - x, x - high
    violation = xp.max(xp.maximum(xp.maximum(below, above), zero))
    with_low = xp.where(
        xp.isfinite(low), xp.maximum(xp.where(xp.isfinite(low), -below, zero), zero), zero + 1.0
    ) * xp.abs(zl)
    with_high = xp.where(
        xp.isfinite(high), xp.maximum(xp.where(xp.isfinite(high), -above, zero), zero), zero + 1.0
    ) * xp.abs(zu)
    return _array.host(violation, xp.max(xp.maximum(with_low, with_high)))


def pushed(x, low, high, part):
    """Return x moved inside its bounds, by `part` of max(1, |bound|) and of their distance at most."""
    xp = _array.namespace(x)
    zero = xp.zeros_like(x)
    finite_low, finite_high = xp.isfinite(low), xp.isfinite(high)
    lo, hi = xp.where(finite_low, low, zero), xp.where(finite_high, high, zero)
    width = xp.where(finite_low & finite_high, part * (hi - lo), zero + float("inf"))
    least = lo + xp.minimum(part * xp.maximum(xp.abs(lo), zero + 1.0), width)
    most = hi - xp.minimum(part * xp.maximum(xp.abs(hi), zero + 1.0), width)
    x = xp.where(finite_low, xp.maximum(x, least), x)
    return xp.where(finite_high, xp.minimum(x, most), x)


def barrier(x, low, high, mu):
    """Return (-mu sum of the logarithms of the distances to the bounds, its gradient)."""
    xp = _array.namespace(x)
    one, zero = xp.ones_like(x), xp.zeros_like(x)
    a = xp.where(xp.isfinite(low), x - low, one)
    b = xp.where(xp.isfinite(high), high - x, one)
    gradient = xp.where(xp.isfinite(high), mu / b, zero) - xp.where(xp.isfinite(low), mu / a, zero)
    return _array.host(-mu * (xp.sum(xp.log(a)) + xp.sum(xp.log(b)))), gradient


def bound_curvature(x, low, high, zl, zu):
    """Return zl / (x - low) + zu / (high - x)."""
    return zl / (x - low) + zu / (high - x)


def complementarity(x, low, high, zl, zu, mu):
    """Return the largest |z (distance to the bound) - mu|."""
    xp = _array.namespace(x)
    zero = xp.zeros_like(x)
    lower = xp.where(xp.isfinite(low), zl * xp.where(xp.isfinite(low), x - low, zero) - mu, zero)
    upper = xp.where(xp.isfinite(high), zu * xp.where(xp.isfinite(high), high - x, zero) - mu, zero)
    return _array.host(xp.max(xp.maximum(xp.abs(lower), xp.abs(upper))))


def bound_steps(x, dx, low, high, zl, zu, mu, fraction):
    """Return (dzl, dzu, primal, dual): steps of the multipliers, and the largest step lengths <= 1.

    The lengths leave a part 1 - `fraction` of each distance and of each multiplier.
    """
    xp = _array.namespace(x)
    zero, one = xp.zeros_like(x), xp.ones_like(x)
    with_low, with_high = xp.isfinite(low), xp.isfinite(high)
    a, b = xp.where(with_low, x - low, one), xp.where(with_high, high - x, one)
    dzl = xp.where(with_low, (mu - zl * dx) / a - zl, zero)
    dzu = xp.where(with_high, (mu + zu * dx) / b - zu, zero)
    primal = xp.minimum(_ratio(xp, a, dx, with_low), _ratio(xp, b, -dx, with_high))
    dual = xp.minimum(_ratio(xp, zl, dzl, with_low), _ratio(xp, zu, dzu, with_high))
    least = [xp.min(xp.minimum(fraction * r, one)) for r in (primal, dual)]
    return dzl, dzu, *_array.host(*least)


def _ratio(xp, distance, step, where):
    towards = where & (step < 0)
    safe = xp.where(towards, step, -xp.ones_like(step))
    return xp.where(towards, -distance / safe, xp.zeros_like(step) + float("inf"))


def bound_reset(x, low, high, zl, zu, mu):
    """Return multipliers within a factor 1e10 of mu / distance."""
    xp = _array.namespace(x)
    zero, out = xp.zeros_like(x), []
    for finite, distance, z in ((xp.isfinite(low), x - low, zl), (xp.isfinite(high), high - x, zu)):
        centre = mu / xp.where(finite, distance, zero + 1.0)
        out.append(xp.where(finite, xp.minimum(xp.maximum(z, centre / 1e10), centre * 1e10), zero))
    return tuple(out)


def sparse_ldl(rows, columns, data, n, known):
    """Factor a symmetric matrix of order n given by entries of its upper triangle; return (factor, D, known).

    Those with the same row and column add up. `known` is what the last factorisation of this pattern returned as such,
    or None. Here SciPy's SuperLU keeps to the diagonal, so that the diagonal of U is D. NumPy arrays alone.
    """
    import scipy.sparse as sp
    from scipy.sparse.linalg import splu

    upper = sp.csc_array((data, (rows, columns)), shape=(n, n))
    whole = sp.csc_array(upper + sp.triu(upper, 1).T)
    options = {"SymmetricMode": True}
    lu = splu(whole, permc_spec="NATURAL", diag_pivot_thresh=0.0, options=options)
    D = lu.U.diagonal()
    if (lu.perm_r != lu.perm_c).any():
        D = 0.0 * D
    return lu, D, known


def sparse_ldl_solve(factor, b):
    """Return A^-1 b."""
    return factor.solve(b)


def project_rows(W, t, d, rows):
    """Return d after projecting it, for each i of `rows` in turn, onto W_i . d = t_i; rows of zeros do nothing."""
    xp = _array.namespace(d)
    squares = xp.sum(W * W, axis=1)
    inverse = xp.where(squares > 0, 1.0 / xp.where(squares > 0, squares, xp.ones_like(squares)), 0.0 * squares)
    for i in rows.tolist():
        w = W[i, :]
        d = d - ((w @ d - t[i]) * inverse[i]) * w
    return d
