"""Kernels of matrix completion in array-standard calls: rows are gathered in batches, padded to the longest.

`side` is ``(y, indices, indptr, weights)``: the entries row by row; weights may be empty, for 1 everywhere;
`indptr` is a NumPy array in every room. Systems are formed and solved in float64.
"""

import math

import numpy as np

from numopt._array import device, host, namespace
from numopt._kernels.portable._completion_batches import batch_of, batches, blocks, gathered


def half_step(side, V, offset, ridge, scale, base, keep, summed=True):
    """Minimise over each row u: sum w (y - o_j - (base + u).v_j)^2 + scale_i sum_a ridge_a u_a^2.

    Returns (U (m, k), sum of w r^2 of each row (m,), factors for `solve_kept`, right-hand sides (m, k)); the second
    is empty unless `summed`, the last two unless `keep`. `offset` (n,), `scale` (m,) and `base` (m, k) may be empty. A
    ridge of 1e-13 (float32: 2e-7) of the mean diagonal keeps systems of rows with too few entries regular.
    """
    xp, k = namespace(V), V.shape[1]
    floor = (1e-13 if V.dtype == xp.float64 else 2e-7) / k
    eye = xp.eye(k, dtype=xp.float64, device=device(V))
    ridge = xp.asarray(ridge, dtype=xp.float64, device=device(V))
    U, sums, kept, rhs = [], [], [], []
    for lo, hi, at, there in batches(side[2], k * k, V):
        A, b, w = gathered(side, V, offset, at, there)
        if base.shape[0]:
            b = b - xp.sum(A * base[lo:hi, None, :], axis=2)
        weighted = xp.matrix_transpose(A * w[:, :, None])
        G, right = xp.matmul(weighted, A), xp.matmul(weighted, b[:, :, None])
        trace = xp.linalg.trace(G)
        own = ridge if not scale.shape[0] else scale[lo:hi, None] * ridge
        own = own + (floor * trace + xp.astype(trace == 0, xp.float64))[:, None]
        G = G + eye * own[:, :, None]
        u = xp.linalg.solve(G, right)
        U.append(u[:, :, 0])
        if summed:
            r = b - xp.matmul(A, u)[:, :, 0]
            sums.append(xp.sum(w * r * r, axis=1))
        if keep:
            kept.append(xp.linalg.inv(G))
            rhs.append(right[:, :, 0])
    nothing = xp.empty((0, k), dtype=V.dtype, device=device(V))
    kept = xp.concat(kept) if keep else xp.empty((0, k, k), dtype=xp.float64, device=device(V))
    rhs = xp.astype(xp.concat(rhs), V.dtype) if keep else nothing
    sums = xp.concat(sums) if summed else xp.empty((0,), dtype=xp.float64, device=device(V))
    return xp.astype(xp.concat(U), V.dtype), sums, kept, rhs


def gradient(side, U, V, offset, pushed=True):
    """Return (sum_j w v_j r_ij, |sum_j w v_j (y_ij - o_j)|^2, sum_j w r_ij^2) of each row i.

    The second, a third of the work, is empty unless `pushed`.
    """
    xp, g, size, sums = namespace(V), [], [], []
    for lo, hi, at, there in batches(side[2], V.shape[1], V):
        A, b, w = gathered(side, V, offset, at, there)
        r = b - xp.sum(A * U[lo:hi, None, :], axis=2)
        weighted = A * w[:, :, None]
        g.append(xp.sum(weighted * r[:, :, None], axis=1))
        if pushed:
            push = xp.sum(weighted * b[:, :, None], axis=1)
            size.append(xp.sum(push * push, axis=1))
        sums.append(xp.sum(w * r * r, axis=1))
    size = xp.concat(size) if pushed else sums[0][:0]
    return xp.astype(xp.concat(g), V.dtype), size, xp.concat(sums)


def residuals(side, U, V, offset):
    """Return y_ij - o_j - u_i.v_j for each entry, in the order of the side."""
    y, idx, ptr, _ = side
    xp = namespace(V)
    out = []
    for lo, hi in blocks(ptr, V.shape[1], batch_of(V)):
        part = slice(int(ptr[lo]), int(ptr[hi]))
        i = xp.asarray(np.repeat(np.arange(lo, hi), np.diff(ptr[lo : hi + 1])), device=device(V))
        j = idx[part]
        r = y[part] - xp.sum(xp.take(U, i, axis=0) * xp.take(V, j, axis=0), axis=1)
        out.append(r - xp.take(offset, j) if offset.shape[0] else r)
    return xp.concat(out)


def multiply(side, values, X):
    """Return the product (m, q) of the sparse matrix with these values and X."""
    xp, out = namespace(X), []
    for _, _, at, there in batches(side[2], X.shape[1], X):
        A = xp.take(X, xp.reshape(xp.take(side[1], at), (-1,)), axis=0)
        A = xp.reshape(A, (*there.shape, X.shape[1]))
        v = xp.reshape(xp.take(values, at), there.shape) * xp.astype(there, X.dtype)
        out.append(xp.sum(A * v[:, :, None], axis=1))
    return xp.concat(out)


def schur_rows(side, U, V, D, kept):
    """Return w_i = G_i^{-1} sum_j w v_j (u_i.d_j), with the factors of G_i that `half_step` kept."""
    xp, out = namespace(V), []
    empty = xp.empty((0,), dtype=V.dtype, device=device(V))
    for lo, hi, at, there in batches(side[2], V.shape[1], V):
        A, _, w = gathered(side, V, empty, at, there)
        B, _, _ = gathered(side, D, empty, at, there)
        s = xp.sum(B * U[lo:hi, None, :], axis=2) * w
        out.append(xp.sum(A * s[:, :, None], axis=1))
    return solve_kept(kept, xp.astype(xp.concat(out), V.dtype))


def schur_columns(side, U, V, D, W):
    """Return sum_i w u_i (u_i.d_j - v_j.w_i) for each row j of a side."""
    xp, out = namespace(V), []
    empty = xp.empty((0,), dtype=V.dtype, device=device(V))
    for lo, hi, at, there in batches(side[2], V.shape[1], V):
        A, _, w = gathered(side, U, empty, at, there)
        B, _, _ = gathered(side, W, empty, at, there)
        s = xp.sum(A * D[lo:hi, None, :], axis=2) - xp.sum(B * V[lo:hi, None, :], axis=2)
        out.append(xp.sum(A * (s * w)[:, :, None], axis=1))
    return xp.astype(xp.concat(out), V.dtype)


def schur_solve(rows, columns, U, V, systems, blocks, back, g, mu, forcing, most):
    """Solve (S + mu) D = g, g and D orthogonal to V, by conjugate gradients, to `forcing` in the preconditioner's norm.

    `systems` of the rows and `blocks` of the columns are what `half_step` kept; the latter precondition as
    back^T G_j^{-1} back if `back` is given. Returns (D, E, g - (S + mu) D, steps); to first order U moves by -E with V.
    Numbers that are not finite show in D or the rest.
    """
    xp = namespace(V)

    def outside(X):
        return X - V @ (xp.matrix_transpose(V) @ X)

    def solved(X):
        return outside(solve_kept(blocks, X) if back is None else solve_kept(blocks, X @ back.T) @ back)

    r, z, D, E = g, solved(g), xp.zeros_like(V), xp.zeros_like(U)
    d = z
    first = size = host(inner(r, z))
    for n in range(1, most + 1):
        if size <= 0:
            return D, E, r, n - 1
        W = schur_rows(rows, U, V, d, systems)
        s = outside(schur_columns(columns, U, V, d, W) + mu * d)
        curvature = host(inner(d, s))
        if curvature <= 0:
            return D, E, r, n
        a = size / curvature
        D, E, r = D + a * d, E + a * W, r - a * s
        z = solved(r)
        old, size = size, host(inner(r, z))
        if size <= forcing**2 * first or not math.isfinite(a):
            return D, E, r, n
        d = z + size / old * d
    return D, E, r, most


def solve_kept(kept, B):
    """Return G_i^{-1} b_i for each row of B."""
    xp = namespace(B)
    x = xp.matmul(kept, xp.astype(B, xp.float64)[:, :, None])[:, :, 0]
    return xp.astype(x, B.dtype)


def inverse_traces(kept, M):
    """Return trace(G_i^{-1} M) of each row, M symmetric."""
    xp = namespace(M)
    return xp.sum(kept * xp.astype(M, xp.float64), axis=(1, 2))


def moments(y, w, unit, mean):
    """Return the sums of w, w x and w x^2, x = y / unit - mean; w may be empty, for 1 everywhere."""
    xp = namespace(y)
    x = y / unit - mean
    w = w if w.shape[0] else xp.ones_like(x)
    return host(*(xp.sum(z, dtype=xp.float64) for z in (w, w * x, w * x * x)))


def inner(X, Y):
    """Return <X, Y> in float64, a Python float or a scalar on the device."""
    xp = namespace(X)
    return xp.sum(X * Y, dtype=xp.float64)


def products(X, Y):
    """Return X^T Y for tall X and Y, in float64."""
    xp = namespace(X)
    return xp.astype(xp.matrix_transpose(X) @ Y, xp.float64)


def turned(X, C, base=None):
    """Return X C, or base + X C, for a tall X and a small matrix C."""
    Y = X @ namespace(X).astype(C, X.dtype)
    return Y if base is None else base + Y


def added(X, a, Y):
    """Return X + a Y for a Python float a."""
    return X + a * Y


def converted(X, dtype):
    """Return X in this precision, itself if it has it."""
    return namespace(X).astype(X, dtype, copy=False)


def orthonormal(X):
    """Return (Q, R) with X = Q R, Q orthonormal, for a tall X."""
    return namespace(X).linalg.qr(X)


def grouped(keys, other, size, width):
    """Return (order, indptr) that sort entries by `keys`, then by `other`."""
    xp = namespace(keys)
    joint = xp.astype(keys, xp.int64) * width + xp.astype(other, xp.int64)
    order = xp.argsort(joint, stable=True)
    starts = xp.arange(size + 1, dtype=xp.int64, device=device(keys)) * width
    # Indices below 2^53 survive the way to the host as they are.
    ptr = xp.searchsorted(xp.take(joint, order), starts)
    return order, _to_host(ptr)


def rising(rows, columns):
    """Say whether the pairs (row, column) rise, each of them being there once."""
    xp = namespace(rows)
    later = (rows[1:] > rows[:-1]) | ((rows[1:] == rows[:-1]) & (columns[1:] > columns[:-1]))
    return later.shape[0] == 0 or bool(host(xp.astype(xp.all(later), xp.float64)))


def crossed(side, width):
    """Return (y, indices, indptr, weights) of the other side, with `width` lines, each in order."""
    y, idx, ptr, w = side
    xp, m = namespace(y), ptr.size - 1
    rows = xp.asarray(np.repeat(np.arange(m), np.diff(ptr)), dtype=idx.dtype, device=device(y))
    order, other_ptr = grouped(idx, rows, width, m)
    y, rows = xp.take(y, order), xp.take(rows, order)
    return y, rows, other_ptr, xp.take(w, order) if w.shape[0] else w


def _to_host(x):
    return np.asarray(host(x), dtype=np.int64)


def peel(rows, row_ptr, columns, column_ptr, rank):
    """Return (determined rows, determined columns, components, lines left) of a pattern, NumPy arrays.

    A line with at most `rank` entries in lines that are left is taken away; it is determined if it has `rank`.
    An undetermined line cannot determine others: its entries are lost to them. `rows` lists, for each row, the
    columns it is seen in; `columns` the rows.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    m, n = row_ptr.size - 1, column_ptr.size - 1
    rows, columns = rows.astype(np.int64), columns.astype(np.int64)
    lists, ptr = (rows, columns), (row_ptr, column_ptr)
    left = [np.diff(row_ptr), np.diff(column_ptr)]
    there = [np.ones(m, bool), np.ones(n, bool)]
    determined = [np.ones(m, bool), np.ones(n, bool)]
    stack = [(side, int(i)) for side in (0, 1) for i in np.nonzero(left[side] <= rank)[0]]
    while stack:
        side, i = stack.pop()
        if not there[side][i]:
            continue
        there[side][i] = False
        determined[side][i] = left[side][i] >= rank
        for j in lists[side][ptr[side][i] : ptr[side][i + 1]]:
            if there[1 - side][j]:
                left[1 - side][j] -= 1
                if left[1 - side][j] <= rank:
                    stack.append((1 - side, int(j)))
    ones = np.ones(rows.size, np.int8)
    upper = csr_array((ones, m + rows, np.concatenate((row_ptr, np.full(n, row_ptr[-1])))), shape=(m + n, m + n))
    count, _ = connected_components(upper, directed=False)
    components = int(count - np.sum(np.diff(row_ptr) == 0) - np.sum(np.diff(column_ptr) == 0))
    return determined[0], determined[1], components, int(there[0].sum() + there[1].sum())


def half_iterative(side, V, start, ridge, buckets, signs, size, rtol, max_steps):
    """Solve each row's least squares by conjugate gradients, from `start` (m, k); return (U, sums, steps taken).

    With `buckets` and `signs`, host arrays as long as the longest row, rows of more than `size` entries are compressed
    to `size` by a CountSketch S; the triangular factor of S A preconditions, and the sketched solution is the start.
    Shorter rows are solved directly. Without a sketch there is no preconditioner: V should be orthonormal. A row
    ends when its preconditioned gradient has fallen by `rtol`.
    """
    xp, k = namespace(V), V.shape[1]
    eye = xp.eye(k, dtype=xp.float64, device=device(V))
    empty = xp.empty((0,), dtype=V.dtype, device=device(V))
    U, sums, most = [], [], 0
    for lo, hi, at, there in batches(side[2], k * k, V):
        A, b, w = gathered(side, V, empty, at, there)
        At = xp.matrix_transpose(A * w[:, :, None])
        x, M = xp.astype(start[lo:hi, :], xp.float64)[:, :, None], None
        if buckets.size:
            length = np.diff(side[2][lo : hi + 1])
            S = np.zeros((size, there.shape[1]))
            S[buckets[: there.shape[1]], np.arange(there.shape[1])] = signs[: there.shape[1]]
            root = xp.sqrt(w)[:, :, None]
            SA, Sb = (xp.matmul(xp.asarray(S, device=device(V)), y * root) for y in (A, b[:, :, None]))
            direct = xp.asarray((length <= size)[:, None, None], device=device(V))
            G = xp.where(direct, xp.matmul(At, A), xp.matmul(xp.matrix_transpose(SA), SA))
            right = xp.where(direct, xp.matmul(At, b[:, :, None]), xp.matmul(xp.matrix_transpose(SA), Sb))
            trace = xp.linalg.trace(G)
            M = xp.linalg.inv(G + eye * (ridge + 1e-13 * trace / k + xp.astype(trace == 0, xp.float64))[:, None, None])
            x = xp.matmul(M, right)
        g = xp.matmul(At, b[:, :, None] - xp.matmul(A, x)) - ridge * x
        z = g if M is None else xp.matmul(M, g)
        d, first = z, xp.sum(g * z, axis=(1, 2), keepdims=True)
        old = first
        for _ in range(max_steps):
            going = old > rtol**2 * first
            if not _to_host(xp.astype(xp.any(going), xp.float64)):
                break
            s = xp.matmul(At, xp.matmul(A, d)) + ridge * d
            curve = xp.sum(d * s, axis=(1, 2), keepdims=True)
            step = xp.where(going & (curve > 0), old / xp.where(curve > 0, curve, xp.ones_like(curve)), 0.0)
            x, g = x + step * d, g - step * s
            z = g if M is None else xp.matmul(M, g)
            new = xp.where(going, xp.sum(g * z, axis=(1, 2), keepdims=True), old)
            d = z + xp.where(going, new / xp.where(old > 0, old, xp.ones_like(old)), 0.0) * d
            old, most = new, most + 1
        r = b - xp.matmul(A, x)[:, :, 0]
        U.append(x[:, :, 0])
        sums.append(xp.sum(w * r * r, axis=1))
    return xp.astype(xp.concat(U), V.dtype), xp.concat(sums), most
