"""A dense or sparse matrix with its kernels: products with it and with its transpose."""

import math
from dataclasses import dataclass

import numpy as np

from numopt._array import as_csr, copied, default_rng, host, is_sparse, turned
from numopt._kernels import kernels

STEPS = 8  # of the estimate of a norm, where 2 % do not matter


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """What the kernels take for a matrix (`parts`), and where its vectors live."""

    xp: object
    device: object
    shape: tuple
    A: object
    parts: tuple
    kernels: object

    @property
    def pass_cost(self):
        """What a pass costs, in entries of a dense matrix read: from the sizes alone."""
        if is_sparse(self.A):
            return 8.0 * self.A.nnz + 40.0 * sum(self.shape)
        return 2.0 * self.shape[0] * self.shape[1] + 2e4

    def forward(self, x):
        """Return A x."""
        return self.kernels.forward(self.parts, x)

    def adjoint(self, y):
        """Return A^T y."""
        return self.kernels.adjoint(self.parts, y)

    def products(self, x, y):
        """Return (A x, A^T y) in one pass."""
        return self.kernels.products(self.parts, x, y)

    def part(self, rows, columns):
        """Return the rows and columns of these numbers, which are on the host, as a float64 `Matrix`."""
        xp = self.xp
        if is_sparse(self.A):
            part = as_csr(self.A[xp.asarray(rows, device=self.device)][:, xp.asarray(columns, device=self.device)])
        else:
            row, column = (xp.asarray(index, device=self.device) for index in (rows, columns))
            part = xp.astype(xp.take(xp.take(self.A, row, axis=0), column, axis=1), xp.float64)
        return wrap(xp, self.device, part)

    def filled(self, values):
        """Return the matrix with other values: an array like `A`, or like its non-zeros if it is sparse."""
        A = type(self.A)((values, self.A.indices, self.A.indptr), shape=self.shape) if is_sparse(self.A) else values
        return wrap(self.xp, self.device, A)

    def mirrored(self):
        """Return -A^T: the game with the players exchanged."""
        return wrap(self.xp, self.device, as_csr(-self.A.T) if is_sparse(self.A) else -turned(self.xp, self.A))

    def vector(self, size, value=0.0):
        """Return a constant vector."""
        return self.xp.full((size,), value, dtype=self.xp.float64, device=self.device)

    def norm(self, centred=(False, False), steps=STEPS):
        """Estimate the spectral norm from below by steps of Golub, Kahan and Lanczos; after 8, 1 to 3 % are missing.

        `centred` (of x, of y) says on which side only vectors of sum zero count: differences of points of a simplex.
        """
        xp, n = self.xp, self.shape[1]
        x = xp.asarray(default_rng(0).standard_normal(n), device=self.device)
        x, y, beta, band = _unit(xp, x, centred[0])[0], 0.0, 0.0, []
        for _ in range(steps):
            y, alpha = _unit(xp, self.forward(x) - beta * y, centred[1])
            x, beta = _unit(xp, self.adjoint(y) - alpha * x, centred[0])
            band += [alpha, beta]
        band = np.array(host(*band))
        if not np.isfinite(band).all():
            return math.nan
        return float(np.linalg.norm(np.diag(band[::2]) + np.diag(band[1:-1:2], 1), 2))


def matrix(checks, name, A, shape=(None, None)):
    """Check a dense or sparse matrix; return it as a `Matrix`."""
    A = checks.csr(name, shape=shape) if is_sparse(A) else checks.matrix(name, shape=shape)
    return wrap(checks.xp, checks.device, A)


def wrap(xp, device, A):
    """Return a clean array as a `Matrix`; a sparse one gets its transpose beside it."""
    parts = (A,)
    if is_sparse(A):
        T = as_csr(A.T)
        # Kernels may keep what follows from where rows begin: it must not be the caller's to change.
        parts = (A.data, A.indices, copied(A.indptr), T.data, T.indices, T.indptr)
    return Matrix(xp, device, tuple(A.shape), A, parts, kernels("monotone", xp))


def _unit(xp, v, centred):
    """Return v, less its mean if it is to be `centred`, as a unit vector, and its norm before."""
    v = v - xp.mean(v) if centred else v
    size = xp.linalg.vector_norm(v)
    return v / xp.where(size > 0, size, xp.ones_like(size)), size
