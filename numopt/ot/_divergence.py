"""The Sinkhorn divergence: entropic transport without its bias."""

import math
from functools import partial
from time import perf_counter

from numopt._check import Checks, controls
from numopt._loop import Status, run
from numopt._result import Result, result_class
from numopt.exceptions import ConvergenceWarning, SolverError, warn
from numopt.ot._problem import transport_problem
from numopt.ot._solve import _finisher, sinkhorn_newton
from numopt.ot._symmetric import symmetric_sinkhorn

_PARTS = {"xy": "X to Y", "xx": "X to X", "yy": "Y to Y"}


@result_class
class DivergenceResult(Result):
    """A Sinkhorn divergence with the three transports that it is made of.

    Attributes
    ----------
    value : float
        OT(X, Y) - OT(X, X) / 2 - OT(Y, Y) / 2, from the dual values.
    marginal_error : float
        The largest of the three, each relative to the mass.
    reg : float
        The regularisation used, in units of the cost.
    xy, xx, yy : TransportResult
        The transports. Their potentials give the derivatives of the value by the weights:
        ``xy.f - xx.f`` and ``xy.g - yy.f``, up to a constant each.
    """

    value: float
    marginal_error: float
    reg: float
    xy: object
    xx: object
    yy: object

    @property
    def gap(self):
        """A bound of the error of `value`: the gaps of the transports, halved for the symmetric ones."""
        return self.xy.gap + 0.5 * (self.xx.gap + self.yy.gap)

    def __repr__(self):
        lines = [line for line in Result.__repr__(self).split("\n") if line.split(":")[0].strip() not in _PARTS]
        return "\n".join(lines)


def sinkhorn_divergence(X, Y, a=None, b=None, *, reg, cost="sqeuclidean", reg_relative=False, tol=None, max_iter=300,
                        max_time=None, on_failure="warn"):  # fmt: skip
    """Compare two weighted clouds of points by entropic transport without its bias.

    S = OT(X, Y) - OT(X, X) / 2 - OT(Y, Y) / 2 with OT = min <C, P> + reg KL(P | a b^T): zero if the clouds are
    equal, positive else, convex in each of the weights, between the transport cost (small `reg`) and a
    kernel distance (large `reg`).

    Parameters
    ----------
    X, Y : array_like of shape (n, d), (m, d)
        Points.
    a, b : array_like of shape (n,), (m,), optional
        Weights >= 0 of equal mass. None (default): even weights, of sum 1 or that of the other weights.
    reg : float
        Regularisation > 0 in units of the cost.
    cost : {"sqeuclidean", "euclidean", "cityblock"}, default "sqeuclidean"
        The cost between points.
    reg_relative : bool, default False
        Take `reg` in units of the median cost between X and Y, for all three transports.
    tol : float, optional
        For the marginal errors, relative to the mass. None (default): 1e-9, or what rounding allows if
        that is more.
    max_iter : int, default 300
        Iterations of each transport.
    max_time : float, optional
        Seconds for all three.
    on_failure : {"warn", "raise", "ignore"}, default "warn"
        What to do when `tol` is not reached.

    Returns
    -------
    DivergenceResult
        `value`, `marginal_error`, the transports `xy`, `xx`, `yy` and, on access, `gap`. ``success`` is true
        only if all three are certified; `nit` and `time` are sums.

    Raises
    ------
    InvalidInputError
        An argument is inadmissible; the message names it, the index and the remedy.
    InvalidTypeError
        Arrays of different libraries or devices, or of an unknown kind.
    SolverError
        `tol` was not reached and ``on_failure="raise"``.

    Warns
    -----
    ConvergenceWarning
        `tol` was not reached.
    PrecisionWarning
        `tol` is below the error that rounding leaves.

    Notes
    -----
    The transport from X to Y is that of `sinkhorn_newton`. The two symmetric ones need one potential each: an
    averaged Sinkhorn iteration finds it in about 20 passes at any `reg`. No matrix of costs is stored.

    The entropies relative to a b^T and to nothing give the same value, because the difference cancels. It is
    not the difference of the three costs <C, P>, which some packages return and which may be negative.

    The value is accurate to second order in the marginal errors, up to rounding of the three dual values: clouds
    that nearly coincide have a relative error of about 1e-16 OT(X, Y) / S.

    Not for: weights of unequal mass.

    References
    ----------
    J. Feydy, T. Séjourné, F.-X. Vialard, S. Amari, A. Trouvé, G. Peyré, "Interpolating between optimal
    transport and MMD using Sinkhorn divergences", AISTATS 2019, arXiv:1810.08278.

    Examples
    --------
    A cloud and a translate of it differ, for the squared distance, by the square of the translation:

    >>> import numpy as np
    >>> from numopt.ot import sinkhorn_divergence
    >>> X = np.random.default_rng(0).random((50, 2))
    >>> res = sinkhorn_divergence(X, X + [0.3, 0.4], reg=0.1)
    >>> res.success, round(res.value, 6)
    (True, 0.25)
    """
    controls(tol=0.0 if tol is None else tol, max_iter=max_iter, max_time=max_time, on_failure=on_failure)
    until = math.inf if max_time is None else perf_counter() + float(max_time)
    X, Y, a, b = _clouds(X, Y, a, b)

    def limits():
        left = None if max_time is None else max(0.0, until - perf_counter())
        return {"max_iter": max_iter, "max_time": left, "on_failure": "ignore"}

    xy = sinkhorn_newton(a, b, X=X, Y=Y, reg=reg, cost=cost, reg_relative=reg_relative, tol=tol, **limits())
    solve = partial(_symmetric, reg=xy.reg, cost=cost, tol=tol)
    return _result(xy, solve(a, X, **limits()), solve(b, Y, **limits()), on_failure)


def _clouds(X, Y, a, b):
    """Return points and weights as arrays, even weights where none are given."""
    checks = Checks({"X": X, "Y": Y, "a": a, "b": b})
    xp, clouds, weights = checks.xp, [], []
    for points, name, given in (("X", "a", a), ("Y", "b", b)):
        Z = checks.matrix(points, tested=False)
        even = xp.full((Z.shape[0],), 1.0 / Z.shape[0], dtype=checks.dtype, device=checks.device)
        clouds.append(Z)
        weights.append(even if given is None else checks.weights(name, size=Z.shape[0]))
    totals = [extent.total for extent in checks.settle().values()]
    if len(totals) == 1:  # the even weights take the mass of the given ones
        weights[a is not None] = weights[a is not None] * totals[0]
    return *clouds, *weights


def _symmetric(w, Z, *, reg, cost, tol, **limits):
    """Return the transport of the cloud Z to itself."""
    p = transport_problem(w, w, X=Z, Y=Z, reg=reg, cost=cost, tol=tol)
    iterates = symmetric_sinkhorn(p)
    return run(iterates, certify=p.certificate, finish=_finisher(p), tol=p.tol, start=p.start, **limits)


def _result(xy, xx, yy, on_failure):
    """Return the divergence; warn or raise if one of the transports failed."""
    parts = dict(zip(_PARTS.values(), (xy, xx, yy), strict=True))
    failed = {name: part for name, part in parts.items() if not part.success}
    if any(part.status == Status.INTERRUPTED for part in failed.values()):
        raise KeyboardInterrupt
    value = xy.dual_value - 0.5 * (xx.dual_value + yy.dual_value)
    error = max(part.marginal_error for part in parts.values())
    message = "; ".join(f"{name}: {part.message}" for name, part in (failed or parts).items())
    result = DivergenceResult(
        success=not failed, status=next((part.status for part in failed.values()), Status.CONVERGED),
        message=message, nit=sum(part.nit for part in parts.values()), time=sum(part.time for part in parts.values()),
        certificate={"marginal_error": error, "value": value}, history=xy.history, value=value,
        marginal_error=error, reg=xy.reg, xy=xy, xx=xx, yy=yy,
    )  # fmt: skip
    if failed and on_failure == "raise":
        raise SolverError(message, result)
    if failed and on_failure == "warn":
        warn(message, ConvergenceWarning)
    return result
