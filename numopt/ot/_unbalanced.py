"""Unbalanced entropic transport: the public solver."""

import math
from dataclasses import replace

from numopt._array import host
from numopt._check import Checks, controls, one_of, positive_scalar
from numopt._loop import run
from numopt._solver import solver
from numopt.exceptions import InvalidInputError, PrecisionWarning, warn
from numopt.ot._limits import DROWNED, check_values
from numopt.ot._rounding import down_to
from numopt.ot._unbalanced_newton import unbalanced_newton
from numopt.ot._unbalanced_problem import UnbalancedProblem, unequal_problem
from numopt.ot._unbalanced_result import UnbalancedResult

_RATIO = 360  # largest logarithm to base 2 of the ratio of the masses
_MODERATE = 100  # logarithm to base 2 of masses that are left as they are
_APART = 10.0  # factor between penalties from which on it matters which side is eliminated
_GROWTH = 200.0  # largest exponent by which negative costs may blow up the mass


@solver(family="ot", arrays=("a", "b", "C"))
def unbalanced_sinkhorn_newton(a, b, C=None, *, reg, rho, rho_columns=None, X=None, Y=None, cost="sqeuclidean",
                               reg_relative=False, reg_type="entropy", tol=None, max_iter=300, max_time=None,
                               init=None, check_every=1, callback=None, on_failure="warn"):  # fmt: skip
    """Solve entropic transport with penalised marginals and certify the plan.

    Minimises <C, P> + reg sum P (log P - 1) + rho KL(P 1 | a) + rho_columns KL(P^T 1 | b) over P >= 0, where
    KL(x | y) = sum x log(x / y) - x + y: mass is created or destroyed where transport is dearer.

    Parameters
    ----------
    a, b : array_like of shape (n,), (m,)
        Weights >= 0; their sums may differ. Zeros are handled exactly.
    C : array_like of shape (n, m), optional
        The cost, row- or column-major, never written, and copied only where a dtype, gaps between rows, zero weights or
        penalties that differ by a factor of 10 ask for it; +inf forbids a pair. A point that has weight needs an
        allowed one: if it has none, set its weight to 0, which leaves the plan as it is.
    reg : float
        Regularisation > 0 in units of the cost; at least 64 rounding errors of the range of C.
    rho : float
        Penalty > 0 of the row marginal, in units of the cost: mass is not carried at a cost much above
        ``rho + rho_columns``. ``inf`` prescribes P 1 = a.
    rho_columns : float, optional
        Penalty of the column marginal. None (default): `rho`. At most one of the two is ``inf``.
    X, Y : array_like of shape (n, d), (m, d), optional
        Points instead of C: their costs are computed on the fly, never stored.
    cost : {"sqeuclidean", "euclidean", "cityblock"}, default "sqeuclidean"
        The cost between points.
    reg_relative : bool, default False
        Take `reg` (not `rho`) in units of the median cost.
    reg_type : {"entropy", "kl"}, default "entropy"
        The regulariser: sum P (log P - 1), or KL(P | a b^T), which does not create mass when `reg` is not
        small against `rho`. Unlike in the balanced problem, the plans differ.
    tol : float, optional
        For `marginal_error`, see `UnbalancedResult`. None (default): 1e-9, or what rounding allows if
        that is more.
    max_iter : int, default 300
        Newton steps, and levels of sweeps.
    max_time : float, optional
        Seconds.
    init : UnbalancedResult or array_like of shape (m,), optional
        A result of a similar problem, or column potentials: the annealing is skipped.
    check_every : int, default 1
        Iterations between looks at the error.
    callback : callable, optional
        Called as ``callback(intermediate_result)``; raise StopIteration to stop.
    on_failure : {"warn", "raise", "ignore"}, default "warn"
        What to do when `tol` is not reached.

    Returns
    -------
    UnbalancedResult
        `f`, `g`, `plan`, `value`, `dual_value`, `cost`, `mass`, `marginal_error` and, on access, `gap`.
        ``success`` is true only if the marginal error, recomputed from every entry of the plan at the
        returned potentials, meets `tol`.

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
    Newton's method on the dual with the rows eliminated, from a large regularisation down to `reg`; first
    on the whole plan, then on the entries that matter; the mass is set in closed form at every step. The
    cost per level is two passes over the cost for each evaluation of the plan, and the levels are fewer
    the smaller `rho` is: 10 to 60 passes in all, of about the time of ``exp`` of n m numbers each. Memory
    beyond the data: 2 n m bytes while the plan is dense (up to 2**26 pairs), 16 bytes for each entry kept
    later, n m / 4 numbers for the first levels if n >= 1000, and O(n + m).

    Certified: the gradient of the dual, and by `gap` the distance from the optimal value.

    Not for: both marginals prescribed (`sinkhorn_newton`), a fixed amount of mass (`partial_transport`),
    other penalties than KL.

    References
    ----------
    L. Chizat, G. Peyré, B. Schmitzer, F.-X. Vialard, "Scaling algorithms for unbalanced optimal transport
    problems", Math. Comp. 2018, arXiv:1607.05816. T. Séjourné, F.-X. Vialard, G. Peyré, "Faster unbalanced
    optimal transport: translation invariant Sinkhorn and 1-D Frank-Wolfe", AISTATS 2022, arXiv:2201.00730
    (the constant shift).

    Examples
    --------
    One point has no counterpart nearby, and is given up rather than carried:

    >>> from numopt.ot import unbalanced_sinkhorn_newton
    >>> X, Y = [[0.0], [1.0], [9.0]], [[0.1], [1.1]]
    >>> res = unbalanced_sinkhorn_newton([1, 1, 1], [1, 1], X=X, Y=Y, reg=0.01, rho=1.0, reg_type="kl")
    >>> res.plan.matvec([1.0, 1.0]).round(3)
    array([0.995, 0.995, 0.   ])
    >>> res.success, res.gap < 1e-12
    (True, True)
    """
    controls(tol=0.0 if tol is None else tol, max_iter=max_iter, max_time=max_time, check_every=check_every,
             callback=callback, on_failure=on_failure)  # fmt: skip
    product = one_of("reg_type", reg_type, ("entropy", "kl")) == "kl"
    rhos = _penalty("rho", rho), _penalty("rho_columns", rho if rho_columns is None else rho_columns)
    if math.inf in rhos and rhos[0] == rhos[1]:
        raise InvalidInputError(
            "rho and rho_columns are inf: a finite penalty is expected on one side; use "
            "numopt.ot.sinkhorn_newton for two prescribed marginals"
        )
    checks = Checks({"a": a, "b": b, "C": C, "X": X, "Y": Y})
    weights = checks.weights("a"), checks.weights("b")
    masses = [extent.total for extent in checks.settle().values()]
    units = _units(masses)
    weights, masses = [w / units for w in weights], [mass / units for mass in masses]
    base = unequal_problem(
        checks.xp, *weights, C, reg=reg, X=X, Y=Y, cost=cost, reg_relative=reg_relative, tol=tol,
        turn=_turn(rhos, init),
    )  # fmt: skip
    most = units * max(sum(masses), units * math.prod(masses) if product else 0.0)
    check_values(base.xp.finfo(base.a.dtype), base.extent, base.reg, most)
    base = _with_floor(base, tol, masses, rhos, product)
    p = UnbalancedProblem(base, rhos[::-1] if base.transposed else rhos, product, units)
    if base.extent[0] < -_GROWTH * sum(rhos):
        raise InvalidInputError(
            f"C has entries down to {base.extent[0]:.6g} and rho + rho_columns is {sum(rhos):.3g}: their ratio, "
            f"above -{_GROWTH:.0f}, is the logarithm of the mass created; shift C, or raise rho"
        )
    iterates = down_to(base.floor, base.tol, unbalanced_newton(p, _initial(p, init)))
    return run(
        iterates, certify=p.certificate, finish=_finisher(p), tol=base.tol,
        max_iter=max_iter, max_time=max_time, check_every=check_every, callback=callback, on_failure=on_failure,
        start=(None, base.start[1]),
    )  # fmt: skip


def _penalty(name, value):
    return math.inf if value == math.inf else positive_scalar(name, value, remedy="pass a penalty, or inf")


def _turn(rhos, init):
    """Say whether the columns become the rows of the iteration, which are eliminated; None: as the cost lies.

    A small penalty beside a large one ties its potentials to 0: what is left of the problem, once the others are
    eliminated, is well conditioned. The other way round it is stiff.
    """
    if not (init is None or isinstance(init, UnbalancedResult)):
        return False  # the caller's own potentials are those of the columns
    return rhos[0] < rhos[1] if max(rhos) >= _APART * min(rhos) else None


def _units(masses):
    """Return the power of 2 that brings the masses to about 1 where products of weights could come near underflow.

    Else 1: where rho is small against reg, a constant in the potentials costs digits.
    """
    exponents = [math.log2(mass) for mass in masses]
    if max(exponents) - min(exponents) > _RATIO:
        raise InvalidInputError(
            f"a sums to {masses[0]:.3g} and b to {masses[1]:.3g}: masses that differ by a factor of at most "
            f"{2.0**_RATIO:.0e} are expected; rescale one of them"
        )
    return 1.0 if max(map(abs, exponents)) <= _MODERATE else 2.0 ** round(sum(exponents) / 2)


def _with_floor(base, tol, masses, rhos, product):
    """Return the problem with a tolerance that rounding allows.

    Unequal masses make large potentials; and where rho is small against reg, a small error of what the entropy relative
    to the weights adds to them is large against rho.
    """
    eps, least = float(base.xp.finfo(base.a.dtype).eps), min(rhos)
    if not least >= 64 * eps * base.reg:
        name = ("rho", "rho_columns")[rhos.index(least)]
        raise InvalidInputError(
            f"{name} is {least:.3g}: at least {64 * eps * base.reg:.3g} is expected, 64 rounding errors of reg; "
            f"raise it"
        )
    constant = abs(math.log(masses[0] / masses[1])) / sum(1.0 / rho for rho in rhos)
    floor = 0.5 * eps * constant / base.reg  # measured: a third of that
    if product:
        floor = max(floor, eps * base.reg / least)
    if not floor < DROWNED:
        raise InvalidInputError(
            f"rho is {max(rhos):.3g}, the ratio of the masses {masses[0] / masses[1]:.3g} and reg is {base.reg:.3g}: "
            f"rounding of potentials leaves an error of {floor:.2g}; lower rho, or pass inf on one side"
        )
    if tol is None:
        return replace(base, tol=max(base.tol, 4 * floor))
    if base.floor <= tol < floor:
        warn(
            f"tol = {tol:.3g} is below {floor:.2g}, the error that rounding leaves for rho = {rhos}, a ratio of the "
            f"masses of {masses[0] / masses[1]:.3g} and reg = {base.reg:.3g}: raise tol",
            PrecisionWarning,
        )
    return base


def _initial(p, init):
    """Return the column potentials to start from, in the order and on the weights of the iteration."""
    if init is None:
        return None
    base = p.base
    whole = base.whole or base
    if isinstance(init, UnbalancedResult):
        init = init.f if base.transposed else init.g
    checks = Checks({"init": init, "a": whole.a}, dtype=p.xp.float64)
    g = checks.vector("init", size=whole.b.shape[0], remedy="start from finite potentials, or without init")
    low, high, _ = checks.settle()["init"]
    finite = [rho for rho in p.rho if rho < math.inf]
    if max(-low, high) > 1e3 * (max(map(abs, base.extent)) + 100 * p.reg + sum(finite)):  # no potential of this problem
        return None
    return g if base.columns is None else p.xp.take(g, base.columns)


def _finisher(p):
    def finish(state, info, common):
        f, g = p.returned(*p.potentials(state))
        certificate, rho = common["certificate"], p.rho
        largest = max(host(p.xp.max(p.xp.abs(f)), p.xp.max(p.xp.abs(g))))
        rounding = float(p.xp.finfo(f.dtype).eps) * largest / p.reg
        if not common["success"] and rounding > 0.1 * p.base.tol:
            note = (
                f"potentials up to {largest:.3g} at reg = {p.reg:.3g} leave an error of about {rounding:.1g} by "
                f"rounding: raise tol or reg, or lower rho"
            )
            common = common | {"message": f"{common['message']()}; {note}"}
        if p.base.transposed:
            f, g, rho = g, f, rho[::-1]
        names = ("value", "dual_value", "cost", "mass", "marginal_error")
        counts = {name: int(info.get(name, 0)) for name in ("n_passes", "n_newton", "n_cg", "nnz")}
        return UnbalancedResult(
            **common, f=f, g=g, reg=p.reg, rho=rho, **{name: certificate[name] for name in names}, **counts,
            _problem=p, _cache={},
        )  # fmt: skip

    return finish
