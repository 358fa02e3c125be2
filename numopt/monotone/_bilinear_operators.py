"""Operators of bilinear saddle problems: F(x, y) = (c + A^T y, b - A x)."""

import numpy as np

from numopt._array import device, host, is_sparse, like
from numopt._check import Checks, flag
from numopt.monotone._matrix import matrix
from numopt.monotone._operator import Operator
from numopt.monotone._product import Product
from numopt.monotone._prox import Box, Free, NonNegative, Simplex
from numopt.monotone._tolerance import expect_squares


class _BilinearOperator(Operator):
    """F(x, y) = (c + A^T y, b - A x); a component takes one row and one column of A."""

    kind = "bilinear"
    saddle = True

    def __init__(self, A, c=None, b=None):
        checks = Checks({"A": A, "c": c, "b": b})
        self.A = matrix(checks, "A", A)
        m, n = self.A.shape
        self.c = self.A.vector(n) if c is None else checks.vector("c", size=n)
        self.b = self.A.vector(m) if b is None else checks.vector("b", size=m)
        expect_squares("A", checks.settle()["A"], checks.xp, checks.dtype)
        xp = self.xp = checks.xp
        self.c, self.b = (xp.astype(v, xp.float64, copy=False) for v in (self.c, self.b))
        self.device, self.dtype = checks.device, checks.dtype
        self.dim, self.split, self.n = m + n, n, max(m, n)
        self.lipschitz = (1.02 * self.A.norm(steps=30)) or 1.0

    @property
    def component_lipschitz(self):
        """Bounds of the F_i: n times the larger norm of row i and column i."""
        A = self.A.A
        S = A.multiply(A) if is_sparse(A) else A * A
        rows, columns = (np.sqrt(np.asarray(host(S.sum(axis=k)), dtype=float)).reshape(-1) for k in (1, 0))
        rows, columns = (np.pad(v, (0, self.n - v.size)) for v in (rows, columns))
        return self.n * np.maximum(rows, columns)

    def full(self, z):
        """Return F(z)."""
        x, y = z[: self.split], z[self.split :]
        Ax, ATy = self.A.products(x, y)
        return self.xp.concat((self.c + ATy, self.b - Ax))

    def component(self, i, z):
        """Return F_i(z)."""
        return self.batch_difference(z, self.xp.zeros_like(z), np.array([i]), np.ones(1)) + self.xp.concat(
            (self.c, self.b)
        )

    def batch_difference(self, z, w, index, weights):
        """Return the weighted sum of F_i(z) - F_i(w) from rows and columns of A."""
        xp, (m, _) = self.xp, self.A.shape
        d = z - w
        dx, dy = d[: self.split], d[self.split :]
        rows, columns = index < m, index < self.split
        return xp.concat((self._rows(self.A.A, dy, index[rows], weights[rows]),
                          -self._rows(self.A.A.T, dx, index[columns], weights[columns])))  # fmt: skip

    def _rows(self, A, v, index, weights):
        """Return n times the sum over k of weights_k v_i row_i, i = index_k."""
        xp = self.xp
        place = xp.asarray(index, device=self.device)
        scaled = self.n * xp.asarray(weights, device=self.device) * xp.take(v, place)
        if is_sparse(A):
            return A.tocsr()[place].T @ scaled
        return scaled @ xp.astype(xp.take(A, place, axis=0), xp.float64, copy=False)


class BilinearGame(_BilinearOperator):
    """The operator of the matrix game min_x max_y y.(A x) over two simplices.

    Parameters
    ----------
    A : array_like or sparse of shape (m, n)
        What the player of the columns, x, pays to the player of the rows, y.

    Examples
    --------
    >>> from numopt.monotone import BilinearGame, monotone_root
    >>> result = monotone_root(BilinearGame([[2.0, 0.0], [0.0, 1.0]]), tol=1e-8)
    >>> result.x.round(4), result.y.round(4)
    (array([0.3333, 0.6667]), array([0.3333, 0.6667]))
    """

    def __init__(self, A):
        super().__init__(A)
        m, n = self.A.shape
        self.prox = Product([(Simplex(), n), (Simplex(), m)])


class LPPrimalDual(_BilinearOperator):
    """The operator of the linear program min c.x subject to A x = b (or <= b), lower <= x <= upper.

    Parameters
    ----------
    c : array_like of shape (n,)
        Costs.
    A : array_like or sparse of shape (m, n)
        Constraints.
    b : array_like of shape (m,)
        Right-hand sides.
    equality : bool, default True
        Whether A x = b is meant, else A x <= b.
    lower, upper : float or array_like of shape (n,), default 0.0 and inf
        Bounds of x.

    See Also
    --------
    linprog_pd : solves linear programs, with certificates of infeasibility.

    Examples
    --------
    >>> from numopt.monotone import LPPrimalDual, monotone_root
    >>> monotone_root(LPPrimalDual([1.0, 2.0], [[1.0, 1.0]], [3.0]), tol=1e-8).x.round(4)
    array([3., 0.])
    """

    def __init__(self, c, A, b, *, equality=True, lower=0.0, upper=np.inf):
        super().__init__(A, c, b)
        m, n = self.A.shape
        self.prox = Product([(Box(lower, upper), n), (Free() if flag("equality", equality) else NonNegative(), m)])


def as_set(prox, size, xp, where):
    """Return a prox as a set for the kernels, or None if it is neither a simplex nor a box."""
    empty = xp.zeros((0,), dtype=xp.float64, device=where)
    if isinstance(prox, Simplex):
        return float(prox.total), empty, empty
    bounds = (-np.inf, np.inf) if isinstance(prox, Free) else None
    bounds = (prox.lower, prox.upper) if isinstance(prox, Box) else bounds
    if bounds is None:
        return None
    zero = xp.zeros((size,), dtype=xp.float64, device=where)
    return 0.0, *(zero + (v if getattr(v, "ndim", 0) == 0 else like(xp, v, device(zero), xp.float64)) for v in bounds)
