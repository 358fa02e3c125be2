"""Projected conjugate gradients: the Hessian by products, the constraints by a factorisation.

N. I. M. Gould, M. E. Hribar, J. Nocedal, SIAM J. Sci. Comput. 23 (2001); with a block -D below, H. S. Dollar,
N. I. M. Gould, W. H. A. Schilders, A. J. Wathen, SIAM J. Matrix Anal. Appl. 28 (2006).
"""

import math

from numopt import _array
from numopt.constrained._krylov import Products
from numopt.constrained._operator import as_operator

_FACTOR = 2  # times the unknowns: steps at most


class Projected(Products):
    """[[H + diag(sigma), J^T], [J, -diag(d)]], preconditioned by the same matrix with I + diag(sigma) at its top left.

    Every iterate satisfies the lower equations, so that the method sees H on the null space of J alone, where it is
    positive definite at a minimum. Where curvature is not positive, the direction so far is returned: it descends.

    Parameters
    ----------
    solver : object
        With ``factor(H, J, sigma, d)`` and ``solve(rx, rc)``, for the preconditioner; None if the caller has one.
    """

    name = "pcg"

    def __init__(self, xp, preconditioner, solver):
        super().__init__(xp, preconditioner)
        self.solver = solver

    def factor(self, H, J, sigma, d):
        """Note the parts, and factor the preconditioner."""
        super().factor(as_operator(H), as_operator(J), sigma, d)
        if self.apply is None:
            self.n_factor += 1
            self.solver.factor(self.null(J), J, sigma + 1.0, d)
            self.negative, self.zero = self.solver.negative, self.solver.zero  # wrong where rows are dependent

    def null(self, J):
        """Return n x n zeros in the form of J."""
        if _array.is_sparse(J):
            import scipy.sparse as sp

            return sp.csr_array((self.n, self.n), dtype=J.dtype)
        return self.xp.zeros((self.n, self.n), dtype=J.dtype, device=_array.device(J))

    def solve(self, rx, rc):
        """Return (dx, dlam), to min(1e-3, |r|^(1/2)) of |r|; `residual` is what is left of the system."""
        n, none = self.n, 0.0 * rc
        norm = math.sqrt(_array.host(rx @ rx + rc @ rc))
        target = max(1e-13, min(1e-3, math.sqrt(norm))) * norm
        x = self._projected(rx, rc)
        r = rx - self.product(x)[:n]
        g, p, rho = self._projected(r, none), None, 0.0
        for _ in range(_FACTOR * (n + rc.shape[0])):
            before, (rho, off) = rho, _array.host(r @ g[:n], r @ r)
            if not (rho > 0 and math.sqrt(off) > target):
                break
            p = g if p is None else g + (rho / before) * p
            product = self.product(p)[:n]
            curvature = _array.host(p[:n] @ product)
            if not curvature > 0:
                break
            x = x + (rho / curvature) * p
            r = r - (rho / curvature) * product
            g = self._projected(r, none)
        left = self.product(x) - self.xp.concat([rx, rc])
        self.residual = left[:n], left[n:]
        return x[:n], x[n:]

    def _projected(self, rx, rc):
        """Apply the preconditioner."""
        if self.apply is not None:
            return self.apply(self.xp.concat([rx, rc]))
        return self.xp.concat(self.solver.solve(rx, rc))
