"""Operators of saddle problems min_x max_y: F = (gradient in x, minus gradient in y), z = (x, y)."""

import numpy as np

from numopt._array import device, host, is_sparse, like
from numopt._check import Checks
from numopt.exceptions import InvalidInputError
from numopt.monotone._matrix import matrix
from numopt.monotone._operator import Operator
from numopt.monotone._prox import Box, Free, NonNegative, Product, Simplex


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
        checks.settle()
        xp = self.xp = checks.xp
        self.c, self.b = (xp.astype(v, xp.float64, copy=False) for v in (self.c, self.b))
        self.device, self.dtype = checks.device, checks.dtype
        self.dim, self.split, self.n = m + n, n, max(m, n)
        self.lipschitz = (1.02 * self.A.norm(rtol=1e-3, limit=100)[0]) or 1.0

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
        return self.batch_difference(z, self.xp.zeros_like(z), np.array([i]), np.ones(1)) + self.xp.concat((self.c, self.b))

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
        self.prox = Product([(Box(lower, upper), n), (Free() if equality else NonNegative(), m)])


class QuadraticSaddle(Operator):
    """The operator of ``x.P x / 2 + c.x + y.(A x - b) - y.Q y / 2``: F = (P x + A^T y + c, Q y - A x + b).

    Parameters
    ----------
    P, Q : array_like of shape (n, n), (m, m), or None
        Symmetric, positive semidefinite; None stands for 0.
    A : array_like of shape (m, n)
        The coupling.
    b, c : array_like of shape (m,), (n,), optional
        Linear terms, 0 by default.

    Examples
    --------
    >>> from numopt.monotone import QuadraticSaddle, monotone_root
    >>> op = QuadraticSaddle([[2.0]], [[2.0]], [[1.0]], b=[0.0], c=[-5.0])
    >>> monotone_root(op, tol=1e-9).z.round(6)
    array([2., 1.])
    """

    saddle = True

    def __init__(self, P, Q, A, b=None, c=None):
        checks = Checks({"P": P, "Q": Q, "A": A, "b": b, "c": c})
        A = checks.matrix("A")
        m, n = A.shape
        given = {"P": (P, n), "Q": (Q, m)}
        blocks = {name: checks.matrix(name, shape=(size, size)) for name, (M, size) in given.items() if M is not None}
        xp = self.xp = checks.xp
        self.device, self.dtype = checks.device, checks.dtype
        vectors = []
        for name, v, size in (("c", c, n), ("b", b, m)):
            zero = xp.zeros((size,), dtype=xp.float64, device=self.device)
            vectors.append(zero if v is None else xp.astype(checks.vector(name, size=size), xp.float64))
        checks.settle()
        for name, M in blocks.items():
            off, size = host(xp.max(xp.abs(M - M.T)), xp.max(xp.abs(M)))
            if off > 1e-6 * size:
                raise InvalidInputError(f"{name} differs from its transpose by {off:.3g}: a symmetric matrix is expected; "
                                        f"pass ({name} + {name}.T) / 2")  # fmt: skip
        self.A, self.P, self.Q = A, blocks.get("P"), blocks.get("Q")
        self.c, self.b = vectors
        self.dim, self.split = m + n, n

    def full(self, z):
        """Return F(z)."""
        x, y = z[: self.split], z[self.split :]
        F, G = y @ self.A + self.c, self.b - self.A @ x
        F = F if self.P is None else F + self.P @ x
        G = G if self.Q is None else G + self.Q @ y
        return self.xp.concat((F, G))


class BilinearSum(Operator):
    """A finite sum of rank-one couplings: F_i(x, y) = (u_i (v_i.y) + c, b - v_i (u_i.x)).

    Parameters
    ----------
    U, V : array_like of shape (n, p), (n, q)
        One row for each component.
    c, b : array_like of shape (p,), (q,), optional
        Linear terms, 0 by default.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.monotone import BilinearSum
    >>> op = BilinearSum(np.ones((3, 2)), np.ones((3, 1)), c=[1.0, 2.0])
    >>> op.full(np.array([1.0, 1.0, 5.0]))
    array([ 6.,  7., -2.])
    """

    kind = "monotone"
    saddle = True

    def __init__(self, U, V, c=None, b=None):
        checks = Checks({"U": U, "V": V, "c": c, "b": b})
        U = checks.matrix("U")
        self.n, p = U.shape
        V = checks.matrix("V", shape=(self.n, None))
        q = V.shape[1]
        xp = self.xp = checks.xp
        self.device, self.dtype = checks.device, checks.dtype
        vectors = []
        for name, v, size in (("c", c, p), ("b", b, q)):
            zero = xp.zeros((size,), dtype=xp.float64, device=self.device)
            vectors.append(zero if v is None else xp.astype(checks.vector(name, size=size), xp.float64))
        checks.settle()
        self.U, self.V = (xp.astype(M, xp.float64, copy=False) for M in (U, V))
        self.constant = xp.concat(vectors)
        self.dim, self.split = p + q, p
        norms = [xp.sqrt(xp.sum(M * M, axis=1)) for M in (self.U, self.V)]
        self.component_lipschitz = norms[0] * norms[1]
        self.lipschitz = host(xp.linalg.matrix_norm(self.U.T @ self.V, ord=2)) / self.n

    def full(self, z):
        """Return F(z)."""
        return self._sum(z, self.U, self.V, 1 / self.n) + self.constant

    def component(self, i, z):
        """Return F_i(z)."""
        return self._sum(z, self.U[i : i + 1, :], self.V[i : i + 1, :], 1.0) + self.constant

    def batch_difference(self, z, w, index, weights):
        """Return the weighted sum of F_i(z) - F_i(w)."""
        xp = self.xp
        place = xp.asarray(index, device=self.device)
        U, V = xp.take(self.U, place, axis=0), xp.take(self.V, place, axis=0)
        return self._sum(z - w, U, V, xp.asarray(weights, device=self.device))

    def _sum(self, z, U, V, weights):
        x, y = z[: self.split], z[self.split :]
        return self.xp.concat(((weights * (V @ y)) @ U, -(weights * (U @ x)) @ V))


class CournotNash(Operator):
    """The operator of a Cournot oligopoly: prices fall linearly with supply, costs are convex quadratics.

    The player i supplies z_i >= 0 at the price ``intercept - slope sum z`` and the cost ``c_i z_i + d_i z_i^2 / 2``:
    F_i = c_i + d_i z_i - intercept + slope (sum z + z_i).

    Parameters
    ----------
    intercept, slope : float
        Of the price; the slope is > 0.
    c, d : array_like of shape (n,)
        Of the costs; d >= 0.

    Examples
    --------
    >>> from numopt.monotone import CournotNash, monotone_root
    >>> monotone_root(CournotNash(10.0, 1.0, [1.0, 1.0], [0.0, 0.0]), tol=1e-9).z.round(6)
    array([3., 3.])
    """

    kind = "monotone"

    def __init__(self, intercept, slope, c, d):
        from numopt._check import positive_scalar, scalar

        checks = Checks({"c": c, "d": d})
        self.c = checks.vector("c")
        self.d = checks.vector("d", size=self.c.shape[0], low=0.0)
        checks.settle()
        xp = self.xp = checks.xp
        self.intercept, self.slope = scalar("intercept", intercept), positive_scalar("slope", slope)
        self.device, self.dtype, self.dim = checks.device, checks.dtype, self.c.shape[0]
        self.lipschitz = self.slope * (self.dim + 1) + host(xp.max(self.d))
        self.prox = NonNegative()

    def full(self, z):
        """Return F(z)."""
        return self.c + self.d * z - self.intercept + self.slope * (self.xp.sum(z) + z)


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
