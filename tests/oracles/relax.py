"""Naive twins of the relaxation methods: dense matrices, formulas as in the textbook."""

import numpy as np


def sor_step(A, b, x, omega):
    """Return x + (D/omega + L)^{-1} (b - A x)."""
    W = np.diag(np.diag(A)) / omega + np.tril(A, -1)
    return x + np.linalg.solve(W, b - A @ x)


def ssor_step(A, b, x, omega):
    """Return a forward and a backward step."""
    half = sor_step(A, b, x, omega)
    return sor_step(A[::-1, ::-1], b[::-1], half[::-1], omega)[::-1]


def ssor_matrix(A, omega):
    """Return M = omega/(2 - omega) (D/omega + L) D^{-1} (D/omega + L^T)."""
    D = np.diag(np.diag(A))
    K = D / omega + np.tril(A, -1)
    return omega / (2 - omega) * K @ np.linalg.inv(D) @ K.T


def pcg(A, b, x, M, rtol, max_iter=10_000):
    """Return (x, steps) of textbook conjugate gradients preconditioned by the matrix M."""
    r = b - A @ x
    z = np.linalg.solve(M, r)
    p, rho = z, r @ z
    for k in range(max_iter):
        if np.linalg.norm(r) <= rtol * np.linalg.norm(b):
            return x, k
        q = A @ p
        alpha = rho / (p @ q)
        x, r = x + alpha * p, r - alpha * q
        z = np.linalg.solve(M, r)
        before, rho = rho, r @ z
        p = z + rho / before * p
    return x, max_iter


def random_spd(rng, n, density=0.2, unsymmetric=False):
    """Return a dense, sparsely filled positive definite matrix."""
    A = rng.standard_normal((n, n)) * (rng.random((n, n)) < density)
    if not unsymmetric:
        A = np.tril(A) + np.tril(A, -1).T
    np.fill_diagonal(A, np.abs(A).sum(axis=1) + rng.random(n) + 0.1)
    return A
