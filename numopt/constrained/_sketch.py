"""Sketch and project: linear systems by random projections.

For A d = b with symmetric A, a sketch S of q columns moves d to the nearest point where S^T (A d - b) = 0:
d <- d - A S (S^T A^2 S)^+ S^T (A d - b). R. M. Gower, P. Richtárik, arXiv:1506.03296.
"""

import math

import numpy as np

from numopt import _array
from numopt._check import Checks, integer, one_of, positive_scalar
from numopt._kernels import kernels
from numopt._loop import Iterate, run
from numopt._result import Result, result_class

KINDS = ("kaczmarz", "gaussian", "block-kaczmarz", "block-gaussian")
_BLOCK = 32


@result_class
class SketchResult(Result):
    """A solution of a linear system by sketch and project.

    Attributes
    ----------
    x : array of shape (n,)
        The solution.
    residual : float
        ``|A x - b| / |b|``, recomputed; ``|A x|`` where b = 0.
    n_sketch : int
        Projections made.
    inner_capped : bool
        Whether `max_sketches` ended the run.
    """

    x: object
    residual: float
    n_sketch: int
    inner_capped: bool


class Sketcher:
    """Advances one system by batches of projections; `d` is the state, `n_sketch` what was spent."""

    def __init__(self, A, b, kind, rng, block=None, d=None):
        self.A, self.b, self.kind, self.rng = A, b, kind, rng
        self.xp, self.k = _array.namespace(b), kernels("constrained", _array.namespace(b))
        self.size, self.device = b.shape[0], _array.device(b)
        self.q = 1 if "block" not in kind else min(block or _BLOCK, self.size)
        self.d, self.n_sketch = self.xp.zeros_like(b) if d is None else d, 0

    def residual(self):
        """Return |A d - b|, computed in full."""
        return _array.host(self.xp.linalg.vector_norm(self.A @ self.d - self.b))

    def batch(self, most):
        """Make as many projections as there are unknowns, or what is left of `most`."""
        count = max(1, min(max(self.size, 64) // self.q, most))
        self.n_sketch += count
        if self.q > 1:
            for _ in range(count):
                self.d = self._block()
        elif self.kind == "kaczmarz":
            rows = self.rng.integers(self.size, size=count)
            self.d = self.k.project_rows(self.A, self.b, self.d, rows)
        else:
            S = self._normal(count)
            self.d = self.k.project_rows(S @ self.A, S @ self.b, self.d, np.arange(count))

    def _block(self):
        """Return d projected by q sketches at once."""
        xp = self.xp
        if self.kind == "block-kaczmarz":
            rows = np.sort(self.rng.choice(self.size, self.q, replace=False))
            rows = _array.like(xp, rows, self.device, xp.int64)
            W, t = xp.take(self.A, rows, axis=0), xp.take(self.b, rows)
        else:
            S = self._normal(self.q)
            W, t = S @ self.A, S @ self.b
        gram, off = W @ W.T, W @ self.d - t
        size = xp.max(xp.abs(gram))
        ridge = xp.where(size > 0, size, xp.ones_like(size)) * (10 * float(xp.finfo(W.dtype).eps))
        gram = gram + ridge * xp.eye(self.q, dtype=W.dtype, device=self.device)
        return self.d - xp.linalg.solve(gram, off[:, None])[:, 0] @ W

    def _normal(self, count):
        draws = self.rng.standard_normal((count, self.size))
        return _array.like(self.xp, draws, self.device, self.b.dtype)

    def until(self, target, most):
        """Project until |A d - b| <= target or `most` projections are spent in all; return the residual."""
        off = self.residual()
        while off > target and self.n_sketch < most:
            self.batch(most - self.n_sketch)
            off = self.residual()
        return off


def sketch_solve(A, b, *, kind="kaczmarz", block=None, tol=1e-8, max_sketches=100_000, max_time=None, init=None,
                 rng=None, callback=None, on_failure="warn"):  # fmt: skip
    """Solve a symmetric linear system by sketch and project.

    Parameters
    ----------
    A : array_like of shape (n, n)
        Symmetric, not necessarily definite.
    b : array_like of shape (n,)
        Right-hand side.
    kind : {"kaczmarz", "gaussian", "block-kaczmarz", "block-gaussian"}, default "kaczmarz"
        Rows drawn evenly, or Gaussian combinations of them; one at a time or `block` at once.
    block : int, optional
        Projections at once for the block kinds. None (default): 32.
    tol : float, default 1e-8
        ``|A x - b|`` relative to ``|b|``.
    max_sketches : int, default 100000
        The cap on projections.
    max_time : float, optional
        Seconds.
    init : array_like of shape (n,), optional
        Where to start; None (default) is zero.
    rng : None, int, Generator or SeedSequence
        Source of the sketches.
    callback : callable, optional
        Called as ``callback(intermediate_result)`` after each n projections; raise StopIteration to stop.
    on_failure : {"warn", "raise", "ignore"}, default "warn"
        What to do when `tol` is not reached.

    Returns
    -------
    SketchResult
        `x`, `residual`, `n_sketch`, `inner_capped`; `nit` counts batches of about n projections.

    Raises
    ------
    InvalidInputError, InvalidTypeError
        An argument is inadmissible.
    SolverError
        `tol` was not reached and ``on_failure="raise"``.

    Warns
    -----
    ConvergenceWarning
        `tol` was not reached.

    Notes
    -----
    A Kaczmarz projection costs O(n), a Gaussian one O(n^2), and the projections needed grow with the square of the
    condition number: for tests, teaching, and systems so large that only rows can be had. Direct solvers were
    faster in every case that we timed. Memory: `A` and some vectors, for blocks q more.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.constrained import sketch_solve
    >>> A = np.array([[2.0, 1.0], [1.0, -3.0]])
    >>> res = sketch_solve(A, [1.0, 2.0], rng=0)
    >>> np.round(A @ res.x, 6)
    array([1., 2.])
    """
    one_of("kind", kind, KINDS)
    checks = Checks({"A": A, "b": b, "init": init})
    A = checks.matrix("A")
    b = checks.vector("b", size=A.shape[0])
    A = checks.matrix("A", shape=(A.shape[0], A.shape[0]))
    start = None if init is None else checks.vector("init", size=A.shape[0])
    checks.settle()
    most = integer("max_sketches", max_sketches, low=1, remedy="allow at least one sketch")
    if block is not None:
        integer("block", block, low=1, remedy="pass the number of sketches at once")
    positive_scalar("tol", tol, remedy="pass a relative residual > 0")
    sketcher = Sketcher(A, b, kind, _array.default_rng(rng), block, start)
    xp = sketcher.xp
    size = _array.host(xp.max(xp.abs(b))) or 1.0  # squares of tiny numbers would be zero
    norm = _array.host(xp.linalg.vector_norm(b / size)) or 1.0

    def off(d):
        return xp.linalg.vector_norm((A @ d - b) / size) / norm

    def iterates():
        while sketcher.n_sketch < most:
            sketcher.batch(most - sketcher.n_sketch)
            yield Iterate(sketcher.d, off(sketcher.d), {"n_sketch": sketcher.n_sketch})

    def finish(d, info, common):
        capped = sketcher.n_sketch >= most and not common["success"]
        return SketchResult(
            **common, x=d, residual=common["certificate"]["residual"], n_sketch=sketcher.n_sketch, inner_capped=capped
        )

    return run(
        iterates(), certify=lambda d: {"residual": off(d)}, finish=finish, tol=tol, max_iter=math.ceil(most) + 1,
        max_time=max_time, callback=callback, on_failure=on_failure, start=sketcher.d,
    )  # fmt: skip
