"""What `sparse_plan` returns: the plan as its non-zeros, and the result."""

from dataclasses import dataclass

from numopt._array import device, is_numpy, namespace
from numopt._csr import csr
from numopt._result import Result, result_class


@dataclass(frozen=True, slots=True)
class SparsePlan:
    """A transport plan held as its positive entries, in row-major order.

    Parameters
    ----------
    rows, columns : int64 array of shape (nnz,)
        Where the entries are.
    values : array of shape (nnz,)
        Mass moved, in the unit of `a`; the dtype of the input.
    shape : tuple of int
        (n, m).

    Examples
    --------
    >>> import numpy as np
    >>> from numopt.ot._sparse_plan import sparse_plan
    >>> a = b = np.array([0.5, 0.5])
    >>> plan = sparse_plan(a, b, np.array([[0.0, 1.0], [1.0, 0.0]]), reg=0.1).plan
    >>> plan
    SparsePlan of shape (2, 2) with 2 non-zeros, float64
    >>> plan.todense()
    array([[0.5, 0. ],
           [0. , 0.5]])
    """

    rows: object
    columns: object
    values: object
    shape: tuple

    @property
    def nnz(self):
        """Number of positive entries."""
        return self.values.shape[0]

    @property
    def dtype(self):
        """The dtype of the values."""
        return self.values.dtype

    def todense(self):
        """Return the plan as a matrix.

        Returns
        -------
        array of shape (n, m)
            All entries: O(n m) memory.
        """
        xp, (n, m) = namespace(self.values), self.shape
        if is_numpy(xp):
            return self.tocsr().toarray()
        # The array standard has no scattered assignment: look every place up instead.
        at = self.rows * m + self.columns
        places = xp.arange(n * m, dtype=at.dtype, device=device(at))
        found = xp.searchsorted(at, places)
        found = xp.where(found < self.nnz, found, xp.zeros_like(found))
        flat = xp.where(xp.take(at, found) == places, xp.take(self.values, found), 0)
        return xp.reshape(flat, (n, m))

    def tocsr(self):
        """Return the plan as a sparse array.

        Returns
        -------
        csr_array of shape (n, m)
            Of CuPy for CuPy arrays, else of SciPy, on the host.
        """
        return csr(self.values, self.rows, self.columns, self.shape)

    def __repr__(self):
        dtype = str(self.values.dtype).rpartition(".")[2]
        return f"SparsePlan of shape {self.shape} with {self.nnz} non-zeros, {dtype}"


@result_class
class SparsePlanResult(Result):
    """The result of `sparse_plan`; scalars are on the host, arrays where the input was.

    Attributes
    ----------
    f : array of shape (n,)
        Dual potential of the rows, unit of `C`, defined up to a constant; ``init=`` takes it.
    g : array of shape (m,)
        Dual potential of the columns that belongs to `f`. With ``kind="exact"`` and no `max_nonzeros` the
        plan is ``maximum(f[:, None] + g - C, 0) / reg``.
    plan : SparsePlan
        The plan; `marginal_error` is about exactly these values.
    value : float
        ``<C, P> + reg/2 ||P||^2`` of the plan.
    cost : float
        ``<C, P>`` of the plan.
    dual_value : float
        A lower bound of the value of every plan that meets the constraints (with `max_nonzeros`: also
        that one).
    gap : float
        Value of the rounded plan minus `dual_value`: a bound on how far the plan is from optimal.
    marginal_error : float
        ``(||P 1 - a||_1 + ||P^T 1 - b||_1) / sum(a)``.
    kind : str
        ``"exact"``: the plan is read off the potentials, so that it is optimal for marginals
        that differ from `a`, `b` by `marginal_error`. ``"relaxed"``: `max_nonzeros` is active and the
        plan is feasible at best; its distance from the optimum is at most `gap`, not zero.
    nnz, max_nnz_per_column : int
        Non-zeros of the plan.
    rounded_cost : float
        ``<C, P'>`` of the rounded plan P', which has exactly the marginals `a`, `b`: P scaled down where
        it has too much, plus what is missing put on at most n + m - 1 entries.
    n_cg, n_passes : int
        Conjugate-gradient steps; passes over C.
    """

    f: object
    g: object
    plan: SparsePlan
    value: float
    cost: float
    dual_value: float
    gap: float
    marginal_error: float
    kind: str
    nnz: int
    max_nnz_per_column: int
    rounded_cost: float
    n_cg: int
    n_passes: int
