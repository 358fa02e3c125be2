"""What a run on a monotone inclusion returns."""

from numopt._result import Result, result_class


@result_class
class InclusionResult(Result):
    """A point where a monotone operator nearly vanishes, with its certificate.

    Attributes
    ----------
    z : ndarray of shape (d,)
        The point.
    x, y : ndarray or None
        Its two parts if the operator is a saddle problem's.
    residual : float
        ``|z - prox(z - eta F(z), eta)| / eta``, recomputed; ``|F(z)|`` without constraints.
    residual_eta : float
        The eta of it: 1 / L.
    displacement : ndarray of shape (d,) or None
        The direction of the step that the residual measures, of length 1. Where there is no solution the residual stays
        above 0, and this tends to the direction in which the iterates leave. None after success, or where it is 0.
    gap : float
        A bound of the duality gap, ``<F(z), z> - min <F(z), z'>`` over the set; inf if the set is unbounded.
    lipschitz : float
        L, the operator's own Lipschitz constant or an estimate.
    step : float
        The step in use at the end; 0 if there is none.
    n_full, n_component : int
        Evaluations of F, and of its components: a full one counts n, a difference at one index 2. Those of estimates
        and certificates are counted too.
    epochs : float
        ``n_component / n``.
    n_restarts : int
        Restarts, or changes of the anchor.
    method : str
        What ``"auto"`` chose.
    """

    z: object
    x: object
    y: object
    residual: float
    residual_eta: float
    displacement: object
    gap: float
    lipschitz: float
    step: float
    n_full: int
    n_component: int
    epochs: float
    n_restarts: int
    method: str
