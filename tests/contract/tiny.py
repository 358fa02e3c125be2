"""A solver of a few lines that keeps every promise: it shows that the contract tests can be met."""

import sys
from types import ModuleType

from numopt import _array
from numopt._check import Checks
from numopt._kernels import kernels
from numopt._loop import Iterate, run
from numopt._result import Result, result_class
from numopt._solver import solver


def residual(A, x, b):
    """Return b - A x."""
    return b - A @ x


def step(x, r, scale, out):
    """Write x + scale r to `out`."""
    out[...] = x + scale * r


_room = ModuleType("numopt._kernels.portable.tiny")
for _kernel in (residual, step):
    _kernel.__module__ = _room.__name__
    setattr(_room, _kernel.__name__, _kernel)
sys.modules[_room.__name__] = _room


@result_class
class Solution(Result):
    """The solution `x`."""

    x: object


@solver(family="tiny", arrays=("A", "b"))
def richardson(A, b, *, tol=1e-6, max_iter=1000, max_time=None, rng=None, callback=None, check_every=1,
               on_failure="warn"):  # fmt: skip
    """Solve A x = b, A symmetric and diagonally dominant, from a random start."""
    checks = Checks({"A": A, "b": b})
    A, b, xp = checks.matrix("A"), checks.vector("b"), checks.xp
    checks.settle()
    k = kernels("tiny", xp)
    start = _array.like(xp, _array.default_rng(rng).random(b.shape[0]), checks.device, checks.dtype)
    scale = 1.0 / xp.max(xp.sum(xp.abs(A), axis=1))
    norm = xp.linalg.vector_norm

    def iterates():
        x, out = start, xp.zeros_like(start)
        while True:
            r = k.residual(A, x, b)
            yield Iterate(x, norm(r) / norm(b))
            k.step(x, r, scale, out)
            x, out = out, xp.zeros_like(x)

    return run(
        iterates(),
        certify=lambda x: {"residual": norm(k.residual(A, x, b)) / norm(b)},
        finish=lambda x, info, common: Solution(x=x, **common),
        start=start,
        tol=tol,
        max_iter=max_iter,
        max_time=max_time,
        callback=callback,
        check_every=check_every,
        on_failure=on_failure,
    )
