"""The public solver of monotone inclusions."""

import math
from types import SimpleNamespace

from numopt._array import default_rng, is_numpy
from numopt._check import integer, one_of, positive_scalar, scalar
from numopt._loop import Status, run
from numopt._solver import solver
from numopt.exceptions import InvalidInputError, PrecisionWarning, warn
from numopt.monotone._feg import extragradient, fast_extragradient, halpern
from numopt.monotone._forb import halpern_forb, vr_prox_halpern
from numopt.monotone._inclusion import inclusion
from numopt.monotone._bilinear import bilinear_pdhg, bilinear_sets
from numopt.monotone._page import halpern_page, vr_halpern
from numopt.monotone._sampling import sampling
from numopt.monotone._svrg import lsvrg

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

    Solves 0 in F(z) + G(z) with F = (1/n) sum_i F_i single-valued and G given by its prox: gradients of convex
    functions, saddle points, games, variational inequalities.
    """
    return solve(op, z0, prox, method, step, inner_step, batch_size, refresh_prob, law, restart, rng, tol=tol,
                 max_iter=max_iter, max_time=max_time, check_every=check_every, callback=callback, on_failure=on_failure)  # fmt: skip


def solve(op, z0, prox, method, step, inner_step, batch_size, refresh_prob, law, restart, rng, *, tol, max_iter,
          by_gap=False, **control):  # fmt: skip
    """Check everything, choose, and run."""
    one_of("method", method, ("auto", *METHODS))
    one_of("law", law, ("uniform", "importance"))
    scalar("tol", tol, low=0.0, remedy="pass a tolerance >= 0")
    integer("max_iter", max_iter, low=1, remedy="allow at least one epoch")
    for name, value in (("step", step), ("inner_step", inner_step)):
        if value is not None:
            positive_scalar(name, value)
    if refresh_prob is not None:
        scalar("refresh_prob", refresh_prob, above=0.0, high=1.0, remedy="pass a probability above 0")
    rng = default_rng(rng)
    p = inclusion(op, z0, prox, by_gap)
    if batch_size is not None and integer("batch_size", batch_size, low=1) > p.n:
        warn(f"batch_size is {batch_size}: the operator has {p.n} components, which are taken", PrecisionWarning)
        batch_size = p.n
    p.method = _choose(p, law) if method == "auto" else method
    if p.method == "vr-halpern" and getattr(op, "kind", "") == "bilinear":
        raise InvalidInputError(
            "method is 'vr-halpern': a cocoercive operator is expected, a bilinear one makes it diverge; "
            "use method='auto' or 'vr-prox-halpern'"
        )
    options = SimpleNamespace(step=step, inner_step=inner_step, batch_size=batch_size, refresh_prob=refresh_prob,
                              restart=restart, rng=rng, law=sampling(op, law) if p.method in SAMPLED else None)  # fmt: skip
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
    while True:
        try:
            yield next(iterates)
        except StopIteration as end:
            return end.value
        if p.counts["n_component"] >= epochs * p.n:
            return Status.MAX_ITER


def _choose(p, law):
    """Return the method for an operator, from its kind and its constants alone."""
    op = p.op
    if getattr(op, "kind", "") == "bilinear" and bilinear_sets(p) is not None:
        return "pdhg"
    if p.n < MANY or not is_numpy(p.xp) or getattr(op, "component_lipschitz", None) is None:
        return "feg"
    q, L_F = sampling(op, law), 1 / p.eta
    kind = getattr(op, "kind", "monotone")
    if kind == "cocoercive":
        return "lsvrg" if math.sqrt(p.n) * L_F >= q.cocoercive else "feg"
    return "vr-prox-halpern" if math.sqrt(p.n) * L_F >= GAIN * q.lipschitz else "feg"
