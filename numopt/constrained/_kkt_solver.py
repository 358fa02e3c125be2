"""The KKT solver for users: one system of an equality-constrained quadratic problem after another."""

from numopt import _array
from numopt._check import one_of, scalar
from numopt._csr import as_csr
from numopt._given import as_array
from numopt.constrained._asked import is_symmetric
from numopt.constrained._kkt import KKT
from numopt.constrained._sparse import FULL
from numopt.exceptions import InvalidInputError, InvalidTypeError

_LEFT = 1e-6  # of a right-hand side: more after all refinements says that there is no solution


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
            Symmetric, up to 1e-8 of its largest entry.
        G : array_like or sparse of shape (m, n)
            The constraints; m may be 0.
        delta : float, default 0
            Regularisation >= 0 of dependent rows.

        Returns
        -------
        KKTSolver
            The solver itself.

        Raises
        ------
        InvalidInputError
            Sizes disagree, a number is not finite, `H` is not symmetric, or `delta` is negative.
        InvalidTypeError
            Arrays of two libraries, or numbers that are not real.
        """
        H, G = as_array("H", H), as_array("G", G)
        xp = _array.namespace(H=H, G=G)
        if not (len(H.shape) == len(G.shape) == 2 and H.shape[0] == H.shape[1] == G.shape[1] > 0):
            raise InvalidInputError(
                f"H has shape {tuple(H.shape)} and G {tuple(G.shape)}: (n, n) and (m, n) are expected; make the sizes "
                f"agree"
            )
        dtype = _array.float_dtype(xp, H=H, G=G)
        H, G = (as_csr(A, dtype) if _array.is_sparse(A) else xp.astype(A, dtype) for A in (H, G))
        for name, A in (("H", H), ("G", G)):
            if not _array.host(xp.all(xp.isfinite(A.data if _array.is_sparse(A) else A))):
                raise InvalidInputError(f"{name} holds NaN or infinity: finite numbers are expected; replace them")
        if not is_symmetric(H):
            raise InvalidInputError("H is not symmetric: H = H^T is expected; pass both triangles, or (H + H.T) / 2")
        delta = scalar("delta", delta, low=0.0, remedy="pass 0, or a small number where rows are dependent")
        sizes = H.shape[0], G.shape[0]
        if self._sizes != sizes or self._kkt.xp is not xp:
            self._kkt = KKT(xp, self.linear_solver, refined=FULL)
        self._kkt.factor(H, G, 0.0, delta)
        self._sizes = sizes
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

        Raises
        ------
        InvalidInputError
            `rhs` is of another shape or not finite, or the matrix is singular.
        InvalidTypeError
            `rhs` is of another library than the matrix, or not real.
        """
        (n, m), xp = self._factored("solve"), self._kkt.xp
        rhs = as_array("rhs", rhs)
        if rhs.shape != (n + m,):
            raise InvalidInputError(f"rhs has shape {tuple(rhs.shape)}: ({n + m},) is expected; stack both parts")
        if _array.namespace(rhs) is not xp:
            raise InvalidTypeError("rhs is of another library than H and G: one is expected; convert it")
        rhs = xp.astype(rhs, _array.float_dtype(xp, rhs=rhs))
        if not _array.host(xp.all(xp.isfinite(rhs))):
            raise InvalidInputError("rhs holds NaN or infinity: finite numbers are expected; replace them")
        x = None if self._kkt.zero else xp.concat(self._kkt.solve(rhs[:n], rhs[n:]))
        if x is None or not self._small(self._kkt.inner.residual, rhs):
            raise InvalidInputError(
                f"the matrix is singular to rounding, its inertia {self.inertia}: independent rows of G, and curvature "
                f"of H along them, are expected; leave out rows, or pass delta > 0"
            )
        return x

    def _small(self, residual, rhs):
        """Say whether what is left of the system is small: a sparse matrix shows only there that it is singular."""
        if residual is None:
            return True
        norm = self._kkt.xp.linalg.vector_norm
        left, size = _array.host(norm(self._kkt.xp.concat(residual)), norm(rhs))
        return left <= _LEFT * size

    def _factored(self, what):
        """Return (n, m) of the matrix that was factored."""
        if self._sizes is None:
            raise InvalidInputError(f"{what} before factor: a factored matrix is expected; call factor(H, G) first")
        return self._sizes

    @property
    def inertia(self):
        """Numbers of positive, negative and zero eigenvalues of the last matrix."""
        n, m = self._factored("inertia")
        negative, zero = self._kkt.negative, self._kkt.zero
        return n + m - negative - zero, negative, zero
