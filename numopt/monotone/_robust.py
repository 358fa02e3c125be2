"""Learning against an adversary, as saddle problems: F = (gradient in the coefficients, minus that in the adversary).

The adversary's variables are scaled by sqrt(n) and the root of its price, so that one step suits both sides.
"""

import math

import numpy as np

from numopt._array import host
from numopt._check import Checks, positive_scalar, scalar
from numopt._given import as_array
from numopt._kernels import kernels
from numopt.exceptions import InvalidInputError
from numopt.monotone._matrix import wrap
from numopt.monotone._operator import Operator
from numopt.monotone._product import Product
from numopt.monotone._prox import Free, Simplex
from numopt.monotone._tolerance import expect_squares


class _Adversarial(Operator):
    """What they share: rows a_i with targets b_i, coefficients of a ridge, an adversary of some size."""

    saddle = True

    def _data(self, A, b, ridge, low=-math.inf, high=math.inf):
        checks = Checks({"A": A, "b": b})
        A = checks.matrix("A")
        self.n, self.split = A.shape
        b = checks.vector("b", size=self.n, low=low, high=high, remedy="give each row a target in range")
        expect_squares("A", checks.settle()["A"], checks.xp, checks.dtype)
        xp = self.xp = checks.xp
        self.device, self.dtype = checks.device, checks.dtype
        self.A, self.b, self.root = wrap(xp, self.device, A), xp.astype(b, xp.float64), math.sqrt(self.n)
        self.ridge = scalar("ridge", ridge, low=0.0)
        self.kernels = kernels("monotone", xp)

    def _rows(self, index):
        xp = self.xp
        place = xp.asarray(index, device=self.device)
        return place, xp.astype(xp.take(self.A.A, place, axis=0), xp.float64, copy=False), xp.take(self.b, place)

    def batch_difference(self, z, w, index, weights):
        """Return the weighted sum of F_i(z) - F_i(w)."""
        xp = self.xp
        place, rows, b = self._rows(index)
        weights = xp.asarray(weights, device=self.device)
        here, there = (self._terms(v, rows @ v[: self.split], b, place) for v in (z, w))
        slopes, pushes = here[0] - there[0], here[1] - there[1]
        adversary = self.kernels.scatter(self._slots(index), weights * pushes, self.dim - self.split)
        parts = ((weights * slopes) @ rows, adversary)
        return xp.concat(parts) + xp.sum(weights) * (self._common(z) - self._common(w))

    def full(self, z):
        """Return F(z)."""
        xp = self.xp
        every = xp.arange(self.n, dtype=xp.int64, device=self.device)
        slopes, pushes = self._terms(z, self.A.forward(z[: self.split]), self.b, every)
        adversary = self.kernels.scatter(self._slots(None), pushes, self.dim - self.split)
        return xp.concat((self.A.adjoint(slopes), adversary)) / self.n + self._common(z)

    def component(self, i, z):
        """Return F_i(z)."""
        place, rows, b = self._rows(np.array([i]))
        slopes, pushes = self._terms(z, rows @ z[: self.split], b, place)
        adversary = self.kernels.scatter(self._slots(np.array([i])), pushes, self.dim - self.split)
        return self.xp.concat((slopes @ rows, adversary)) + self._common(z)

    def _slots(self, index):
        """Return the numbers of the adversary's variables that these components push, on the host."""
        return np.arange(self.n) if index is None else index


class RobustLeastSquares(_Adversarial):
    """Least squares whose responses an adversary moves at a price.

    ``min_x max_y 1/(2n) |A x - y|^2 - price/(2n) |y - b|^2 + ridge/2 |x|^2``, in z = (x, u); `moved` says what u
    stands for.

    Parameters
    ----------
    A : array_like of shape (n, d)
        One row for each observation.
    b : array_like of shape (n,)
        Responses.
    price : float, default 2.0
        Above 1, or the adversary could move them for ever.
    ridge : float, default 0.0
        At least 0.

    Examples
    --------
    >>> from numopt.monotone import RobustLeastSquares, monotone_root
    >>> op = RobustLeastSquares([[1.0], [1.0]], [0.0, 2.0], price=3.0)
    >>> monotone_root(op, tol=1e-9).x.round(6)
    array([1.])
    """

    def __init__(self, A, b, price=2.0, ridge=0.0):
        self._data(A, b, ridge)
        self.price = positive_scalar("price", price)
        if not self.price > 1:
            raise InvalidInputError(f"price is {price}: a number above 1 is expected; raise it")
        self.dim = self.split + self.n
        self.unit = self.root / max(1.0, math.sqrt(self.price - 1))  # y - b = unit u
        s, share = 1.01 * self.A.norm(steps=30) / self.root, self.unit / self.root
        push = (self.price - 1) * share**2
        self.lipschitz = float(np.linalg.norm([[s * s + self.ridge, -s * share], [s * share, push]], 2)) or 1.0
        squares = host(self.xp.sum(self.A.A * self.A.A, axis=1, dtype=self.xp.float64))
        self.component_lipschitz = squares + self.unit * np.sqrt(squares) + self.n * push + self.ridge

    def moved(self, u):
        """Return the responses y that u stands for.

        Parameters
        ----------
        u : array of shape (n,), float64
            The adversary's part of z = (x, u).

        Returns
        -------
        array of shape (n,), float64
            Responses, b plus what the adversary adds.
        """
        return self.b + self.unit * u

    def _terms(self, z, t, b, place):
        way = self.unit * self.xp.take(z[self.split :], place)
        off = t - b - way
        return off, self.unit * (off + self.price * way)

    def _common(self, z):
        return self.xp.concat((self.ridge * z[: self.split], self.xp.zeros_like(z[self.split :])))


class _AdversarialLogistic(_Adversarial):
    """Logistic losses, weighted by an adversary."""

    def _losses(self, t, b):
        """Return the losses log(1 + exp(t)) - b t and their derivatives."""
        xp = self.xp
        e = xp.exp(-xp.abs(t))
        return xp.log1p(e) + xp.maximum(t, xp.zeros_like(t)) - b * t, xp.where(t >= 0, 1 / (1 + e), e / (1 + e)) - b


class DROLogistic(_AdversarialLogistic):
    """Distributionally robust logistic regression: an adversary weights the observations, and pays for leaving 1/n.

    ``min_x max_q sum_i q_i loss_i(x) - price n / 2 |q - 1/n|^2 + ridge/2 |x|^2`` over the simplex, in z = (x, p);
    `weights` says what p stands for.

    Parameters
    ----------
    A : array_like of shape (n, d)
        One row for each observation.
    b : array_like of shape (n,)
        Classes 0 and 1.
    price : float, default 1.0
        Above 0; the larger, the closer to the plain mean of the losses.
    ridge : float, default 0.0
        At least 0.

    Examples
    --------
    >>> from numopt.monotone import DROLogistic, monotone_root
    >>> op = DROLogistic([[1.0], [1.0], [1.0]], [1, 1, 0], price=1.0, ridge=0.1)
    >>> result = monotone_root(op, tol=1e-6)
    >>> q = op.weights(result.y)
    >>> bool(q[2] > q[0])  # the observation that fits least counts most
    True
    """

    def __init__(self, A, b, price=1.0, ridge=0.0):
        self._data(A, b, ridge, 0.0, 1.0)
        self.price = positive_scalar("price", price)
        self.dim = self.split + self.n
        self.unit = self.root * max(1.0, math.sqrt(self.price))  # p = unit q
        self.prox = Product([(Free(), self.split), (Simplex(self.unit), self.n)])

    def weights(self, p):
        """Return the weights q that p stands for.

        Parameters
        ----------
        p : array of shape (n,), float64
            The adversary's part of z = (x, p).

        Returns
        -------
        array of shape (n,), float64
            Weights of the observations, with sum 1 for p of the set.
        """
        return p / self.unit

    def _terms(self, z, t, b, place):
        loss, slope = self._losses(t, b)
        share = self.n / self.unit
        return share * self.xp.take(z[self.split :], place) * slope, -share * loss

    def _common(self, z):
        pull = self.price * self.n / self.unit**2
        return self.xp.concat((self.ridge * z[: self.split], pull * (z[self.split :] - self.unit / self.n)))


class FairClassification(_AdversarialLogistic):
    """Logistic regression for the group that fares worst: ``min_x max_q sum_g q_g mean_g(loss) + ridge/2 |x|^2``.

    Parameters
    ----------
    A : array_like of shape (n, d)
        One row for each observation.
    b : array_like of shape (n,)
        Classes 0 and 1.
    groups : array_like of shape (n,)
        The group of each observation, anything that NumPy can sort.
    ridge : float, default 0.0
        At least 0.

    Examples
    --------
    >>> from numopt.monotone import FairClassification, monotone_root
    >>> op = FairClassification([[1.0], [1.0], [1.0]], [1, 1, 0], ["a", "a", "b"], ridge=0.1)
    >>> monotone_root(op, tol=1e-6).x.round(3) + 0.0
    array([0.])
    """

    def __init__(self, A, b, groups, ridge=0.0):
        self._data(A, b, ridge, 0.0, 1.0)
        names, slots, counts = np.unique(as_array("groups", groups), return_inverse=True, return_counts=True)
        if slots.shape != (self.n,):
            raise InvalidInputError(f"groups has shape {slots.shape}: ({self.n},) is expected; give each row its group")
        self.groups, self.slots = names, slots
        xp = self.xp
        self.share = xp.asarray(self.n / counts[slots], device=self.device)
        self.slot = xp.asarray(slots, device=self.device)
        self.dim = self.split + names.size
        self.prox = Product([(Free(), self.split), (Simplex(), names.size)])

    def _terms(self, z, t, b, place):
        xp = self.xp
        loss, slope = self._losses(t, b)
        share = xp.take(self.share, place)
        weight = xp.take(z[self.split :], xp.take(self.slot, place))
        return weight * share * slope, -share * loss

    def _common(self, z):
        return self.xp.concat((self.ridge * z[: self.split], self.xp.zeros_like(z[self.split :])))

    def _slots(self, index):
        return self.slots if index is None else self.slots[index]
