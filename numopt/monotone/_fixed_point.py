"""Fixed points of nonexpansive maps: Halpern's iteration, and Anderson's beside it where that is better."""

import itertools
import math

from numopt._array import device, host
from numopt._check import integer, one_of, scalar
from numopt._loop import Status, run
from numopt._solver import solver
from numopt.exceptions import InvalidTypeError
from numopt.monotone._displacement import watched
from numopt.monotone._fixed_map import FixedPointResult, start_map

MEMORY = 5  # differences that Anderson's method combines
TRIAL, SHARE = 8, 0.09  # evaluations it may spend at the start, and of those of Halpern's iteration, before it leads
LEAD = 0.1  # it leads when its residual is below LEAD times the least bound that holds for Halpern's

__all__ = ["FixedPointResult", "fixed_point"]


@solver(family="monotone", arrays=("x0",))
def fixed_point(func, x0, args=(), xtol=1e-8, maxiter=500, method="auto", *, tol=None, max_iter=None, max_time=None,
                check_every=1, callback=None, on_failure="warn"):  # fmt: skip
    """Find a fixed point x = T(x) of a nonexpansive map, with its residual.

    Stands in for `scipy.optimize.fixed_point`, but returns a result, and no limit raises an exception.

    Parameters
    ----------
    func : callable
        ``func(x, *args)`` returns T(x), an array of the shape of `x0`.
    x0 : array_like
        Start, of any shape; a number will do.
    args : tuple, default ()
        Further arguments of `func`.
    xtol : float, default 1e-8
        For ``|T(x) - x| / |T(x0) - x0|``, Euclidean norms; 4 rounding errors of `x0` are always enough, and half a
        rounding error of x is added, since that much may be hidden: ``x + 1 == x`` where x is 1e17. (SciPy compares two
        iterates with their size, which an iteration that runs off to infinity meets as well.)
    maxiter : int, default 500
        Evaluations of T by the method.
    method : {"auto", "halpern", "iteration"}, default "auto"
        ``"halpern"``: x+ = x0 / (k + 2) + (k + 1) / (k + 2) T(x). ``"iteration"``: x+ = T(x). ``"auto"``: Halpern's,
        with Anderson's acceleration beside it. SciPy's ``"del2"`` stands for ``"auto"``.
    tol, max_iter : float, int, optional
        numopt's names for `xtol` and `maxiter`; they go before them.
    max_time : float, optional
        Seconds.
    check_every : int, default 1
        Evaluations between two checks.
    callback : callable, optional
        Called with each ``intermediate_result``; stops the run by raising ``StopIteration``.
    on_failure : {"warn", "raise", "ignore"}, default "warn"
        What to do if the tolerance is not met.

    Returns
    -------
    FixedPointResult
        With ``x``, ``residual``, ``n_evaluations``, ``displacement``, ``far``, and what every result has. ``x`` is the
        best point seen.

    Raises
    ------
    InvalidInputError
        NaN or infinity in `x0`, a map that returns another shape, a bad keyword.
    SolverError
        The tolerance was not met and ``on_failure="raise"``.
    Exception
        Whatever `func` raises, with the best result so far as its attribute ``result``.

    Warns
    -----
    ConvergenceWarning
        The tolerance was not met.

    Notes
    -----
    *Guarantee*. For a nonexpansive map with a fixed point at distance D from `x0`, Halpern's iteration has
    ``|T(x) - x| <= 2 D / (k + 1)`` after k evaluations, the best possible for the class. Anderson's method of type II
    is given 8 evaluations at the start and 9 % of the others. As soon as its residual is a tenth of the least that
    the bound can be, ``|T(x0) - x0| / (k + 1)``, it gets all of them; so ``"auto"`` is never much slower than
    Halpern's iteration, and for contractions and smooth maps it converges as fast as Anderson's does.

    *No fixed point*: ``status`` INFEASIBLE, if what T moves points by has settled, and is the same 1e11 displacements
    ahead. For nonexpansive T that proves that no fixed point is nearer than ``far``; farther away the rounding of
    float64 hides any. It is looked for after 64, 128, ... iterations if the residual has not halved since the last
    look, by up to 66 evaluations, most of them only where it settles. Not all such maps are found out: not in
    float32, nor where a rotation goes on beside the displacement.

    *Cost*: one evaluation of T an iteration, and O(5 d). *Memory*: some 16 vectors. *When not to use it*: for
    equations whose map expands distances; there a root finder is better.

    References
    ----------
    F. Lieder, "On the convergence rate of the Halpern-iteration", Optim. Lett. 15, 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.monotone import fixed_point
    >>> result = fixed_point(np.cos, 1.0)
    >>> round(float(result.x), 6), result.success
    (0.739085, True)
    """
    method = one_of("method", "auto" if method == "del2" else method, METHODS)
    name, xtol = ("xtol", xtol) if tol is None else ("tol", tol)
    scalar(name, xtol, low=0.0, remedy="pass a tolerance >= 0")
    limit, maxiter = ("maxiter", maxiter) if max_iter is None else ("max_iter", max_iter)
    integer(limit, maxiter, low=1, remedy="allow at least one iteration")
    if not callable(func):
        raise InvalidTypeError(f"func is {func!r}: a function is expected; pass one")
    T, x = start_map(func, x0, args, xtol)
    return run(
        watched(METHODS[method](T, x), T.looks),
        certify=T.certificate,
        finish=T.finish,
        start=x,
        tol=xtol,
        max_iter=maxiter,
        max_time=max_time,
        check_every=check_every,
        callback=callback,
        on_failure=on_failure,
    )


def _halpern(T, x0):
    x, Tx, k = x0, T.first, 0
    while True:
        yield T.iterate(x, Tx)
        x, k = (x0 + (k + 1) * Tx) / (k + 2), k + 1
        Tx = T(x)


def _picard(T, x):
    Tx = T.first
    while True:
        yield T.iterate(x, Tx)
        x, Tx = Tx, T(Tx)


def _accelerated(T, x0):
    """Give each evaluation to Anderson's iterates or to Halpern's; yield the better of the two."""
    x, k = (x0 + T.first) / 2, 1
    a, pairs, residual, tried = T.first, [(x0, T.first)], T.scale, 0
    best = T.scale, x0, T.first
    for spent in itertools.count(2):
        yield T.iterate(*best[1:])
        leads = residual <= LEAD * T.scale / spent
        if a is not None and (leads or tried < max(TRIAL, SHARE * k)):
            tried, at, image = tried + 1, a, T(a)
            new = host(T.error(at, image))
            if new > 2 * residual:  # it runs away: forget what led there
                pairs = pairs[-1:]
            pairs, residual = [*pairs[-MEMORY:], (at, image)], new
            a = _combined(T.xp, pairs) if math.isfinite(new) else None
        else:
            at, image = x, T(x)
            new = host(T.error(at, image))
            x, k = (x0 + (k + 1) * image) / (k + 2), k + 1
            if not math.isfinite(new):
                return Status.NONFINITE
        if new < best[0]:
            best = new, at, image


def _combined(xp, pairs):
    """Return Anderson's point: the images combined as makes the residuals smallest."""
    x, y = pairs[-1]
    if len(pairs) == 1:
        return y
    r = y - x
    dr = xp.stack([r - (v - u) for u, v in pairs[:-1]], axis=1)
    dy = xp.stack([y - v for _, v in pairs[:-1]], axis=1)
    gram = dr.T @ dr
    size = xp.max(xp.abs(gram))
    ridge = 1e-14 * size + 1e-300
    eye = xp.eye(gram.shape[0], dtype=gram.dtype, device=device(gram))
    return y - dy @ xp.linalg.solve(gram + ridge * eye, dr.T @ r)


METHODS = {"auto": _accelerated, "halpern": _halpern, "iteration": _picard}
