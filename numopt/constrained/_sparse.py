"""The KKT matrix in sparse form: one ordering and one symbolic analysis for all steps of one pattern."""

import numpy as np

from numopt._kernels import kernels
from numopt._loop import Breakdown
from numopt._status import Status

_REFINEMENTS = 3  # at most, until the residual relative to the right-hand side is
FULL, ENOUGH = 1e-12, 1e-8  # what rounding allows; what Newton's steps need, whose errors fall by less
_SHIFT = 1e-8  # of the largest entry of a row of J H^-1 J^T, roughly: what keeps pivots away from 0


class Sparse:
    """[[H + diag(sigma), J^T], [J, -diag(d)]] as a quasi-definite sparse matrix, factored as L D L^T.

    The lower right block gets at least -1e-8 of the scale of J; iterative refinement on the matrix without that
    brings the solution back. The signs of D are those of the eigenvalues (Sylvester). Runs on the host alone.
    """

    name = "sparse-ldl"

    def __init__(self, xp, refined=FULL):
        self.k, self.n_factor, self.residual, self.refined = kernels("constrained", xp), 0, None, refined
        self.pattern, self.known = None, None

    def factor(self, H, J, sigma, d):
        """Factor; sets `negative` and `zero`, the counts of the signs of the eigenvalues."""
        self.n_factor += 1
        (m, self.n), N = J.shape, sum(J.shape)
        pattern = H.indptr, H.indices, J.indptr, J.indices
        if self.pattern is None or not all(map(np.array_equal, pattern, self.pattern)):
            self.pattern, self.known = tuple(a.copy() for a in pattern), None
            self._analyse(H, J, N)
        self.asked = FULL if np.ndim(sigma) else self.refined  # barriers make parts of a right-hand side small
        sigma, d = (np.broadcast_to(v, size) for v, size in ((sigma, self.n), (d, m)))
        self.H, self.J, self.J_turned, self.sigma, self.d = H, J, J.T, sigma, d
        scale = max(float(np.max(np.abs(J.data), initial=0.0)), 1e-300)
        low = np.maximum(d, _SHIFT * min(scale, scale**2) - self._from_slacks(H, J, sigma))
        values = np.concatenate([H.data[self.upper], J.data, sigma, -low])
        if not np.isfinite(values).all():
            raise Breakdown(Status.NONFINITE, "the KKT matrix: a derivative holds NaN or infinity")
        values = values.astype(float, copy=False)  # whatever H is
        self.factors, D, self.known = self.k.sparse_ldl(self.rows, self.columns, values, N, self.known)
        self.negative, self.zero = int((D < 0).sum()), int((~(np.abs(D) > 0)).sum())

    def _analyse(self, H, J, N):
        """Choose the ordering, and find where every value goes in the permuted upper triangle."""
        n = self.n
        rows = np.repeat(np.arange(n), np.diff(H.indptr))
        self.upper = np.flatnonzero(rows <= H.indices)
        j_rows = np.repeat(np.arange(N - n), np.diff(J.indptr)) + n
        i = np.concatenate([rows[self.upper], J.indices, np.arange(N)])
        j = np.concatenate([H.indices[self.upper], j_rows, np.arange(N)])
        self._find_slacks(H, J)
        late = np.ones(N, bool)
        late[self.slacks] = False
        late = np.flatnonzero(late)
        place = np.full(N, -1)
        place[late] = np.arange(late.size)
        both = (place[i] >= 0) & (place[j] >= 0)
        self.order = np.concatenate([self.slacks, late[_ordering(place[i[both]], place[j[both]], late.size)]])
        place[self.order] = np.arange(N)
        i, j = place[i], place[j]
        self.rows, self.columns = np.minimum(i, j), np.maximum(i, j)

    def _find_slacks(self, H, J):
        """Find variables that only one row of J knows, and no other variable through H: they are eliminated first.

        Controls of a discretised equation are such, or slacks. They add no fill, and give their row a pivot.
        """
        alone = np.bincount(J.indices, minlength=self.n) == 1
        rows = np.repeat(np.arange(self.n), np.diff(H.indptr))
        alone[rows[rows != H.indices]] = False
        entries = np.flatnonzero(alone[J.indices])
        self.slacks, self.slack_entries = J.indices[entries], entries
        self.slack_rows = np.searchsorted(J.indptr, entries, side="right") - 1

    def _from_slacks(self, H, J, sigma):
        """Return what the elimination of these variables takes from the diagonal of each row, at least 0."""
        if self.slacks.size == 0:
            return 0.0
        pivot = (H.diagonal() + sigma)[self.slacks]
        gain = J.data[self.slack_entries] ** 2 / np.where(pivot > 0, pivot, np.inf)
        return np.bincount(self.slack_rows, gain, J.shape[0])

    def solve(self, rx, rc):
        """Return (dx, dlam) for the right-hand side (rx, rc), refined on the matrix as it was given."""
        b = np.concatenate([rx, rc]).astype(float)
        x = self._direct(b)
        r, size = b - self._product(x), np.linalg.norm(b)
        left = np.linalg.norm(r)
        for _ in range(_REFINEMENTS):
            if not left > self.asked * size:
                break
            better = x + self._direct(r)
            r_better = b - self._product(better)
            if not np.linalg.norm(r_better) < left:
                break
            x, r, left = better, r_better, np.linalg.norm(r_better)
        self.residual = (-r[: self.n], -r[self.n :]) if left > self.asked * size else None
        x = x.astype(rx.dtype)
        return x[: self.n], x[self.n :]

    def _direct(self, b):
        out = np.empty_like(b)
        out[self.order] = self.k.sparse_ldl_solve(self.factors, b[self.order])
        return out

    def _product(self, x):
        p, q = x[: self.n], x[self.n :]
        return np.concatenate([self.H @ p + self.sigma * p + self.J_turned @ q, self.J @ p - self.d * q])


def _ordering(i, j, n):
    """Return a fill-reducing ordering for entries of a triangle, the diagonal among them.

    It is multiple minimum degree, as SuperLU's incomplete factorisation reports it.
    """
    import scipy.sparse as sp
    from scipy.sparse.linalg import spilu

    whole = sp.csc_array((np.ones(2 * i.size), (np.concatenate([i, j]), np.concatenate([j, i]))), shape=(n, n))
    whole.data[:] = 1.0
    whole.setdiag(float(n))  # nothing beside the diagonal is kept
    options = {"SymmetricMode": True, "Equil": False}
    lu = spilu(whole, drop_tol=1.0, fill_factor=1, permc_spec="MMD_AT_PLUS_A", panel_size=1, relax=1, options=options)
    return np.argsort(lu.perm_c)


__all__ = ["ENOUGH", "FULL", "Sparse"]
