"""Newton's method for a logistic regression under linear equations and a norm: both hold exactly at every step.

Minimise f(w, b) = mean_i log(1 + exp(-y_i (x_i.w + b))) + ridge |w|^2 / 2 over A w = t and |w| = norm.

The equations leave w = w0 + Z u with w0 the shortest solution and Z an orthonormal basis of the null space of A, and
the norm is a sphere for u: |u|^2 = norm^2 - |w0|^2. A step goes to the least value on that sphere of the quadratic
model of f, which is not convex but can be found (`on_sphere`). No curvature of the sphere is left to a multiplier that
is still wrong, so a step is as good as Newton's without constraints: three to five are enough where methods that
linearise the sphere take eight to thirteen. The first starts at u = 0, the centre, which favours no direction.

Where the multiplier of the norm is negative at a solution, the least value of the model may lie on the other side of
the sphere. Steps that do not make f fall are replaced by Newton's on the tangent space, cut short and pulled back onto
the sphere; so are all without a norm.
"""

import math

import numpy as np

from numopt._loop import Iterate, run
from numopt._status import Status
from numopt.constrained._logistic_problem import Regression
from numopt.constrained._result import ConstrainedResult

_TRIALS = 60
_FAR = 1e8  # times |v|: no step is longer, where hardly any curvature is left since all samples are far on one side


def logistic_regression(X, y, *, intercept, ridge, A, t, norm, tol, max_iter):
    """Solve; X is (N, d) or (data, indices, indptr, d), y is -1 or 1, A (m, d) and t (m,); NumPy arrays of float64."""
    p = Regression(X, y, intercept, ridge, A, t, norm)
    start = p.point(np.zeros(p.size))

    def finish(point, info, common):
        lam, kappa = p.multipliers(point)
        v = ([lam] if lam.size else []) + ([np.array([kappa])] if norm is not None else [])
        order = p.second_order(point) if common["status"] == Status.CONVERGED else "not verified"
        return ConstrainedResult(
            **common, x=point.x, fun=point.f, jac=point.g, v=v, z_lower=np.zeros(p.n), z_upper=np.zeros(p.n),
            **common["certificate"], second_order=order, linear_solver="ldl" if norm is None else "sphere",
            n_factor=p.n_factor, n_sketch=0, inner_capped=0, nfev=p.n_points, njev=p.n_points, nhev=p.n_hessians,
            ncev=p.n_points, time_eval=0.0,
        )  # fmt: skip

    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # what is not finite is not accepted
        return run(
            _newton(p, start, tol), certify=p.certificate, finish=finish, tol=tol, max_iter=max_iter,
            on_failure="ignore", start=start,
        )  # fmt: skip


def _newton(p, here, tol):
    """Yield points; all but the first lie on the sphere."""
    if not p.consistent or (p.radius is not None and p.radius < 0):
        yield Iterate(here, p.certificate(here)["kkt_error"], steps=0)
        which = "no coefficients of that norm satisfy the equations"
        return Status.INFEASIBLE, which if p.consistent else "the equations contradict each other"
    if not p.size:
        yield Iterate(here, p.certificate(here)["kkt_error"], steps=0)
        return Status.STALLED, "the constraints leave one point, where they have no multipliers"
    before, error, trusted = None, None, p.radius is not None
    while True:
        # With the Hessian of the point before, the error falls as it just did, give or take: is that enough?
        if before is None or not 2 * error * error <= tol * before:
            H = p.hessian(here)
        new = None
        if p.radius is not None and (trusted or p.multipliers(here)[1] >= 0):
            v = p.least(H, here)
            if v is not None:
                new, dv = p.point(v), v - here.v
                if error is None:  # the first may climb, from inside the sphere, but not for an intercept far off
                    if new.f > here.f and p.n > p.d:
                        new = min(new, p.point(np.append(v[:-1], here.v[-1])), key=lambda point: point.f)
                elif not _falls(here, new, -float(dv @ (here.gv + 0.5 * (H @ dv)))):
                    new = None
            trusted = new is not None
        if new is None:
            new = _search(p, here, p.direction(H, here, p.multipliers(here)[1]))
        if new is None:
            return Status.BREAKDOWN, "no step makes the loss fall"
        last, here = here, new
        before, error = error, p.certificate(here)["kkt_error"]
        yield Iterate(here, error)
        if before is not None and error >= before and np.abs(here.v - last.v).max() <= 1e-15 * np.abs(here.v).max():
            return Status.STALLED, "the steps are below rounding"


def _falls(here, new, promised):
    """Say whether f falls by a part of what was promised, but for rounding."""
    slack = 2e-15 * max(1.0, here.f)
    return new.f <= here.f - 1e-4 * max(promised, 0.0) + slack


def _search(p, here, direction):
    """Return a point along the direction where f has fallen, or None."""
    if direction is None:
        return None
    longest = _FAR * (1.0 + np.abs(here.v).max())
    if np.abs(direction).max() > longest:
        direction = direction * (longest / np.abs(direction).max())
    slope, alpha = direction @ here.gv, 1.0
    for _ in range(_TRIALS):
        new = p.point(p.pulled(here.v + alpha * direction))
        if _falls(here, new, -alpha * slope):
            return new
        best = -0.5 * slope * alpha * alpha / (new.f - here.f - alpha * slope)  # of a parabola
        alpha = min(max(best, 0.1 * alpha), 0.5 * alpha) if math.isfinite(best) else 0.1 * alpha
    return None
