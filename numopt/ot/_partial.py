"""Partial entropic transport: a fixed amount of mass, wherever it is cheapest."""

import math

from numopt._array import host
from numopt._check import Checks, controls, positive_scalar
from numopt._loop import run
from numopt._result import Result, result_class
from numopt._solver import solver
from numopt.exceptions import InvalidInputError, InvalidTypeError
from numopt.ot._feasible import explained
from numopt.ot._newton import annealed_newton
from numopt.ot._partial_problem import with_dummies
from numopt.ot._plan import TransportPlan
from numopt.ot._rounding import down_to
from numopt.ot._unbalanced_problem import unequal_problem


@result_class
class PartialResult(Result):
    """A partial entropic plan with its certificate.

    Attributes
    ----------
    f, g : ndarray of shape (n,), (m,)
        Potentials in units of the cost; the plan is exp((f_i + g_j - C_ij) / reg).
    reg : float
        The regularisation used, in units of the cost.
    stay_rows, stay_columns : float
        Potentials of what stays: exp((f_i + stay_rows) / reg) of row i and exp((g_j + stay_columns) / reg) of
        column j; -inf if nothing does.
    mass : float
        sum P, which differs from the mass asked for by the marginal error at most.
    cost : float
        <C, P>.
    value : float
        <C, P> + reg sum P (log P - 1), where the sum includes the mass that stays.
    dual_value : float
        The dual objective: never above the optimal value, up to rounding.
    marginal_error : float
        l1 violation of P 1 + x = a, P^T 1 + y = b, sum x = sum a - mass, sum y = sum b - mass relative to the
        mass asked for, where x and y are what stays at the optimum, from every entry of the plan.
    n_passes, n_newton, n_cg, nnz : int
        Passes over the cost, Newton steps, conjugate-gradient steps, entries extracted last (0: none).
    """

    f: object
    g: object
    reg: float
    stay_rows: float
    stay_columns: float
    mass: float
    cost: float
    value: float
    dual_value: float
    marginal_error: float
    n_passes: int
    n_newton: int
    n_cg: int
    nnz: int
    _problem: object
    _potentials: tuple

    @property
    def plan(self):
        """`TransportPlan` of what is transported; never formed unasked."""
        p, base = self._problem, self._problem.base
        f, g, *_ = p.returned(*p.split(*self._potentials))
        return TransportPlan(base.xp, base.cost, f, g, base.reg, p.units * base.a, p.units * base.b, base.transposed)


@solver(family="ot", arrays=("a", "b", "C"))
def partial_transport(a, b, C=None, *, mass, reg, X=None, Y=None, cost="sqeuclidean", reg_relative=False, tol=None,
                      max_iter=300, max_time=None, init=None, check_every=1, callback=None,
                      on_failure="warn"):  # fmt: skip
    """Transport a given amount of mass at least cost, and certify the plan.

    Minimises <C, P> over plans P >= 0 with P 1 <= a, P^T 1 <= b and sum P = mass, regularised by the entropy
    of the plan and of the mass that stays.

    Parameters
    ----------
    a, b : array_like of shape (n,), (m,)
        Weights >= 0; their sums may differ. Zeros are handled exactly.
    C : array_like of shape (n, m), optional
        The cost, row- or column-major, never written; +inf forbids a pair. A point that has weight needs an allowed
        one: if it has none, set its weight to 0, which leaves the plan as it is.
    mass : float
        What is transported: > 0, and at most the smaller of the sums of a and b.
    reg : float
        Regularisation > 0 in units of the cost; at least 64 rounding errors of the range of C.
    X, Y : array_like of shape (n, d), (m, d), optional
        Points instead of C; their costs are computed and stored.
    cost : {"sqeuclidean", "euclidean", "cityblock"}, default "sqeuclidean"
        The cost between points.
    reg_relative : bool, default False
        Take `reg` in units of the median cost.
    tol : float, optional
        For `marginal_error`, see `PartialResult`. None (default): 1e-9, or what rounding allows if that is
        more.
    max_iter : int, default 300
        Newton steps, and levels of sweeps.
    max_time : float, optional
        Seconds.
    init : PartialResult, optional
        A result of a similar problem: the annealing is skipped.
    check_every : int, default 1
        Iterations between looks at the error.
    callback : callable, optional
        Called as ``callback(intermediate_result)``; raise StopIteration to stop.
    on_failure : {"warn", "raise", "ignore"}, default "warn"
        What to do when `tol` is not reached.

    Returns
    -------
    PartialResult
        `f`, `g`, `plan`, `mass`, `cost`, `value`, `dual_value`, `marginal_error`. ``success`` is true only if
        the marginal error, recomputed from every entry of the plan at the returned potentials, meets
        `tol`.

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
    A dummy row of weight sum b - mass and a dummy column of weight sum a - mass take what stays, at one cost
    for all; the pair of the dummies is forbidden. That is a balanced problem, solved as by
    `sinkhorn_newton`, at its price. The forbidden pair, unlike a high price for it, is exact for all costs and
    does not stretch their range. Memory beyond the data: a copy of the cost, and what `sinkhorn_newton`
    takes.

    The entropy of the mass that stays is part of the objective: at a large `reg` it spreads over all
    rows and columns.

    Not for: an amount of mass that follows from the costs (`unbalanced_sinkhorn_newton`).

    References
    ----------
    L. Caffarelli, R. McCann, "Free boundaries in optimal transport and Monge-Ampère obstacle problems", Ann.
    of Math. 2010. L. Chapel, M. Alaya, G. Gasso, "Partial optimal transport with applications on
    positive-unlabeled learning", NeurIPS 2020, arXiv:2002.08276 (the dummy points).

    Examples
    --------
    >>> from numopt.ot import partial_transport
    >>> X, Y = [[0.0], [1.0], [9.0]], [[0.1], [1.1], [5.0]]
    >>> res = partial_transport([1, 1, 1], [1, 1, 1], X=X, Y=Y, mass=2.0, reg=0.01)
    >>> res.plan.todense().round(3)
    array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 0.]])
    >>> res.success, round(res.mass, 6), round(res.cost, 6)
    (True, 2.0, 0.02)
    """
    controls(tol=0.0 if tol is None else tol, max_iter=max_iter, max_time=max_time, check_every=check_every,
             callback=callback, on_failure=on_failure)  # fmt: skip
    mass = positive_scalar("mass", mass, remedy="pass the mass to transport")
    checks = Checks({"a": a, "b": b, "C": C, "X": X, "Y": Y})
    weights = checks.weights("a"), checks.weights("b")
    sums = [extent.total for extent in checks.settle().values()]
    if mass > min(sums) * (1 + 1e-12):
        raise InvalidInputError(
            f"mass is {mass:.9g}: at most {min(sums):.9g} is expected, the smaller of the sums of a, {sums[0]:.9g}, "
            f"and of b, {sums[1]:.9g}; lower it"
        )
    if mass < 1e-15 * max(sums):
        raise InvalidInputError(
            f"mass is {mass:.3g} and {max(sums) - mass:.3g} stays: rounding leaves nothing of the former beside it; "
            "raise mass, or scale a and b down"
        )
    units = 2.0 ** round(math.log2(min(sums)))
    weights, sums, mass = [w / units for w in weights], [s / units for s in sums], mass / units
    base = unequal_problem(checks.xp, *weights, C, reg=reg, X=X, Y=Y, cost=cost, reg_relative=reg_relative, tol=tol)
    p = with_dummies(base, min(mass, *sums), sums[::-1] if base.transposed else sums, tol, units)
    iterates = down_to(p.inner.floor * p.ratio, p.tol, p.scaled(annealed_newton(p.inner, _initial(p, init))))
    return run(
        iterates, certify=p.certificate, finish=_finisher(p), tol=p.tol, max_iter=max_iter, max_time=max_time,
        check_every=check_every, callback=callback, on_failure=on_failure, start=p.inner.start,
    )  # fmt: skip


def _initial(p, init):
    """Return the column potentials to start from, on the weights of the iteration."""
    if init is None:
        return None
    if not isinstance(init, PartialResult):
        raise InvalidTypeError(f"init is {type(init).__name__}: a PartialResult is expected; pass the previous result")
    f, g = init._potentials
    if init._problem.base.transposed != p.base.transposed:
        f, g = g, f
    size = (p.inner.whole or p.inner).b.shape[0]
    if g.shape[0] != size:
        raise InvalidInputError(
            f"init has potentials for {g.shape[0] - 1} points: {size - 1} are expected; start without init"
        )
    g = p.base.xp.astype(g, p.inner.b.dtype)
    return g if p.inner.columns is None else p.base.xp.take(g, p.inner.columns)


def _finisher(p):
    def finish(state, info, common):
        potentials = p.inner.potentials(state)
        common = explained(p.inner, common, potentials[0], p.ratio)
        f, g, *stay = p.returned(*p.split(*potentials))
        stay = [x if mass > 0 else -math.inf for x, mass in zip(host(*stay), p.stay, strict=True)]
        if p.base.transposed:
            f, g, stay = g, f, stay[::-1]
        certificate = common["certificate"]
        names = ("mass", "cost", "value", "dual_value", "marginal_error")
        counts = {name: int(info.get(name, 0)) for name in ("n_passes", "n_newton", "n_cg", "nnz")}
        return PartialResult(
            **common, f=f, g=g, reg=p.base.reg, stay_rows=stay[0], stay_columns=stay[1],
            **{name: certificate[name] for name in names}, **counts, _problem=p, _potentials=potentials,
        )  # fmt: skip

    return finish
