"""What the constrained solvers return."""

from numopt._result import Result, result_class


@result_class
class ConstrainedResult(Result):
    """A point of a constrained problem with its multipliers and certificate.

    Attributes
    ----------
    x : array of shape (n,)
        The point.
    fun : float
        f(x).
    jac : array of shape (n,)
        The gradient of f at x.
    v : list of array
        Multipliers, one array for each constraint in the caller's order: grad f + sum J_i^T v_i - z_lower + z_upper = 0.
    z_lower, z_upper : array of shape (n,)
        Multipliers >= 0 of the bounds.
    kkt_error : float
        What `tol` judges: the largest of `kkt_stationarity` (divided by max(1, mean |multiplier| / 100)),
        `constr_violation` and `complementarity`.
    kkt_stationarity : float
        Largest entry of the gradient of the Lagrangian.
    constr_violation : float
        Largest violation of a constraint or bound.
    complementarity : float
        Largest product of a multiplier and the distance from its bound.
    second_order : {"min", "saddle", "not verified"}
        From the inertia of the KKT matrix at x: a strict local minimum; not a minimum; or neither shown.
    linear_solver : str
        What solved the linear systems.
    n_factor, n_sketch, inner_capped : int
        Factorisations; sketch-and-project steps; inner solves that ran into their cap.
    nfev, njev, nhev, ncev : int
        Calls of the objective, of gradients and Jacobians, of Hessians, and of the constraints.
    time_eval : float
        Seconds spent in the caller's functions.
    """

    x: object
    fun: float
    jac: object
    v: list
    z_lower: object
    z_upper: object
    kkt_error: float
    kkt_stationarity: float
    constr_violation: float
    complementarity: float
    second_order: str
    linear_solver: str
    n_factor: int
    n_sketch: int
    inner_capped: int
    nfev: int
    njev: int
    nhev: int
    ncev: int
    time_eval: float
