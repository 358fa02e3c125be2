"""A transport plan that is never formed unasked."""

import math

from numopt._array import device, like, namespace, shared
from numopt._check import integer, positive_scalar
from numopt._csr import csr
from numopt._given import as_array
from numopt._kernels import kernels
from numopt.exceptions import InvalidInputError

_BLOCK = 2**22  # entries formed at a time by products


class TransportPlan:
    """The plan P_ij = exp((f_i + g_j - C_ij) / reg), kept as its potentials and the caller's cost.

    It is made by `TransportResult.plan`, not by hand.

    Parameters
    ----------
    xp : module
        Namespace of the arrays.
    cost : tuple
        The cost as the kernels read it.
    f, g : array of shape (n,), (m,)
        Potentials, in units of the cost.
    reg : float
        Regularisation, in units of the cost.
    a, b : array of shape (n,), (m,)
        The weights.
    turned : bool
        Whether `cost`, `f` and `a` belong to the columns of the plan.

    Notes
    -----
    Every method but `todense` and `tocsr` needs O(n + m) memory and blocks of 32 MiB; each costs one
    pass over the cost. Rows and columns of zero weight are zero.

    Examples
    --------
    >>> from numopt.ot import sinkhorn_newton
    >>> plan = sinkhorn_newton([0.5, 0.5], [0.5, 0.5], [[0.0, 1.0], [1.0, 0.0]], reg=0.1).plan
    >>> plan.todense().round(4)
    array([[0.5, 0. ],
           [0. , 0.5]])
    >>> plan.matvec([1.0, 1.0])
    array([0.5, 0.5])
    """

    def __init__(self, xp, cost, f, g, reg, a, b, turned):
        self._xp, self._cost, self._f, self._g, self._reg = xp, cost, f, g, reg
        self._a, self._b, self._turned = a, b, turned

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != "_xp"}

    def __setstate__(self, state):
        vars(self).update(state, _xp=namespace(state["_f"]))

    @property
    def shape(self):
        """The numbers of rows and columns, n and m."""
        n, m = self._a.shape[0], self._b.shape[0]
        return (m, n) if self._turned else (n, m)

    @property
    def dtype(self):
        """The dtype of the entries: float32 or float64, as the cost."""
        return self._f.dtype

    def __repr__(self):
        return f"TransportPlan(shape={self.shape}, dtype={self.dtype}, reg={self._reg:.6g})"

    def todense(self):
        """Return the whole of P.

        Returns
        -------
        array of shape (n, m)
            All entries: O(n m) memory.
        """
        P = kernels("ot", self._xp).plan_block(self._cost, *self._seen(), self._reg)
        return P.T if self._turned else P

    def tocsr(self, threshold=1e-12):
        """Return the entries P_ij >= threshold * min(a_i, b_j) as a CSR array of SciPy or CuPy.

        Parameters
        ----------
        threshold : float, default 1e-12
            Relative to the smaller of the two weights; > 0.

        Returns
        -------
        csr_array of shape (n, m)
            Of CuPy for CuPy arrays, else of SciPy.
        """
        threshold = positive_scalar("threshold", threshold, remedy="pass a positive one, or use todense()")
        xp = self._xp
        f, g = self._seen()
        values, columns, start = kernels("ot", xp).extract(
            self._cost, f, g, self._reg, _log(xp, self._a), _log(xp, self._b), math.log(threshold)
        )
        rows = xp.repeat(xp.arange(f.shape[0], dtype=columns.dtype, device=device(f)), xp.diff(start))
        places = (columns, rows) if self._turned else (rows, columns)
        return csr(xp.astype(values, self.dtype), *places, self.shape)

    def row(self, i):
        """Return one row of P.

        Parameters
        ----------
        i : int
            From -n to n - 1.

        Returns
        -------
        array of shape (m,)
            Its entries.
        """
        i, n = integer("i", i, low=-math.inf, remedy="pass the number of a row"), self.shape[0]
        if not -n <= i < n:
            raise IndexError(f"i is {i}: an integer from {-n} to {n - 1} is expected; the plan has {n} rows")
        i %= n
        if not self._turned:
            return next(self._blocks(i, i + 1))[1][0, :]
        return self._xp.concat([block[:, i] for _, block in self._blocks()])

    def matvec(self, x):
        """Return P x.

        Parameters
        ----------
        x : array_like of shape (m,) or (m, k)
            One vector or k of them.

        Returns
        -------
        array of shape (n,) or (n, k)
            The product.
        """
        return (self._left if self._turned else self._right)(x, "x")

    def rmatvec(self, y):
        """Return P^T y.

        Parameters
        ----------
        y : array_like of shape (n,) or (n, k)
            One vector or k of them.

        Returns
        -------
        array of shape (m,) or (m, k)
            The product.
        """
        return (self._right if self._turned else self._left)(y, "y")

    def barycentric(self, Y):
        """Return the mean of the points to which each row sends its mass.

        Parameters
        ----------
        Y : array_like of shape (m, d)
            The points of the columns.

        Returns
        -------
        array of shape (n, d)
            The means, P Y / P 1. Rows that send nothing, such as those of zero weight, get the mean of what the others
            send.
        """
        xp, Y = self._xp, self._given(Y, self.shape[1], "Y", (2,))
        Y = xp.concat([Y, xp.ones_like(Y[:, :1])], axis=1)
        sums = self.matvec(Y)
        sums, sent = sums[:, :-1], sums[:, -1:]
        total = xp.sum(sent)
        mean = xp.where(total > 0, xp.sum(sums, axis=0) / xp.where(total > 0, total, 1.0), xp.mean(Y, axis=0)[:-1])
        return xp.where(sent > 0, sums / xp.where(sent > 0, sent, 1.0), mean)

    def _blocks(self, first=0, end=None):
        """Yield (slice of rows, rows of P)."""
        xp, (C, X, YT, kind) = self._xp, self._cost
        n, m = self._a.shape[0], self._b.shape[0]
        step = max(1, _BLOCK // m)
        f, g = self._seen()
        for lo in range(first, n if end is None else end, step):
            rows = slice(lo, min(lo + step, n if end is None else end))
            cost = (C, X[rows, ...], YT, kind) if kind else (C[rows, ...], X, YT, kind)
            yield rows, kernels("ot", xp).plan_block(cost, f[rows], g, self._reg)

    def _seen(self):
        """Return the potentials, -inf where a weight is zero: the plan has no entries there."""
        return self._xp.where(self._a > 0, self._f, -math.inf), self._xp.where(self._b > 0, self._g, -math.inf)

    def _right(self, x, name, dimensions=(1, 2)):
        x = self._given(x, self._b.shape[0], name, dimensions)
        return self._xp.concat([block @ x for _, block in self._blocks()], axis=0)

    def _left(self, y, name, dimensions=(1, 2)):
        y = self._given(y, self._a.shape[0], name, dimensions)
        return sum(block.T @ y[rows, ...] for rows, block in self._blocks())

    def _given(self, x, size, name, dimensions):
        x = as_array(name, x)
        shared({name: x, "the plan": self._f})  # refuses arrays of two libraries, and what is no real number
        x = like(self._xp, x, device(self._f), self.dtype)
        if x.ndim not in dimensions or x.shape[0] != size:
            shapes = " or ".join((f"({size},)", f"({size}, k)")[d - 1] for d in dimensions)
            raise InvalidInputError(
                f"{name} has shape {tuple(x.shape)}: {shapes} is expected; the plan has shape {self.shape}"
            )
        return x


def _log(xp, weights):
    """Logarithm, +inf for a weight of zero: none of its entries counts."""
    return xp.where(weights > 0, xp.log(xp.where(weights > 0, weights, 1.0)), math.inf)
