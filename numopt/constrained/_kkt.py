"""The linear systems of a step: one interface over dense, sparse and matrix-free solvers."""

from numopt import _array
from numopt._kernels import kernels
from numopt.constrained._operator import times, transposed_times


class Dense:
    """[[H + diag(sigma), J^T], [J, -diag(d)]] as one dense matrix, factored as L D L^T."""

    name = "ldl"

    def __init__(self, xp):
        self.k, self.xp, self.n_factor, self.residual = kernels("constrained", xp), xp, 0, None

    def factor(self, H, J, sigma, d):
        """Factor; sets `negative` and `zero`, the counts of the signs of the eigenvalues."""
        if _array.is_sparse(H):
            H = H.toarray()
        if _array.is_sparse(J):
            J = J.toarray()
        self.n_factor += 1
        self.n = H.shape[0]
        self.factors, self.negative, self.zero = self.k.ldl(self.k.kkt_matrix(H, J, sigma, d))

    def solve(self, rx, rc):
        """Return (dx, dlam) for the right-hand side (rx, rc)."""
        d = self.k.ldl_solve(self.factors, self.xp.concat([rx, rc]))
        return d[: self.n], d[self.n :]


__all__ = ["Dense", "times", "transposed_times"]
