"""Passes over points with labels, and over the dense matrix of the splitting, in array-standard calls.

Points are float64 and centred; labels are int64. Points are taken in blocks of `_BLOCK` rows, n x n matrices in
blocks of `_ROWS`, so that temporaries stay small.
"""

from numopt._array import clip, device
from numopt._array import namespace as _xp

_BLOCK = 2**14
_ROWS = 2**8


def lloyd_pass(X, centres):
    """Assign every point to its nearest centre: labels, sizes (k,), sums (k, p), sum of squared distances."""
    xp, k = _xp(X), centres.shape[0]
    each = xp.arange(k, device=device(X))
    norms = xp.sum(centres * centres, axis=1)
    labels, sizes, sums, sse = [], 0.0, 0.0, 0.0
    for part in _parts(X.shape[0], _BLOCK):
        x = X[part, ...]
        D = norms - 2.0 * (x @ centres.T)
        label = xp.argmin(D, axis=1)
        H = xp.astype(label[:, None] == each, xp.float64)
        sizes, sums = sizes + xp.sum(H, axis=0), sums + H.T @ x
        sse = sse + xp.sum(clip(xp.min(D, axis=1) + xp.sum(x * x, axis=1), 0.0, None))
        labels.append(label)
    return xp.astype(xp.concat(labels), xp.int64), sizes, sums, sse


def label_sums(X, labels, k):
    """Sizes (k,) and sums (k, p) of the clusters."""
    xp = _xp(X)
    each = xp.arange(k, device=device(X))
    sizes, sums = 0.0, 0.0
    for part in _parts(X.shape[0], _BLOCK):
        H = xp.astype(labels[part, None] == each, xp.float64)
        sizes, sums = sizes + xp.sum(H, axis=0), sums + H.T @ X[part, ...]
    return sizes, sums


def spread(X, labels, centres, sizes):
    """Squared distances to the own centre, summed, and the least margin weighed by sizes.

    The margin of point i of cluster a for cluster b is |x_i - m_b|^2 - |x_i - m_a|^2; it is divided by
    1 / n_a + 1 / n_b. inf for a single cluster.
    """
    xp, k = _xp(X), centres.shape[0]
    inf = xp.full((1,), float("inf"), dtype=xp.float64, device=device(X))
    sse, least = 0.0, inf
    for a, rows in _groups(xp, labels, k):
        x = xp.take(X, rows, axis=0) - centres[a, :]
        sse = sse + xp.sum(x * x)
        if k > 1:
            margin, unit, others = _margins(xp, x, a, centres, sizes)
            least = xp.minimum(least, xp.min(xp.take(margin / unit, others, axis=1)))
    return sse, least[0]


def pair_grams(X, labels, centres, sizes, tau):
    """Gram matrices (k, q, q) and sums (k, q) of the features of each cluster, q = p + k.

    The features of a point are its coordinates less those of the own centre and, for every other cluster b,
    u_b = n_b / 2 max(margin - tau (1 / n_a + 1 / n_b), 0); u_a = 0.
    """
    xp, (k, p) = _xp(X), centres.shape
    at = device(X)
    grams = [xp.zeros((p + k, p + k), dtype=xp.float64, device=at) for _ in range(k)]
    sums = [xp.zeros(p + k, dtype=xp.float64, device=at) for _ in range(k)]
    each = xp.arange(k, device=at)
    for a, rows in _groups(xp, labels, k):
        x = xp.take(X, rows, axis=0) - centres[a, :]
        margin, unit, _ = _margins(xp, x, a, centres, sizes)
        u = 0.5 * sizes * xp.where(margin - tau * unit < 0, 0.0, margin - tau * unit)  # NaN stays
        z = xp.concat([x, u * xp.astype(each != a, xp.float64)], axis=1)
        grams[a], sums[a] = grams[a] + z.T @ z, sums[a] + xp.sum(z, axis=0)
    return xp.stack(grams), xp.stack(sums)


def _parts(n, size):
    """Yield slices of at most `size` that cover range(n)."""
    for lo in range(0, n, size):
        yield slice(lo, min(lo + size, n))


def _groups(xp, labels, k):
    """Yield (cluster, indices of at most `_BLOCK` of its rows)."""
    for a in range(k):
        rows = xp.nonzero(labels == a)[0]
        for part in _parts(rows.shape[0], _BLOCK):
            yield a, rows[part]


def _margins(xp, x, a, centres, sizes):
    """Return margins (rows, k) of points given relative to their centre, their units, and the other clusters."""
    to = centres - centres[a, :]
    margin = xp.sum(to * to, axis=1) - 2.0 * (x @ to.T)
    each = xp.arange(centres.shape[0], device=device(x))
    return margin, 1.0 / sizes[a] + 1.0 / sizes, xp.nonzero(each != a)[0]


def split_step(T, V, weights, relaxation):
    """Return T + relaxation (Z - max(T, 0)) for Z = V diag(weights) V' + 1/n, with what it moved.

    The second value holds |max(T)|^2, |min(T)|^2 of the new T, and the squares of how far both parts moved.
    """
    xp, n = _xp(T), T.shape[0]
    out, moved = [], 0.0
    for part in _parts(n, _ROWS):
        t = T[part, :]
        old = clip(t, 0.0, None)
        z = (V[part, :] * weights) @ V.T + 1.0 / n
        t_new = t + relaxation * (z - old)
        new = clip(t_new, 0.0, None)
        up, down = new - old, (t_new - new) - (t - old)
        moved = moved + xp.stack([_square(xp, new), _square(xp, t_new - new), _square(xp, up), _square(xp, down)])
        out.append(t_new)
    return (out[0] if len(out) == 1 else xp.concat(out)), moved


def orthonormal(V):
    """Return Q of a QR factorisation of V (n, m), m <= n: orthonormal where V has dependent columns, too."""
    return _xp(V).linalg.qr(V)[0]


def abs_times(T, Y):
    """Return |T| Y."""
    xp = _xp(T)
    return xp.concat([xp.abs(T[part, :]) @ Y for part in _parts(T.shape[0], _ROWS)])


def negative_times(T, Y):
    """Return max(-T, 0) Y."""
    xp = _xp(T)
    return xp.concat([clip(-T[part, :], 0.0, None) @ Y for part in _parts(T.shape[0], _ROWS)])


def below_zero(V, weights):
    """|min(Z, 0)|_F^2 and min Z for Z = V diag(weights) V' + 1/n."""
    xp, n = _xp(V), V.shape[0]
    square, least = 0.0, []
    for part in _parts(n, _ROWS):
        z = (V[part, :] * weights) @ V.T + 1.0 / n
        square = square + _square(xp, clip(z, None, 0.0))
        least.append(xp.min(z))
    return square, xp.min(xp.stack(least))


def _square(xp, x):
    return xp.sum(x * x)
