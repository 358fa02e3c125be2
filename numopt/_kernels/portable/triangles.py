"""Triangle inequalities of matrices Z of partitions, Z_ij + Z_ik <= Z_ii + Z_jk, in array-standard calls.

Inequalities are rows (i, j, k), j < k, of an int64 array `cuts`.
"""

from numopt._array import device
from numopt._array import namespace as _xp

_BLOCK = 2**12


def triangle_values(Z, cuts, sign):
    """Z_ij + Z_ik + sign (Z_ii + Z_jk) of each cut (i, j, k): with sign -1 by how much Z violates it."""
    xp, n = _xp(Z), Z.shape[0]
    flat, (i, j, k) = xp.reshape(Z, (-1,)), (cuts[:, c] for c in range(3))
    ij, ik, ii, jk = (xp.take(flat, a * n + b) for a, b in ((i, j), (i, k), (i, i), (j, k)))
    return ij + ik + sign * (ii + jk)


def triangle_matrix(cuts, q, n, sign):
    """Return the symmetric matrix S with <S, Z> = q' triangle_values(Z, cuts, sign) for every symmetric Z."""
    xp = _xp(q)
    each = xp.arange(n, dtype=xp.int64, device=device(q))
    S = xp.zeros((n, n), dtype=q.dtype, device=device(q))
    for lo in range(0, q.shape[0], _BLOCK):
        part = cuts[lo : min(lo + _BLOCK, q.shape[0]), :]
        i, j, k = (xp.astype(part[:, c, None] == each, q.dtype) for c in range(3))
        w = q[lo : min(lo + _BLOCK, q.shape[0]), None]
        S = S + (w * i).T @ (j + k + sign * i) + sign * ((w * j).T @ k)
    return 0.5 * (S + S.T)


def worst_triangles(Z):
    """For each (i, k): the largest violation over j < k of a cut (i, j, k), and its j; -1 and any j where none is."""
    xp, n = _xp(Z), Z.shape[0]
    each = xp.arange(n, dtype=xp.int64, device=device(Z))
    values, second = [], []
    for i in range(n):
        V = (Z[i, :, None] - Z[i, i]) + (Z[i, :] - Z)
        allowed = (each > each[:, None]) & (each != i) & (each[:, None] != i)
        V = xp.where(allowed, V, -1.0)
        values.append(xp.max(V, axis=0))
        second.append(xp.argmax(V, axis=0))
    return xp.stack(values), xp.astype(xp.stack(second), xp.int64)
