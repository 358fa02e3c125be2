"""Unbalanced entropic transport."""


from numopt._array import host
from numopt._check import Checks
from numopt._loop import run
from numopt._result import Result, result_class
from numopt._solver import solver
from numopt.ot._problem import transport_problem
from numopt.ot._unbalanced_newton import unbalanced_newton
from numopt.ot._unbalanced_problem import UnbalancedProblem


@result_class
class UnbalancedResult(Result):
    f: object
    g: object
    reg: float
    rho: tuple
    value: float
    dual_value: float
    cost: float
    mass: float
    marginal_error: float
    n_passes: int
    n_newton: int
    n_cg: int
    nnz: int
    _problem: object
    _cache: dict


@solver(family="ot", arrays=("a", "b", "C"))
def unbalanced_sinkhorn_newton(a, b, C=None, *, reg, rho, rho_columns=None, X=None, Y=None, cost="sqeuclidean",
                               reg_relative=False, reg_type="entropy", tol=None, max_iter=300, max_time=None,
                               init=None, check_every=1, callback=None, on_failure="warn"):  # fmt: skip
    p = _problem(a, b, C, reg, (rho, rho if rho_columns is None else rho_columns), X, Y, cost, reg_relative, reg_type, tol)
    g = None
    return run(
        unbalanced_newton(p, g), certify=p.certificate, finish=lambda s,i,c: (s,i,c,p), tol=p.base.tol, max_iter=max_iter,
        max_time=max_time, check_every=check_every, callback=callback, on_failure=on_failure, start=p.base.start,
    )  # fmt: skip


def _problem(a, b, C, reg, rho, X, Y, cost, reg_relative, reg_type, tol):
    from dataclasses import replace
    checks = Checks({"a": a, "b": b, "C": C, "X": X, "Y": Y})
    a, b = checks.weights("a"), checks.weights("b")
    extents = checks.settle()
    xp = checks.xp
    # zero pattern
    marks = [xp.astype(w > 0, checks.dtype) for w in (a, b)]
    counts = host(*(xp.sum(x, dtype=xp.float64) for x in marks))
    base = transport_problem(*(x / n for x, n in zip(marks, counts)), C, reg=reg, X=X, Y=Y, cost=cost, reg_relative=reg_relative, tol=tol)
    if base.transposed:
        a, b, rho = b, a, rho[::-1]
    a, b = (xp.astype(w, xp.float64) for w in (a, b))
    whole, mass = None, extents["b" if base.transposed else "a"].total
    if base.whole is not None:
        whole = replace(base.whole, a=a, b=b)
        a, b = xp.take(a, base.rows), xp.take(b, base.columns)
    base = replace(base, a=a, b=b, whole=whole, mass=mass)
    return UnbalancedProblem(base, tuple(map(float,rho)), reg_type == "kl", checks.dtype)
