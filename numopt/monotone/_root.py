"""The public solver of monotone inclusions."""

import math
from types import SimpleNamespace

import numpy as np

from numopt._array import default_rng, host, is_numpy
from numopt._check import flag, integer, one_of, positive_scalar, scalar
from numopt._loop import Relay, Status, run
from numopt._solver import solver
from numopt.exceptions import InvalidInputError, PrecisionWarning, warn
from numopt.monotone._bilinear import bilinear_pdhg, bilinear_sets
from numopt.monotone._feg import extragradient, fast_extragradient, halpern
from numopt.monotone._forb import halpern_forb, vr_prox_halpern
from numopt.monotone._inclusion import inclusion
from numopt.monotone._page import halpern_page, vr_halpern
from numopt.monotone._sampling import sampling
from numopt.monotone._svrg import lsvrg
from numopt.monotone._tolerance import check_tolerance

METHODS = {
    "pdhg": bilinear_pdhg,
    "feg": fast_extragradient,
    "extragradient": extragradient,
    "halpern": halpern,
    "halpern-page": halpern_page,
    "halpern-forb": halpern_forb,
    "vr-halpern": vr_halpern,
    "vr-prox-halpern": vr_prox_halpern,
    "lsvrg": lsvrg,
}
SAMPLED = {"halpern-page", "halpern-forb", "vr-halpern", "vr-prox-halpern", "lsvrg"}
FOREVER = 10**12
MANY = 2000  # components from which on sampling is considered
GAIN = 5.0  # of sampling a monotone sum, sqrt(n) L_F / L_Q, below which the whole operator is evaluated


@solver(family="monotone", arrays=("z0",))
def monotone_root(op, z0=None, *, prox=None, method="auto", tol=1e-6, max_iter=1000, max_time=None, step=None,
                  inner_step=None, batch_size=None, refresh_prob=None, law="uniform", restart=True, rng=None,
                  check_every=1, callback=None, on_failure="warn"):  # fmt: skip
    """Zero of a monotone operator, with the residual that proves it.

    Solves 0 in F(z) + G(z) with F = (1/n) sum_i F_i single-valued and G given by its prox: minimisation over a set,
    saddle points, games, variational inequalities, regularised learning.

    Parameters
    ----------
    op : Operator
        F: one of those here, or an object with their attributes and methods.
    z0 : array_like of shape (d,), optional
        Start; it is moved to the set first. None (default): zeros.
    prox : callable, optional
        ``prox(v, t)``, such as `Simplex`, `Box`, `L1`, `Product`. None (default): that of the operator if it has one,
        as `BilinearGame` has, else no constraint.
    method : str, default "auto"
        ``"auto"``, ``"pdhg"``, ``"feg"``, ``"extragradient"``, ``"halpern"``, ``"lsvrg"``, ``"vr-halpern"``,
        ``"vr-prox-halpern"``, see Notes; ``"halpern-page"``, ``"halpern-forb"``: the algorithms of the paper, exactly
        as published, without restarts.
    tol : float, default 1e-6
        For the residual, relative to that at the start; 4 rounding errors of L z0 are always enough.
    max_iter : int, default 1000
        Epochs: n component calls each.
    max_time : float, optional
        Seconds.
    step : float, optional
        Step of the method: eta of Halpern's methods, extragradient and ``"feg"``; gamma of ``"lsvrg"``; c, that of the
        resolvent, of ``"halpern-forb"`` and ``"vr-prox-halpern"``. None (default): from the Lipschitz constants. For
        ``"halpern-page"`` that is the step of the theory, 1 / (4 L), which is some ten times smaller than what its
        authors ran.
    inner_step : float, optional
        Step of the inner loop of ``"halpern-forb"``; None (default): the authors'.
    batch_size : int, optional
        Components drawn at a time; None (default): sqrt(n), or half of it.
    refresh_prob : float, optional
        Probability, above 0 and at most 1, of a full evaluation; None (default): the method's own.
    law : {"uniform", "importance"}, default "uniform"
        Whether components are drawn evenly, or in proportion to their Lipschitz constants.
    restart : bool, default True
        Whether the anchor of Halpern's methods and of ``"feg"`` moves; without, their worst-case rates hold as
        published.
    rng : int, Generator or SeedSequence, optional
        For the draws; equal seeds give equal runs.
    check_every : int, default 1
        Iterations between two checks.
    callback : callable, optional
        Called with each ``intermediate_result``; stops the run by raising ``StopIteration``.
    on_failure : {"warn", "raise", "ignore"}, default "warn"
        What to do if `tol` is not met.

    Returns
    -------
    InclusionResult
        With ``z``, ``x``, ``y``, ``residual``, ``gap``, ``epochs``, ``n_component``, ``n_full``, ``n_restarts``,
        ``step``, ``lipschitz``, ``method``, and what every result has.

    Raises
    ------
    InvalidInputError
        A start that is not finite or has the wrong length, an operator that returns another shape, a method that lacks
        what it needs of the operator, a bad keyword.
    InvalidTypeError
        An object that is no operator, arrays of two libraries.
    SolverError
        `tol` was not met and ``on_failure="raise"``.

    Warns
    -----
    ConvergenceWarning
        `tol` was not met; also with ``status`` INVALID_MODEL, when two iterates show that F is not monotone.
    PrecisionWarning
        `batch_size` is above n; `tol` is below 1e-14, or 50 rounding errors of float32.
    PerformanceWarning
        Iterates contradict what `op` claims, once a run: its constants, and steps are shortened; or that it is
        cocoercive, and ``"feg"`` goes on.

    Notes
    -----
    *Certified*: ``residual = |z - prox(z - eta F(z), eta)| / eta`` with eta = 1 / L, from an evaluation of F at the
    returned point and of nothing else; ``|F(z)|`` without a prox. It is zero only at a solution.

    *Which method wins*, measured. Bilinear problems on simplices and boxes: ``"pdhg"``, by far. Cocoercive sums of 2000
    components or more: ``"lsvrg"``; it hands over to ``"vr-halpern"`` when it makes no progress. Monotone sums with
    ``sqrt(n) L_F / L_Q >= 5``: ``"vr-prox-halpern"``. All else: ``"feg"``, with a step that it finds itself. ``"auto"``
    follows that rule, and takes ``"feg"`` for arrays of other libraries than NumPy, where small batches do not pay. The
    paper's methods have the best worst-case rates for the last iterate; on the problems of their own experiments they
    need fewer epochs than extragradient, and more seconds.

    *Cost*: ``epochs`` counts all that was evaluated, for estimates, refreshes and certificates too. *Memory*: some
    ten vectors; no table of components. *When not to use it*: for smooth minimisation in few dimensions Newton's
    method is faster.

    References
    ----------
    X. Cai, A. Alacaoglu, J. Diakonikolas, "Variance reduced Halpern iteration for finite-sum monotone inclusions", ICLR
    2024, arXiv:2310.02987. S. Lee, D. Kim, arXiv:2106.02326. D. Kovalev, S. Horvath, P. Richtarik, arXiv:1901.08689.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.monotone import LogisticGradient, monotone_root
    >>> rng = np.random.default_rng(0)
    >>> A = rng.normal(size=(3000, 5))
    >>> b = rng.random(3000) < 1 / (1 + np.exp(-A @ np.ones(5)))
    >>> result = monotone_root(LogisticGradient(A, b.astype(float)), rng=0)
    >>> result.method, result.success, bool(result.epochs < 60)
    ('lsvrg', True, True)
    """
    return solve(op, z0, prox, method, step, inner_step, batch_size, refresh_prob, law, restart, rng, tol=tol,
                 max_iter=max_iter, max_time=max_time, check_every=check_every, callback=callback,
                 on_failure=on_failure)  # fmt: skip


def solve(op, z0, prox, method, step, inner_step, batch_size, refresh_prob, law, restart, rng, *, tol, max_iter,
          by_gap=False, **control):  # fmt: skip
    """Check everything, choose, and run."""
    one_of("method", method, ("auto", *METHODS))
    one_of("law", law, ("uniform", "importance"))
    integer("max_iter", max_iter, low=1, remedy="allow at least one epoch")
    flag("restart", restart)
    for name, value in (("step", step), ("inner_step", inner_step)):
        if value is not None:
            positive_scalar(name, value)
    if refresh_prob is not None:
        scalar("refresh_prob", refresh_prob, above=0.0, high=1.0, remedy="pass a probability above 0")
    rng = default_rng(rng)
    p = inclusion(op, z0, prox, scalar("tol", tol, low=0.0, remedy="pass a tolerance >= 0"), by_gap)
    check_tolerance(tol, p.xp, p.dtype)
    if batch_size is not None and integer("batch_size", batch_size, low=1) > p.n:
        warn(f"batch_size is {batch_size}: the operator has {p.n} components, which are taken", PrecisionWarning)
        batch_size = p.n
    p.method = _choose(p, law) if method == "auto" else method
    if p.method == "vr-halpern" and getattr(op, "kind", "") == "bilinear":
        raise InvalidInputError(
            "method is 'vr-halpern': a cocoercive operator is expected, a bilinear one makes it diverge; "
            "use method='auto' or 'vr-prox-halpern'"
        )
    options = SimpleNamespace(
        step=step,
        inner_step=inner_step,
        batch_size=batch_size,
        refresh_prob=refresh_prob,
        restart=restart,
        rng=rng,
        law=sampling(op, law) if p.method in SAMPLED else None,
    )
    return run(
        _limited(METHODS[p.method](p, p.start, options), p, max_iter),
        certify=p.certificate,
        finish=p.finish,
        start=p.start,
        tol=tol,
        max_iter=FOREVER,  # epochs are counted here, by what is evaluated
        **control,
    )


def _limited(iterates, p, epochs):
    """Pass the iterates on until so many epochs have been spent."""
    relay = Relay(iterates)
    for at in relay:
        yield at
        if p.counts["n_component"] >= epochs * p.n:
            return Status.MAX_ITER
    return relay.end


def _choose(p, law):
    """Return the method for an operator, from its kind and its constants alone."""
    op = p.op
    if getattr(op, "kind", "") == "bilinear" and bilinear_sets(p) is not None:
        return "pdhg"
    constants = getattr(op, "component_lipschitz", None)
    if p.n < MANY or not is_numpy(p.xp) or constants is None or not np.any(host(constants)):
        return "feg"
    q, L_F = sampling(op, law), 1 / p.eta
    kind = getattr(op, "kind", "monotone")
    if kind == "cocoercive":
        return "lsvrg" if math.sqrt(p.n) * L_F >= q.cocoercive else "feg"
    return "vr-prox-halpern" if math.sqrt(p.n) * L_F >= GAIN * q.lipschitz else "feg"
