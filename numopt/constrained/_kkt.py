"""The linear systems of a step: dense, sparse or by products, chosen from sizes and kinds alone."""

import numpy as np

from numopt import _array
from numopt._kernels import kernels
from numopt._loop import Breakdown
from numopt._status import Status
from numopt.constrained._krylov import Products
from numopt.constrained._operator import Operator
from numopt.constrained._projected import Projected
from numopt.constrained._sparse import ENOUGH, Sparse
from numopt.exceptions import InvalidInputError

DIRECT = ("auto", "ldl", "sparse-ldl", "minres", "pcg")
_BROKEN = "the KKT matrix: a derivative holds NaN or infinity"
_SMALL, _DENSE, _SHARE = 500, 6000, 0.2  # unknowns always dense; unknowns dense above a share of non-zeros


class Dense:
    """[[H + diag(sigma), J^T], [J, -diag(d)]] as one dense matrix, factored as L D L^T."""

    __slots__ = ("factors", "k", "n_factor", "negative", "residual", "xp", "zero")
    name = "ldl"

    def __init__(self, xp, k=None):
        self.k, self.xp, self.n_factor, self.residual = k or kernels("constrained", xp), xp, 0, None
        self.factors = None

    def factor(self, H, J, sigma, d):
        """Factor; sets `negative` and `zero`, the counts of the signs of the eigenvalues."""
        self.factors, self.negative, self.zero = self.k.kkt_factor(H, J, sigma, d, self.factors)
        self.n_factor += 1
        if self.factors is None:
            raise Breakdown(Status.NONFINITE, _BROKEN)

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
    inner : Dense, Sparse, Products or Projected
        Its ``residual`` is None, or the pair of what an inexact solve left of the system.
    """

    __slots__ = ("inner", "k", "look", "preconditioner", "refined", "wanted", "xp")

    def __init__(self, xp, linear_solver="auto", preconditioner=None, refined=ENOUGH, k=None):
        self.xp, self.wanted, self.preconditioner, self.inner, self.k = xp, linear_solver, preconditioner, None, k
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
        inner = self.inner or self._begun(H, J)
        if type(inner) is Dense and type(H) is type(J) is np.ndarray:
            found = inner.k.kkt_newton(H, J, sigma, d, g, c, inner.factors)
            inner.factors, inner.negative, inner.zero, direction = found
            inner.n_factor += 1
            if direction is None and inner.factors is None:
                raise Breakdown(Status.NONFINITE, _BROKEN)
            return direction
        self.factor(H, J, sigma, d)
        direction, m = None, c.shape[0]
        if self.inner.negative == m and not self.inner.zero:
            direction = self.direction(g, c)
        return direction if self.inner.negative == m else None  # products learn of a wrong inertia from the step

    def _begun(self, H, J):
        """Choose the solver; return it."""
        plain = self.wanted in ("auto", "ldl") and type(H) is type(J) is np.ndarray
        self.inner = Dense(self.xp, self.k) if plain else self._chosen(H, J)
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
