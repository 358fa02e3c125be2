"""Triangle inequalities: n^3 / 2 of them are looked at, row by row of the matrix, from cache."""

import numba
import numpy as np

from numopt._kernels.cpu._jit import jit


@jit
def triangle_values(Z, cuts, sign):
    """Gather four entries for each cut; see the portable room."""
    out = np.empty(cuts.shape[0], Z.dtype)
    for c in range(cuts.shape[0]):
        i, j, k = cuts[c]
        out[c] = Z[i, j] + Z[i, k] + sign * (Z[i, i] + Z[j, k])
    return out


@jit
def triangle_matrix(cuts, q, n, sign):
    """Scatter four entries, and their mirror images, for each cut."""
    S = np.zeros((n, n), q.dtype)
    for c in range(cuts.shape[0]):
        i, j, k = cuts[c]
        half = 0.5 * q[c]
        S[i, j] += half
        S[j, i] += half
        S[i, k] += half
        S[k, i] += half
        S[i, i] += sign * q[c]
        S[j, k] += sign * half
        S[k, j] += sign * half
    return S


def worst_triangles(Z):
    """Look at the cuts of each row of the matrix; rows are apart, for any number of threads."""
    n = Z.shape[0]
    values, second = np.full((n, n), -1, Z.dtype), np.zeros((n, n), np.int64)
    _worst(Z, values, second)
    return values, second


@jit(parallel=True)
def _worst(Z, values, second):
    for i in numba.prange(Z.shape[0]):
        best, at = values[i], second[i]
        for j in range(Z.shape[0]):
            if j != i:
                _row(Z[i, j + 1 :], Z[j, j + 1 :], Z[i, j] - Z[i, i], j, best[j + 1 :], at[j + 1 :])
        best[i], at[i] = -1, 0


@jit
def _row(zi, zj, base, j, best, at):
    for k in range(zi.size):
        value = base + (zi[k] - zj[k])
        better = value > best[k]
        best[k] = value if better else best[k]
        at[k] = j if better else at[k]


def warmup(dtype):
    """Compile; matrices are float64 always."""
    Z, cuts = np.eye(3), np.array([[0, 1, 2]])
    triangle_values(Z, cuts, -1.0)
    triangle_matrix(cuts, np.ones(1), 3, -1.0)
    worst_triangles(Z)
