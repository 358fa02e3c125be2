"""Kernels of sparse transport plans in array-standard calls: the columns of C are sorted as a whole.

A *pattern* stands for the entries of C that may carry mass; only kernels look inside. Here it is a tuple
with the dense cost, +inf where nothing may go, and the values on it have the shape of C. Potentials,
thresholds and values are float64 whatever the dtype of C.
"""

from numopt._array import device, host, namespace

_BLOCK = 8  # CG steps between two reads of the residual


def threshold(C, f, w):
    """Return t (m,) with sum_i [f_i - C_ij - t_j]_+ = w_j > 0: the projection of each column on a simplex."""
    return _thresholds(f[:, None] - C, w, C.shape[0])[0]


def screen(C, f, w, margin, t=None):
    """Return the pattern of the entries with f_i - C_ij >= t_j - margin; this room keeps them all.

    `t` are the thresholds at f and w; None computes them.
    """
    return (C,)


def restrict(pattern, p):
    """Return the pattern of the entries where the values p are positive."""
    (C,) = pattern
    return (namespace(p).where(p > 0, C, float("inf")),)


def transpose(pattern):
    """Return the pattern with rows and columns exchanged."""
    (C,) = pattern
    return (C.T,)


def project(pattern, f, w, reg, k):
    """Project the columns of f - C on simplices of size w = reg b, with at most k entries each.

    Returns
    -------
    tuple
        (t, p, r, square, peak): thresholds (m,), values p = [f_i - C_ij - t_j]_+ / reg on the `k` largest
        f_i - C_ij of the column (of equal ones, those of smallest index), their row sums (n,), the sum of
        p^2, and the mean over the columns of reg max_i p_ij. The last two are scalars on the device.
    """
    (C,) = pattern
    xp = namespace(f)
    S = f[:, None] - C
    t, kth = _thresholds(S, w, k)
    p = xp.maximum(S - t, xp.zeros_like(S))
    if k < C.shape[0]:
        above, level = kth < S, kth == S
        rank = xp.cumulative_sum(xp.astype(level, xp.int64), axis=0)
        left = k - xp.sum(xp.astype(above, xp.int64), axis=0)
        p = xp.where(above | (level & (rank <= left)), p, xp.zeros_like(p))
    p = p / reg
    return t, p, xp.sum(p, axis=1), xp.sum(p * p), reg * xp.mean(xp.max(p, axis=0))


def margins(pattern, p):
    """Return the sums (n,) of the rows and (m,) of the columns of the values p."""
    xp = namespace(p)
    return xp.sum(p, axis=1), xp.sum(p, axis=0)


def scaled(pattern, p, x, y):
    """Return the values x_i p_ij y_j."""
    return x[:, None] * p * y


def entries(pattern, p):
    """Return (rows, columns, values) of the positive values, in some order fixed by the pattern."""
    rows, columns = namespace(p).nonzero(p > 0)
    return rows, columns, p[rows, columns]


def direction(pattern, p, rhs, least, shift, rtol, max_cg):
    """Solve (L + shift I) d = rhs by Jacobi-PCG; return (d, steps).

    L = sum_j (I_A - 1 1^T / |A|), with A the rows where column j of p is positive, is the Laplacian of a
    sum of complete graphs; for rows without entries the matrix is 1. A column costs O(|A|) a product.
    Columns that carry no more than `least` are left out: they could not move what L says they would.
    """
    xp = namespace(rhs)
    A = xp.astype((p > 0) & (xp.sum(p, axis=0) > least), rhs.dtype)
    count = xp.sum(A, axis=0)
    share = 1 / xp.where(count > 0, count, xp.ones_like(count))
    degree = xp.sum(A, axis=1)
    degree = xp.where(degree > 0, degree + shift, 1)
    jacobi = 1 / (degree - A @ share)
    d, r = xp.zeros_like(rhs), rhs
    z = jacobi * r
    q, rz = z, xp.sum(r * z)
    steps, goal = 0, host(rz) * rtol**2
    while steps < max_cg:
        for _ in range(min(_BLOCK, max_cg - steps)):
            y = degree * q - A @ (share * (q @ A))
            curvature = xp.sum(q * y)
            fine = (curvature > 0) & (rz > 0)
            one = xp.ones_like(rz)
            step = xp.where(fine, rz, 0 * one) / xp.where(fine, curvature, one)
            d, r = d + step * q, r - step * y
            z = jacobi * r
            new = xp.sum(r * z)
            q, rz = z + new / xp.where(rz > 0, rz, one) * q, new
            steps += 1
        left, good = host(rz, xp.astype(fine, xp.float64))
        if left <= goal or not good:
            break
    return d, steps


def _thresholds(S, w, k):
    """Return the thresholds of the columns of S on their k largest entries, and the k-th largest."""
    xp = namespace(S)
    top = xp.sort(S, axis=0, descending=True)[:k, :]
    excess = xp.cumulative_sum(top, axis=0) - w
    number = xp.arange(1, top.shape[0] + 1, dtype=S.dtype, device=device(S))[:, None]
    count = xp.sum(xp.astype(top * number > excess, xp.int64), axis=0)
    last = xp.where(count > 0, count, xp.ones_like(count)) - 1
    chosen = xp.take_along_axis(excess, last[None, :], axis=0)[0, :]
    return chosen / xp.astype(last + 1, S.dtype), top[-1, :]
