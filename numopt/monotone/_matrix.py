"""A dense or sparse matrix with its kernels: products with it and with its transpose."""

import math
from dataclasses import dataclass

import numpy as np

from numopt._array import copied, default_rng, host, is_sparse, turned
from numopt._csr import as_csr
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
        entries = 8.0 * self.A.nnz + 40.0 * sum(self.shape) if is_sparse(self.A) else 2.0 * math.prod(self.shape)
        return entries + 2e4  # to begin it

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
        row, column = (self.xp.asarray(index, device=self.device) for index in (rows, columns))
        return self._of(self.kernels.part(self.parts, row, column), (len(rows), len(columns)))

    def filled(self, values):
        """Return the matrix with other values: an array like `A`, or like its non-zeros if it is sparse."""
        A = type(self.A)((values, self.A.indices, self.A.indptr), shape=self.shape) if is_sparse(self.A) else values
        return wrap(self.xp, self.device, A)

    def absolute(self):
        """Return the matrix of absolute values."""
        return self._of([self.xp.abs(v) if q % 3 == 0 else v for q, v in enumerate(self.parts)], self.shape)

    def scaled(self, rows, columns):
        """Return diag(rows) A diag(columns) in float64."""
        if len(self.parts) == 1:
            return self._of((rows[:, None] * self.A * columns,), self.shape)
        data, indices, indptr, data_T, indices_T, indptr_T = self.parts
        data, data_T = self._times(data, indices, indptr, rows, columns), self._times(
            data_T, indices_T, indptr_T, columns, rows)  # fmt: skip
        return self._of((data, indices, indptr, data_T, indices_T, indptr_T), self.shape)

    def _times(self, data, indices, indptr, rows, columns):
        xp = self.xp
        counts = xp.astype(indptr[1:] - indptr[:-1], xp.int64)
        return xp.astype(data, xp.float64) * xp.repeat(rows, counts) * xp.take(columns, xp.astype(indices, xp.int64))

    def _of(self, parts, shape):
        """Return the matrix of these arrays, as kernels take them."""
        A = parts[0] if len(parts) == 1 else type(self.A)(tuple(parts[:3]), shape=shape)
        return Matrix(self.xp, self.device, tuple(shape), A, tuple(parts), self.kernels)

    def mirrored(self):
        """Return -A^T: the game with the players exchanged."""
        return wrap(self.xp, self.device, as_csr(-self.A.T) if is_sparse(self.A) else -turned(self.xp, self.A))

    def vector(self, size, value=0.0):
        """Return a constant vector."""
        return self.xp.full((size,), value, dtype=self.xp.float64, device=self.device)

    def norm(self, across=(None, None), steps=STEPS):
        """Estimate the spectral norm from below by steps of Golub, Kahan and Lanczos; after 8, 1 to 3 % are missing.

        `across` (of x, of y) holds weights w if only vectors with w.d = 0 count: differences of points of a simplex.
        """
        xp, n = self.xp, self.shape[1]
        x = xp.asarray(default_rng(0).standard_normal(n), device=self.device)
        normals = [self.vector(0) if w is None else w / xp.linalg.vector_norm(w) for w in across]
        band = host(self.kernels.bidiagonal(self.parts, x, *normals, steps))
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
