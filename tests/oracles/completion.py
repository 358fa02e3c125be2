"""Naive twins of the kernels of matrix completion: one row at a time, in plain NumPy."""

import numpy as np


def dense(side, n):
    """Return (Y, W): values and weights as matrices, 0 where nothing is observed."""
    y, indices, indptr, weights = (np.asarray(x) for x in side)
    Y, W = np.zeros((indptr.size - 1, n)), np.zeros((indptr.size - 1, n))
    rows = np.repeat(np.arange(indptr.size - 1), np.diff(indptr))
    Y[rows, indices] = y
    W[rows, indices] = weights if weights.size else 1.0
    return Y, W


def half_step(Y, W, V, ridge=None, scale=None, base=None, offset=None):
    """Return (U, sum w r^2 of each row) of the row problems, by least squares on stacked systems."""
    m, k = Y.shape[0], V.shape[1]
    ridge = np.zeros(k) if ridge is None else ridge
    U, sums = np.zeros((m, k)), np.zeros(m)
    for i in range(m):
        seen = W[i] > 0
        root = np.sqrt(W[i, seen])
        target = Y[i, seen] - (0 if offset is None else offset[seen]) - (0 if base is None else V[seen] @ base[i])
        own = np.sqrt(ridge * (1.0 if scale is None else scale[i]))
        A = np.concatenate((root[:, None] * V[seen], np.diag(own)))
        U[i] = np.linalg.lstsq(A, np.concatenate((root * target, np.zeros(k))), rcond=1e-9)[0]
        sums[i] = np.sum(W[i, seen] * (target - V[seen] @ U[i]) ** 2)
    return U, sums


def schur(W, U, V, mu=0.0, ridge=0.0):
    """Return the dense Schur complement (n k, n k) of the Gauss-Newton matrix with U eliminated."""
    (m, n), k = W.shape, V.shape[1]
    A = np.zeros((m * k + n * k, m * k + n * k))
    for i in range(m):
        for j in range(n):
            if W[i, j]:
                row = np.zeros(m * k + n * k)
                row[i * k : (i + 1) * k], row[m * k + j * k : m * k + (j + 1) * k] = V[j], U[i]
                A += W[i, j] * np.outer(row, row)
    A[: m * k, : m * k] += ridge * np.eye(m * k)
    B, C, D = A[: m * k, : m * k], A[: m * k, m * k :], A[m * k :, m * k :]
    return D - C.T @ np.linalg.solve(B, C) + mu * np.eye(n * k)


def objective(Y, W, U, V):
    """Return sum w (y - u.v)^2."""
    return float(np.sum(W * (Y - U @ V.T) ** 2))


def eliminated(Y, W, V):
    """Return min over U of the objective."""
    return float(half_step(Y, W, V)[1].sum())
