"""What the solvers for groups of different covariance return."""

from numopt._result import Result, result_class


@result_class
class MixtureResult(Result):
    """Gaussian groups.

    Attributes
    ----------
    labels : ndarray of shape (n,), int64
        Groups 0, ..., K - 1, sorted by their means, the first coordinate first.
    weights : ndarray of shape (K,)
        Shares of the groups.
    means : ndarray of shape (K, p)
        Means, in the dtype of X.
    covariances : ndarray of shape (K, p, p)
        Covariances, shrunk as asked.
    fun : float
        Minus the log-likelihood of the labelling, with means and covariances (and weights) profiled out; inf if a
        group has fewer than two points.
    log_likelihood : float
        Of the mixture with these weights, means and covariances.
    lower_bound : float
        No labels have a smaller `fun` at these covariances; -inf where no bound is known.
    gap : float
        Relative distance of `fun` from a lower bound at these covariances; inf where none is known.
    gap_kind : {"dual", "none"}
        Whether there is a bound. It is about the labels at these covariances, never about the covariances.
    subspace : ndarray of shape (p, m), or None
        Orthonormal directions in which the groups differ, if `ila_sdp` was told to find such; outside of it all groups
        have one mean and one variance.
    memberships : ndarray of shape (K, n), or None
        Of `lasdp`: row sums of the lifted matrices, a distribution over the groups for each point.
    row_multiplier, multipliers : ndarray of shape (n,), (K, n, n), or None
        Of `lasdp` with a bound: y of the row sums and N >= 0 of the entries, from which `lower_bound` follows.
    """

    labels: object
    weights: object
    means: object
    covariances: object
    fun: float
    log_likelihood: float
    lower_bound: float
    gap: float
    gap_kind: str
    subspace: object = None
    memberships: object = None
    row_multiplier: object = None
    multipliers: object = None
