"""What the selection of the number of clusters returns."""

from numopt._result import Result, result_class


@result_class
class SelectionResult(Result):
    """A number of clusters, a partition into that many, and how sure the choice is.

    Attributes
    ----------
    n_clusters : int
        The number with the least criterion.
    labels : ndarray of shape (n,), int64
        Clusters 0, ..., n_clusters - 1, sorted by their centres, the first coordinate first.
    centers : ndarray of shape (n_clusters, p)
        Their means, in the dtype of X.
    fun, lower_bound, gap : float
        Sum of squares of the partition, a bound of it, and their relative distance: see `KMeansResult`.
    gap_kind : {"exact", "dual", "probabilistic", "none"}
        How sure this bound is.
    bic : dict of int to float
        The criterion of each number of clusters that was tried; inf where the mixture loses a group.
    bic_bound : dict of int to float
        No partition into that many clusters has a lower criterion; -inf where no bound is known.
    margin : float
        By how much the criterion of the choice is below all other bounds; inf if nothing else was tried. If it is not
        negative the choice is proved: no partition into another number of clusters, up to the largest tried, would do
        better.
    margin_kind : {"dual", "probabilistic", "none"}
        How sure the margin is: as sure as the least sure bound.
    sdp_gap : float
        What `tol` judges: the largest of the choice and of the numbers that its criterion does not rule out; 1 if not
        all numbers were tried.
    """

    n_clusters: int
    labels: object
    centers: object
    fun: float
    lower_bound: float
    gap: float
    gap_kind: str
    bic: dict
    bic_bound: dict
    margin: float
    margin_kind: str
    sdp_gap: float
    _fits: tuple = ()

    @property
    def proved(self):
        """Whether the choice is proved."""
        return self.margin >= 0 and self.margin_kind == "dual"

    @property
    def fits(self):
        """The `KMeansResult` of each number of clusters tried, by that number; without `multiplier`."""
        return {fit.centers.shape[0]: fit for fit in self._fits}
