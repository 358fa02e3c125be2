"""Naive twins for groups with covariances of their own."""

import numpy as np


def oas(S, n):
    """Shrinkage of Chen, Wiesel, Eldar and Hero."""
    p = len(S)
    mu, a = np.trace(S) / p, (S**2).sum() / p**2
    below = (n + 1) * (a - mu**2 / p)
    rho = min(1.0, (a + mu**2) / below) if below > 0 else 1.0
    return (1 - rho) * S + rho * mu * np.eye(p)


def em_step(X, R, floor, kind, weighted):
    """One EM step for one start: responsibilities and the log-likelihood."""
    n, p = X.shape
    terms = np.empty_like(R)
    means = [R[:, k] @ X / R[:, k].sum() for k in range(R.shape[1])]
    pooled = sum(((X - m) * R[:, k, None]).T @ (X - m) for k, m in enumerate(means)) / n
    for k, m in enumerate(means):
        size = R[:, k].sum()
        S = ((X - m) * R[:, k, None]).T @ (X - m) / size
        S = oas(pooled, n) if kind == "tied" else oas(S, size) if kind == "oas" else S
        S = S + floor * np.eye(p)
        d = np.einsum("ij,jk,ik->i", X - m, np.linalg.inv(S), X - m)
        terms[:, k] = -d / 2 - np.linalg.slogdet(S)[1] / 2 - p / 2 * np.log(2 * np.pi)
        terms[:, k] += np.log(size / n) if weighted else 0.0
    top = terms.max(axis=1, keepdims=True)
    R = np.exp(terms - top)
    return R / R.sum(axis=1, keepdims=True), (np.log(R.sum(axis=1)) + top[:, 0]).sum()


def lifted_costs(X, covariances, log_weights):
    """C_k = D_k / 4 + (log|S_k| / 2 - w_k) 11', entry by entry."""
    off = X[:, None] - X
    return [
        np.einsum("ijp,pq,ijq->ij", off, np.linalg.inv(S), off) / 4 + np.linalg.slogdet(S)[1] / 2 - w
        for S, w in zip(covariances, log_weights, strict=True)
    ]


def likelihood(X, labels, covariances, log_weights):
    """Minus the log-likelihood at given covariances, means profiled out, without n p log(2 pi) / 2."""
    total = 0.0
    for k, S in enumerate(covariances):
        own = X[labels == k]
        off = own - own.mean(axis=0)
        total += (off @ np.linalg.inv(S) * off).sum() / 2 + len(own) * (np.linalg.slogdet(S)[1] / 2 - log_weights[k])
    return total
