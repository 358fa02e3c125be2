"""Naive twins of the kernels of optimal transport: NumPy, float64, whole matrices."""

import numpy as np


def distances(X, Y, kind):
    """Return the cost of kind 1, 2 or 3 between the rows of X and of Y."""
    gaps = X[:, None, :].astype(np.float64) - Y[None, :, :]
    if kind == 3:
        return np.abs(gaps).sum(axis=2)
    return np.sqrt((gaps**2).sum(axis=2)) if kind == 2 else (gaps**2).sum(axis=2)


def cost_minima(C):
    """Return the row minima r, the column minima of C - r, the largest finite and the smallest entry."""
    r = C.min(axis=1)
    return r, (C - r[:, None]).min(axis=0), C[np.isfinite(C)].max(), C.min()


def plan(C, f, g, reg):
    """Return exp((f_i + g_j - C_ij) / reg)."""
    return np.exp((f[:, None] + g - C) / reg)


def half_step(C, a, g, reg):
    """Return f such that the rows of the plan sum to a."""
    E = (g - C) / reg
    top = E.max(axis=1)
    return reg * (np.log(a) - top - np.log(np.exp(E - top[:, None]).sum(axis=1)))


def paid(C, P):
    """Return <C, P>, where nothing is paid for forbidden pairs."""
    return np.where(np.isfinite(C), C, 0.0).ravel() @ P.ravel()


def entropy(P):
    """Return sum P (log P - 1), 0 where P is 0."""
    positive = P[P > 0]
    return (positive * (np.log(positive) - 1)).sum()


def newton_matrix(P, extra):
    """Return diag(P^T 1) - P^T diag(1 / P 1) P + diag(extra)."""
    r = P.sum(axis=1)
    scale = np.divide(1.0, r, out=np.zeros_like(r), where=r > 0)
    return np.diag(P.sum(axis=0) + extra) - (P.T * scale) @ P


def large_entries(P, a, b, theta):
    """Return P where P_ij >= theta min(a_i, b_j), else 0."""
    return np.where(theta * np.minimum(a[:, None], b) <= P, P, 0.0)


def dense(data, indices, indptr, m):
    """Return the matrix of a CSR triple."""
    K = np.zeros((len(indptr) - 1, m))
    for i in range(len(K)):
        for t in range(indptr[i], indptr[i + 1]):
            K[i, indices[t]] += data[t]
    return K
