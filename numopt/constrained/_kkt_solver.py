"""The KKT solver for users: one system of an equality-constrained quadratic problem after another."""

from numopt import _array
from numopt._check import one_of
from numopt.constrained._kkt import KKT
from numopt.constrained._sparse import FULL
from numopt.exceptions import InvalidInputError


class KKTSolver:
    """Factor and solve [[H, G^T], [G, 0]], the systems of equality-constrained quadratic problems.

    Parameters
    ----------
    linear_solver : {"auto", "ldl", "sparse-ldl"}, default "auto"
        Dense LAPACK factorisation, or the sparse one with one ordering for all matrices of a pattern. "auto": dense up
        to 500 unknowns, and up to 6000 where more than a fifth of the entries is not zero.

    Attributes
    ----------
    inertia : tuple of int
        (positive, negative, zero) eigenvalues of the last matrix. (n, m, 0) means that H is positive definite on the
        null space of G and that the rows of G are independent: a unique minimum.

    Notes
    -----
    Dense: O((n + m)^3 / 3) flops and 16 (n + m)^2 bytes, on NumPy or CuPy arrays (on CuPy by an eigendecomposition).
    Sparse: NumPy alone, about 11 bytes for each entry of the factor.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.constrained import KKTSolver
    >>> solver = KKTSolver().factor(np.diag([1.0, 2.0]), [[1.0, 1.0]])
    >>> solver.inertia
    (2, 1, 0)
    >>> solver.solve([0.0, 0.0, 3.0]).round(6)
    array([ 2.,  1., -2.])
    """

    def __init__(self, linear_solver="auto"):
        self.linear_solver = one_of("linear_solver", linear_solver, ("auto", "ldl", "sparse-ldl"))
        self._kkt, self._sizes = None, None

    def factor(self, H, G, delta=0.0):
        """Factor [[H, G^T], [G, -delta I]].

        Parameters
        ----------
        H : array_like or sparse of shape (n, n)
            Symmetric.
        G : array_like or sparse of shape (m, n)
            The constraints.
        delta : float, default 0
            Regularisation >= 0 of dependent rows.

        Returns
        -------
        KKTSolver
            The solver itself.
        """
        checked = _array.namespace(H, G)
        H, G = (A if _array.is_array(A) or _array.is_sparse(A) else checked.asarray(A, device="cpu") for A in (H, G))
        if H.shape[0] != H.shape[1] or G.shape[1] != H.shape[0]:
            raise InvalidInputError(
                f"H has shape {H.shape} and G {G.shape}: (n, n) and (m, n) are expected; make the sizes agree"
            )
        dtype = _array.float_dtype(checked, H=H, G=G)
        H, G = (A.astype(dtype) if _array.is_sparse(A) else checked.astype(A, dtype) for A in (H, G))
        if self._kkt is None:
            self._kkt = KKT(checked, self.linear_solver, refined=FULL)
        self._kkt.factor(H, G, 0.0, float(delta))
        self._sizes = H.shape[0], G.shape[0]
        return self

    def solve(self, rhs):
        """Solve for a right-hand side.

        Parameters
        ----------
        rhs : array_like of shape (n + m,)
            The part of the gradient above that of the constraints.

        Returns
        -------
        array of shape (n + m,)
            The step above the multipliers.
        """
        if self._sizes is None:
            raise InvalidInputError("solve before factor: a factored matrix is expected; call factor(H, G) first")
        (n, m), xp = self._sizes, self._kkt.xp
        rhs = rhs if _array.is_array(rhs) else xp.asarray(rhs, dtype=xp.float64, device="cpu")
        if rhs.shape != (n + m,):
            raise InvalidInputError(f"rhs has shape {rhs.shape}: ({n + m},) is expected; stack both parts")
        return xp.concat(self._kkt.solve(rhs[:n], rhs[n:]))

    @property
    def inertia(self):
        negative, zero = self._kkt.negative, self._kkt.zero
        return sum(self._sizes) - negative - zero, negative, zero
