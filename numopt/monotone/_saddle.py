"""Operators of saddle problems, F(x, y) = (gradient in x, minus gradient in y), and of an oligopoly."""

import math

from numopt._array import cholesky, device, host
from numopt._check import Checks, positive_scalar, scalar
from numopt.exceptions import InvalidInputError
from numopt.monotone._operator import Operator
from numopt.monotone._prox import NonNegative


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
                raise InvalidInputError(
                    f"{name} differs from its transpose by {off:.3g}: a symmetric matrix is expected; "
                    f"pass ({name} + {name}.T) / 2"
                )
            if not _semidefinite(xp, M, size):
                raise InvalidInputError(
                    f"{name} has a negative eigenvalue: a positive semidefinite matrix is expected, or there is no "
                    f"saddle point to find; check its sign, or shift it by a multiple of the identity"
                )
        self.A, self.P, self.Q = A, blocks.get("P"), blocks.get("Q")
        self.c, self.b = vectors
        self.dim, self.split = m + n, n

    def full(self, z):
        """Return F(z).

        Parameters
        ----------
        z : array of shape (n + m,), float64
            The point (x, y).

        Returns
        -------
        array of shape (n + m,), float64
            ``(P x + A^T y + c, Q y - A x + b)``.
        """
        x, y = z[: self.split], z[self.split :]
        F, G = y @ self.A + self.c, self.b - self.A @ x
        F = F if self.P is None else F + self.P @ x
        G = G if self.Q is None else G + self.Q @ y
        return self.xp.concat((F, G))


def _semidefinite(xp, M, size):
    """Tell whether a symmetric matrix with entries up to `size` is positive semidefinite, but for rounding."""
    if size == 0:
        return True
    n, wide = M.shape[0], xp.astype(M, xp.float64) / size
    room = 10 * n * max(float(xp.finfo(M.dtype).eps), 1e-12)
    return math.isfinite(host(cholesky(wide + room * xp.eye(n, dtype=xp.float64, device=device(M)))[-1, -1]))


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
        self.lipschitz = host(xp.linalg.matrix_norm(self.U.T @ self.V, ord=2)) / self.n or 1.0

    def full(self, z):
        """Return F(z).

        Parameters
        ----------
        z : array of shape (p + q,), float64
            The point (x, y).

        Returns
        -------
        array of shape (p + q,), float64
            The mean of the components.
        """
        return self._sum(z, self.U, self.V, 1 / self.n) + self.constant

    def component(self, i, z):
        """Return F_i(z).

        Parameters
        ----------
        i : int
            Number of the component, from 0 to n - 1.
        z : array of shape (p + q,), float64
            The point (x, y).

        Returns
        -------
        array of shape (p + q,), float64
            ``(u_i (v_i.y) + c, b - v_i (u_i.x))``.
        """
        return self._sum(z, self.U[i : i + 1, :], self.V[i : i + 1, :], 1.0) + self.constant

    def batch_difference(self, z, w, index, weights):
        """Return the weighted sum of F_i(z) - F_i(w).

        Parameters
        ----------
        z, w : array of shape (p + q,), float64
            The two points.
        index : ndarray of shape (k,), int64
            Numbers i of the components, from 0 to n - 1; they may repeat.
        weights : ndarray of shape (k,), float64
            A weight for each of them.

        Returns
        -------
        array of shape (p + q,), float64
            The sum over k of ``weights[k] * (F_i(z) - F_i(w))`` with ``i = index[k]``.
        """
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
        """Return F(z).

        Parameters
        ----------
        z : array of shape (n,), float64
            Supplies of the players.

        Returns
        -------
        array of shape (n,), float64
            Marginal cost minus marginal revenue of each player.
        """
        return self.c + self.d * z - self.intercept + self.slope * (self.xp.sum(z) + z)
