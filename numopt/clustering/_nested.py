"""K-means with its proof inside another run."""

from numopt._status import Status
from numopt.clustering._kmeans import kmeans_sdp
from numopt.exceptions import SolverError


def nested(X, k, **options):
    """Return what `kmeans_sdp` finds; Ctrl-C goes on to the outer run, and no NaN passes."""
    result = kmeans_sdp(X, k, on_failure="ignore", **options)
    if result.status == Status.INTERRUPTED:
        raise KeyboardInterrupt
    if result.status == Status.NONFINITE:
        raise SolverError(f"with {k} clusters: {result.message}")
    return result
