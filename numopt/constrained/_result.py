"""What the constrained solvers return, and what they show on the way."""

import math
from dataclasses import dataclass

import numpy as np

from numopt._loop import Intermediate
from numopt._result import Result, result_class
from numopt._status import Status
from numopt.constrained._certificate import certificate
from numopt.constrained._kkt import Dense
from numopt.constrained._krylov import Products
from numopt.constrained._layout import scattered
from numopt.constrained._operator import transposed_times
from numopt.exceptions import NumoptWarning, warn

new = object.__new__  # without a call of __init__
_UNEXPLAINED = Status.STALLED, Status.MAX_ITER, Status.TIME_LIMIT, Status.BREAKDOWN, Status.NONFINITE
_UNBOUNDED = Status.UNBOUNDED
_STUCK = Status.STALLED, Status.BREAKDOWN, _UNBOUNDED
_FAR_DOWN = 1e3


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
        Multipliers, one array for each constraint in the caller's order: at a solution
        grad f + sum J_i^T v_i - z_lower + z_upper = 0.
    z_lower, z_upper : array of shape (n,)
        Multipliers >= 0 of the bounds.
    kkt_error : float
        What `tol` judges: the largest of `kkt_stationarity` (divided by ``max(1, mean |multiplier| / 100)``),
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


def finisher(p, kkt, sketched):
    """Return the function that builds the result of a run."""

    def finish(state, info, common):
        if p.fallen and common["status"] in _STUCK:  # the least KKT error, which is the best otherwise, shows nothing
            common["status"], (state, why) = _UNBOUNDED, p.fallen
            common["message"] = f"{_UNBOUNDED.sentence(why)}; {common['nit']} iterations"
            common["certificate"] = {k: math.inf if v != v else v for k, v in certificate(p, state).items()}
        point, x = p.derive(state), p.layout.full(state.x)
        z_lower, z_upper = _bound_multipliers(p, state)
        rows = p.row_multipliers(state.lam)
        gradient = point.g if p.layout.free is None else p.objective.gradient(x)
        if p.sf != 1.0 and gradient is point.g:
            gradient = gradient / p.sf
        result = new(ConstrainedResult)  # a call with as many keywords is slower
        result.second_order = _second_order(p, kkt, state) if common["success"] else "not verified"
        result.x, result.fun, result.jac, result.z_lower, result.z_upper = x, point.f / p.sf, gradient, z_lower, z_upper
        result.v = [rows[at] for _, at in p.block_rows]
        result.linear_solver, result.n_factor, result.n_sketch, result.inner_capped = kkt.name, kkt.n_factor, 0, 0
        if sketched:
            result.linear_solver = info.get("kind", "kaczmarz")
            result.n_sketch, result.inner_capped = int(info.get("n_sketch", 0)), int(info.get("inner_capped", 0))
        calls = p.space.counts
        if p.plain:
            p.plain.count(calls)
        result.nfev, result.njev, result.nhev, result.ncev = map(calls.get, ("nfev", "njev", "nhev", "ncev"))
        result.time_eval = p.space.seconds
        if common["status"] in _UNEXPLAINED:
            common["message"] = _fallen(p, common)
        for name, value in common.items():
            setattr(result, name, value)
        (result.kkt_error, result.kkt_stationarity, result.constr_violation,
         result.complementarity) = result.certificate.values()  # fmt: skip
        return result

    return finish


def _fallen(p, common):
    """Return the message of a run without success, which tells where fun fell so far that it may have no minimum."""
    message, first = common["message"](), p.start.f / p.sf
    lowest = np.nanmin([first, *common["history"]().get("fun", ())])
    if first - lowest > _FAR_DOWN * max(1.0, abs(first)):
        message += f"; fun fell from {first:.3g} to {lowest:.3g} on the way: perhaps it has no lower bound"
    return message


def _bound_multipliers(p, state):
    """Return z_lower, z_upper of all variables; those of fixed ones balance the gradient."""
    if state.zl is None:
        zl, zu = p.space.zeros(p.n), p.space.zeros(p.n)
    else:
        zl, zu = state.zl / p.sf, state.zu / p.sf
    xp, layout = p.xp, p.layout
    if layout.free is None:
        return zl, zu
    full, v = p.caller_view(state)
    g = p.objective.gradient(full)
    for block, rows in p.block_rows:
        g = g + transposed_times(block.jacobian(full), v[rows])
    spread = xp.zeros_like(full)
    sides = ((zl, xp.clip(g, 0.0, None)), (zu, xp.clip(-g, 0.0, None)))
    return tuple(xp.where(layout.is_free, scattered(xp, spread, layout.free, z), side) for z, side in sides)


def _second_order(p, kkt, state):
    """Say what the inertia of the KKT matrix at a first-order point proves, and warn of dependent rows.

    Bounds enter through their multipliers over their distances, as in the barrier method: an active bound with a
    positive multiplier is nearly infinite curvature.
    """
    if p.secant is not None or isinstance(kkt.inner, Products):
        return "not verified"
    xp, e = p.xp, p.n_eq
    d, sigma = 0.0, 0.0
    if p.bounded:
        zl, zu = state.zl, state.zu
        tiny = p.space.eps
        sigma = zl / (xp.clip(state.x - p.l, tiny, None)) + zu / xp.clip(p.u - state.x, tiny, None)
        if p.m > e:
            c, lam = state.c[e:], state.lam[e:]
            curvature = xp.clip(-lam, 0.0, None) / xp.clip(c - p.cl, tiny, None)
            curvature = curvature + xp.clip(lam, 0.0, None) / xp.clip(p.cu - c, tiny, None)
            d = xp.concat([xp.zeros_like(state.c[:e]), 1.0 / xp.clip(curvature, tiny, None)])
    H = p.hessian(state, state.lam)
    if type(kkt.inner) is Dense and type(H) is np.ndarray:  # steps have called just this: it is at hand
        kkt.newton(H, state.J, state.g, state.c, sigma, d)
    else:
        kkt.factor(H, state.J, sigma, d)
    negative, zero = kkt.inner.negative, kkt.inner.zero
    if negative < p.m:  # a zero eigenvalue, or one that rounding pushed to the other side
        warn(
            "dependent constraints: their gradients at x are linearly dependent, so that multipliers are not unique; "
            "leave out what follows from the others",
            NumoptWarning,
        )
    if zero:
        return "not verified"
    return "min" if negative == p.m else "saddle" if negative > p.m else "not verified"


@dataclass(slots=True)
class Shown(Intermediate):
    """What a callback is given: `x` and `fun` are the caller's, with fixed variables and without scales."""

    x: object = None
    fun: float = math.nan


def shown(p, callback):
    """Return the callback for the loop, which knows nothing of the caller's x."""
    if not callable(callback):
        return callback

    def call(at):
        fields = {name: getattr(at, name) for name in Intermediate.__slots__}
        callback(Shown(**fields, x=p.space.copied(p.layout.full(at.state.x)), fun=at.state.f / p.sf))

    return call
