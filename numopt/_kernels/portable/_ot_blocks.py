"""Reading a cost by blocks of rows.

A cost is the tuple ``(C, X, YT, kind)``: kind 0 is the matrix C; kinds 1, 2, 3 are the squared Euclidean,
Euclidean and l1 distances between the rows of X and the columns of YT, computed on the fly. Passes take
blocks of rows, of at most 64 MB in float64; a few such temporaries are alive at a time.
"""

from numopt._array import device, namespace

_BLOCK = 2**23  # entries of a block


def wide(x):
    xp = namespace(x)
    return xp.astype(x, xp.float64, copy=False)


def shape(cost):
    C, X, YT, kind = cost
    return C.shape if kind == 0 else (X.shape[0], YT.shape[1])


def slices(n, m):
    """Yield slices of rows, blocks of a matrix of shape (n, m)."""
    height = max(1, _BLOCK // m)
    for low in range(0, n, height):
        yield slice(low, min(low + height, n))


def blocks(cost):
    """Yield (slice of rows, these rows of the cost in its own dtype)."""
    C, X, YT, kind = cost
    for rows in slices(*shape(cost)):
        yield rows, C[rows, :] if kind == 0 else _distances(X[rows, :], YT, kind)


def exponents(cost, f, g, reg):
    """Yield (slice of rows, these rows of the cost, those of (f + g - C) / reg in float64)."""
    f, g = wide(f), wide(g)
    for rows, D in blocks(cost):
        yield rows, D, ((g - D) + f[rows, None]) / reg  # added up as in all rooms: at a small reg the last bits matter


def _distances(X, YT, kind):
    xp = namespace(X)
    D = xp.zeros((X.shape[0], YT.shape[1]), dtype=X.dtype, device=device(X))
    for k in range(X.shape[1]):
        gap = X[:, k][:, None] - YT[k, :]
        D += xp.abs(gap) if kind == 3 else gap * gap
    return xp.sqrt(D) if kind == 2 else D
