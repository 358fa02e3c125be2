"""Low-rank matrix completion."""

from numopt import _array
from numopt._check import one_of
from numopt._loop import Iterate, Status, run
from numopt._solver import solver
from numopt.completion._als import alternate
from numopt.completion._auto import recover
from numopt.completion._build import problem
from numopt.completion._factors import NotFiniteError, qr
from numopt.completion._finish import finish
from numopt.completion._gauss_newton import Counts, gauss_newton
from numopt.completion._spectral import directions

METHODS = ("auto", "als", "vpgn")


@solver(family="completion", sparse=True, arrays=("X", "sample_weight"))
def matrix_completion(X, rank=10, *, mask=None, sample_weight=None, method="auto", ridge=0.0, ridge_mode="constant",
                      bias_ridge=None, loss="squared", center="none", init="spectral", duplicates="raise",
                      validation_fraction=0.0, tol=1e-6, max_iter=500, max_time=None, rng=None, callback=None,
                      check_every=1, on_failure="warn"):  # fmt: skip
    """Complete a matrix of low rank from some of its entries."""
    one_of("method", method, METHODS)
    rng = _array.default_rng(rng)
    p = problem(X, rank, mask=mask, sample_weight=sample_weight, ridge=ridge, ridge_mode=ridge_mode,
                bias_ridge=bias_ridge, loss=loss, center=center, duplicates=duplicates, tol=tol,
                validation_fraction=validation_fraction, rng=rng)  # fmt: skip
    return run(
        _guarded(_iterates(p, method, init, rng)),
        certify=p.certificate, finish=lambda *args: finish(p, *args), start=p.zeros(),
        tol=tol, max_iter=max_iter, max_time=max_time, check_every=check_every, callback=callback,
        on_failure=on_failure,
    )  # fmt: skip


def _guarded(iterates):
    """Pass the iterates on; what is not finite ends the run with the best so far."""
    try:
        return (yield from iterates)
    except NotFiniteError:
        return Status.NONFINITE


def _iterates(p, method, init, rng):
    counts, zero = Counts(), p.zeros()
    if p.norm == 0:
        yield Iterate(zero, 0.0, counts.info(0))
        return Status.CONVERGED
    V = p.draw(rng, p.shape[1], p.rank) if init == "random" else None
    if method == "auto" and not (p.penalised or p.robust):
        return (yield from recover(p, p.rank, counts, rng, V))
    if V is None:
        _, V = directions(p, zero, p.rank, rng)
    if method == "vpgn":
        state, rel, slope, end = yield from gauss_newton(p, V, counts, enough=p.tol, steps=10**9)
        yield Iterate(state, min(rel, slope), counts.info(p.rank))
        return Status.STALLED
    return (yield from alternate(p, p.zeros(p.rank)._replace(V=qr(V)), counts, robust=p.robust))
