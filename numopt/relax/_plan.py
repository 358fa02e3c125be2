"""What the sweeps need to know of a sparsity pattern: found once, used for every matrix that has it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sparse

from numopt import _array
from numopt._check import one_of
from numopt._given import unmasked
from numopt._kernels import kernels
from numopt._kernels.portable._relax_system import Pattern, System, Triangle
from numopt.exceptions import InvalidInputError
from numopt.relax._pattern import arranged, mirrored


@dataclass(frozen=True, eq=False)
class RelaxPlan:
    """The analysis of a sparsity pattern; made by `relax_plan`.

    Attributes
    ----------
    n, nnz : int
        Rows, and entries with the explicit zeros.
    ordering : str
        ``"natural"``, ``"colour"`` or ``"given"``.
    n_levels : int
        How many groups of uncoupled rows follow one another in a sweep.
    symmetric : bool
        Whether the pattern is.
    """

    n: int
    nnz: int
    ordering: str
    n_levels: int
    symmetric: bool
    _pattern: Pattern
    _order: object
    _place: object
    _indices: object
    _indptr: object

    @cached_property
    def _xp(self):
        return _array.namespace(self._order)

    def __getstate__(self):
        """Leave out the library, which is a module, for pickling."""
        return {name: value for name, value in vars(self).items() if name != "_xp"}

    def fits(self, A):
        """Say whether `A` has this pattern.

        Parameters
        ----------
        A : csr_array of shape (n, n)
            In canonical format.

        Returns
        -------
        bool
        """
        if A.shape[0] != self.n or A.data.shape[0] != self.nnz or type(A.data) is not type(self._order):
            return False
        same = kernels("relax", self._xp).same
        return same(A.indptr, self._indptr) and same(A.indices, self._indices)

    def system(self, data):
        """Arrange the values of a matrix for the sweeps.

        Parameters
        ----------
        data : array of shape (nnz,)
            The values of a matrix of this pattern, by rows.

        Returns
        -------
        System
            Triangles and diagonal.
        tuple of scalar arrays
            Of the squared differences of mirrored entries, relative to their diagonals, the largest; the least
            size of a diagonal entry; the least of them; the sum of all values.
        """
        p = self._pattern
        lower, upper, diagonal, facts = kernels("relax", self._xp).assemble(p, data)
        below = Triangle(lower, p.lower_columns, p.lower_starts)
        above = Triangle(upper, p.upper_columns, p.upper_starts)
        return System(p.width, below, above, diagonal, p.levels), facts

    def sorted(self, x):
        """Return a vector in the order of the sweeps.

        Parameters
        ----------
        x : array of shape (n,)
            In the order of the caller.

        Returns
        -------
        array of shape (n,)
        """
        return self._xp.take(x, self._order)

    def unsorted(self, x):
        """Return a vector in the order of the caller.

        Parameters
        ----------
        x : array of shape (n,)
            In the order of the sweeps.

        Returns
        -------
        array of shape (n,)
        """
        return self._xp.take(x, self._place)

    def __repr__(self):
        return f"RelaxPlan for {self.n} rows, {self.nnz} entries: {self.ordering}, {self.n_levels} levels"


def relax_plan(A, ordering="auto"):
    """Analyse the sparsity pattern of a matrix, for all systems that share it.

    Parameters
    ----------
    A : sparse array or matrix of shape (n, n), or array_like
        SciPy or CuPy, any format. Only the pattern matters: zeros that are stored belong to it.
    ordering : {"auto", "natural", "colour"} or array_like of shape (n,), default "auto"
        The order in which a sweep takes the rows. ``"natural"`` as they come. ``"colour"``: greedy colouring, which
        leaves few groups of many rows: it suits devices, costs `ssor_pcg` iterations, and hardly changes `sor`. An
        array: that permutation, first row first. ``"auto"``: colours for CuPy arrays, else as they come.

    Returns
    -------
    RelaxPlan
        For the argument ``plan=`` of the solvers, which check that it fits.

    Raises
    ------
    InvalidInputError
        `A` is not square, a diagonal entry is not stored, or `ordering` is no permutation.
    InvalidTypeError
        `A` is of a wrong type or dtype.

    Notes
    -----
    Within an order, rows are grouped by levels: a row comes one level after the last of its earlier
    neighbours. Rows of a level are not coupled, so the iterates are those of the plain order, bit by bit up to
    the order of sums, while the rows of a level can be computed at once.

    *Cost*: about that of sorting the entries, some tens of sweeps; for CuPy arrays the pattern travels to the
    host once. *Memory*: 20 bytes an entry off the diagonal and 32 a row.

    Examples
    --------
    >>> from numopt.gallery import laplacian_2d
    >>> from numopt.relax import relax_plan
    >>> relax_plan(laplacian_2d(10))
    RelaxPlan for 100 rows, 460 entries: natural, 19 levels
    >>> relax_plan(laplacian_2d(10), ordering="colour")
    RelaxPlan for 100 rows, 460 entries: colour, 2 levels
    """
    from numopt.relax._problem import matrix

    return plan_of(matrix(A), ordering)


def plan_of(A, ordering="auto"):
    """Return the plan of a canonical CSR array."""
    n, xp = A.shape[0], _array.namespace(A.data)
    indices, indptr = _array.host(A.indices, A.indptr)
    _expect_diagonal(n, indices, indptr)
    at = sparse.csr_array((np.arange(A.nnz), indices, indptr), shape=A.shape)
    mirror, both = mirrored(at)
    if isinstance(ordering, str) and ordering == "auto" and _array.is_cupy(xp):
        ordering = "colour"
    order, name = _sequence(both, ordering)
    both = both if name == "natural" else _numbered(both, order)
    level = np.asarray(kernels("relax", _numpy()).levels(both.indices, both.indptr))
    order = order[np.argsort(level, kind="stable")]
    place = np.empty(n, np.int64)
    place[order] = np.arange(n)
    first = np.r_[0, np.cumsum(np.bincount(level))]
    pattern = arranged(xp, _array.device(A.data), indices, indptr, order, place, first, mirror)
    order, place = (_array.like(xp, x, _array.device(A.data), xp.int64) for x in (order, place))
    return RelaxPlan(
        n, A.nnz, name, len(first) - 1, both.nnz == A.nnz, pattern, order, place, _array.copied(A.indices),
        _array.copied(A.indptr),
    )  # fmt: skip


def is_plain_csr(A):
    """Say whether a matrix is square, not empty, of real numbers, and SciPy's CSR, canonical."""
    if getattr(A, "format", "") != "csr" or not isinstance(A.data, np.ndarray) or A.data.dtype.kind not in "fiub":
        return False
    return A.shape[0] == A.shape[1] > 0 and A.has_canonical_format


def _numpy():
    return _array.namespace(np.empty(0))


def _expect_diagonal(n, indices, indptr):
    rows = np.repeat(np.arange(n), np.diff(indptr))
    present = np.zeros(n, bool)
    present[rows[rows == indices]] = True
    if not present.all():
        i = int(np.argmin(present))
        raise InvalidInputError(
            f"A[{i}, {i}] is missing: a non-zero diagonal is expected; reorder the equations, or drop row {i}"
        )


def _sequence(both, ordering):
    """Return the rows in the order in which a sweep takes them, and the name of the ordering."""
    n = both.shape[0]
    if isinstance(ordering, str):
        if one_of("ordering", ordering, ("auto", "natural", "colour")) != "colour":
            return np.arange(n), "natural"
        colour = kernels("relax", _numpy()).colours(both.indices, both.indptr)
        return np.argsort(np.asarray(colour), kind="stable"), "colour"
    order = np.asarray(unmasked("ordering", ordering))
    if order.shape != (n,) or order.dtype.kind not in "iu" or not (np.sort(order) == np.arange(n)).all():
        raise InvalidInputError(
            f"ordering is {type(ordering).__name__} of shape {order.shape}: a permutation of 0 ... {n - 1} is "
            f"expected; name each row once"
        )
    return order.astype(np.int64), "given"


def _numbered(matrix, order):
    """Return the matrix with row order[k] and column order[k] as its k-th."""
    place = np.empty(order.size, np.int64)
    place[order] = np.arange(order.size)
    rows = matrix[order]
    moved = sparse.csr_array((rows.data, place[rows.indices], rows.indptr), shape=matrix.shape)
    moved.sort_indices()
    return moved
