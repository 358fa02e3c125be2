"""Linear programs: the checked problem in one block of rows, its scaling, its certificate and its result."""

import math
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np

from numopt._array import host, is_sparse, like, namespace
from numopt._check import Checks
from numopt._csr import csr
from numopt._given import as_array
from numopt._result import Result, result_class
from numopt.exceptions import InvalidInputError
from numopt.monotone._lp_bounds import ends_of
from numopt.monotone._lp_units import divided, powers, scaled, within
from numopt.monotone._matrix import Matrix, wrap

ROOM = 1e-3  # of what the norms allow a value to be: a smaller one is judged relative to that, for it may be 0


@result_class
class LPResult(Result):
    """A solution of a linear program with its certificate; names as in SciPy.

    Attributes
    ----------
    x : ndarray of shape (n,)
        The point; bounds hold exactly.
    fun : float
        c.x.
    dual_value : float
        The value of the dual point.
    slack, con : ndarray
        ``b_ub - A_ub x`` and ``b_eq - A_eq x``.
    ineqlin, eqlin, lower, upper : namespace
        Each with ``residual`` and ``marginals``, the derivatives of the optimal value by b_ub, b_eq and the bounds.
    primal_infeasibility, dual_infeasibility, gap : float
        Relative, as defined by `linprog_pd`.
    ray : ndarray or None
        With ``status`` INFEASIBLE, multipliers (of the rows of A_ub, then of A_eq) that prove it; with UNBOUNDED, a
        direction.
    far : float
        With ``status`` INFEASIBLE: no feasible point has a smaller l1 norm; inf if the proof is exact.
    n_passes, n_restarts : int
        Products with A and its transpose, in pairs; restarts.
    """

    x: object
    fun: float
    dual_value: float
    slack: object
    con: object
    ineqlin: object
    eqlin: object
    lower: object
    upper: object
    primal_infeasibility: float
    dual_infeasibility: float
    gap: float
    ray: object
    far: float
    n_passes: int
    n_restarts: int


@dataclass(slots=True, eq=False)
class LinearProgram:
    """min c.x subject to A x <= b in the first `m_ub` rows, A x = b in the others, low <= x <= high.

    `powers` of two are the units of A, x and c: A is in units of the first, b in those of A x, the value of c x.
    Where no variable is `costly` every multiplier is 0, since nothing else would say how large they are.
    """

    A: Matrix
    b: object
    c: object
    low: object
    high: object
    m_ub: int
    dtype: object
    powers: tuple = (0, 0, 0)
    costly: float = 1.0  # or 0.0
    sides: tuple = (1.0, 1.0)  # the size of the right-hand sides, in the caller's rows and in the scaled ones
    costs: tuple = (1.0, 1.0)  # that of c, in the caller's columns and in the scaled ones
    scaled: object = None  # (Matrix, rows, columns): rows A columns
    memo: tuple = (None, None)
    found: dict = field(default_factory=lambda: {"ray": None, "far": math.inf})

    @property
    def xp(self):
        """The namespace."""
        return self.A.xp

    def signs(self):
        """Return the least value of each multiplier: 0 for inequalities, -inf for equations."""
        xp, m = self.xp, self.A.shape[0]
        free = self.A.vector(m - self.m_ub, -math.inf)
        return xp.concat((self.A.vector(self.m_ub), free))

    def errors(self, x, y, Ax, ATy):
        """Return (largest, primal, dual, gap, value, dual value) of a pair with its products; errors are relative."""
        if not self.costly:
            y, ATy = 0 * y, 0 * ATy
        program, scales = (self.c, self.b, self.low, self.high, self.m_ub), self.scaled[1:]
        sizes = *self.sides, *self.costs
        return self.A.kernels.program_errors(*program, *scales, sizes, ROOM, x, y, Ax, ATy)

    def point(self, state):
        """Return (x, y) of the program from those of the scaled one, x in the caller's dtype and within bounds."""
        xp, (_, rows, columns) = self.xp, self.scaled
        x, y = state[0] * columns, xp.maximum(self.costly * state[1] * rows, self.signs())
        x = xp.astype(xp.astype(within(xp, x, self.powers[1]), self.dtype), xp.float64)
        return xp.minimum(xp.maximum(x, self.low), self.high), y

    def evaluated(self, state):
        """Return (x, y, A x, A^T y), computed once for the same state."""
        if self.memo[0] is not state:
            x, y = self.point(state)
            self.memo = state, (x, y, *self.A.products(x, y))
        return self.memo[1]

    def certificate(self, state):
        """Recompute feasibility of both sides and the gap from the data."""
        largest, primal, dual, gap, value, other = self.errors(*self.evaluated(state))
        return {
            "kkt_error": largest,
            "primal_infeasibility": primal,
            "dual_infeasibility": dual,
            "gap": gap,
            "value": self.out(value, 0, 1, 1),
            "dual_value": self.out(other, 0, 1, 1),
        }

    def out(self, v, *times):
        """Return v in the caller's units: those of A, x and c to these powers."""
        power = sum(p * t for p, t in zip(self.powers, times, strict=True))
        return within(self.xp, v, power) * 2.0**power if power else v

    def finish(self, state, info, common):
        """Return the result."""
        xp, m = self.xp, self.m_ub
        point, y, Ax, ATy = self.evaluated(state)
        slack, reduced = self.b - Ax, self.c + ATy
        zero = xp.zeros_like(reduced)
        cast = lambda v, *times: xp.astype(self.out(v, *times), self.dtype)  # noqa: E731
        found = common["certificate"]
        lower = xp.where(xp.isfinite(self.low), xp.maximum(reduced, zero), zero)
        upper = xp.where(xp.isfinite(self.high), xp.minimum(reduced, zero), zero)
        x, slack, y = cast(point, 0, 1, 0), cast(slack, 1, 1, 0), cast(-y, -1, 0, 1)
        lower = SimpleNamespace(residual=cast(point - self.low, 0, 1, 0), marginals=cast(lower, 0, 0, 1))
        upper = SimpleNamespace(residual=cast(self.high - point, 0, 1, 0), marginals=cast(upper, 0, 0, 1))
        return LPResult(
            **common, x=x, fun=found["value"], dual_value=found["dual_value"], slack=slack[:m], con=slack[m:],
            ineqlin=SimpleNamespace(residual=slack[:m], marginals=y[:m]),
            eqlin=SimpleNamespace(residual=slack[m:], marginals=y[m:]), lower=lower, upper=upper,
            primal_infeasibility=found["primal_infeasibility"], dual_infeasibility=found["dual_infeasibility"],
            gap=found["gap"], ray=self.found["ray"], far=self.found["far"] * 2.0 ** self.powers[1],
            n_passes=int(info.get("n_passes", 0)), n_restarts=int(info.get("n_restarts", 0)),
        )  # fmt: skip


def linear_program(c, A_ub, b_ub, A_eq, b_eq, bounds, x0=None):
    """Check a linear program and scale it; return it with the start."""
    for A, b, pair in ((A_ub, b_ub, "ub"), (A_eq, b_eq, "eq")):
        if (A is None) != (b is None):
            raise InvalidInputError(f"A_{pair} and b_{pair}: one of them is given; give both or none")
    A_ub, A_eq = _alike(A_ub, A_eq)
    vectors = {name: _flat(name, v) for name, v in (("c", c), ("b_ub", b_ub), ("b_eq", b_eq), ("x0", x0))}
    checks = Checks(vectors | {"A_ub": A_ub, "A_eq": A_eq})
    xp, place = checks.xp, checks.device
    c = checks.vector("c")
    n, blocks, sides, sizes = c.shape[0], [], [], []
    for name, A in (("ub", A_ub), ("eq", A_eq)):
        sizes.append(0)
        if A is None:
            continue
        if (getattr(A, "shape", None) or (1,))[0] == 0:
            shape = tuple(vectors[f"b_{name}"].shape)
            if math.prod(shape) > 0:
                raise InvalidInputError(
                    f"b_{name} has shape {shape}: no numbers are expected, since A_{name} has no rows; pass none"
                )
            continue
        sparse = is_sparse(A)
        A = checks.csr(f"A_{name}", shape=(None, n)) if sparse else checks.matrix(f"A_{name}", shape=(None, n))
        sizes[-1] = A.shape[0]
        sides.append(checks.vector(f"b_{name}", size=A.shape[0]))
        blocks.append(A)
    if not blocks:  # an empty equation, so that there is a matrix
        blocks, sides, sizes = (
            [xp.zeros((1, n), dtype=checks.dtype, device=place)],
            [xp.zeros((1,), device=place)],
            [0, 1],
        )
    begin = xp.zeros((n,), dtype=xp.float64, device=place) if x0 is None else checks.vector("x0", size=n)
    extents = checks.settle()
    ends = ends_of(bounds, n)
    a, x, g = units = powers(extents, *ends)
    A = wrap(xp, place, blocks[0] if len(blocks) == 1 else _stacked(xp, blocks))
    if any(units):
        A = A.filled(divided(xp, "A", xp.astype(A.A.data if is_sparse(A.A) else A.A, xp.float64), a))
    c, *sides = (xp.astype(v, xp.float64, copy=False) for v in (c, *sides))
    b, c = divided(xp, "b", xp.concat(sides), a + x), divided(xp, "c", c, g)
    low, high = (like(xp, divided(np, "bounds", end, x), place, xp.float64) for end in ends)
    costly = float(extents["c"].low != 0 or extents["c"].high != 0)
    p = LinearProgram(A, b, c, low, high, sizes[0], checks.dtype, units, costly)
    with np.errstate(all="ignore"):  # what comes of it is looked at
        p.scaled = A_scaled, rows, columns = scaled(p)
        sizes = host(size_of_sides(A, b, low, high), size_of_sides(A_scaled, b * rows, low / columns, high / columns),
                     xp.linalg.vector_norm(c), xp.linalg.vector_norm(c * columns))  # fmt: skip
        sizes = [size or 1.0 for size in sizes]
        p.sides, p.costs = sizes[:2], sizes[2:]
    return p, xp.astype(begin, xp.float64) / 2.0 ** units[1]


def _flat(name, v):
    """Return as a vector what SciPy takes for one: a number, a row, a column."""
    v = None if v is None else as_array(name, v)
    shape = getattr(v, "shape", ())
    if v is None or is_sparse(v) or len(shape) == 1 or math.prod(shape) != max(shape, default=1):
        return v
    return namespace(v).reshape(v, (-1,))


def _alike(A_ub, A_eq):
    """Return the two matrices; if one is sparse, both are."""
    given = {"A_ub": A_ub, "A_eq": A_eq}
    if A_ub is None or A_eq is None or is_sparse(A_ub) == is_sparse(A_eq):
        return A_ub, A_eq
    xp = namespace(**given)
    given = (A if is_sparse(A) else as_array(name, A) for name, A in given.items())
    return [A if is_sparse(A) or A.ndim != 2 else csr(A[at := xp.nonzero(A)], *at, A.shape) for A in given]


def size_of_sides(A, b, low, high):
    """Return the size of the right-hand sides: that of `b`, or of what finite bounds make of the rows if that is 0."""
    xp, norm = A.xp, A.xp.linalg.vector_norm
    if host(norm(b)) > 0:
        return norm(b)
    ends = [xp.where(xp.isfinite(end), xp.abs(end), 0.0) for end in (low, high)]
    return norm(A.absolute().forward(xp.maximum(*ends)))


def _stacked(xp, blocks):
    if not is_sparse(blocks[0]):
        return xp.concat(blocks, axis=0)
    over, under = blocks
    below = under.indptr[1:] + over.indptr[-1:]
    parts = [xp.concat(pair) for pair in ((over.data, under.data), (over.indices, under.indices), (over.indptr, below))]
    return type(over)(tuple(parts), shape=(over.shape[0] + under.shape[0], over.shape[1]))
