"""The public entropic solver."""

import math
from dataclasses import replace

from numopt._check import Checks, integer, one_of, positive_scalar
from numopt._loop import run
from numopt._solver import solver
from numopt.ot._feasible import explained
from numopt.ot._newton import annealed_newton
from numopt.ot._problem import transport_problem
from numopt.ot._result import TransportResult
from numopt.ot._rounding import down_to
from numopt.ot._sinkhorn import sinkhorn
from numopt.ot._sns import sinkhorn_newton_sparse


@solver(family="ot", arrays=("a", "b", "C"))
def sinkhorn_newton(a, b, C=None, *, reg, X=None, Y=None, cost="sqeuclidean", reg_relative=False, method="auto",
                    tol=None, max_iter=None, max_time=None, init=None, n_sinkhorn=20, density=4.0, check_every=1,
                    callback=None, on_failure="warn"):  # fmt: skip
    """Solve entropic optimal transport and certify the plan.

    Minimises <C, P> + reg sum P (log P - 1) over P >= 0 with row sums a and column sums b.

    Parameters
    ----------
    a, b : array_like of shape (n,), (m,)
        Weights >= 0 of equal mass, which need not be 1. Zeros are handled exactly. Masses that differ by
        less than 1e-6 relative: b is scaled, and the message says so.
    C : array_like of shape (n, m), optional
        The cost, row- or column-major, never written, and copied only where a dtype or gaps between rows ask for it, or
        weights that are zero or negligible; +inf forbids a pair.
    reg : float
        Regularisation > 0 in units of the cost; at least 64 rounding errors of the range of C.
    X, Y : array_like of shape (n, d), (m, d), optional
        Points instead of C: their costs are computed on the fly, never stored.
    cost : {"sqeuclidean", "euclidean", "cityblock"}, default "sqeuclidean"
        The cost between points.
    reg_relative : bool, default False
        Take `reg` in units of the median cost (of a fixed sample of at most 65536 pairs).
    method : {"auto", "sns", "sinkhorn"}, default "auto"
        Annealed semi-dual Newton; the Sinkhorn-Newton-Sparse algorithm exactly as published; Sinkhorn's
        iteration in the log domain.
    tol : float, optional
        l1 violation of both marginals relative to the mass. None (default): 1e-9, or what rounding allows
        if that is more (float32: about 1e-4 at reg = 1e-3 of the range of C).
    max_iter : int, optional
        Default 300, for ``"sinkhorn"`` 100000. Iterations are sweeps and Newton steps.
    max_time : float, optional
        Seconds.
    init : TransportResult or array_like of shape (m,), optional
        A result of a similar problem, or column potentials: the annealing is skipped unless they lead nowhere.
        With an array, a column-major C is copied.
    n_sinkhorn : int, default 20
        Sweeps before Newton's method, for ``"sns"`` alone.
    density : float, default 4
        Entries of P kept in the Hessian, for each of the max(n, m) points, for ``"sns"`` alone.
    check_every : int, default 1
        Iterations between looks at the error.
    callback : callable, optional
        Called as ``callback(intermediate_result)``; raise StopIteration to stop.
    on_failure : {"warn", "raise", "ignore"}, default "warn"
        What to do when `tol` is not reached.

    Returns
    -------
    TransportResult
        `f`, `g`, `value`, `dual_value`, `cost`, `marginal_error`, `plan` and, on access, `gap`,
        `rounded_cost` and `lp_lower_bound`. ``success`` is true only if the marginal error, recomputed
        from every entry of the plan at the returned potentials, meets `tol`.

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
    Cost: "auto" makes 10 to 25 passes over the cost of about the time of ``exp`` of n m numbers each, and
    about as much again in Newton steps. Beyond 2**26 entries, 2**24 of which matter, memory stays bounded, and
    Newton steps may take 10 to 35 passes each instead. Memory beyond the data: 2 n m bytes while the plan is
    dense (128 MiB at most), about 28 bytes for each entry kept later (52 at most), 24 while entries are
    selected (50 MB at most), and O(n + m).

    Certified: the marginals and hence feasibility to `tol`; `gap` bounds the distance from the optimal
    value and ``[lp_lower_bound, rounded_cost]`` holds the value of the unregularised problem. Where pairs are
    forbidden, `gap` and `rounded_cost` are infinite.

    Not for: an exact unregularised plan (take a linear-programming solver), or `reg` so large that a few
    of Sinkhorn's sweeps do.

    References
    ----------
    X. Tang et al., "Accelerating Sinkhorn algorithm with sparse Newton iterations", ICLR 2024,
    arXiv:2401.12253. M. Cuturi, "Sinkhorn distances", NeurIPS 2013. J. Altschuler, J. Weed, P. Rigollet,
    arXiv:1705.09634 (rounding).

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.ot import sinkhorn_newton
    >>> rng = np.random.default_rng(7)
    >>> X, Y = rng.random((200, 2)), rng.random((300, 2))
    >>> res = sinkhorn_newton(np.full(200, 1 / 200), np.full(300, 1 / 300), X=X, Y=Y, reg=0.01)
    >>> res.success, res.marginal_error < 1e-9, res.gap < 1e-8
    (True, True, True)
    >>> res.lp_lower_bound <= res.rounded_cost
    True
    """
    one_of("method", method, ("auto", "sns", "sinkhorn"))
    sweeps = integer("n_sinkhorn", n_sinkhorn, remedy="pass the number of sweeps")
    density = positive_scalar("density", density, remedy="pass the number of entries kept for each point")
    if max_iter is None:
        max_iter = 100_000 if method == "sinkhorn" else 300
    p = transport_problem(
        a, b, C, reg=reg, X=X, Y=Y, cost=cost, reg_relative=reg_relative, tol=tol,
        turn=None if init is None or isinstance(init, TransportResult) else False,
    ).of_unit_mass()  # fmt: skip
    g = _start(p, init)
    if method == "sns":
        iterates = sinkhorn_newton_sparse(p, p.xp.zeros_like(p.b) if g is None else g, sweeps, density)
    elif method == "sinkhorn":
        iterates = sinkhorn(p, p.start[1] if g is None else g)
    else:
        iterates = annealed_newton(p, g)
    iterates = down_to(p.floor, p.tol, iterates)
    return run(
        iterates, certify=p.certificate, finish=_finisher(p), tol=p.tol, max_iter=max_iter, max_time=max_time,
        check_every=check_every, callback=callback, on_failure=on_failure, start=p.start,
    )  # fmt: skip


def _start(p, init):
    """Return the column potentials to start from, in the order and on the weights of the iteration."""
    if init is None:
        return None
    if isinstance(init, TransportResult):
        init = init.f if p.transposed else init.g
    checks = Checks({"init": init}, dtype=p.a.dtype)
    g = checks.vector("init", size=(p.whole or p).shape[1])
    low, high, _ = checks.settle()["init"]
    if high / 2 - low / 2 > 1e3 * (p.extent[1] - p.extent[0] + 100 * p.reg):  # no potential of this problem
        return None
    g = g - (low / 2 + high / 2)  # f takes up a constant
    return g if p.columns is None else p.xp.take(g, p.columns)


def _finisher(p):
    """Return the function that builds the result of a run."""

    def finish(state, info, common):
        f, g = p.potentials(state)
        common = explained(p, common, f)
        f = f + p.reg * math.log(p.units)
        if p.transposed:
            f, g = g, f
        if p.note:
            common = common | {"message": f"{common['message']()}; {p.note}"}
        values = {name: common["certificate"][name] for name in ("value", "dual_value", "cost", "marginal_error")}
        counts = {name: int(info.get(name, 0)) for name in ("n_passes", "n_newton", "n_cg", "nnz")}
        whole = replace(p.whole or p, reg=p.reg, extent=p.extent, memo={})
        return TransportResult(**common, f=f, g=g, reg=p.reg, **values, **counts, _problem=whole, _cache={})

    return finish
