"""What the K-means solvers return."""

from numopt._array import host, namespace
from numopt._result import Result, result_class
from numopt.clustering._dense import multiplier


@result_class
class KMeansResult(Result):
    r"""A partition with a proof of how far it is from the best one.

    Attributes
    ----------
    labels : ndarray of shape (n,), int64
        Clusters 0, 1, ..., sorted by their centres, the first coordinate first.
    centers : ndarray of shape (K, p)
        Their means, in the dtype of X.
    fun : float
        Sum of squared distances to the own centre.
    lower_bound : float
        No partition into K clusters has a smaller sum, as surely as `gap_kind` says; 0 where nothing is known.
    gap : float
        (fun - lower_bound) / fun; 0 if `fun` is negligible.
    gap_kind : {"exact", "dual", "probabilistic", "none"}
        ``"exact"``: the partition is optimal. ``"dual"``: the bound holds. ``"probabilistic"``: it holds with
        probability `confidence`, asymptotically. ``"none"``: there is no bound.
    sdp_value : float or None
        Value of the relaxation at the returned matrix; None if none was computed.
    sdp_gap : float
        What `tol` judges: the largest of \|value - lower_bound\| / value, `primal_residual` and `cut_violation`, or
        `gap` if that is smaller, since the partition itself is feasible for the relaxation.
    primal_residual, min_entry : float or None
        \|min(Z, 0)\|_F / \|Z\|_F and the smallest entry of the returned matrix Z. It satisfies the other constraints
        to rounding.
    cut_violation : float or None
        With cuts: the largest violation of a triangle inequality by Z, relative to its largest entry.
    eigenvalues, basis : ndarray of shape (r,), (n, r), or None
        Z = 11' / n + basis diag(eigenvalues) basis'.
    confidence : float or None
        Of a probabilistic bound.
    """

    labels: object
    centers: object
    fun: float
    lower_bound: float
    gap: float
    gap_kind: str
    sdp_value: object
    sdp_gap: float
    primal_residual: object
    min_entry: object
    eigenvalues: object
    basis: object
    confidence: object
    cut_violation: object = None
    _split: object = None
    _scale: float = 1.0

    @property
    def rank(self):
        """Rank of Z, or None."""
        return None if self.eigenvalues is None else 1 + int(host((self.eigenvalues > 0).sum()))

    @property
    def multiplier(self):
        r"""The multiplier N >= 0 of Z >= 0 of shape (n, n), formed on access; None if the relaxation was not solved.

        With cuts A(Z) <= 0, of multipliers q >= 0, it is N - A'(q).
        `lower_bound` is \|Xc\|_F^2 - 1'N1 / n less the K - 1 largest eigenvalues of P (Xc Xc' + N) P, P = I - 11' / n.
        """
        if self._split is None:
            return None
        return self._scale**2 * multiplier(namespace(self._split.T), self._split)

    @property
    def membership(self):
        """The matrix Z of shape (n, n), formed on access; None if the relaxation was not solved."""
        if self.basis is None:
            return None
        return (self.basis * self.eigenvalues) @ self.basis.T + 1.0 / self.basis.shape[0]
