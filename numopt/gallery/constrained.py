"""Constrained problems: control of a partial differential equation, and logistic regression on a sphere."""

from dataclasses import dataclass, field

import numpy as np

from numopt._array import default_rng


@dataclass(frozen=True)
class ConstrainedProblem:
    """A problem as arguments of ``minimize_constrained(problem.fun, problem.x0, **problem.keywords)``.

    Parameters
    ----------
    fun : callable
        The objective.
    x0 : ndarray of shape (n,)
        The start.
    keywords : dict
        ``jac``, ``hess`` and ``constraints``.
    """

    fun: object
    x0: np.ndarray
    keywords: dict = field(default_factory=dict)


def pde_control(N, kappa=0.0, alpha=0.1):
    """Return the control of a semilinear elliptic equation on a square.

    State w and control z live on the N x N inner points of a grid on (-1, 1)^2; x = (w, z), column by column.
    Minimise ``|w - wd|^2 / 2 + alpha |z|^2 / 2`` subject to Laplace(w) + z - kappa (w^3 - w) = 0 with w = 0 on the
    boundary.

    Parameters
    ----------
    N : int
        Points along a side.
    kappa : float, default 0
        Strength of the nonlinear term.
    alpha : float, default 0.1
        Price of the control.

    Returns
    -------
    ConstrainedProblem
        With n = 2 N^2 variables, m = N^2 constraints and sparse derivatives.

    References
    ----------
    The case kappa = 0 is the experiment of arXiv:2305.18379.

    Examples
    --------
    >>> from numopt.constrained import minimize_constrained
    >>> from numopt.gallery import pde_control
    >>> p = pde_control(3)
    >>> round(minimize_constrained(p.fun, p.x0, **p.keywords).fun, 7)
    9.6444421
    """
    import scipy.sparse as sp
    from scipy.optimize import NonlinearConstraint

    m = N * N
    second = sp.diags_array([1.0, -2.0, 1.0], offsets=[-1, 0, 1], shape=(N, N))
    eye = sp.eye_array(N)
    laplacian = sp.csr_array((sp.kron(second, eye) + sp.kron(eye, second)) * ((N + 1) / 2) ** 2)
    t = 0.1 / np.sqrt(15) * (np.arange(1, N + 1) - (N + 1) / 2)
    wanted = (np.sin(4 + t)[:, None] + np.cos(3 + t)).ravel(order="F")
    hessian = sp.diags_array(np.concatenate([np.ones(m), np.full(m, alpha)]), format="csr")
    control = sp.eye_array(m, format="csr")

    def fun(x):
        r, z = x[:m] - wanted, x[m:]
        return 0.5 * (r @ r + alpha * (z @ z))

    def residual(x):
        w = x[:m]
        return laplacian @ w + x[m:] - kappa * (w**3 - w)

    def jacobian(x):
        return sp.hstack([laplacian - sp.diags_array(kappa * (3 * x[:m] ** 2 - 1)), control], format="csr")

    def curvature(x, v):
        return sp.diags_array(np.concatenate([-6 * kappa * x[:m] * v, np.zeros(m)]), format="csr")

    keywords = {
        "jac": lambda x: np.concatenate([x[:m] - wanted, alpha * x[m:]]),
        "hess": lambda x: hessian,
        "constraints": NonlinearConstraint(residual, 0.0, 0.0, jac=jacobian, hess=curvature),
    }
    return ConstrainedProblem(fun, np.ones(2 * m), keywords)


def sphere_logistic(X, y, n_rows=10, rng=0):
    """Return logistic regression on the unit sphere under random linear equations.

    Minimise mean log(1 + exp(-y_i x_i.w)) subject to A w = b and ``|w|^2 = 1``, with Gaussian A and a feasible b.

    Parameters
    ----------
    X : ndarray of shape (N, d)
        Data.
    y : ndarray of shape (N,)
        Labels, -1 or 1.
    n_rows : int, default 10
        Rows of A; fewer than d.
    rng : None, int, Generator or SeedSequence, default 0
        Source of A and of the feasible point.

    Returns
    -------
    ConstrainedProblem
        With d variables, `n_rows` linear equations and one of the sphere.

    References
    ----------
    The experiment of arXiv:2305.18379, with an equation that has a solution.
    """
    from scipy.optimize import LinearConstraint, NonlinearConstraint
    from scipy.special import expit

    (N, d), rng = X.shape, default_rng(rng)
    A, inside = rng.standard_normal((n_rows, d)), rng.standard_normal(d)
    b = A @ (inside / np.linalg.norm(inside))
    Y = X * y[:, None]

    def hessian(w):
        s = expit(Y @ w)
        Z = X * np.sqrt(s * (1 - s) / N)[:, None]
        return Z.T @ Z

    sphere = NonlinearConstraint(lambda w: w @ w, 1.0, 1.0, jac=lambda w: 2 * w, hess=lambda w, v: 2 * v[0] * np.eye(d))
    keywords = {
        "jac": lambda w: -(Y.T @ expit(-(Y @ w))) / N,
        "hess": hessian,
        "constraints": [LinearConstraint(A, b, b), sphere],
    }
    return ConstrainedProblem(lambda w: np.logaddexp(0, -(Y @ w)).mean(), np.full(d, d**-0.5), keywords)
