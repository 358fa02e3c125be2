"""Quadratic saddle problems over two sets."""

from numopt._check import Checks
from numopt._solver import solver
from numopt.monotone._product import Product, check_prox
from numopt.monotone._prox import Free
from numopt.monotone._root import solve
from numopt.monotone._saddle import QuadraticSaddle


@solver(family="monotone", arrays=("P", "Q", "A", "b", "c"))
def saddle_qp(P, Q, A, b=None, c=None, *, x_set=None, y_set=None, method="auto", tol=1e-6, max_iter=10_000,
              max_time=None, init=None, check_every=1, callback=None, on_failure="warn"):  # fmt: skip
    """Saddle point of a quadratic function that is convex in x and concave in y.

    Solves min_x max_y ``x.P x / 2 + y.(A x) - y.Q y / 2 + c.x - b.y`` over two sets.

    Parameters
    ----------
    P, Q : array_like of shape (n, n), (m, m), or None
        Symmetric, positive semidefinite; None stands for 0. float32 or float64, anything else becomes float64.
    A : array_like of shape (m, n)
        The coupling.
    b, c : array_like of shape (m,), (n,), optional
        Linear terms, 0 by default.
    x_set, y_set : prox, optional
        Sets or penalties of x and of y, such as `Simplex`, `Box` or a function ``prox(v, t)``. None (default): all of
        the space.
    method : {"auto", "feg", "extragradient"}, default "auto"
        As in `monotone_root`.
    tol : float, default 1e-6
        For the gap relative to that at the start if both sets are bounded, else for the residual.
    max_iter : int, default 10000
        Evaluations of the gradient.
    max_time : float, optional
        Seconds.
    init : InclusionResult or array_like of shape (n + m,), optional
        Where to start, z = (x, y).
    check_every : int, default 1
        Iterations between two checks.
    callback : callable, optional
        Called with each ``intermediate_result``; stops the run by raising ``StopIteration``.
    on_failure : {"warn", "raise", "ignore"}, default "warn"
        What to do if `tol` is not met.

    Returns
    -------
    InclusionResult
        With ``x``, ``y``, ``gap``, ``residual``, and what every result has.

    Raises
    ------
    InvalidInputError
        NaN or infinity in the data, shapes that disagree, a matrix that is not symmetric or has a negative eigenvalue.
    SolverError
        `tol` was not met and ``on_failure="raise"``.

    Warns
    -----
    ConvergenceWarning
        `tol` was not met.

    Notes
    -----
    *Certified*: ``gap``, a bound of the duality gap from the best linear answers to the gradient at (x, y). Unbounded
    sets have none, and the residual counts.

    *Cost*: a Cholesky factorisation of P and of Q, which shows that they are semidefinite; two evaluations of the
    gradient, so four products with each matrix, an iteration. *Memory*: that of the factors, and O(n + m).
    *When not to use it*: for a game (P = Q = 0 on simplices) `matrix_game` is far faster; for many digits of a small
    problem a conic solver is.

    References
    ----------
    S. Lee, D. Kim, "Fast extra gradient methods for smooth structured nonconvex-nonconcave minimax problems",
    arXiv:2106.02326.

    Examples
    --------
    >>> from numopt.monotone import Simplex, saddle_qp
    >>> result = saddle_qp(None, None, [[2.0, 0.0], [0.0, 1.0]], x_set=Simplex(), y_set=Simplex())
    >>> result.x.round(3), result.success
    (array([0.333, 0.667]), True)
    """
    op = QuadraticSaddle(P, Q, A, b, c)
    m, n = op.A.shape
    prox = Product([(check_prox(x_set, n, "x_set") if x_set is not None else Free(), n),
                    (check_prox(y_set, m, "y_set") if y_set is not None else Free(), m)])  # fmt: skip
    init = getattr(init, "z", init)
    if init is not None:
        checks = Checks({"init": init})
        checks.vector("init", size=n + m)
        checks.settle()
    return solve(op, init, prox, method, None, None, None, None, "uniform", True, None, tol=tol,
                 max_iter=max_iter, by_gap=True, max_time=max_time, check_every=check_every, callback=callback,
                 on_failure=on_failure)  # fmt: skip
