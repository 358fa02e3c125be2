"""The linear systems of a step: dense, sparse or by products, chosen from sizes and kinds alone."""

import numpy as np

from numopt import _array
from numopt._check import one_of
from numopt._kernels import kernels
from numopt._status import Status
from numopt.constrained._krylov import Products
from numopt.constrained._operator import Operator
from numopt.constrained._projected import Projected
from numopt.constrained._regular import Breakdown
from numopt.constrained._sparse import ENOUGH, FULL, Sparse
from numopt.exceptions import InvalidInputError

DIRECT = ("auto", "ldl", "sparse-ldl", "minres", "pcg")
_SMALL, _DENSE, _SHARE = 500, 6000, 0.2  # unknowns always dense; unknowns dense above a share of non-zeros


class Dense:
    """[[H + diag(sigma), J^T], [J, -diag(d)]] as one dense matrix, factored as L D L^T."""

    name = "ldl"

    def __init__(self, xp):
        self.k, self.xp, self.n_factor, self.residual = kernels("constrained", xp), xp, 0, None
        self.factors = None

    def factor(self, H, J, sigma, d):
        """Factor; sets `negative` and `zero`, the counts of the signs of the eigenvalues."""
        self.factors, self.negative, self.zero = self.k.kkt_factor(H, J, sigma, d, self.factors)
        self.n_factor += 1
        if self.factors is None:
            self._broken()

    def newton(self, H, J, sigma, d, g, c):
        """Factor and return `direction`, in one call of a kernel; the step holds until the next factorisation."""
        (factors, self.negative, self.zero), direction = self.k.kkt_newton(H, J, sigma, d, g, c, self.factors)
        self.factors = factors
        self.n_factor += 1
        return self._broken() if factors is None else direction

    def _broken(self):
        raise Breakdown(Status.NONFINITE, "the KKT matrix: a derivative holds NaN or infinity")

    def solve(self, rx, rc):
        """Return (dx, dlam) for the right-hand side (rx, rc)."""
        return self.k.kkt_solve(self.factors, rx, rc)

    def direction(self, g, c):
        """Return (dx, dlam) for -(g, c), and the sums that `KKT.direction` tells of."""
        return self.k.kkt_direction(self.factors, g, c)


class KKT:
    """The solver of one run: it becomes dense, sparse or matrix-free when it sees the first matrices.

    Attributes
    ----------
    negative, zero : int
        Counts of negative and zero eigenvalues of the last matrix.
    residual : tuple of array or None
        What an inexact solve left of the system.
    """

    def __init__(self, xp, linear_solver="auto", preconditioner=None, refined=ENOUGH):
        self.xp, self.wanted, self.preconditioner, self.inner = xp, linear_solver, preconditioner, None
        self.refined = refined
        self.look = None  # returns (x, lam), for a preconditioner that depends on them

    def factor(self, H, J, sigma, d):
        """Factor [[H + diag(sigma), J^T], [J, -diag(d)]]."""
        if type(self.inner) is Dense and type(H) is type(J) is np.ndarray:  # the common case, called often
            return self.inner.factor(H, J, sigma, d)
        if self.inner is None or (_by_products(H, J) and not isinstance(self.inner, Products)):
            self.inner = self._chosen(H, J)
        if isinstance(self.inner, Dense):
            H, J = (A.toarray() if _array.is_sparse(A) else A for A in (H, J))
        elif isinstance(self.inner, Sparse):
            H, J = _sparse(H), _sparse(J)
        else:
            self.inner.at(self.look)
        return self.inner.factor(H, J, sigma, d)

    def solve(self, rx, rc):
        """Return (dx, dlam) for the right-hand side (rx, rc)."""
        return self.inner.solve(rx, rc)

    def newton(self, H, J, g, c, sigma=0.0, d=0.0):
        """Factor and return `direction`, or None where the inertia is not that of a minimum with independent rows.

        The step holds until the next factorisation: it may lie in the memory of this one.
        """
        found, inner = None, self.inner or self._begun(H, J)
        if type(inner) is Dense and type(H) is type(J) is np.ndarray:
            found = inner.newton(H, J, sigma, d, g, c)
        else:
            self.factor(H, J, sigma, d)
            inner = self.inner
        if inner.zero or inner.negative != J.shape[0]:
            return None
        return found or self.direction(g, c)

    def _begun(self, H, J):
        """Choose the solver; return it."""
        plain = self.wanted in ("auto", "ldl") and type(H) is type(J) is np.ndarray
        self.inner = Dense(self.xp) if plain else self._chosen(H, J)
        return self.inner

    def direction(self, g, c):
        """Return (dx, dlam, g.dx, c.dlam, |dx|^2 + |dlam|^2), with (dx, dlam) the solution for -(g, c)."""
        if type(self.inner) is Dense:
            return self.inner.direction(g, c)
        dx, dlam = self.solve(-g, -c)
        return dx, dlam, *_array.host(g @ dx, c @ dlam, dx @ dx + dlam @ dlam)

    @property
    def name(self):
        return self.inner.name if self.inner else self.wanted

    @property
    def n_factor(self):
        return self.inner.n_factor if self.inner else 0

    @property
    def negative(self):
        return self.inner.negative

    @property
    def zero(self):
        return self.inner.zero

    @property
    def residual(self):
        return self.inner.residual

    def _chosen(self, H, J):
        products, wanted = _by_products(H, J), self.wanted
        if wanted in ("ldl", "sparse-ldl") and products:
            raise InvalidInputError(
                f"linear_solver is {wanted!r} and a derivative is known by its products alone: 'minres', 'pcg' or "
                f"'auto' is expected; return matrices, or choose one of these"
            )
        if wanted == "sparse-ldl" and not _array.is_numpy(self.xp):
            raise InvalidInputError("linear_solver is 'sparse-ldl': it runs on NumPy arrays alone; choose 'ldl'")
        if wanted == "pcg":
            if self.preconditioner is None and _by_products(J, J):
                raise InvalidInputError(
                    "linear_solver is 'pcg' and the Jacobian is known by its products alone: options['preconditioner'] "
                    "is expected; give one that solves with the constraints, or choose 'minres'"
                )
            return Projected(self.xp, self.preconditioner, Sparse(self.xp) if _array.is_sparse(J) else Dense(self.xp))
        if wanted == "minres" or products:
            return Products(self.xp, self.preconditioner)
        if wanted == "sparse-ldl" or (wanted == "auto" and _is_sparse_enough(H, J)):
            return Sparse(self.xp, self.refined)
        return Dense(self.xp)


def _by_products(H, J):
    return any(isinstance(A, Operator) or hasattr(A, "matvec") for A in (H, J))


def _is_sparse_enough(H, J):
    """Say whether a sparse factorisation is worth while."""
    N = sum(J.shape)
    if N <= _SMALL or not (_array.is_sparse(J) or (J.shape[0] == 0 and _array.is_sparse(H))):
        return False
    filled = H.nnz if _array.is_sparse(H) else H.shape[0] ** 2
    return (
        N > _DENSE
        or (filled + 2 * J.shape[0] * J.shape[1] if not _array.is_sparse(J) else filled + 2 * J.nnz) <= _SHARE * N * N
    )


def _sparse(A):
    import scipy.sparse as sp

    A = sp.csr_array(A)
    A.sum_duplicates()
    return A


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
