"""Gradients of generalised linear models: F_i(x) = phi_i(a_i.x) a_i + ridge x."""

import numpy as np

from numopt._array import host, is_numpy
from numopt._check import Checks, scalar
from numopt._kernels import kernels
from numopt.monotone._matrix import wrap
from numopt.monotone._operator import Operator
from numopt.monotone._tolerance import expect_squares

SQUARES, LOGISTIC = 0, 1


class _Linear(Operator):
    """What the two share; `A` has a row for each component, `b` a target."""

    kind = "cocoercive"
    loss = SQUARES
    curvature = 1.0  # largest derivative of phi

    def __init__(self, A, b, ridge=0.0):
        checks = Checks({"A": A, "b": b})
        A = checks.matrix("A")
        self.n, self.dim = A.shape
        low, high = (0.0, 1.0) if self.loss == LOGISTIC else (-np.inf, np.inf)
        b = checks.vector("b", size=self.n, low=low, high=high)
        expect_squares("A", checks.settle()["A"], checks.xp, checks.dtype)
        self.xp, self.device, self.dtype = checks.xp, checks.device, checks.dtype
        self.A, self.b = wrap(self.xp, self.device, A), self.xp.astype(b, self.xp.float64, copy=False)
        self.ridge = scalar("ridge", ridge, low=0.0)
        self.kernels, self._last = kernels("monotone", self.xp), (None, None)
        self.component_lipschitz = self.curvature * self.xp.sum(A * A, axis=1, dtype=self.xp.float64) + self.ridge
        self.lipschitz = self._norm()

    def _norm(self):
        """Return the Lipschitz constant of F from the Gram matrix, or a bound from its trace if that is large."""
        xp, A = self.xp, self.A.A
        if self.dim <= 500:
            largest = host(xp.linalg.matrix_norm(xp.astype(A.T @ A, xp.float64), ord=2))
        else:
            largest = (1.02 * self.A.norm(steps=30)) ** 2
        return (self.curvature * largest / self.n + self.ridge) or 1.0

    def residuals(self, z):
        """Return the numbers phi_i(a_i.z); those of the last z are kept."""
        if self._last[0] is not z:
            self._last = z, self._phi(self.A.forward(z), self.b)
        return self._last[1]

    def full(self, z):
        """Return F(z)."""
        return self.A.adjoint(self.residuals(z)) / self.n + self.ridge * z

    def component(self, i, z):
        """Return F_i(z)."""
        a = self.xp.astype(self.A.A[i, :], self.xp.float64)
        return self._phi(self.xp.sum(a * z), self.b[i]) * a + self.ridge * z

    def batch_difference(self, z, w, index, weights):
        """Return the weighted sum of F_i(z) - F_i(w), reading each row once."""
        xp = self.xp
        place = xp.asarray(index, device=self.device)
        weights = xp.asarray(weights, device=self.device)
        rows, b = xp.astype(xp.take(self.A.A, place, axis=0), xp.float64, copy=False), xp.take(self.b, place)
        change = weights * (self._phi(rows @ z, b) - self._phi(rows @ w, b))
        return change @ rows + (self.ridge * xp.sum(weights)) * (z - w)

    def svrg_steps(self, z, w, Fw, at_w, index, weights, step, limits, shrink):
        """Return z after a step for each index, with the numbers phi_i(a_i.w) at hand."""
        return self.kernels.svrg_steps(
            self.A.A, self.b, self.loss, self.ridge, z, w, Fw, at_w, index, weights, step, *limits, shrink
        )

    @property
    def fast(self):
        """Whether single steps are compiled."""
        return is_numpy(self.xp)


class LeastSquaresGradient(_Linear):
    """The gradient of ``1/(2n) |A x - b|^2 + ridge/2 |x|^2``.

    Parameters
    ----------
    A : array_like of shape (n, d)
        One row for each component.
    b : array_like of shape (n,)
        Targets.
    ridge : float, default 0.0
        At least 0.

    Examples
    --------
    >>> from numopt.monotone import LeastSquaresGradient, monotone_root
    >>> monotone_root(LeastSquaresGradient([[1.0, 0.0], [0.0, 2.0]], [3.0, 4.0]), tol=1e-8).z.round(4)
    array([3., 2.])
    """

    def _phi(self, t, b):
        return t - b


class LogisticGradient(_Linear):
    """The gradient of ``1/n sum_i log(1 + exp(a_i.x)) - b_i a_i.x  + ridge/2 |x|^2``.

    Parameters
    ----------
    A : array_like of shape (n, d)
        One row for each observation.
    b : array_like of shape (n,)
        Classes 0 and 1, or probabilities between.
    ridge : float, default 0.0
        At least 0.

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.monotone import LogisticGradient, monotone_root
    >>> A = np.array([[1.0], [1.0], [1.0], [1.0]])
    >>> x = monotone_root(LogisticGradient(A, [1, 1, 1, 0]), tol=1e-8).z
    >>> bool(abs(x[0] - np.log(3)) < 1e-6)
    True
    """

    loss = LOGISTIC
    curvature = 0.25

    def _phi(self, t, b):
        xp = self.xp
        e = xp.exp(-xp.abs(t))
        return xp.where(t >= 0, 1 / (1 + e), e / (1 + e)) - b
