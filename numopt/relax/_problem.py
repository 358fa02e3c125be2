"""A checked linear system, in the order of the caller and in that of the sweeps, and its certificate."""

import math
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from numopt import _array
from numopt._check import Checks, one_of, scalar
from numopt._kernels import kernels
from numopt._kernels.portable._relax_system import System
from numopt.exceptions import InvalidInputError, InvalidTypeError, PrecisionWarning, warn
from numopt.relax._plan import RelaxPlan, is_plain_csr, plan_of

LARGEST_ENTRY, _LEAST = 1e150, 1e-140  # squares of more would overflow, and those of residuals of less underflow
DROWNED = 1e-28  # how far a squared residual may fall before rounding alone leads a recursion on
_SINGLE = 6e-6  # 50 rounding errors of float32


class Rows(NamedTuple):
    """A canonical sparse matrix by rows, in arrays of any library."""

    data: object
    indices: object
    indptr: object
    shape: tuple

    @property
    def nnz(self):
        """Number of stored entries."""
        return self.data.shape[0]


@dataclass
class Problem:
    """Find x with ||b - A x|| <= tol ||b||; computed in float64, given back in `dtype`."""

    xp: object
    kernels: SimpleNamespace
    A: Rows
    b: object
    start: object  # x0 or zeros, as the sweeps have it
    from_zero: bool
    solved: bool  # b = 0
    scale: float  # ||b||, or 1
    tol: float
    plan: RelaxPlan
    system: System
    rhs: object  # D^{-1} b, as the sweeps have it
    skew: float  # largest |a_ij - a_ji| / sqrt(a_ii a_jj)
    lowest: float  # smallest entry of the diagonal
    dtype: object
    kept: dict = field(default_factory=dict)  # the point judged last

    def point(self, x):
        """Return x as the caller will see it."""
        return self.xp.astype(self.plan.unsorted(x), self.dtype)

    def certificate(self, x):
        """Return ||b - A x|| / ||b||, recomputed from the caller's matrix."""
        point = self.point(x)
        square = self.kernels.residual(
            self.A.data, self.A.indices, self.A.indptr, self.xp.astype(point, self.xp.float64), self.b
        )
        relative = math.sqrt(_array.host(square)) / self.scale
        self.kept.update(x=x, point=point)
        return {"residual": relative}

    def judged(self, x):
        """Return x as the caller will see it; in most runs it was judged last."""
        return self.kept["point"] if self.kept.get("x") is x else self.point(x)

    def drowns(self, square):
        """Say whether a start with this squared residual is worse than 0, and the answer below its rounding."""
        return square > self.scale**2 and DROWNED * square > self.target()

    def target(self):
        """Return the squared norm of the residual at which a recursion may stop: rounding adds to it."""
        size = 0.99 * self.tol * self.scale
        return size * size  # inf, where a power would raise


def matrix(A):
    """Return a checked matrix as `Rows`."""
    checks = Checks({"A": A})
    checks.dtype = checks.xp.float64
    return _rows(checks)


def _rows(checks):
    """Return the matrix of `checks` as `Rows`, its values tested."""
    A, xp = checks._given("A"), checks.xp
    if len(A.shape) == 2 and A.shape[0] != A.shape[1]:
        raise InvalidInputError(f"A has shape {tuple(A.shape)}: a square matrix is expected; pass one")
    if _array.is_sparse(A):
        csr = checks.csr("A")
        checks.settle()
        return Rows(csr.data, csr.indices, csr.indptr, csr.shape)
    A = checks.matrix("A")
    checks.settle()
    rows, columns = xp.nonzero(A)
    count = xp.searchsorted(rows, xp.arange(A.shape[0] + 1, dtype=rows.dtype, device=_array.device(A)))
    return Rows(A[rows, columns], *(xp.astype(index, xp.int32) for index in (columns, count)), A.shape)


def linear_system(A, b, x0, *, rtol, atol, ref, ordering, plan, before=None):
    """Check the input of a solver; `b` has one column, `before` is the problem of the column before it, if there is."""
    tol = scalar("rtol", rtol, low=0.0, remedy="pass a tolerance >= 0")
    atol = scalar("atol", atol, low=0.0, remedy="pass a tolerance >= 0")
    if tol == 0 and atol == 0:
        raise InvalidInputError("rtol is 0 and atol is 0: one of them must be positive; pass rtol=1e-8")
    one_of("ref", ref, ("b", "r0"))
    if before is None:
        problem = _as_it_is(A, b, x0, plan, tol) or _converted(A, b, x0, plan, tol, ordering)
    else:
        sides = _sides(before.plan, before.kernels, before.system, *_vectors(b, x0))
        problem = replace(before, tol=tol, kept={}, **sides)
    if ref == "r0":
        first = problem.certificate(problem.start)["residual"]
        if not first < math.inf:
            raise InvalidInputError(
                "x0 has a residual whose square is no number: ref='r0' needs one; start nearer, or from 0"
            )
        problem.tol *= first
    problem.tol = max(problem.tol, atol / problem.scale)
    if before is None and problem.dtype == problem.xp.float32 and problem.tol < _SINGLE:
        warn(
            f"rtol is {rtol}: a result in float32 allows about {_SINGLE:.0e}; raise it, or pass float64 arrays",
            PrecisionWarning,
        )
    return problem


def _as_it_is(A, b, x0, plan, tol):
    """Return the problem if nothing has to be converted or planned, else None; None, too, if a value is bad.

    Small systems cost less than a look at each of their arrays: here the passes that arrange them look, too.
    """
    vectors = (b,) if x0 is None else (b, x0)
    if not (
        isinstance(plan, RelaxPlan) and is_plain_csr(A) and all(map(_is_plain, (A.data, *vectors)))
        and A.indices.dtype == A.indptr.dtype == np.int32 and plan.fits(A)
        and all(v.shape == A.shape[:1] for v in vectors)
    ):  # fmt: skip
        return None
    system, facts = plan.system(A.data)
    if not (facts[1] > 0 and math.isfinite(facts[3]) and (x0 is None or np.isfinite(x0).all())):
        return None
    problem = _problem(Rows(A.data, A.indices, A.indptr, A.shape), b, x0, plan, tol, system, facts, np.float64)
    return problem if problem.scale < LARGEST_ENTRY else None


def _is_plain(x):
    return type(x) is np.ndarray and x.dtype == np.float64 and x.flags.c_contiguous


def _converted(A, b, x0, plan, tol, ordering):
    """Return the problem, its arrays converted; for bad input the message says what is wrong."""
    checks = Checks({"A": A, "b": b, "x0": x0})
    xp, dtype = checks.xp, checks.dtype
    checks.dtype = xp.float64
    A = _rows(checks)
    b = checks.vector("b", size=A.shape[0], low=-LARGEST_ENTRY, high=LARGEST_ENTRY, remedy="rescale the system")
    x0 = checks.vector("x0", size=A.shape[0], remedy="start from finite numbers") if x0 is not None else None
    checks.settle()
    plan = plan_of(A, ordering) if plan is None else _fitting(plan, A)
    system, facts = plan.system(A.data)
    facts = _array.host(*facts)
    if facts[1] == 0:
        i = int(_array.host(xp.argmin(xp.abs(plan.unsorted(system.diagonal)))))
        raise InvalidInputError(
            f"A[{i}, {i}] is 0: a non-zero diagonal is expected; reorder the equations, or drop row {i}"
        )
    return _problem(A, b, x0, plan, tol, system, facts, dtype)


def _vectors(b, x0):
    """Return columns of checked matrices as the kernels take them."""
    checks = Checks({"b": b, "x0": x0})
    checks.dtype = checks.xp.float64
    return checks.vector("b"), None if x0 is None else checks.vector("x0")


def _problem(A, b, x0, plan, tol, system, facts, dtype):
    table, (skew, _, lowest, _) = kernels("relax", plan._xp), facts
    return Problem(
        xp=plan._xp, kernels=table, A=A, tol=tol, plan=plan, system=system, skew=math.sqrt(skew), lowest=lowest,
        dtype=dtype, **_sides(plan, table, system, b, x0),
    )  # fmt: skip


def _sides(plan, table, system, b, x0):
    """Return what a problem has of its right-hand side and start."""
    xp = plan._xp
    rhs, square = table.right_side(plan._order, system.diagonal, b)
    norm = math.sqrt(_array.host(square))
    size = _array.host(xp.max(xp.abs(b))) if not _LEAST <= norm < math.inf else norm
    if not norm < math.inf:  # it overflowed, or an entry is not finite
        norm = size * _array.host(xp.linalg.vector_norm(b / size)) if size < math.inf else size
    if 0 < size < _LEAST:
        raise InvalidInputError(
            f"b is at most {size:g}: its square would underflow; more than {_LEAST:g} is expected; rescale the system"
        )
    from_zero = x0 is None or norm == 0
    start = xp.zeros_like(rhs) if from_zero else plan.sorted(x0)  # never the caller's own
    return {"b": b, "start": start, "from_zero": from_zero, "solved": norm == 0, "scale": norm or 1.0, "rhs": rhs}


def _fitting(plan, A):
    if not isinstance(plan, RelaxPlan):
        raise InvalidTypeError(f"plan is {type(plan).__name__}: a RelaxPlan is expected; make it with relax_plan(A)")
    if not plan.fits(A):
        raise InvalidInputError(
            f"plan is for {plan.n} rows and {plan.nnz} entries and A has {A.shape[0]} and {A.nnz}, or they lie "
            f"elsewhere: one pattern is expected; make a new plan with relax_plan(A)"
        )
    return plan
